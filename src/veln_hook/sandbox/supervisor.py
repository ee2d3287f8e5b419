"""The supervisor of a confined command: it makes the system calls that the command may not make itself.

It stays outside, in the host's namespaces, and answers what the filter (``supervised_calls``) sends: sockets
(``internet``, ``unix``) and changes of files (``metadata``). Rules that all of it keeps:

- No call ever goes on in the command's own process, whose memory and descriptors can change in between.
  What is done is done here, to what was read once, and the result is handed over.
- Whatever goes wrong here is a refusal. Without a supervisor, each of these calls fails with ENOSYS.
"""

from __future__ import annotations

import _socket
import errno
import os
import select

from veln_hook.sandbox import addresses, metadata, notify, sockets, system
from veln_hook.sandbox.gate_end import GateEnd
from veln_hook.sandbox.internet import Internet4And6
from veln_hook.sandbox.places import Places
from veln_hook.sandbox.refused_names import RefusedNames
from veln_hook.sandbox.target import Target, descends
from veln_hook.sandbox.unix import Unix

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.sandbox.refusals import Refusals
    from veln_hook.sandbox.sockets import Call, Known, Socket
    from veln_hook.sandbox.task import Task

_AT_ONCE = 64
_TYPE_BITS = 0xF
_MAX_ADDRESS = 128
_MAX_MASK = 8192  # bytes: more processors than the kernel can be built for
_INTERNET = (_socket.AF_INET, _socket.AF_INET6)


class Supervisor:
    """Answers the calls of one confined command. It is used from one thread, and never waits long."""

    def __init__(
        self, listener: int, task: Task, route: Socket | None, refusals: Refusals, root: int
    ) -> None:
        """Take over a listener.

        Args:
            listener: What ``seccomp.install_with_listener`` returned in the command's process; ``close``
                closes it.
            task: Its ``write``, ``scratch`` and ``hide`` say where files may be changed and sockets made.
            route: To the gate (``routing``), if there is one.
            refusals: Where is noted what the command tried to reach.
            root: The process of the command. The supervisor's own process is the subreaper of all that comes
                of it (PR_SET_CHILD_SUBREAPER, prctl(2)), and has no other children.

        Raises:
            OSError: There is no loopback here, or no more descriptors.
        """
        self._listener = listener
        self._epoll = select.epoll()
        self._epoll.register(listener, select.EPOLLIN)
        self._sockets = sockets.Sockets()
        places = Places([*task.write, task.scratch], task.hide)
        self._names = RefusedNames(self._epoll, refusals)
        self._internet = Internet4And6(self._sockets, GateEnd(route), self._names, refusals)
        self._unix = Unix(self._sockets, places, refusals, root)
        self._metadata = metadata.Metadata(places)
        self._root = root
        self._handlers: dict[int, Callable[[notify.Notification, Target], None]] = {}
        for name, handler in (("socket", self._socket), ("connect", self._connect), ("bind", self._bind)):
            self._handlers[system.number(name) or -1] = handler
        self._handlers[system.number("sched_setaffinity") or -1] = self._affinity
        for name in metadata.CALLS:
            self._handlers[system.number(name) or -1] = self._changing(name)
        self.proxy_port = self._internet.proxy_port
        """Port on 127.0.0.1 at which the command finds the gate's proxy; nobody else can have it."""
        self.variables = {"RES_OPTIONS": "use-vc"}
        """What the command's environment must hold: datagrams are refused, so names are asked for by TCP
        (resolv.conf(5))."""

    def filenos(self) -> list[int]:
        """Return the descriptors to poll for input: always the same."""
        return [self._epoll.fileno()]

    def fileno(self) -> int:
        """Return the one descriptor to poll for input."""
        return self._epoll.fileno()

    def handle(self, _: int = -1) -> bool:
        """Answer what is waiting; say whether there can be more.

        It raises nothing for what the command does.
        """
        for descriptor, _events in self._epoll.poll(0):
            if descriptor != self._listener:
                self._names.handle(descriptor)
                continue
            for _ in range(_AT_ONCE):
                try:
                    call = notify.receive(self._listener)
                except EOFError:
                    return False
                except OSError:
                    break
                if call is None:
                    break
                self._answer(call)
        return True

    def close(self) -> None:
        """Answer nothing any more: from now on these calls fail in the command."""
        self._epoll.close()
        os.close(self._listener)

    def _answer(self, call: notify.Notification) -> None:
        try:
            try:
                self._handlers[call.number](call, Target(call.thread))
            except OSError as error:
                call.fail(error.errno or errno.EPERM)
            except notify.GoneError:
                pass
            except Exception:  # noqa: BLE001 - whatever it is, it must neither open anything nor end this
                call.fail(errno.EPERM)
        except notify.GoneError:
            pass

    def _socket(self, call: notify.Notification, _: Target) -> None:
        family, kind = call.integer(0), call.integer(1)
        made = sockets.make(family, kind & _TYPE_BITS)
        try:
            os.set_blocking(made.fileno(), not kind & os.O_NONBLOCK)
            call.hand_over(made.fileno(), close_on_exec=bool(kind & os.O_CLOEXEC))
        except BaseException:
            made.close()
            raise
        known = self._sockets.add(made, hold=True)
        if family in _INTERNET:
            self._internet.add(made, known)

    def _known(self, call: notify.Notification, target: Target) -> Call:
        """Return a call with what is known of the socket that it is about.

        Raises:
            OSError: EBADF, ENOTSOCK; EINVAL for one that wasn't made here: an accepted one, or of a pair.
        """
        known = self._sockets.find(target.socket(call.integer(0)))
        if known is None:
            raise OSError(errno.EINVAL, "socket of the target")
        return sockets.Call(call, target, call.integer(0), known)

    def _address(self, call: notify.Notification, target: Target) -> tuple[int, object]:
        length = call.integer(2)
        if not 0 <= length <= _MAX_ADDRESS:
            raise OSError(errno.EINVAL, "length of an address")
        return addresses.read(target.memory(call.arguments[1], length))

    def _addressed(self, notification: notify.Notification, target: Target) -> tuple[Call, object] | None:
        """Return a call and the address that it names; ``None`` if it was answered already.

        Raises:
            OSError: The address is of another family, or none.
        """
        call = self._known(notification, target)
        if _again(call.known, notification):
            return None
        family, address = self._address(notification, target)
        if family != call.known.family:
            raise OSError(errno.EAFNOSUPPORT, "address")
        return call, address

    def _connect(self, notification: notify.Notification, target: Target) -> None:
        addressed = self._addressed(notification, target)
        if addressed is None:
            return
        call, address = addressed
        if isinstance(address, addresses.Internet):
            self._internet.connect(call, address)
        elif isinstance(address, bytes) and address:
            self._unix.connect(call, address)
        else:
            raise OSError(errno.EOPNOTSUPP, "connect")

    def _bind(self, notification: notify.Notification, target: Target) -> None:
        addressed = self._addressed(notification, target)
        if addressed is None:
            return
        call, address = addressed
        if isinstance(address, addresses.Internet):
            self._internet.bind(call, address)
        elif isinstance(address, bytes):
            self._unix.bind(call, address)
        else:
            self._bind_netlink(call)

    def _bind_netlink(self, call: Call) -> None:
        """Let the kernel choose the address (netlink(7)); groups of messages aren't joined by it."""
        if call.known.held is None:
            raise OSError(errno.EINVAL, "bind")
        call.notification.check()
        call.known.held.bind((0, 0))
        call.known.named = True
        self._sockets.release(call.known)
        call.done(call.known)

    def _affinity(self, call: notify.Notification, target: Target) -> None:
        """Set which processors a thread runs on, if it is the command's (sched_setaffinity(2))."""
        thread, length = call.integer(0), call.integer(1)
        if not 0 <= length <= _MAX_MASK:
            raise OSError(errno.EINVAL, "length of a mask")
        mask = int.from_bytes(target.memory(call.arguments[2], length), "little")
        process = Target(thread).process()
        if process == os.getpid() or not descends(process, (self._root, os.getpid())):
            raise OSError(errno.EPERM, "a process outside")
        call.check()
        os.sched_setaffinity(thread, [number for number in range(8 * length) if mask >> number & 1])
        call.succeed()

    def _changing(self, name: str) -> Callable[[notify.Notification, Target], None]:
        return lambda call, target: self._metadata.handle(name, call, target)


def _again(known: Known, notification: notify.Notification) -> bool:
    """Answer a call that was done already when a signal interrupted it; say whether it was."""
    if not known.unanswered:
        return False
    notification.succeed()
    known.unanswered = False
    return True
