"""Changing what lies outside: files, their attributes and what runs because of them."""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import glob
import os
import struct
import time
from typing import TYPE_CHECKING

from common import MACHINE, attack, each, libc, syscall, write

if TYPE_CHECKING:
    from common import World

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_AT_FDCWD = -100
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_FS_IOC_FSGETXATTR = 0x801C581F
_FS_IOC_FSSETXATTR = 0x401C5820
_FS_NODUMP_FL = 0x40
_FS_XFLAG_NODUMP = 0x80


def _both(world: World) -> tuple[str, str]:
    return world.victim(), world.victim("home")


@attack
def write_outside(world: World) -> object:
    """Open a file outside for writing, in every way that open has."""
    ways = (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_RDONLY | os.O_TRUNC)
    return each(
        *(lambda path=path, way=way: write(path, world.token, way) for path in _both(world) for way in ways)
    )


@attack
def create_outside(world: World) -> object:
    """Make a file, a directory, a link, a pipe and a device outside."""
    said = []
    for place in world.places.values():
        path = os.path.join(place, world.new_name)
        said += each(
            lambda path=path: write(path, world.token, _NEW),
            lambda path=path: os.mkdir(path + "-directory"),
            lambda path=path: os.symlink("/", path + "-link"),
            lambda path=path: os.mkfifo(path + "-pipe"),
            lambda path=path: os.mknod(path + "-device", 0o020600, os.makedev(1, 3)),
            lambda place=place: os.close(os.open(place, os.O_TMPFILE | os.O_WRONLY)),
        )
    return said


@attack
def create_in_system(world: World) -> object:
    """Make a file where the system or other programs would run or believe it."""
    return each(
        *(
            lambda place=place: write(os.path.join(place, world.new_name), world.token, _NEW)
            for place in world.system_places
        )
    )


@attack
def create_in_shared_memory(world: World) -> object:
    """Make a file in the memory that all processes share."""
    return write(f"/dev/shm/{world.new_name}", world.token, _NEW)


@attack
def write_home(world: World) -> object:
    """Have the user's next shell run something."""
    return each(
        *(
            lambda name=name: write(
                os.path.join(world.home, name), b"\n: " + world.token, os.O_WRONLY | os.O_APPEND
            )
            for name in (".bashrc", ".ssh/authorized_keys", ".gitconfig")
        )
    )


@attack
def write_via_symlink(world: World) -> object:
    """Write through a symbolic link that lies in the own directory."""
    said = []
    for number, path in enumerate(_both(world)):
        link = os.path.join(world.build, f"symlink-{number}")
        os.symlink(path, link)
        said += each(
            lambda link=link: write(link, world.token),
            lambda link=link: write(f"/proc/self/cwd/../{link}", world.token),
        )
    return said


@attack
def write_via_hardlink(world: World) -> object:
    """Have a file outside appear in the own directory by a hard link, and write to it there."""
    said = []
    for number, path in enumerate(_both(world)):
        link = os.path.join(world.build, f"hardlink-{number}")
        said += each(
            lambda path=path, link=link: os.link(path, link),
            lambda path=path, link=link: os.link(path, link, follow_symlinks=False),
            lambda path=path, link=link: _link_descriptor(path, link),
            lambda link=link: write(link, world.token),
        )
    return said


def _link_descriptor(path: str, link: str) -> int:
    fd = os.open(path, os.O_PATH)
    try:
        return libc("linkat", _AT_FDCWD, f"/proc/self/fd/{fd}".encode(), _AT_FDCWD, link.encode(), 0x400)
    finally:
        os.close(fd)


@attack
def write_via_descriptor(world: World) -> object:
    """Open for reading, which is allowed, and open again through /proc for writing."""
    said = []
    for path in _both(world):
        said += each(lambda path=path: _reopen(path, os.O_RDONLY, world.token))
        said += each(lambda path=path: _reopen(path, os.O_PATH, world.token))
    return said


def _reopen(path: str, flags: int, token: bytes) -> str:
    fd = os.open(path, flags)
    try:
        return str(
            each(
                lambda: write(f"/proc/self/fd/{fd}", token),
                lambda: write(f"/proc/thread-self/fd/{fd}", token),
                lambda: write(f"/dev/fd/{fd}", token),
            )
        )
    finally:
        os.close(fd)


@attack
def rename_outside(world: World) -> object:
    """Replace a file outside by one's own, take it away, swap the two."""
    said = []
    for number, path in enumerate(_both(world)):
        own = os.path.join(world.build, f"mine-{number}")
        write(own, world.token, _NEW)
        swapped = (_AT_FDCWD, own.encode(), _AT_FDCWD, path.encode(), 2)  # RENAME_EXCHANGE
        said += each(
            lambda own=own, path=path: os.rename(own, path),
            lambda own=own, path=path: os.rename(path, own + "-taken"),
            lambda path=path: os.rename(path, path + "-elsewhere"),
            lambda swapped=swapped: libc("renameat2", *swapped),
        )
    return said


@attack
def unlink_outside(world: World) -> object:
    """Remove a file outside."""
    return each(*(lambda path=path: os.unlink(path) for path in _both(world)))


@attack
def truncate_outside(world: World) -> object:
    """Cut a file outside by its name, without opening it (truncate(2))."""
    return each(*(lambda path=path: os.truncate(path, 3) for path in _both(world)))


@attack
def chmod_outside(world: World) -> object:
    """Change the mode of a file outside, by every call there is."""
    said = []
    for path in _both(world):
        said += each(
            lambda path=path: os.chmod(path, 0o777),
            lambda path=path: libc("fchmodat", _AT_FDCWD, path.encode(), 0o777, 0),
            lambda path=path: syscall("fchmodat2", _AT_FDCWD, path.encode(), 0o777, 0),
            lambda path=path: _by_descriptor(path, lambda fd: os.fchmod(fd, 0o777)),
            lambda path=path: _by_descriptor(path, lambda fd: os.chmod(f"/proc/self/fd/{fd}", 0o777)),
        )
    return said


@attack
def chown_outside(world: World) -> object:
    """Change the owner of a file outside (to the same one, where only root may choose)."""
    user, group = world.give_to
    said = []
    for path in _both(world):
        said += each(
            lambda path=path: os.chown(path, user, group),
            lambda path=path: os.lchown(path, user, group),
            lambda path=path: _by_descriptor(path, lambda fd: os.fchown(fd, user, group)),
        )
    return said


@attack
def utime_outside(world: World) -> object:
    """Change the times of a file outside, so that a build takes it for new."""
    said = []
    for path in _both(world):
        said += each(
            lambda path=path: os.utime(path, (1, 1)),
            lambda path=path: os.utime(path, ns=(1, 1), follow_symlinks=False),
            lambda path=path: _by_descriptor(path, lambda fd: os.utime(fd, (1, 1))),
            lambda path=path: libc("utimes", path.encode(), 0),
        )
    return said


@attack
def xattr_outside(world: World) -> object:
    """Give a file outside an extended attribute."""
    said = []
    for path in _both(world):
        value = ctypes.create_string_buffer(world.token)
        arguments = struct.pack("=QII", ctypes.addressof(value), len(world.token), 0)
        said += each(
            lambda path=path: os.setxattr(path, "user.attack", world.token),
            lambda path=path: os.setxattr(path, "user.attack", world.token, follow_symlinks=False),
            lambda path=path: _by_descriptor(path, lambda fd: os.setxattr(fd, "user.attack", world.token)),
            lambda path=path, arguments=arguments: syscall(
                "setxattrat", _AT_FDCWD, path.encode(), 0, b"user.attack\0", arguments, len(arguments)
            ),
            lambda path=path: os.removexattr(path, "user.given"),
        )
    return said


@attack
def acl_outside(world: World) -> object:
    """Give everyone access to a file outside by an access control list, which is an attribute, too."""
    entries = ((1, 7, -1), (4, 7, -1), (16, 7, -1), (32, 7, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    return each(
        *(lambda path=path: os.setxattr(path, "system.posix_acl_access", acl) for path in _both(world))
    )


def _by_descriptor(path: str, change: object) -> object:
    fd = os.open(path, os.O_RDONLY)
    try:
        return change(fd)
    finally:
        os.close(fd)


@attack
def chattr_outside(world: World) -> object:
    """Change the flags of a file outside: chattr needs it open for reading only (ioctl_iflags(2))."""
    return each(*(lambda path=path: _by_descriptor(path, _chattr) for path in _both(world)))


def _chattr(fd: int) -> str:
    def flags() -> str:
        held = array.array("l", [0])
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, held)
        held[0] |= _FS_NODUMP_FL
        return f"chattr {fcntl.ioctl(fd, _FS_IOC_SETFLAGS, held)}"

    def extended() -> str:
        held = bytearray(28)
        fcntl.ioctl(fd, _FS_IOC_FSGETXATTR, held)
        held[0] |= _FS_XFLAG_NODUMP
        return f"fsxattr {fcntl.ioctl(fd, _FS_IOC_FSSETXATTR, held)}"

    return str(each(flags, extended))


@attack
def file_setattr_outside(world: World) -> object:
    """The same by the call of Linux 6.17 that takes a path."""
    attributes = struct.pack("=QIIII", _FS_XFLAG_NODUMP, 0, 0, 0, 0)
    return each(
        *(
            lambda path=path: syscall(
                "file_setattr", _AT_FDCWD, path.encode(), attributes, len(attributes), 0
            )
            for path in _both(world)
        )
    )


@attack
def lease_outside(world: World) -> object:
    """Hold up others who open a file (a lease or a lock on what can only be read)."""

    def hold(fd: int) -> str:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        try:
            return str(world.ask("open", path=world.victim(), token=world.token.decode()))
        finally:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    return _by_descriptor(world.victim(), hold)


@attack
def write_hidden_name(world: World) -> object:
    """Replace what is hidden inside the own directory by removing, renaming and moving its parent."""
    hidden = world.hidden["write_hidden_name"]
    parent = os.path.dirname(hidden)
    said = each(
        lambda: write(hidden, world.token),
        lambda: os.unlink(hidden),
        lambda: os.rename(hidden, os.path.join(world.build, "taken")),
        lambda: os.rename(hidden, os.path.join(world.project, "taken")),
        lambda: os.rename(parent, os.path.join(world.build, "moved")),
        lambda: os.rename(parent, os.path.join(world.project, "moved")),
    )
    own = os.path.join(world.build, "replacement")
    write(own, world.token, _NEW)
    return said + each(lambda: os.replace(own, hidden))


@attack
def write_report(world: World) -> object:
    """Find the launcher's own files and write what it tells its caller."""
    said = []
    for place in (os.environ.get("TMPDIR", world.caller), world.caller):
        for path in glob.glob(f"{place}/veln-hook-*") + glob.glob(f"{place}/veln-hook-*/*"):
            said += [path, *each(lambda path=path: write(path, world.token))]
    report = world.report_path
    if report:
        fake = b'{"refusals": [["' + world.token + b'", 1, "", 1]], "timed_out": false}'
        said += each(
            lambda: write(report, fake, os.O_WRONLY | os.O_TRUNC),
            lambda: write(report, fake, _NEW),
            lambda: os.unlink(report),
            lambda: os.symlink(world.victim(), report),
        )
    return said


@attack
def sysfs(world: World) -> object:
    """Change a setting of the kernel through its files."""
    said = []
    for path, text in world.kernel_files.items():
        said += each(lambda path=path, text=text: write(path, text.encode()))
    return said


@attack
def core_pattern(world: World) -> object:
    """Have the kernel run a program of ours when anything crashes: root needs no capability for it."""
    return write("/proc/sys/kernel/core_pattern", world.token[:60].replace(b":", b"-"))


@attack
def cgroup(world: World) -> object:
    """Make a control group, or move into another one."""
    said = []
    for place in ("/sys/fs/cgroup", *glob.glob("/sys/fs/cgroup/*"), *glob.glob("/sys/fs/cgroup/*/*")):
        if os.path.isdir(place):
            path = os.path.join(place, world.new_name)
            with contextlib.suppress(OSError):
                os.mkdir(path)
                said.append(f"made {path}")
                time.sleep(0.05)
    return said or "none"


@attack
def kernel_log(world: World) -> object:
    """Write into the kernel's log."""
    return write("/dev/kmsg", b"<7>" + world.token + b"\n")


@attack
def ioctl_compat(world: World) -> object:
    """Make the same change of flags by the entry for 32-bit programs, whose numbers differ."""
    if MACHINE != "x86_64":
        return "there is none"
    return each(*(lambda path=path: world.tool("chattr32", path) for path in _both(world)))
