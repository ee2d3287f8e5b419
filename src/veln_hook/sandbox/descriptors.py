"""File descriptors that go from one process to another over a UNIX socket, each with a line (unix(7))."""

from __future__ import annotations

import _socket
import struct

from veln_hook.sandbox.routing import MAX_BYTES

Socket = _socket.socket
_NUMBER = struct.Struct("i")


def send(connection: Socket, line: str, descriptor: int, flags: int = 0) -> None:
    """Send a line with a file descriptor (SCM_RIGHTS).

    Args:
        connection: A UNIX socket of type SOCK_SEQPACKET.
        line: What isn't ASCII is sent as a question mark.
        descriptor: A copy of it stays here.
        flags: Of sendmsg(2).

    Raises:
        OSError: The other end is gone, or BlockingIOError, it has no room.
    """
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, _NUMBER.pack(descriptor))]
    connection.sendmsg([line.encode("ascii", "replace")], rights, flags)


def receive(connection: Socket) -> tuple[str, int | None]:
    """Receive a line and the file descriptor that came with it, if one did; empty at the end.

    Raises:
        OSError: The connection broke.
    """
    text, ancillary, _, _ = connection.recvmsg(MAX_BYTES, _socket.CMSG_SPACE(_NUMBER.size))
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            return text.decode("utf-8", "replace"), int(_NUMBER.unpack(data)[0])
    return text.decode("utf-8", "replace"), None
