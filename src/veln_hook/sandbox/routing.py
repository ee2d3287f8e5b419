"""How a confined command's sockets get to whoever serves them, the gate: the protocol of the route.

The route is a connected pair of UNIX sockets of type SOCK_SEQPACKET, one end inherited by the launcher,
the other held by the server. Each message is ASCII text of at most ``MAX_BYTES``, with one file
descriptor (SCM_RIGHTS, unix(7)) where it says so:

    -> "listener proxy PORT"            + a listening TCP socket: a proxy is expected there (HTTP CONNECT)
    -> "listener dns PORT"              + a bound UDP socket: questions for addresses are expected there
    -> "listener tcp PORT"              + a listening TCP socket: what is accepted wants the fake address it
                                          came to (getsockname), on that port
    -> "connection proxy PROCESS"       + a connected TCP socket: one connection to the proxy
    -> "connection dns PROCESS"         + a connected TCP socket: DNS over TCP (RFC 7766)
    -> "connection tcp ADDRESS PORT PROCESS"  + a connected TCP socket: wants the fake address, on that port
    <- "who PORT"                       which process has the TCP socket with this local port?
    -> "is PORT PROCESS"                its name, or nothing after the port

PROCESS is the last word and may hold spaces. A rung sends either listeners, at the start, or connections,
whenever one is made. Sockets made inside a network namespace stay in it wherever they are served.

Fake addresses are those of 198.18.0.0/15 (RFC 2544: benchmarking, never routed): the server answers a
question for an allowed name with one of them and knows later which name was meant.
"""

from __future__ import annotations

MAX_BYTES = 1024
TCP_PORTS = (80, 443)
"""Ports that are listened on in the namespaces rung, besides those the task names."""
FAKE_NETWORK = "198.18.0.0/15"
