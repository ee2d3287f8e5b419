"""The namespaces rung: an empty network, a file system of its own, no other processes (namespaces(7)).

The caller's side makes the process and maps its user; the process itself then lays out its file system.
Without ``pivot_root``, which Docker refuses even to those who may mount: everything is made read-only
where it is, and what may be written or must not be seen is mounted over.
"""

from __future__ import annotations

import ctypes
import os
import struct

from veln_hook.sandbox import layout, system

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from veln_hook.sandbox.layout import Layout

_CLONE_NEWNS = 0x00020000
_CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
_ALL = _CLONE_NEWNS | _CLONE_NEWIPC | CLONE_NEWUSER | _CLONE_NEWPID | CLONE_NEWNET
_SIGCHLD = 17

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_AT_FDCWD = -100
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_READ_ONLY = struct.pack("QQQQ", 1, 0, 0, 0)  # struct mount_attr of mount_setattr(2): MOUNT_ATTR_RDONLY

_DIRECTORY, _TYPE = 0o040000, 0o170000

_TMPFS = b"tmpfs"
_PROC = "/proc"
_RESOLVER = "/etc/resolv.conf"
_RESOLVER_TEXT = "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n"


def clone() -> int:
    """Fork into new user, network, mount, PID and IPC namespaces; return as ``os.fork`` does.

    Raises:
        OSError: This user may not.
    """
    # glibc's fork takes no flags, so the kernel is called; PyDLL keeps the interpreter's lock meanwhile.
    python = ctypes.PyDLL(None, use_errno=True)
    python.syscall.restype = ctypes.c_long
    nothing = ctypes.c_long(0)
    clone_number = ctypes.c_long(system.number("clone") or 0)
    python.PyOS_BeforeFork()
    pid: int = python.syscall(
        clone_number, ctypes.c_long(_ALL | _SIGCHLD), nothing, nothing, nothing, nothing
    )
    error = ctypes.get_errno()
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(error, f"new namespaces: {os.strerror(error)}")
    return pid


def map_user(pid: int) -> None:
    """Give a process in a new user namespace the same user and group numbers as outside.

    All of them, where this user may: a build by root meets files of others. Only its own, otherwise.

    Raises:
        OSError: It may not even that.
    """
    try:
        for table in ("uid_map", "gid_map"):
            with open(f"{_PROC}/self/{table}", encoding="utf-8") as file:
                rows = [line.split() for line in file]
            _write(f"{_PROC}/{pid}/{table}", "".join(f"{row[0]} {row[0]} {row[2]}\n" for row in rows))
    except PermissionError:
        _write(f"{_PROC}/{pid}/setgroups", "deny")  # user_namespaces(7): else the kernel refuses a group
        _write(f"{_PROC}/{pid}/gid_map", f"{os.getegid()} {os.getegid()} 1\n")
        if not _is_mapped(pid):
            _write(f"{_PROC}/{pid}/uid_map", f"{os.geteuid()} {os.geteuid()} 1\n")


def _is_mapped(pid: int) -> bool:
    with open(f"{_PROC}/{pid}/uid_map", encoding="utf-8") as file:
        return bool(file.read())


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))  # in one piece, as the kernel wants it
    finally:
        os.close(descriptor)


class Mounts:
    """Lays out the file system, from within."""

    def __init__(self, plan: Layout, sockets: list[str], *, terminal: bool) -> None:
        """Take what was found outside.

        Args:
            plan: Which places are hidden, readable, writable.
            sockets: Paths of listening sockets outside.
            terminal: Whether there is a controlling terminal to keep.
        """
        self._plan = plan
        self._sockets = sockets
        self._terminal = terminal

    def make(self) -> None:
        """Do it.

        Raises:
            OSError: A step is refused; the process must end then, since it isn't confined.
        """
        plan = self._plan
        os.chdir("/")
        self._mount(None, "/", None, _MS_REC | _MS_PRIVATE)
        resolver = os.path.realpath(_RESOLVER)
        writes = [(path, self._copy(path)) for path in plan.writes]
        system.call("mount_setattr", _AT_FDCWD, b"/", _AT_RECURSIVE, _READ_ONLY, len(_READ_ONLY))
        reads = [(path, self._copy(path)) for path in plan.reads]
        devices = [(path, self._copy(path)) for path in self._devices()]

        for place in plan.hidden:
            if not layout.covers(["/dev"], place):
                self._mount(_TMPFS, place, _TMPFS, _MS_NOSUID | _MS_NODEV, f"mode={_mode(place)}")
        self._private_devices(devices)
        os.makedirs(plan.home, 0o700, exist_ok=True)
        for path, tree in sorted([*reads, *writes]):
            self._place(path, tree)
        for link, target in plan.links:
            self._link(link, target)
        self._resolver(resolver)
        self._mount(b"proc", _PROC, b"proc", _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
        self._cover()

    def _devices(self) -> list[str]:
        wanted = [f"/dev/{name}" for name in layout.DEVICES]
        if self._terminal:
            wanted.append("/dev/tty")
        return [path for path in wanted if os.path.exists(path)]

    def _private_devices(self, devices: list[tuple[str, int]]) -> None:
        console = self._console()
        self._mount(_TMPFS, "/dev", _TMPFS, _MS_NOSUID | _MS_NODEV, "mode=0755")
        for path, tree in devices:
            self._place(path, tree)
        if console is not None:
            # Where ttyname(3) finds the terminal that stands in no /dev/pts of ours.
            self._place("/dev/console", console)
        os.mkdir("/dev/shm")  # noqa: S108
        os.chmod("/dev/shm", 0o1777)  # noqa: S103, S108 - as everywhere
        os.mkdir("/dev/pts")
        self._mount(
            b"devpts", "/dev/pts", b"devpts", _MS_NOSUID | _MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"
        )
        os.symlink("pts/ptmx", "/dev/ptmx")
        os.symlink("/proc/self/fd", "/dev/fd")
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.symlink(f"/proc/self/fd/{number}", f"/dev/{name}")

    def _console(self) -> int | None:
        if self._terminal:
            for descriptor in (0, 1, 2):
                try:
                    return self._copy(os.ttyname(descriptor))
                except OSError:
                    continue
        return None

    def _resolver(self, path: str) -> None:
        """Have the resolver of the C library ask loopback, whatever it asks outside."""
        try:
            if layout.covers(self._plan.hidden, path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                target = path
            else:
                target = "/dev/shm/.resolv.conf"  # noqa: S108 - ours alone
            with open(target, "w", encoding="utf-8") as file:
                file.write(_RESOLVER_TEXT)
        except OSError:
            return  # names are then not found, which is what they are here to be
        if target != path:
            if os.path.exists(path):
                tree = self._copy(target)
                system.call("mount_setattr", tree, b"", _AT_EMPTY_PATH, _READ_ONLY, len(_READ_ONLY))
                self._move(tree, path)
            os.unlink(target)

    def _cover(self) -> None:
        """Put something empty over what must not be seen or connected to."""
        for path in [*self._plan.hides, *self._sockets]:
            try:
                if os.path.isdir(path):
                    self._mount(_TMPFS, path, _TMPFS, _MS_RDONLY | _MS_NOSUID | _MS_NODEV, "mode=0555")
                elif os.path.lexists(path):
                    self._move(self._copy("/dev/null"), path)
            except FileNotFoundError:
                pass  # it has gone this moment; sockets come and go

    def _copy(self, path: str) -> int:
        """Return a descriptor of a copy of the mounts at a path."""
        flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
        return system.call("open_tree", _AT_FDCWD, os.fsencode(path), flags)

    def _place(self, path: str, tree: int) -> None:
        if not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.fstat(tree).st_mode & _TYPE == _DIRECTORY:
                os.mkdir(path)
            else:
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        self._move(tree, path)

    def _move(self, tree: int, path: str) -> None:
        system.call("move_mount", tree, b"", _AT_FDCWD, os.fsencode(path), _MOVE_MOUNT_F_EMPTY_PATH)
        os.close(tree)

    def _link(self, link: str, target: str) -> None:
        if not os.path.lexists(link):
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink(target, link)

    def _mount(self, source: bytes | None, path: str, kind: bytes | None, flags: int, data: str = "") -> None:
        system.call("mount", source, os.fsencode(path), kind, flags, data.encode("ascii"))


def _mode(place: str) -> str:
    """Return the mode of an empty place: as usual for temporary directories, private otherwise."""
    return "1777" if os.path.basename(place) in ("tmp", "shm") else "0755"
