"""How much of everything one gate spends. Times are seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment, unused-ignore]

_FEWEST, _MOST = 16, 1000
_KEPT_FDS = 256


@dataclass(frozen=True)
class Limits:
    """Each bounds what a command that means ill, or a peer that is dead, can hold on to."""

    connections: Optional[int] = None
    """How many at once; ``None`` for as many as the process has file descriptors for, at most 1000."""
    client_connections: Optional[int] = None
    """How many of them one address may have at a listener; what it opens besides is closed at once."""
    head_seconds: float = 30.0
    """For the head of a request, from the last one's end to its last byte."""
    hello_seconds: float = 30.0
    """For the start of a TLS handshake."""
    connect_seconds: float = 15.0
    """For each address of a host."""
    reach_seconds: float = 60.0
    """For looking a host's name up and connecting to it."""
    idle_seconds: float = 600.0
    """How long a connection may say nothing: compilers and package servers can be slow."""
    answer_seconds: float = 120.0
    """For the head of an index's answer, from the request's first byte."""
    stall_seconds: float = 60.0
    """How long an index may say nothing within an answer."""
    body_seconds: float = 3600.0
    """For the whole body of an index's answer: one that comes byte by byte ends, too."""
    turn_seconds: float = 7200.0
    """For everything that is done before the answer of a client's request begins."""
    spare_seconds: float = 30.0
    """How long a connection to an index is kept for the next request."""
    linger_seconds: float = 2.0
    """For a refused client to read why."""
    who_seconds: float = 0.5
    """For the name of a process."""
    head_bytes: int = 1 << 16
    """Of a request or a response."""
    host_connections: int = 16
    """To one host of an index at once. uv asks for 50 things at once, and each handshake costs its index as
    much as ten answers."""
    spare_connections: int = 64
    """To all hosts of indexes, kept for the next request."""


def fitting_connections(limits: Limits, descriptors: int = 2) -> int:
    """Return how many connections there may be.

    Args:
        limits: What is wanted.
        descriptors: How many each needs: two sockets, and a file where an answer is kept.
    """
    if limits.connections is not None:
        return limits.connections
    if resource is None:
        return _FEWEST  # type: ignore[unreachable, unused-ignore]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST
    return max(_FEWEST, min(_MOST, (soft - _KEPT_FDS) // descriptors))
