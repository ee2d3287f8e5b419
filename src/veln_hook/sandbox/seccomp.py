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

from veln_hook.sandbox import bpf, rules, supervised_calls, system

# linux/seccomp.h
_SET_MODE_FILTER = 1
_NEW_LISTENER = 1 << 3
_WAIT_KILLABLE = 1 << 5


def family_filter() -> bytes:
    """Return the filter for a command in an empty network namespace: an array of ``struct sock_filter``.

    Sockets are of the families UNIX, INET, INET6 (TCP and UDP) and NETLINK (ROUTE). A network namespace
    doesn't hold the others: VSOCK reaches the host of a virtual machine, BLUETOOTH the air. No file gets a
    mode with which it runs as its owner for whoever starts it: it would do so outside, too.

    Raises:
        OSError: The system calls of this machine aren't known.
    """
    table = rules.common()
    no_family = table.error(errno.EAFNOSUPPORT)
    no_protocol = table.error(errno.EPROTONOSUPPORT)
    forbidden = table.error(errno.EPERM)

    def socket(program: bpf.Program) -> None:
        program.load(bpf.argument(0))
        program.jump_if(bpf.EQUAL, rules.UNIX, "allow")
        program.jump_if(bpf.EQUAL, rules.INET, "internet")
        program.jump_if(bpf.EQUAL, rules.INET6, "internet")
        program.jump_if(bpf.EQUAL, rules.NETLINK, "netlink")
        program.jump(no_family)
        rules.network_families(
            program,
            "allow",
            kinds=(rules.STREAM, rules.DGRAM),
            protocols=(rules.TCP, rules.UDP),
            no_kind=forbidden,
            no_protocol=no_protocol,
        )

    def socketpair(program: bpf.Program) -> None:
        program.load(bpf.argument(0))
        program.jump_if(bpf.EQUAL, rules.UNIX, "allow")
        program.jump(no_family)

    table.check("socket", socket)
    table.check("socketpair", socketpair)
    table.refuse(["openat2"], errno.ENOSYS)  # its mode is in memory
    rules.check_modes(table, truncate=False)
    for name, mode in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2)):
        table.check(name, rules.with_mode(table, mode))
    return table.assemble()


def notify_filter(abi: int) -> bytes:
    """Return the filter for a command that has a supervisor: an array of ``struct sock_filter``.

    The supervisor is asked about ``socket``, ``connect``, ``bind`` and what changes a file without writing to
    it (``supervised_calls``); who isn't asked can't make a socket or give it an address.

    Args:
        abi: Version of Landlock's interface here (``landlock.abi``): what it doesn't restrict, this must.

    Raises:
        OSError: The system calls of this machine aren't known.
    """
    return supervised_calls.make(truncate=abi < supervised_calls.LANDLOCK_TRUNCATES).assemble()


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
    filters = bpf.Attached(program)
    return system.call("seccomp", _SET_MODE_FILTER, flags, ctypes.byref(filters))
