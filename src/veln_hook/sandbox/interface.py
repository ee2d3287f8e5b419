"""What is asked of the sandbox: which rung, and what a confined command may read, write, reach and know."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping


class Rung(enum.Enum):
    """The ways of confining a command, strongest first; nothing weaker is called the sandbox."""

    NAMESPACES = "namespaces"
    """User, network, mount, PID and IPC namespaces, with Landlock and a seccomp filter on top (Linux)."""
    BUBBLEWRAP = "bubblewrap"
    """The same, made by bubblewrap where only that program is granted namespaces."""
    NETNS_SUPERVISOR = "netns-supervisor"
    """An empty network namespace and a supervisor of sockets, with Landlock (Linux, no capabilities)."""
    SUPERVISOR = "supervisor"
    """Seccomp user notification: a supervisor makes every socket itself; with Landlock (Linux)."""
    SEATBELT = "seatbelt"
    """A profile of macOS' sandbox."""


_GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What a confined command may use; ``None`` sets no limit."""

    processes: Optional[int] = 4096
    """Processes of this user (RLIMIT_NPROC)."""
    memory: Optional[int] = None
    """Bytes of private memory, of each process (RLIMIT_DATA)."""
    file_size: Optional[int] = 16 * _GIB
    """Bytes of a file that it writes (RLIMIT_FSIZE)."""
    seconds: Optional[float] = None
    """Time from start to end, after which everything in it is killed."""


@dataclass(frozen=True)
class Confinement:
    """What a confined command may read, write and know; it reaches nothing but its route.

    Paths are absolute. What is named here must exist, or it is left out.

    Everything that is not hidden can be read. Nothing can be written but ``write``, a private temporary
    directory and a private home. Hidden without being named: every home directory, ``/run``, the
    temporary directories, the devices.
    """

    cwd: str
    """Where the command starts; readable, and writable only if ``write`` covers it."""
    environment: Mapping[str, str]
    """Its whole environment, scrubbed already (``environment.scrub``). HOME, TMPDIR and caches are set to
    private directories, and the proxy variables to the route, when it starts."""
    write: tuple[str, ...] = ()
    """Directories and files that can be written, wherever they lie."""
    read: tuple[str, ...] = ()
    """What stays readable although it lies in a hidden place."""
    hide: tuple[str, ...] = ()
    """Further files and directories that can't be read, even below ``read`` and ``write``."""
    own_processes: bool = False
    """Whether a rung without PID namespaces lets it read ``/proc/PID``, at the price of seeing what others
    run: their command lines. Rungs with PID namespaces show it its own processes always."""
    terminal: bool = False
    """Whether ``/dev/tty`` can be opened."""
    limits: Limits = field(default_factory=Limits)

    def plain(self) -> dict[str, Any]:
        """Return it as ``task.Task`` reads it: strings, numbers, lists and dicts."""
        return {
            "cwd": self.cwd,
            "environment": dict(self.environment),
            "write": list(self.write),
            "read": list(self.read),
            "hide": list(self.hide),
            "own_processes": self.own_processes,
            "terminal": self.terminal,
            "processes": self.limits.processes,
            "memory": self.limits.memory,
            "file_size": self.limits.file_size,
            "seconds": self.limits.seconds,
        }


@dataclass(frozen=True)
class Refusal:
    """Something a confined command tried to reach and did not."""

    host: str
    """A name it asked for, or an address it connected to."""
    port: Optional[int]
    """``None`` where only the name was asked for."""
    process: str
    """What asked, as well as it can be told: its name; empty where it can't."""
    count: int
    """How often."""


@dataclass(frozen=True)
class Report:
    """What there is to tell of one confined command once it has ended."""

    refusals: tuple[Refusal, ...] = ()
    timed_out: bool = False
    confined: bool = False
    """Whether the command ran, and to its end: the wall was raised and held."""
