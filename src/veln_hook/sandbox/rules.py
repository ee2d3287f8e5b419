"""What the seccomp filters share: how one is put together, and what no confined command may call."""

from __future__ import annotations

import errno
import sys

from veln_hook.sandbox import bpf, system

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# linux/seccomp.h
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_NOTIFY = 0x7FC00000
_ALLOW = 0x7FFF0000

# linux/audit.h: the calling conventions, by machine.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000

UNIX, INET, INET6, NETLINK = 1, 2, 10, 16
STREAM, DGRAM, SEQPACKET = 1, 2, 5
TYPE_BITS = 0xF  # the rest are SOCK_NONBLOCK and SOCK_CLOEXEC
TCP, UDP = 6, 17

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_NEW_TIME = 0x80  # with unshare only; in clone's flags it is part of a signal's number

_SET_IDS = 0o6000  # S_ISUID, S_ISGID
_O_CREAT, _O_TMPFILE, _O_TRUNC, _O_ACCMODE = 0x40, 0x400000, 0x200, 0x3

_F_SETLEASE, _F_NOTIFY = 1024, 1026
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_FORBIDDEN = (
    *("setns", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "open_tree_attr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "bpf", "perf_event_open", "userfaultfd"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "open_by_handle_at"),
    *("kcmp", "pidfd_getfd", "swapon", "swapoff", "quotactl", "quotactl_fd", "acct", "reboot", "syslog"),
    *("settimeofday", "clock_settime", "sethostname", "setdomainname", "iopl", "ioperm"),
)
"""Refused with EPERM, as to someone without privileges: ways out of namespaces, into the kernel or other
processes, and what only administrators do."""

_MISSING = (
    "clone3",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "keyctl",
    "add_key",
    "request_key",
)
"""Refused with ENOSYS: programs do without. io_uring makes system calls that no filter sees, clone3 has its
flags in memory, and keyrings belong to the user, not to a namespace."""


class Rules:
    """The parts of a filter: for each system call a label, and what stands at the labels."""

    def __init__(self) -> None:
        self.program = bpf.Program()
        self._cases: dict[int, str] = {}
        self._parts: list[tuple[str, Callable[[bpf.Program], None]]] = []
        self._errors: set[int] = set()

    def refuse(self, names: Iterable[str], error: int) -> None:
        """Let these calls fail with an error number, whatever their arguments."""
        self._send(names, self.error(error))

    def notify(self, names: Iterable[str]) -> None:
        """Ask the supervisor about these calls, whatever their arguments."""
        self._send(names, "notify")

    def check(self, name: str, part: Callable[[bpf.Program], None]) -> None:
        """Let instructions decide about a call; they must jump to one of the results."""
        if system.number(name) is not None:
            self._send([name], name)
            self._parts.append((name, part))

    def error(self, number: int) -> str:
        """Return the label at which a call fails with an error number."""
        self._errors.add(number)
        return f"error {number}"

    def _send(self, names: Iterable[str], label: str) -> None:
        for name in names:
            number = system.number(name)
            if number is not None:
                self._cases[number] = label

    def assemble(self) -> bytes:
        """Return the whole filter.

        Raises:
            OSError: This machine isn't known.
        """
        if system.MACHINE not in _ARCHITECTURES or sys.byteorder != "little":
            raise OSError(f"no filters for {system.MACHINE}")
        program = self.program
        missing = self.error(errno.ENOSYS)
        program.load(bpf.ARCHITECTURE)
        # int 0x80 and the like: other numbers mean other calls there.
        program.jump_if(bpf.EQUAL, _ARCHITECTURES[system.MACHINE], "known")
        program.give(_KILL_PROCESS)
        program.label("known")
        program.load(bpf.NUMBER)
        if system.MACHINE == "x86_64":
            program.jump_if(bpf.AT_LEAST, _X32, missing)
        program.switch(self._cases, "allow")
        for label, part in self._parts:
            program.label(label)
            part(program)
        for number in sorted(self._errors):
            program.label(f"error {number}")
            program.give(_ERRNO | number)
        program.label("notify")
        program.give(_NOTIFY)
        program.label("allow")
        program.give(_ALLOW)
        return program.assemble()


def common(ioctls: tuple[int, ...] = ()) -> Rules:
    """Return what both filters refuse, and further ``ioctl`` requests to refuse."""
    rules = Rules()
    forbidden = rules.error(errno.EPERM)

    def clone(program: bpf.Program) -> None:
        program.load(bpf.argument(0))
        program.jump_if(bpf.ANY_BIT, _NEW_NAMESPACES, forbidden)
        program.jump("allow")

    def unshare(program: bpf.Program) -> None:
        program.load(bpf.argument(0))
        program.jump_if(bpf.ANY_BIT, _NEW_NAMESPACES | _NEW_TIME, forbidden)
        program.jump("allow")

    def ioctl(program: bpf.Program) -> None:
        program.load(bpf.argument(1))
        # The first two put input into a terminal, to be read by whoever has it next.
        for request in (_TIOCSTI, _TIOCLINUX, *ioctls):
            program.jump_if(bpf.EQUAL, request, forbidden)
        program.jump("allow")

    def fcntl(program: bpf.Program) -> None:
        program.load(bpf.argument(1))
        # A lease or a notice on a file that can only be read holds up, or tells of, everybody else.
        for command in (_F_SETLEASE, _F_NOTIFY):
            program.jump_if(bpf.EQUAL, command, forbidden)
        program.jump("allow")

    rules.refuse(_FORBIDDEN, errno.EPERM)
    rules.refuse(_MISSING, errno.ENOSYS)
    rules.check("clone", clone)
    rules.check("unshare", unshare)
    rules.check("ioctl", ioctl)
    rules.check("fcntl", fcntl)
    return rules


def network_families(
    program: bpf.Program,
    result: str,
    *,
    kinds: tuple[int, ...],
    protocols: tuple[int, ...],
    no_kind: str,
    no_protocol: str,
) -> None:
    """Write the parts "internet" and "netlink" of the check of ``socket``.

    Args:
        program: The filter.
        result: Where to go on with a socket that may be.
        kinds: Types that internet sockets can have.
        protocols: Protocols that they can have, besides the type's own.
        no_kind: Where to go on with another type.
        no_protocol: The same with another protocol. Of netlink's there is only NETLINK_ROUTE, with which
            the C library lists addresses.
    """
    program.label("internet")
    program.load(bpf.argument(1))
    program.mask(TYPE_BITS)
    for kind in kinds:
        program.jump_if(bpf.EQUAL, kind, "protocol")
    program.jump(no_kind)
    program.label("protocol")
    program.load(bpf.argument(2))
    for protocol in (0, *protocols):
        program.jump_if(bpf.EQUAL, protocol, result)
    program.jump(no_protocol)
    program.label("netlink")
    program.load(bpf.argument(2))
    program.jump_if(bpf.EQUAL, 0, result)
    program.jump(no_protocol)


def with_mode(table: Rules, index: int) -> Callable[[bpf.Program], None]:
    """Return the part for a call whose argument at an index is a mode that must set no user or group."""
    forbidden = table.error(errno.EPERM)

    def part(program: bpf.Program) -> None:
        program.load(bpf.argument(index))
        program.jump_if(bpf.ANY_BIT, _SET_IDS, forbidden)
        program.jump("allow")

    return part


def check_modes(table: Rules, *, truncate: bool) -> None:
    """Refuse to make files that run as their owner for whoever starts them.

    Args:
        table: The filter.
        truncate: Whether to refuse to truncate files that are opened for reading, too.
    """
    forbidden = table.error(errno.EPERM)

    def opening(name: str, flags: int) -> Callable[[bpf.Program], None]:
        def open_(program: bpf.Program) -> None:
            program.load(bpf.argument(flags))
            program.jump_if(bpf.ANY_BIT, _O_CREAT | _O_TMPFILE, f"{name} new")
            program.jump(f"{name} old")
            program.label(f"{name} new")
            program.load(bpf.argument(flags + 1))
            program.jump_if(bpf.ANY_BIT, _SET_IDS, forbidden)
            program.label(f"{name} old")
            if truncate:
                # Landlock asks for the right to read only (Documentation/userspace-api/landlock.rst).
                program.load(bpf.argument(flags))
                program.mask(_O_TRUNC | _O_ACCMODE)
                program.jump_if(bpf.EQUAL, _O_TRUNC, forbidden)
            program.jump("allow")

        return open_

    table.check("open", opening("open", 1))
    table.check("openat", opening("openat", 2))
    for name, mode in (("creat", 1), ("mknod", 1), ("mknodat", 2)):
        table.check(name, with_mode(table, mode))
