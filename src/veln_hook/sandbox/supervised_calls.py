"""Which system calls of a confined command go to its supervisor, and which are refused because they can't.

UNIX and TCP sockets and NETLINK_ROUTE are made, addressed and connected by the supervisor. All other sockets
are refused. So are UNIX datagrams, each of which has its address in memory.
"""

from __future__ import annotations

import errno

from veln_hook.sandbox import bpf, rules

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from collections.abc import Callable

LANDLOCK_TRUNCATES = 3
"""The first ABI of Landlock with a right to truncate files."""

_NEW_LISTENER = 1 << 3  # SECCOMP_FILTER_FLAG_NEW_LISTENER

# FS_IOC_SETFLAGS, FS_IOC32_SETFLAGS, FS_IOC_FSSETXATTR: attributes of files, changed through a file that is
# open for reading only (ioctl_iflags(2)).
_FILE_ATTRIBUTES = (0x40086602, 0x40046602, 0x401C5820)

_PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 0, 1

_FASTOPEN = 0x20000000  # MSG_FASTOPEN: connects while it sends

_SOL_IP, _SOL_SOCKET, _SOL_TCP, _SOL_IPV6, _SOL_NETLINK = 0, 1, 6, 41, 270
_V6ONLY = 26
_OPTIONS = {
    # REUSEADDR, DONTROUTE, BROADCAST, SNDBUF, RCVBUF, KEEPALIVE, OOBINLINE, PRIORITY, LINGER, PASSCRED,
    # RCVLOWAT, SNDLOWAT, RCVTIMEO, SNDTIMEO, TIMESTAMP, PASSSEC, TIMESTAMPNS, SELECT_ERR_QUEUE, ZEROCOPY, the
    # 64-bit RCVTIMEO and SNDTIMEO, PASSPIDFD. Not: MARK, BINDTODEVICE and BINDTOIFINDEX, which choose a way
    # out; REUSEPORT, with which a stranger's socket could share a port.
    _SOL_SOCKET: (2, 5, 6, 7, 8, 9, 10, 12, 13, 16, 18, 19, 20, 21, 29, 34, 35, 45, 60, 66, 67, 76),
    # TOS, TTL, PKTINFO, MTU_DISCOVER, RECVERR, RECVTTL, RECVTOS, MINTTL, BIND_ADDRESS_NO_PORT. Not: OPTIONS,
    # whose source route sends a connection elsewhere; TRANSPARENT, FREEBIND, UNICAST_IF.
    _SOL_IP: (1, 2, 8, 10, 11, 12, 13, 21, 24),
    # UNICAST_HOPS, MTU_DISCOVER, RECVERR, RECVPKTINFO, RECVHOPLIMIT, RECVTCLASS, TCLASS, AUTOFLOWLABEL,
    # ADDR_PREFERENCES. Not: routing headers.
    _SOL_IPV6: (16, 23, 25, 49, 51, 66, 67, 70, 72),
    # NODELAY, MAXSEG, CORK, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, LINGER2, DEFER_ACCEPT, WINDOW_CLAMP,
    # QUICKACK, CONGESTION, USER_TIMEOUT, FASTOPEN, NOTSENT_LOWAT. Not: FASTOPEN_CONNECT, which puts a
    # connection off; ULP, which changes what kind of socket it is.
    _SOL_TCP: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 18, 23, 25),
}
"""The socket options that a supervised socket can have, by level (socket(7), ip(7), ipv6(7), tcp(7))."""

_FOREIGN = ("ptrace", "process_vm_readv", "process_vm_writev")
"""Refused with EPERM where processes of others are in sight."""

_SHARED = (
    *("shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl", "semtimedop"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"),
)
"""Refused with ENOSYS where the host's IPC namespace is shared: other processes' memory and queues are no
files, so that no rule about files covers them."""

_WATCHES = ("inotify_init", "inotify_init1", "fanotify_init")
"""Refused with ENOSYS, as by a kernel without them, so that programs look for changes themselves: a watch on
a directory tells the names in it, and Landlock doesn't restrict it."""

_OF_PROCESSES = ("sched_setscheduler", "sched_setparam", "sched_setattr")
"""Refused with EPERM for any but the calling thread: they reach all processes of the user."""

_IN_MEMORY = ("openat2", "setxattrat", "removexattrat", "file_setattr")
"""Refused with ENOSYS: their flags or names are in memory, or no program needs them yet."""

_METADATA = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat"),
    *("utime", "utimes", "futimesat", "utimensat"),
    *("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"),
)
"""What changes a file without writing to it, which Landlock doesn't restrict."""


def make(*, truncate: bool) -> rules.Rules:
    """Return the rules of ``seccomp.notify_filter``.

    Args:
        truncate: Whether to restrict truncating files, because Landlock doesn't.

    Raises:
        OSError: The system calls of this machine aren't known.
    """
    table = rules.common(_FILE_ATTRIBUTES)
    table.refuse(_FOREIGN, errno.EPERM)
    table.refuse((*_SHARED, *_WATCHES, *_IN_MEMORY), errno.ENOSYS)
    table.notify(("connect", "bind", *_METADATA, *(("truncate",) if truncate else ())))
    _check_sockets(table)
    _check_options(table)
    _check_others(table)
    rules.check_modes(table, truncate=truncate)
    busy = table.error(errno.EBUSY)

    def seccomp(program: bpf.Program) -> None:
        # Who outlives the supervisor must not become its own; the kernel says so only while there is one.
        program.load(bpf.argument(1))
        program.jump_if(bpf.ANY_BIT, _NEW_LISTENER, busy)
        program.jump("allow")

    table.check("seccomp", seccomp)
    return table


def _check_sockets(table: rules.Rules) -> None:
    no_family = table.error(errno.EAFNOSUPPORT)
    no_protocol = table.error(errno.EPROTONOSUPPORT)
    no_type = table.error(errno.EACCES)
    no_operation = table.error(errno.EOPNOTSUPP)

    def streams(program: bpf.Program, result: str) -> None:
        program.load(bpf.argument(1))
        program.mask(rules.TYPE_BITS)
        program.jump_if(bpf.EQUAL, rules.STREAM, result)
        program.jump_if(bpf.EQUAL, rules.SEQPACKET, result)
        program.jump(no_type)

    def socket(program: bpf.Program) -> None:
        program.load(bpf.argument(0))
        program.jump_if(bpf.EQUAL, rules.INET, "internet")
        program.jump_if(bpf.EQUAL, rules.INET6, "internet")
        program.jump_if(bpf.EQUAL, rules.NETLINK, "netlink")
        program.jump_if(bpf.EQUAL, rules.UNIX, "unix")
        program.jump(no_family)
        rules.network_families(
            program,
            "notify",
            kinds=(rules.STREAM,),
            protocols=(rules.TCP,),  # MPTCP and SCTP have streams, too
            no_kind=no_type,
            no_protocol=no_protocol,
        )
        program.label("unix")
        streams(program, "notify")

    def socketpair(program: bpf.Program) -> None:
        program.load(bpf.argument(0))
        program.jump_if(bpf.EQUAL, rules.UNIX, "pair")
        program.jump(no_family)
        program.label("pair")
        streams(program, "allow")

    def sending(flags: int) -> Callable[[bpf.Program], None]:
        def send(program: bpf.Program) -> None:
            program.load(bpf.argument(flags))
            program.jump_if(bpf.ANY_BIT, _FASTOPEN, no_operation)
            program.jump("allow")

        return send

    table.check("socket", socket)
    table.check("socketpair", socketpair)
    for name, flags in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
        table.check(name, sending(flags))


def _check_others(table: rules.Rules) -> None:
    """Refuse what reaches processes that are not the command's, which it can name without a PID namespace."""
    forbidden = table.error(errno.EPERM)

    def of_itself(index: int, other: str) -> Callable[[bpf.Program], None]:
        def part(program: bpf.Program) -> None:
            program.load(bpf.argument(index))
            program.jump_if(bpf.EQUAL, 0, "allow")
            program.jump(other)

        return part

    def of_one_process(kind: int) -> Callable[[bpf.Program], None]:
        def part(program: bpf.Program) -> None:
            program.load(bpf.argument(0))
            program.jump_if(bpf.EQUAL, kind, f"one of kind {kind}")
            program.jump(forbidden)
            program.label(f"one of kind {kind}")
            of_itself(1, forbidden)(program)

        return part

    def prlimit(program: bpf.Program) -> None:
        program.load(bpf.argument(0))
        program.jump_if(bpf.EQUAL, 0, "allow")
        for half in (bpf.argument(2), bpf.argument(2) + 4):
            program.load(half)
            program.jump_if(bpf.ANY_BIT, 0xFFFFFFFF, forbidden)
        program.jump("allow")  # it only asks

    for name in _OF_PROCESSES:
        table.check(name, of_itself(0, forbidden))
    # Libraries set the affinity of threads that they start, by number.
    table.check("sched_setaffinity", of_itself(0, "notify"))
    table.check("setpriority", of_one_process(_PRIO_PROCESS))
    table.check("ioprio_set", of_one_process(_IOPRIO_WHO_PROCESS))
    table.check("prlimit64", prlimit)


def _check_options(table: rules.Rules) -> None:
    unknown = table.error(errno.ENOPROTOOPT)
    done = table.error(0)

    def setsockopt(program: bpf.Program) -> None:
        program.load(bpf.argument(1))
        for level in _OPTIONS:
            program.jump_if(bpf.EQUAL, level, f"level {level}")
        program.jump_if(bpf.EQUAL, _SOL_NETLINK, "allow")
        program.jump(unknown)
        for level, options in _OPTIONS.items():
            program.label(f"level {level}")
            program.load(bpf.argument(2))
            if level == _SOL_IPV6:
                # It can't be set any more once a socket has an address; and these have ::1 and nothing else.
                program.jump_if(bpf.EQUAL, _V6ONLY, done)
            for option in options:
                program.jump_if(bpf.EQUAL, option, "allow")
            program.jump(unknown)

    table.check("setsockopt", setsockopt)
