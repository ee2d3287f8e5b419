"""The process that stays with the confined command, between it and the launcher, and ends all of it.

In the namespaces rung it is PID 1: when it ends, for whatever reason, the kernel ends everything in there.
In the supervisor rungs it answers for the command's sockets, and ends its descendants itself.
"""

from __future__ import annotations

import _signal
import _socket
import os
import select
import struct
import time

from veln_hook.sandbox import confine, system
from veln_hook.sandbox import refusals as told
from veln_hook.sandbox.routing import MAX_BYTES

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from veln_hook.sandbox.layout import Layout
    from veln_hook.sandbox.task import Task
    from veln_hook.sandbox.walls import Wall

Socket = _socket.socket
SIGNAL_RECORD = 128  # struct signalfd_siginfo of signalfd(2)
_LAST_EVENTS = 1000
_SFD_CLOEXEC, _SFD_NONBLOCK = 0o2000000, 0o4000


def signal_descriptor(numbers: set[int]) -> int:
    """Return a descriptor that is readable while one of these blocked signals waits (signalfd(2))."""
    mask = struct.pack("=Q", sum(1 << (number - 1) for number in numbers))
    return system.call("signalfd4", -1, mask, len(mask), _SFD_CLOEXEC | _SFD_NONBLOCK)


class Inner:
    """Raises the wall, starts the command, stays until it ends."""

    def __init__(self, task: Task, plan: Layout, wall: Wall, control: Socket, route: Socket | None) -> None:
        """Take what the launcher made.

        Args:
            task: The task.
            plan: Its places.
            wall: How it is confined.
            control: To the launcher: "signal N" and "continue" come from it; "raised", "stopped",
                "failed TEXT", "exit N" and "killed N" go to it. At its end everything here ends.
            route: To the gate, if there is one.
        """
        self._task = task
        self._plan = plan
        self._wall = wall
        self._control = control
        self._route = route
        self._refusals = told.Refusals()
        self._umask = os.umask(0o022)
        self._command = 0
        self._status: int | None = None
        self._failure = ""
        self._timed_out = False

    def run(self, report: int) -> None:
        """Do all of it; returns when the command and everything that it started has ended.

        Args:
            report: An open file for the report.
        """
        try:
            self._wall.raise_up(self._task, self._plan, self._route, self._refusals)
            self._say("raised")
            birth = self._start()
            self._serve(birth)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may go on
            self._failure = self._failure or f"{type(error).__name__}: {error}"
        self._wall.end_all()
        told.write(report, self._refusals, timed_out=self._timed_out, confined=not self._failure)
        if self._failure:
            self._say(f"failed {self._failure}")
        elif self._status is not None and os.WIFSIGNALED(self._status):
            self._say(f"killed {os.WTERMSIG(self._status)}")
        elif self._status is not None:
            self._say(f"exit {os.WEXITSTATUS(self._status)}")

    def _say(self, text: str) -> None:
        try:
            self._control.send(text.encode("utf-8", "replace")[:MAX_BYTES])
        except OSError:
            pass  # the launcher is gone: so are we, presently

    def _start(self) -> Socket:
        """Fork the command; return a socket that tells what goes wrong before it runs, and closes then."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self._command = os.fork()
        if self._command == 0:
            status = 1
            try:
                status = self._become(theirs)
            except BaseException as error:  # noqa: BLE001 - it must not go on as a second one of us
                theirs.send(f"failed {type(error).__name__}: {error}".encode("utf-8", "replace")[:MAX_BYTES])
            os._exit(status)
        theirs.close()
        self._wall.started(self._command, ours)
        return ours

    def _become(self, birth: Socket) -> int:
        system.prctl(system.PR_SET_PDEATHSIG, _signal.SIGKILL)
        if not self._task.terminal:
            os.setsid()
        os.umask(self._umask)
        confine.close_all((birth.fileno(),))
        confine.limit(self._task)
        environment = self._wall.enter(self._task, self._plan, birth)
        return confine.become(self._task, environment)

    def _serve(self, birth: Socket) -> None:
        signals = signal_descriptor({_signal.SIGCHLD})
        poll = select.poll()
        for descriptor in (signals, self._control.fileno(), birth.fileno(), *self._wall.filenos()):
            poll.register(descriptor, select.POLLIN)
        seconds = self._task.seconds
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._status is None:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
            events = poll.poll(wait)
            if not events and deadline is not None and time.monotonic() >= deadline:
                self._timed_out = True
                os.kill(self._command, _signal.SIGKILL)
                deadline = None
            for descriptor, _ in events:
                if descriptor == signals:
                    os.read(signals, SIGNAL_RECORD)
                    self._reap()
                elif descriptor == self._control.fileno():
                    self._obey()
                elif descriptor == birth.fileno():
                    self._hear(birth, poll)
                elif not self._wall.handle(descriptor):
                    poll.unregister(descriptor)
        self._hear_the_last()

    def _hear_the_last(self) -> None:
        """Deal with what the command tried in its last moments, so that it is told."""
        poll = select.poll()
        for descriptor in self._wall.filenos():
            poll.register(descriptor, select.POLLIN)
        for _ in range(_LAST_EVENTS):
            events = poll.poll(0)
            if not events:
                return
            for descriptor, _ in events:
                if not self._wall.handle(descriptor):
                    poll.unregister(descriptor)

    def _reap(self) -> None:
        """Take the status of every child that ended; note the command's."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid != self._command:
                continue
            if os.WIFSTOPPED(status):
                if self._task.terminal:
                    self._say("stopped")
            else:
                self._status = status

    def _obey(self) -> None:
        word, _, rest = self._control.recv(MAX_BYTES).decode("ascii").partition(" ")
        if word == "signal":
            self._pass_on(int(rest))
        elif word == "continue":
            self._pass_on(_signal.SIGCONT)
        else:
            raise ConnectionAbortedError("the launcher is gone")

    def _pass_on(self, number: int) -> None:
        """Send the command a signal; where it leads a session of its own, to its whole process group."""
        try:
            if self._task.terminal:
                os.kill(self._command, number)
            else:
                os.killpg(self._command, number)
        except ProcessLookupError:
            pass  # it ended a moment ago

    def _hear(self, birth: Socket, poll: select.poll) -> None:
        message = birth.recv(MAX_BYTES).decode("utf-8", "replace")
        if message:
            self._failure = message.partition(" ")[2]
        else:
            poll.unregister(birth.fileno())
            birth.close()
