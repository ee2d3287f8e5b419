"""The supervisor's end of the route: connections of the command are handed to the gate (``routing``)."""

from __future__ import annotations

import _socket
import array
import errno
import select

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
        if self._route is None:
            raise OSError(errno.ECONNREFUSED, "the gate")
        text = "".join(char if " " <= char <= "~" else "?" for char in line)[:MAX_BYTES].encode("ascii")
        rights = array.array("i", [connection.fileno()])
        poll = select.poll()
        poll.register(self._route.fileno(), select.POLLOUT)
        try:
            poll.poll(_PATIENCE)
            self._route.sendmsg(
                [text], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)], _socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            raise OSError(errno.ECONNREFUSED, "the gate") from None
        except OSError:
            self._route = None
            raise OSError(errno.ECONNREFUSED, "the gate") from None
