"""The seccomp filters: which system calls a confined command can't make, and which are made for it.

``family_filter`` is for a command that is alone in an empty network namespace. ``notify_filter`` is for one
that shares the host's: whatever would make or address a socket goes to the supervisor.

Both hold for x86_64 and aarch64. They look at the registers of a call only: what lies in memory can change
between check and use, so calls with dangerous flags in memory (clone3, openat2, io_uring) are refused as
a kernel refuses that never had them, and programs use the older call.
"""

from __future__ import annotations

import ctypes
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
_SET_MODE_FILTER = 1
_NEW_LISTENER = 1 << 3
_WAIT_KILLABLE = 1 << 5

# linux/audit.h: the calling conventions, by machine.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000

_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_STREAM, _DGRAM, _RAW, _SEQPACKET = 1, 2, 3, 5
_TYPE_BITS = 0xF  # the rest are SOCK_NONBLOCK and SOCK_CLOEXEC
_TCP, _UDP = 6, 17

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_NEW_TIME = 0x80  # with unshare only; in clone's flags it is part of a signal's number

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


class _Filter:
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


def _common() -> _Filter:
    """Return what both filters refuse."""
    rules = _Filter()
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
        # Both put input into a terminal, to be read by whoever has it next.
        program.jump_if(bpf.EQUAL, _TIOCSTI, forbidden)
        program.jump_if(bpf.EQUAL, _TIOCLINUX, forbidden)
        program.jump("allow")

    rules.refuse(_FORBIDDEN, errno.EPERM)
    rules.refuse(_MISSING, errno.ENOSYS)
    rules.check("clone", clone)
    rules.check("unshare", unshare)
    rules.check("ioctl", ioctl)
    return rules


def family_filter() -> bytes:
    """Return the filter for a command in an empty network namespace: an array of ``struct sock_filter``.

    Sockets are of the families UNIX, INET, INET6 (TCP and UDP) and NETLINK (ROUTE). A network namespace
    doesn't hold the others: VSOCK reaches the host of a virtual machine, BLUETOOTH the air.

    Raises:
        OSError: The system calls of this machine aren't known.
    """
    rules = _common()
    no_family = rules.error(errno.EAFNOSUPPORT)
    no_protocol = rules.error(errno.EPROTONOSUPPORT)
    forbidden = rules.error(errno.EPERM)

    def socket(program: bpf.Program) -> None:
        program.load(bpf.argument(0))
        program.jump_if(bpf.EQUAL, _UNIX, "allow")
        program.jump_if(bpf.EQUAL, _INET, "internet")
        program.jump_if(bpf.EQUAL, _INET6, "internet")
        program.jump_if(bpf.EQUAL, _NETLINK, "netlink")
        program.jump(no_family)
        program.label("internet")
        program.load(bpf.argument(1))
        program.mask(_TYPE_BITS)
        program.jump_if(bpf.EQUAL, _STREAM, "protocol")
        program.jump_if(bpf.EQUAL, _DGRAM, "protocol")
        program.jump(forbidden)
        program.label("protocol")
        program.load(bpf.argument(2))
        program.jump_if(bpf.EQUAL, 0, "allow")
        program.jump_if(bpf.EQUAL, _TCP, "allow")
        program.jump_if(bpf.EQUAL, _UDP, "allow")
        program.jump(no_protocol)
        _route_only(program, no_protocol)

    def socketpair(program: bpf.Program) -> None:
        program.load(bpf.argument(0))
        program.jump_if(bpf.EQUAL, _UNIX, "allow")
        program.jump(no_family)

    rules.check("socket", socket)
    rules.check("socketpair", socketpair)
    return rules.assemble()


def _route_only(program: bpf.Program, no_protocol: str) -> None:
    """Write the part for netlink: only NETLINK_ROUTE, with which the C library lists addresses."""
    program.label("netlink")
    program.load(bpf.argument(2))
    program.jump_if(bpf.EQUAL, 0, "allow")
    program.jump(no_protocol)


class _Fprog(ctypes.Structure):
    """``struct sock_fprog``: a filter and how many instructions it has."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(program: bytes) -> None:
    """Put a filter on this thread and what it will start, for good.

    The caller has set PR_SET_NO_NEW_PRIVS, and is the only thread of its process.

    Args:
        program: An array of ``struct sock_filter``.

    Raises:
        OSError: The kernel doesn't take it.
    """
    _install(program, 0)


def install_with_listener(program: bytes) -> int:
    """Put a filter on this thread, and return the file descriptor for its supervisor (close-on-exec).

    Whoever holds the descriptor decides about the calls, so the confined process must lose it: it is sent
    away with SCM_RIGHTS and closed, or goes when a program is executed.

    Args:
        program: An array of ``struct sock_filter``.

    Raises:
        OSError: The kernel doesn't take it; EBUSY if there is a supervisor already.
    """
    try:
        # Only a fatal signal may take a thread away while the supervisor works for it (Linux 5.19).
        return _install(program, _NEW_LISTENER | _WAIT_KILLABLE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return _install(program, _NEW_LISTENER)


def _install(program: bytes, flags: int) -> int:
    filters = _Fprog(len(program) // 8, program)
    return system.call("seccomp", _SET_MODE_FILTER, flags, ctypes.byref(filters))
