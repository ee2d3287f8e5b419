"""The way from confined builds to the hosts that the policy allows: a gate in pip's own process.

Most builds need no network, since pip has fetched what they need; then nothing of this is loaded, and the
extra that the gate needs may be missing.
"""

from __future__ import annotations


def route(allow_hosts: tuple[str, ...]) -> str | None:
    """Return the socket that a build's connections are handed over on; ``None`` if the policy allows no host.

    Args:
        allow_hosts: The policy's ``sandbox.allow_hosts``.
    """
    return None
