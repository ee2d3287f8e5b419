"""The caller's side: a command becomes one that starts confined, and afterwards there is a report."""

from __future__ import annotations

import marshal
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

from veln_hook.sandbox import macos, refusals
from veln_hook.sandbox.interface import Refusal, Report, Rung

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from veln_hook.sandbox.interface import Confinement

LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launcher.py")

_MAX_REPORT_BYTES = 1 << 20


class Launch:
    """One confined command: start ``argv`` in any way, wait for it, then ask for the ``report``.

    A context manager: its private directory goes when it is closed.

    The launcher ends as the command does: the same exit status, or killed by the same signal. Its exit
    status is 78, with a line on standard error, if the wall can't be raised; nothing has run then.
    """

    def __init__(
        self,
        confinement: Confinement,
        command: Sequence[str],
        rung: Rung,
        *,
        route: int | str | None = None,
        outside: int | None = None,
    ) -> None:
        """Write the task down.

        Args:
            confinement: What the command may do.
            command: Program and arguments; the program is looked up on PATH inside.
            rung: What ``ladder`` found, or a test wants.
            route: A UNIX socket of type SOCK_SEQPACKET on which the other end is handed the sockets of the
                confined command (``routing``): the number of a connected one, inherited by whoever starts
                ``argv`` (``pass_fds``), or the path of one that listens. Without it the command has no
                network at all.
            outside: The number of a process in another network namespace than whoever starts ``argv``, as
                behind ``net_only``: the command is to reach no UNIX sockets of that one either.

        Raises:
            ValueError: The rung is macOS' and a route is given, or a path can't stand in its profile.
            OSError: Nothing can be written to a temporary directory.
        """
        self._directory = tempfile.mkdtemp(prefix="veln-hook-sandbox-")
        self._task = os.path.join(self._directory, "task")
        self._report = os.path.join(self._directory, "report")
        self._rung = rung
        command = [_resolved(command[0]), *command[1:]]
        scratch = os.path.join(self._directory, "scratch")
        if rung is Rung.SEATBELT:
            if route is not None:
                raise ValueError("there is no route on macOS")
            self.argv = _seatbelt(confinement, command, scratch)
            """What to start instead of the command."""
            return
        task = {
            **confinement.plain(),
            "rung": rung.value,
            "route": route,
            "outside": outside,
            "report": self._report,
            "scratch": scratch,
        }
        with open(self._task, "wb") as file:
            file.write(marshal.dumps(task))
        self.argv = [sys.executable, "-I", "-S", LAUNCHER, self._task, *command]

    def report(self) -> Report:
        """Return what the launcher wrote down; an empty report where it ended before it could.

        macOS has no launcher, and tells nothing: the command counts as confined.
        """
        if self._rung is Rung.SEATBELT:
            return Report(confined=True)
        try:
            with open(self._report, encoding="ascii") as file:
                told = refusals.read(file.read(_MAX_REPORT_BYTES))
        except (OSError, ValueError):
            return Report()
        return Report(tuple(Refusal(*row) for row in told.rows), told.timed_out, told.confined)

    def close(self) -> None:
        """Remove the private directory, and with it what the command left in its own."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Launch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _resolved(program: str) -> str:
    """Return a program's path without ``..``, which inside may lead through directories that aren't there.

    Only its directory is resolved: the link to an interpreter is what makes a virtual environment.
    """
    directory, name = os.path.split(program)
    if os.path.isabs(program) and ".." in directory.split(os.sep):
        return os.path.join(os.path.realpath(directory), name)
    return program


def _seatbelt(confinement: Confinement, command: Sequence[str], scratch: str) -> list[str]:
    """Return the command under a profile of macOS' sandbox, in its directory, with its environment only.

    Untried on hardware (``macos``). Limits are not set; what it leaves running goes on, under the profile.
    """
    home, temporary = os.path.join(scratch, "home"), os.path.join(scratch, "tmp")
    for directory in (home, temporary):
        os.makedirs(directory, 0o700)
    environment = {**confinement.environment, "HOME": home, "TMPDIR": temporary}
    text = macos.profile(confinement, private=(home, temporary))
    variables = [f"{name}={value}" for name, value in environment.items()]
    change = ["/bin/sh", "-c", 'cd -- "$0" && exec "$@"', confinement.cwd]
    return ["/usr/bin/env", "-i", *variables, *change, *macos.command(text, command)]
