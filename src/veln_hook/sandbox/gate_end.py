"""The supervisor's end of the route: connections of the command are handed to the gate (``routing``)."""

from __future__ import annotations

import _socket
import errno
import select

from veln_hook.sandbox import descriptors
from veln_hook.sandbox.routing import MAX_BYTES

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from veln_hook.sandbox.sockets import Socket

_PATIENCE = 1000  # milliseconds, for a gate whose queue is full


class GateEnd:
    """A route that may be absent, or end."""

    def __init__(self, route: Socket | None) -> None:
        """Take a connected UNIX socket of type SOCK_SEQPACKET, or ``None`` where there is no gate."""
        self._route = route

    def there(self) -> bool:
        """Say whether there is a gate."""
        return self._route is not None

    def send(self, line: str, connection: Socket) -> None:
        """Hand a connection to the gate; a copy stays here.

        Args:
            line: What it is; shortened if need be, and with a question mark for what isn't printable ASCII.
            connection: The gate's end.

        Raises:
            OSError: ECONNREFUSED, the gate is gone or doesn't take it.
        """
        text = "".join(char if " " <= char <= "~" else "?" for char in line)[:MAX_BYTES]
        route = self._route
        try:
            if route is not None and (_sent(route, text, connection) or _sent_later(route, text, connection)):
                return
        except OSError:
            self._route = None
        raise OSError(errno.ECONNREFUSED, "the gate")


def _sent(route: Socket, text: str, connection: Socket) -> bool:
    """Send a line with a descriptor; say whether there was room for it."""
    try:
        descriptors.send(route, text, connection.fileno(), _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True


def _sent_later(route: Socket, text: str, connection: Socket) -> bool:
    """Do the same once there is room, if there soon is."""
    poll = select.poll()
    poll.register(route.fileno(), select.POLLOUT)
    poll.poll(_PATIENCE)
    return _sent(route, text, connection)
