"""A way into the gate for whoever knows its password: a TCP listener of its own."""

from __future__ import annotations

import base64
import binascii
import hmac
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h11

_BACKLOG = 1024


class Door:
    """What a request at a listener has to bring: ``Proxy-Authorization: Basic`` with the password (RFC 7617).

    Any name of a user goes with it.

    Attributes:
        told: What a request without it is told, and nothing else.
        challenge: The header that goes with that (RFC 9110 section 11.7.1).
    """

    told = "this proxy needs a password"
    challenge = (("proxy-authenticate", 'Basic realm="proxy"'),)

    def __init__(self, password: str) -> None:
        """Let pass who brings this password.

        Raises:
            ValueError: It is empty.
        """
        if not password:
            raise ValueError("an empty password keeps nobody out")
        self._password = password.encode("utf-8")

    def opens(self, request: h11.Request) -> bool:
        """Tell whether a request brings it; the time that takes doesn't depend on how much of it is right."""
        given = [value for name, value in request.headers if name == b"proxy-authorization"]
        if len(given) != 1:
            return False
        scheme, _, encoded = given[0].partition(b" ")
        try:
            decoded = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            return False
        password = decoded.partition(b":")[2]
        return hmac.compare_digest(password, self._password) and scheme.lower() == b"basic"


def bound(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a listening socket.

    Args:
        host: An address of this machine.
        port: 0 for any that is free.
        shared: Whether other processes may listen there too; the kernel shares connections out among them
            (``SO_REUSEPORT``, socket(7)).

    Raises:
        OSError: It can't be had.
        ValueError: This system can't share a port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, port), family=family, backlog=_BACKLOG, reuse_port=shared)
    sock.setblocking(False)
    return sock
