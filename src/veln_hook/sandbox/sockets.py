"""The sockets that a supervisor has made for a confined command, and how one takes another's place.

Each TCP socket is bound to a loopback address before the command gets it, and stays so: it can't reach
another machine whatever becomes of it, and only this machine reaches it when it listens. A socket that has
done nothing yet is held here, too: the supervisor connects or binds the very same socket then, so that its
options and copies of its descriptor go on as they should. It is let go when it is used, because a socket
that is held doesn't close when the command closes it.
"""

from __future__ import annotations

import _socket
import errno
import os
import select

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from veln_hook.sandbox.notify import Notification
    from veln_hook.sandbox.target import Target

Socket = _socket.socket
LOOPBACK = {_socket.AF_INET: "127.0.0.1", _socket.AF_INET6: "::1"}

_MAX_HELD = 64
_MAX_KNOWN = 4096
_OPTIONS = (_socket.SO_KEEPALIVE, _socket.SO_OOBINLINE)
_TCP_OPTIONS = (_socket.TCP_NODELAY, _socket.TCP_KEEPIDLE, _socket.TCP_KEEPINTVL, _socket.TCP_KEEPCNT)
_STRUCTURES = (_socket.SO_LINGER, _socket.SO_RCVTIMEO, _socket.SO_SNDTIMEO)
_MAX_OPTION = 64


class Known:
    """One socket of the confined command."""

    __slots__ = ("connected", "family", "held", "inode", "kind", "named", "unanswered")

    def __init__(self, made: Socket, *, held: Socket | None = None) -> None:
        self.family, self.kind = made.family, made.type
        self.inode = os.fstat(made.fileno()).st_ino
        self.held = held
        """The same socket, until it is used."""
        self.named = False
        """Whether the command has bound it."""
        self.connected = False
        self.unanswered = False
        """Whether the command was interrupted when its last call had been done: it will make it again."""


class Call:
    """One call about one socket."""

    __slots__ = ("descriptor", "known", "notification", "target")

    def __init__(self, notification: Notification, target: Target, descriptor: int, known: Known) -> None:
        self.notification = notification
        self.target = target
        self.descriptor = descriptor
        self.known = known

    def done(self, known: Known) -> None:
        """Let the call return zero.

        Args:
            known: The socket as it is now. If nobody waits any more, it remembers that.

        Raises:
            notify.GoneError: Nobody waits any more.
        """
        known.unanswered = True
        self.notification.succeed()
        known.unanswered = False


class Sockets:
    """All sockets of a confined command that are still to be told apart, the oldest forgotten first."""

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}
        self._held: dict[int, Socket] = {}

    def add(self, made: Socket, *, hold: bool) -> Known:
        """Remember a socket that the command gets, and hold it until it is used if ``hold``."""
        known = Known(made, held=made if hold else None)
        self._known[known.inode] = known
        if hold:
            self._held[known.inode] = made
        if len(self._held) > _MAX_HELD:
            self.release(self._known[next(iter(self._held))])
        if len(self._known) > _MAX_KNOWN:
            oldest = next(iter(self._known.values()))
            self.release(oldest)
            del self._known[oldest.inode]
        return known

    def find(self, inode: int) -> Known | None:
        """Return what is known of the socket with this inode number."""
        return self._known.get(inode)

    def release(self, known: Known) -> None:
        """Hold a socket no longer."""
        known.held = None
        held = self._held.pop(known.inode, None)
        if held is not None:
            held.close()

    def substitute(self, call: Call, made: Socket) -> Known:
        """Put a socket in the place of the one that a call is about; the caller closes it here.

        What can be told of the old one's options and flags is set on the new one.

        Raises:
            notify.GoneError: Nobody waits any more.
            OSError: It can't be done.
        """
        flags = call.target.flags(call.descriptor)
        if call.known.held is not None:
            _copy_options(call.known.held, made)
        os.set_blocking(made.fileno(), not flags & os.O_NONBLOCK)
        number = call.descriptor
        call.notification.replace(number, made.fileno(), close_on_exec=bool(flags & os.O_CLOEXEC))
        self.release(call.known)
        return self.add(made, hold=False)


def make(family: int, kind: int, address: tuple[str, int] | None = None) -> Socket:
    """Return a new socket; one of TCP is bound to loopback.

    Args:
        family: Of the socket.
        kind: Its type.
        address: A loopback address to bind to; if ``None``, the usual one with any port.

    Raises:
        OSError: There is no such socket here, or the address is taken.
    """
    made = Socket(family, kind)
    if family in LOOPBACK:
        try:
            # A port that a closed connection still keeps (TIME_WAIT) can be had again.
            made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            if family == _socket.AF_INET6:  # for addresses of IPv4 within IPv6, ::ffff:127.0.0.1
                made.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 0)
            made.bind(address or (LOOPBACK[family], 0))
        except OSError:
            made.close()
            raise
    return made


def connect(made: Socket, address: object, seconds: float) -> None:
    """Connect a TCP socket, and leave it blocking or not, as it was.

    Raises:
        OSError: It isn't connected; ETIMEDOUT, not within the time.
    """
    blocking = os.get_blocking(made.fileno())
    os.set_blocking(made.fileno(), False)
    try:
        error = made.connect_ex(address)  # type: ignore[arg-type]  # an address of its family
        if error == errno.EINPROGRESS:
            poll = select.poll()
            poll.register(made.fileno(), select.POLLOUT)
            ready = poll.poll(seconds * 1000)
            error = made.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR) if ready else errno.ETIMEDOUT
    finally:
        os.set_blocking(made.fileno(), blocking)
    if error:
        raise OSError(error, os.strerror(error))


def _copy_options(old: Socket, new: Socket) -> None:
    wanted = [(_socket.SOL_SOCKET, option) for option in _OPTIONS]
    if old.family in LOOPBACK:
        wanted += [(_socket.IPPROTO_TCP, option) for option in _TCP_OPTIONS]
    else:
        wanted.append((_socket.SOL_SOCKET, _socket.SO_PASSCRED))
    for level, option in wanted:
        new.setsockopt(level, option, old.getsockopt(level, option))
    for option in _STRUCTURES:
        new.setsockopt(_socket.SOL_SOCKET, option, old.getsockopt(_socket.SOL_SOCKET, option, _MAX_OPTION))
