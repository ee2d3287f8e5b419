"""A name server that knows no name: without a gate, it lets the report say which hosts were asked for.

It speaks DNS over TCP (RFC 7766), because the supervisor lets no datagrams through.
"""

from __future__ import annotations

import select
import struct

from veln_hook.sandbox import network

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from veln_hook.sandbox.refusals import Refusals
    from veln_hook.sandbox.sockets import Socket

_MAX_CONNECTIONS = 16
_MAX_BYTES = 4096  # a question has 512 at most, but several may come at once


class _Connection:
    def __init__(self, socket: Socket, process: str) -> None:
        self.socket = socket
        self.process = process
        self.received = b""
        self.names: set[str] = set()


class RefusedNames:
    """Serves connections of a confined command; what it is asked for is noted."""

    def __init__(self, epoll: select.epoll, refusals: Refusals) -> None:
        """Take where to register connections, and where to note names."""
        self._epoll = epoll
        self._refusals = refusals
        self._connections: dict[int, _Connection] = {}

    def serve(self, socket: Socket, process: str) -> None:
        """Take over a connected socket. The oldest connection ends if there are too many."""
        socket.setblocking(False)
        descriptor = socket.fileno()
        self._connections[descriptor] = _Connection(socket, process)
        self._epoll.register(descriptor, select.EPOLLIN)
        if len(self._connections) > _MAX_CONNECTIONS:
            self._end(next(iter(self._connections)))

    def handle(self, descriptor: int) -> None:
        """Answer what a connection asks; one that breaks the rules of DNS ends."""
        connection = self._connections.get(descriptor)
        if connection is None:
            return
        try:
            data = connection.socket.recv(_MAX_BYTES)
            connection.received += data
            if data and len(connection.received) <= _MAX_BYTES:
                self._answer(connection)
                return
        except (OSError, ValueError):
            pass
        self._end(descriptor)

    def _answer(self, connection: _Connection) -> None:
        while len(connection.received) >= 2:  # noqa: PLR2004 - the length of a message comes first
            length = struct.unpack_from(">H", connection.received)[0]
            message = connection.received[2 : 2 + length]
            if len(message) < length:
                return
            connection.received = connection.received[2 + length :]
            name = network.question_name(message)
            if name not in connection.names:  # it is asked for IPv4 and for IPv6
                connection.names.add(name)
                self._refusals.add(name, None, connection.process)
            answer = network.refusal(message)
            connection.socket.send(struct.pack(">H", len(answer)) + answer)

    def _end(self, descriptor: int) -> None:
        self._epoll.unregister(descriptor)
        self._connections.pop(descriptor).socket.close()
