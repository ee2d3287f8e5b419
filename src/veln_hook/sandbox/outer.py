"""The launcher's own process: it behaves towards its caller as the command would, and survives none of it."""

from __future__ import annotations

import _signal
import _socket
import os
import select
import struct

from veln_hook.sandbox import layout, namespaces, processes, system
from veln_hook.sandbox.inner import SIGNAL_RECORD, Inner, signal_descriptor
from veln_hook.sandbox.routing import MAX_BYTES

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from veln_hook.sandbox.task import Task

Socket = _socket.socket

CANNOT_CONFINE = 78
# A socket outside that is to be covered can vanish before bubblewrap gets there, which then gives up.
_BUBBLEWRAP_ATTEMPTS = 5
_KILLED = "the process that holds the wall was killed"
_FROM_TERMINAL = 0  # si_code is above it for what the kernel sends (sigaction(2))
_NEVER_PASSED_ON = ("SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU")


class Refused(Exception):  # noqa: N818 - what it says on the command line
    """The wall can't be raised, or fell; the message says why."""


class NotRaised(Refused):
    """The wall could not be raised, and the command was never started."""


def run(task: Task, name: str) -> int:
    """Run the command of a task confined; return its exit status, or die by the signal it died by.

    Args:
        task: The task.
        name: The file that it was read from.

    Raises:
        Refused: It isn't confined, and nothing of it runs any more.
    """
    system.prctl(system.PR_SET_CHILD_SUBREAPER, 1)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, _signal.valid_signals())
    attempts = _BUBBLEWRAP_ATTEMPTS if task.rung == "bubblewrap" else 1
    while True:
        attempts -= 1
        try:
            status = _run_once(task, name)
        except NotRaised:
            if not attempts:
                raise
        else:
            return status if status >= 0 else _die_by(-status)


def _run_once(task: Task, name: str) -> int:
    control, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    try:
        inner = _start(task, name, control, theirs)
    except OSError as error:
        raise Refused(str(error)) from None
    theirs.close()
    try:
        return _Outer(task, control, inner).serve()
    finally:
        control.close()
        processes.end(inner)
        processes.end_all()


def _start(task: Task, name: str, control: Socket, theirs: Socket) -> int:
    """Fork the process that raises the wall; return its number."""
    report = os.open(task.report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    plan = layout.Layout(task)
    if task.rung == "bubblewrap":
        from veln_hook.sandbox import bubblewrap  # noqa: PLC0415 - for this rung only

        route = _route(task)
        inherited = [theirs.fileno(), report, -1 if route is None else route.fileno()]
        return bubblewrap.start(task, plan, name, inherited)
    if task.rung == "namespaces":
        sockets = layout.socket_paths(task.outside)
        pid = namespaces.clone()
    else:
        sockets = []
        pid = os.fork()
    if pid == 0:
        # Whatever happens, this is no second launcher.
        try:
            control.close()
            _inside(task, plan, sockets, theirs, report)
        finally:
            os._exit(0)
    os.close(report)
    if task.rung == "namespaces":
        namespaces.map_user(pid)
        control.send(b"go")
    return pid


def _inside(task: Task, plan: layout.Layout, sockets: list[str], control: Socket, report: int) -> None:
    from veln_hook.sandbox.walls import NamespaceWall, SupervisorWall, Wall  # noqa: PLC0415 - not needed outside

    wall: Wall
    if task.rung == "namespaces":
        system.prctl(system.PR_SET_PDEATHSIG, _signal.SIGKILL)
        if control.recv(MAX_BYTES) != b"go":
            return  # the launcher is gone already
        wall = NamespaceWall(namespaces.Mounts(plan, sockets, terminal=task.terminal))
    else:
        wall = SupervisorWall(empty_network=task.rung == "netns-supervisor")
    Inner(task, plan, wall, control, _route(task)).run(report)


def resume(task: Task, descriptors: list[int]) -> None:
    """Go on inside what bubblewrap has made, as the process that stays with the command.

    Args:
        task: The task.
        descriptors: The control socket, the report and the route (-1: none), inherited.
    """
    from veln_hook.sandbox.walls import NamespaceWall  # noqa: PLC0415 - for this rung only

    _signal.pthread_sigmask(_signal.SIG_SETMASK, _signal.valid_signals())
    control, report, route = descriptors
    inherited = Socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, control)
    task.route = None if route < 0 else route
    Inner(task, layout.Layout(task), NamespaceWall(None), inherited, _route(task)).run(report)


def _route(task: Task) -> Socket | None:
    """Return the connected socket to the gate, if the task names one.

    Raises:
        OSError: It isn't there.
    """
    if task.route is None:
        return None
    if isinstance(task.route, int):
        return Socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, task.route)
    made = Socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    made.connect(task.route)
    return made


class _Outer:
    def __init__(self, task: Task, control: Socket, inner: int) -> None:
        self._terminal = task.terminal
        self._control = control
        self._control.setblocking(False)
        self._inner = inner
        self._raised = False
        self._signals = signal_descriptor(set(_signal.valid_signals()))
        self._kept = {int(getattr(_signal, name)) for name in _NEVER_PASSED_ON}

    def serve(self) -> int:
        """Pass signals in and the end out; return the exit status, or the signal that killed it, negative.

        Raises:
            Refused: It ended otherwise than by the command's end.
        """
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        while True:
            events = [descriptor for descriptor, _ in poll.poll()]
            ended = self._signals in events and self._signalled()
            # What it said before it ended counts.
            status = self._hear()
            if status is not None:
                return status
            if ended:
                raise self._refused(_KILLED)

    def _hear(self) -> int | None:
        """Deal with what the process that holds the wall says; return how it ended once it has."""
        while True:
            try:
                word, _, rest = self._control.recv(MAX_BYTES).decode("utf-8", "replace").partition(" ")
            except BlockingIOError:
                return None
            if word == "raised":
                self._raised = True
            elif word == "stopped":
                os.kill(os.getpid(), _signal.SIGSTOP)
                self._tell("continue")
            elif word == "exit":
                return int(rest)
            elif word == "killed":
                return -int(rest)
            else:
                raise self._refused(rest or _KILLED)

    def _refused(self, why: str) -> Refused:
        return Refused(why) if self._raised else NotRaised(why)

    def _signalled(self) -> bool:
        """Deal with one signal; say whether it tells that the process that holds the wall ended."""
        record = os.read(self._signals, SIGNAL_RECORD)
        number, _, code = struct.unpack_from("=Iii", record)
        if number == _signal.SIGCHLD:
            return self._inner_ended()
        # A terminal sends its signals to the whole foreground group: the command has its own already.
        if number not in self._kept and not (self._terminal and code > _FROM_TERMINAL):
            self._tell(f"signal {number}")
        return False

    def _inner_ended(self) -> bool:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == self._inner:
                return True
            if pid == 0:
                return False

    def _tell(self, text: str) -> None:
        try:
            self._control.send(text.encode("ascii"))
        except OSError:
            pass  # it is gone; that is read from the same socket


def _die_by(number: int) -> int:
    """End by a signal; return what a shell makes of it, should it kill nobody."""
    import resource  # noqa: PLC0415 - rarely needed

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one of us would tell nothing
    if number not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(number, _signal.SIG_DFL)
    os.kill(os.getpid(), number)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (number,))
    return 128 + number
