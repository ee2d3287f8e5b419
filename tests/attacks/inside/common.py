"""What an attack is, and what each may use: the standard library and nothing of the project.

These programs run confined and, as a control, not confined. None decides whether it succeeded: that is seen
from outside, by bytes that arrived, by a file that changed, or by a secret in what the attack said.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import time
from typing import Any, Callable, NamedTuple

_C = ctypes.CDLL(None, use_errno=True)
_C.syscall.restype = ctypes.c_long

# name: (x86_64, aarch64), from the kernel's arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl
_NUMBERS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clone3": (435, 435),
    "fanotify_init": (300, 262),
    "fchmodat2": (452, 452),
    "file_setattr": (469, 469),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "get_robust_list": (274, 100),
    "io_uring_setup": (425, 425),
    "ioprio_set": (251, 30),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "mq_timedsend": (242, 182),
    "mq_timedreceive": (243, 183),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "sched_setattr": (314, 274),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setxattrat": (463, 463),
    "shmat": (30, 196),
    "shmget": (29, 194),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
MACHINE = os.uname().machine
TOOL_SECONDS = 6


class Attack(NamedTuple):
    """One attack: what it is called and what it does with a `World`; what it returns is printed."""

    name: str
    run: Callable[[World], Any]
    seconds: float


ATTACKS: dict[str, Attack] = {}
NAMED: dict[str, Attack] = {}


def attack(function: Callable[[World], Any]) -> Callable[[World], Any]:
    """Enter a function in the list of attacks, under its name."""
    ATTACKS[function.__name__] = Attack(function.__name__, function, 6.0)
    return function


def named(function: Callable[[World], Any]) -> Callable[[World], Any]:
    """Enter a function among those that run only when they are named, and take their time."""
    NAMED[function.__name__] = Attack(function.__name__, function, 900.0)
    return function


class World:
    """What the attacker knows of the world: where everything worth having lies. Not the secrets themselves."""

    def __init__(self, setup: dict[str, Any], name: str) -> None:
        self.__dict__.update(setup)
        self.name = name
        self.token = f"{self.nonce}:{name}:".encode("ascii")
        """What has to arrive outside."""
        self.new_name = f"{self.nonce}-{name}"
        """The name of a file that has to appear outside."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the world has no {name}")

    def victim(self, place: str = "visible") -> str:
        """Return the file of this attack alone which it shall change; `place` is "visible" or "home"."""
        return os.path.join(self.places[place], "victims", self.name)

    def outside_process(self) -> int:
        """Return the number of the process of this attack alone which it shall harm."""
        return int(self.sitters[self.name])

    def ask(self, action: str, **details: Any) -> Any:
        """Have the attacker's accomplice outside do something (`Accomplice`) and return what came of it."""
        asks = os.path.join(self.build, "asks")
        with open(os.path.join(asks, f".{self.name}"), "w", encoding="ascii") as file:
            json.dump({"do": action, **details}, file)
        os.rename(os.path.join(asks, f".{self.name}"), os.path.join(asks, self.name))
        answer = os.path.join(self.build, "answers", self.name)
        for _ in range(300):
            if os.path.exists(answer):
                with open(answer, encoding="ascii") as file:
                    told = json.load(file)
                os.unlink(answer)
                return told
            time.sleep(0.01)
        raise OSError("nobody outside answered")

    def tool(self, name: str, *arguments: object, seconds: float = TOOL_SECONDS) -> str:
        """Run a compiled program and return what it printed."""
        done = subprocess.run(
            [os.path.join(self.tools, name), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
        return f"{done.returncode} {done.stdout.decode('utf-8', 'replace')}"


def each(*ways: Callable[[], Any]) -> list[str]:
    """Try every way and return what each returned or raised."""
    told = []
    for way in ways:
        try:
            told.append(str(way()))
        except (OSError, ValueError, LookupError, subprocess.SubprocessError) as error:
            told.append(repr(error))
    return told


def syscall(name: str, *arguments: Any) -> int:
    """Make a system call by its own number, past every wrapper of libc."""
    which = _NUMBERS[name][("x86_64", "aarch64").index(MACHINE)]
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(_C.syscall(ctypes.c_long(which), *passed))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def libc(name: str, *arguments: Any) -> int:
    """Call a function of libc that returns -1 and sets errno when it fails."""
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(getattr(_C, name)(*passed))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def read(path: str, size: int = 4096) -> str:
    """Return the start of a file."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(fd, size).decode("utf-8", "replace")
    finally:
        os.close(fd)


def write(path: str, data: bytes, flags: int = os.O_WRONLY) -> str:
    """Write to a file that is there already, or that `flags` make."""
    fd = os.open(path, flags, 0o644)
    try:
        return f"wrote {os.write(fd, data)} bytes"
    finally:
        os.close(fd)


def send(address: Any, data: bytes, family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> str:
    """Connect a socket and send: the plain way out."""
    with socket.socket(family, kind, protocol) as connection:
        connection.settimeout(1.5)
        connection.connect(address)
        connection.sendall(data)
        if kind == socket.SOCK_STREAM:
            connection.shutdown(socket.SHUT_WR)
            return f"sent; the other side said {connection.recv(64)!r}"
        return "sent"
