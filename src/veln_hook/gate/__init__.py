"""The gate: what other processes' traffic goes through, as long as the command it serves lives.

``egress.Egress`` lets sockets that it is handed reach the hosts that are listed, and nothing else. What goes
to hosts that ``intercept.Interceptor`` covers ends there: a ``exchange.Responder`` answers each request,
with what ``upstream.Upstream`` gets from the index or with something else.

All of it needs the extra ``veln-hook[gate]``, interception also its cryptography; ``extra.require`` says in
one line what is missing.
"""
