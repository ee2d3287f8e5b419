"""The bubblewrap rung: the same walls, where only that program is granted namespaces (AppArmor profiles).

It lays out the file system and the network; a second launcher runs inside it, holds the command and
adds what bubblewrap doesn't do: Landlock, the seccomp filter, closed descriptors.
"""

from __future__ import annotations

import _signal
import os
import shutil
import sys

from veln_hook.sandbox import layout, system

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from veln_hook.sandbox.layout import Layout
    from veln_hook.sandbox.task import Task

PROGRAM = "bwrap"
_WHERE = "/usr/local/bin:/usr/bin:/bin"  # not PATH: the caller's may hold anything
_NAMESPACES = ("user", "net", "pid", "ipc", "uts", "cgroup-try")


def start(task: Task, plan: Layout, file: str, descriptors: list[int]) -> int:
    """Start bubblewrap with a second launcher in it; return its process number.

    Args:
        task: The task.
        plan: Its places.
        file: Where the task was read from, to be read once more.
        descriptors: What the second launcher inherits: control socket, report, route (-1: none).

    Raises:
        OSError: There is no such program.
    """
    program = shutil.which(PROGRAM, path=_WHERE)
    if program is None:
        raise OSError("bubblewrap (bwrap) is not installed")
    opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    inherited = [opened, *descriptors]
    launcher = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launcher.py")
    # Without ``site`` it is no part of a virtual environment, whose own directory needn't be in there.
    python = os.path.realpath(sys.executable)
    inside = [python, "-I", "-S", launcher, "--inside", ",".join(map(str, inherited))]
    argv = [program, *_arguments(task, plan), "--", *inside, *task.command]
    pid = os.fork()
    if pid == 0:
        try:
            system.prctl(system.PR_SET_PDEATHSIG, _signal.SIGKILL)
            for descriptor in inherited:
                if descriptor >= 0:
                    os.set_inheritable(descriptor, True)
            os.execv(program, argv)  # noqa: S606 - a program and its arguments
        finally:
            os._exit(1)
    os.close(opened)
    return pid


def _arguments(task: Task, plan: Layout) -> list[str]:
    """Return bubblewrap's options (bwrap(1)); it carries them out in this order."""
    made = [f"--unshare-{name}" for name in _NAMESPACES]
    made += ["--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for place in plan.hidden:
        if not layout.covers(["/dev"], place):
            made += ["--tmpfs", place]
    made += ["--dir", plan.home]
    # The launcher's own files, which needn't be where the command may look, and the interpreter's.
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    own = [path for path in (package, sys.prefix, sys.base_prefix) if layout.covers(plan.hidden, path)]
    binds = [
        *((path, "--ro-bind") for path in (*own, *plan.reads)),
        *((path, "--bind") for path in plan.writes),
    ]
    for path, how in sorted(binds):
        made += [how, path, path]
    for link, target in plan.links:
        made += ["--symlink", target, link]
    for path in [*plan.hides, *layout.socket_paths(task.outside)]:
        if layout.covers(plan.hidden, path) and not layout.covers([*plan.reads, *plan.writes, *own], path):
            continue  # it is gone already
        if os.path.isdir(path):
            made += ["--tmpfs", path, "--remount-ro", path]
        else:
            made += ["--ro-bind", "/dev/null", path]
    if task.terminal:
        made += ["--dev-bind-try", "/dev/tty", "/dev/tty"]
    return made
