"""Stand between whoever started us and one child, so that neither notices: signals, job control, the end.

The child stays in our process group: a terminal's keys reach it without us. What others send to us, by
kill(2), is passed on. When the child stops, we stop; when it dies by a signal, so do we (``end_likewise``).
Standard input and output are never touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

from veln_hook.sandbox import system

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_OWN = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"}
"""Signals of a program's own faults: blocked, the kernel would kill with them all the same (signal(7))."""
_FROM_TERMINAL = {"SIGINT", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGWINCH", "SIGHUP"}


@contextlib.contextmanager
def signals_held() -> Iterator[set[int]]:
    """Let no signal interrupt this process within; what is left of them at the end is dropped.

    Enter it before any thread is started: a thread that has them unblocked would get them.

    Yields:
        What was blocked before, as a child is to have it.
    """
    held = {number for number in signal.valid_signals() if _name(number) not in _OWN}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield {int(number) for number in before}
    finally:
        # They were meant for the command, which has ended.
        while waiting := signal.sigpending():
            _next(waiting)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Child:
    """A process started within ``signals_held``, in our process group, with our standard streams."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        descriptors: Collection[int],
        blocked: Collection[int] | None = None,
    ) -> None:
        """Start it.

        Args:
            argv: The program, with its path, and its arguments.
            environment: Its whole environment.
            descriptors: What it inherits besides the standard streams.
            blocked: The signals that are blocked in it; by default those of this process, for a launcher
                that sees to them itself.

        Raises:
            OSError: It can't be started.
        """
        start = _Start(blocked)
        self._process = subprocess.Popen(
            argv,
            env=dict(environment),
            pass_fds=descriptors,
            preexec_fn=start,  # noqa: PLW1509 - a few calls of the kernel, and no lock
        )

    def wait(self) -> int:
        """Pass signals on until it ends; return its wait status, for ``os.WIFEXITED`` and its like."""
        while True:
            ended = self._look()
            if ended is not None:
                return ended
            number, from_terminal = _next(signal.valid_signals())
            # Whoever sends SIGCHLD means nobody else; a key's signal has reached the child already.
            if number != signal.SIGCHLD and not from_terminal:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._process.pid, number)

    def _look(self) -> int | None:
        """Return the status if it has ended; stop along with it if it has stopped."""
        while True:
            pid, status = os.waitpid(self._process.pid, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return None
            if os.WIFSTOPPED(status):
                os.kill(os.getpid(), signal.SIGSTOP)
                continue
            # Popen must not wait for it a second time.
            self._process.returncode = (
                os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            )
            return status


class _Start:
    """Has a child hear its signals, and die when its parent does (PR_SET_PDEATHSIG of prctl(2))."""

    def __init__(self, blocked: Collection[int] | None) -> None:
        self._parent, self._blocked = os.getpid(), blocked

    def __call__(self) -> None:
        if sys.platform == "linux":
            system.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self._parent:
                os._exit(1)  # it was too late
        if self._blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)


def end_likewise(status: int) -> int:
    """Return the exit status of a wait status; where it tells of a signal, die by it.

    What is to be written must be written before.
    """
    if os.WIFSIGNALED(status):
        _die_by(os.WTERMSIG(status))
    return os.WEXITSTATUS(status)


def end_at_once(status: int) -> NoReturn:
    """End this process with an exit status.

    Nothing is left to clean up by then, and the interpreter would take longer for it than for its start.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def has_terminal() -> bool:
    """Tell whether this process has a controlling terminal (tty(4))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _die_by(number: int) -> NoReturn:
    import resource  # noqa: PLC0415 - Windows has none

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one of us would tell nothing
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # as shells tell it; not reached but for a signal that kills nobody


def _next(numbers: Collection[int]) -> tuple[int, bool]:
    """Wait for a blocked signal; return its number, and whether a terminal sent it to the child as well."""
    if sys.platform != "linux":
        number = signal.sigwait(numbers)
        return int(number), _name(number) in _FROM_TERMINAL and has_terminal()
    told = signal.sigwaitinfo(numbers)
    # What users send has a code of 0 or below (sigaction(2)).
    return told.si_signo, told.si_code > 0


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return ""
