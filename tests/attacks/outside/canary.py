"""A process of the user's that holds what is worth stealing; told on standard input, as the tests' own child.

Reads one JSON object, makes what it names, prints where it lies, and then answers each line with what
others have left with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import struct
import sys

_C = ctypes.CDLL(None, use_errno=True)
_C.shmat.restype = ctypes.c_void_p
_C.syscall.restype = ctypes.c_long
_IPC_CREAT, _IPC_RMID, _IPC_NOWAIT = 0o1000, 0, 0o4000
_NUMBERS = {
    "add_key": (248, 217),
    "keyctl": (250, 219),
    "mq_open": (240, 180),
    "mq_timedsend": (242, 182),
    "mq_timedreceive": (243, 183),
    "mq_unlink": (241, 181),
}
_LARGE = 512


def _call(name: str, *arguments: object) -> int:
    number = _NUMBERS[name][("x86_64", "aarch64").index(os.uname().machine)]
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return int(_C.syscall(ctypes.c_long(number), *passed))


def _key(key: int) -> bytes:
    held = ctypes.create_string_buffer(_LARGE)
    size = _call("keyctl", 11, key, held, _LARGE)  # KEYCTL_READ
    return held.raw[: max(0, size)]


class Canary:
    def __init__(self, told: dict) -> None:
        self.told = told
        self.memory = ctypes.create_string_buffer(told["memory"].encode(), 64)
        self.writable = ctypes.create_string_buffer(256)
        self.connection = socket.create_connection(tuple(told["attacker"]))
        path = told["unlinked"]
        with open(path, "w", encoding="ascii") as file:
            file.write(told["unlinked_secret"])
        self.unlinked = os.open(path, os.O_RDONLY)
        os.unlink(path)
        self.memory_file = os.memfd_create("canary")
        os.write(self.memory_file, told["memory_file"].encode().ljust(64))
        self.segment = _C.shmget(told["key"], 4096, _IPC_CREAT | 0o600)
        if self.segment >= 0:
            self.shared = _C.shmat(self.segment, None, 0)
            ctypes.memmove(self.shared, told["shared"].encode(), len(told["shared"]))
        self.queue = _C.msgget(told["key"], _IPC_CREAT | 0o600)
        message = ctypes.create_string_buffer(struct.pack("=q", 1) + told["message"].encode())
        _C.msgsnd(self.queue, message, len(told["message"]), _IPC_NOWAIT)
        self._posix(told)
        secret = told["key_secret"].encode()
        self.key = _call("add_key", b"user\0", told["key_name"].encode() + b"\0", secret, len(secret), -4)
        _call("keyctl", 5, self.key, 0x3F3F0000)  # KEYCTL_SETPERM: everything for whoever has the same user

    def _posix(self, told: dict) -> None:
        self.posix = -1
        attributes = struct.pack("=qqqq32x", 0, 8, _LARGE, 0)
        name = told["posix_queue"].encode() + b"\0"
        self.posix = _call("mq_open", name, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600, attributes)
        if self.posix >= 0:
            _call("mq_timedsend", self.posix, told["posix_secret"].encode(), len(told["posix_secret"]), 0, 0)

    def places(self) -> dict:
        return {
            "pid": os.getpid(),
            "address": ctypes.addressof(self.memory),
            "writable": ctypes.addressof(self.writable),
            "connection": self.connection.fileno(),
            "unlinked": self.unlinked,
            "memory_file": self.memory_file,
            "segment": self.segment,
            "queue": self.queue,
            "key": self.told["key"],
            "kernel_key": self.key,
            "posix_queue": self.told["posix_queue"],
        }

    def left(self, name: str) -> str:
        """Return what others left in memory, queues and keyring."""
        said = [self.writable.raw]
        if self.segment >= 0:
            said.append(ctypes.string_at(self.shared + 128, 256))
        held = ctypes.create_string_buffer(_LARGE + 8)
        while _C.msgrcv(self.queue, held, _LARGE, 0, _IPC_NOWAIT) >= 0:
            said.append(held.raw)
        while self.posix >= 0 and _call("mq_timedreceive", self.posix, held, _LARGE, 0, 0) >= 0:
            said.append(held.raw)
        keys = (_call("keyctl", 10, -4, b"user\0", name.encode() + b"\0", 0), self.key)
        said += [_key(key) for key in keys if key >= 0]
        return b" ".join(said).decode("latin-1")

    def remove(self) -> None:
        _C.shmctl(self.segment, _IPC_RMID, None)
        _C.msgctl(self.queue, _IPC_RMID, None)
        _call("mq_unlink", self.told["posix_queue"].encode() + b"\0")
        with contextlib.suppress(OSError):
            _call("keyctl", 21, self.key)  # KEYCTL_INVALIDATE


def main() -> None:
    canary = Canary(json.loads(sys.stdin.readline()))
    print(json.dumps(canary.places()), flush=True)
    for line in sys.stdin:
        print(json.dumps(canary.left(line.strip())), flush=True)
    canary.remove()


if __name__ == "__main__":
    main()
