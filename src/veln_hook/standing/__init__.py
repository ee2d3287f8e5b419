"""The standing gate: the index proxy as a service, for many clients and as long as a machine runs.

One process serves no client: it keeps the workers alive, reads the policy again when it is told to, and
tells how they are (``supervisor``). Each worker is a gate of its own (``worker``) that accepts from the same
socket as the others. What they learn they share by the store. It needs the extra ``veln-hook[gate]``.
"""
