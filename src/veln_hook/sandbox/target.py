"""What a supervisor can learn of a confined thread that waits for it: its memory, files and privileges.

All of it is read from ``/proc`` (proc(5)), which the kernel allows to the same user with as many
capabilities. It is the waiting thread's own only if ``notify.Notification.check`` passes afterwards.
"""

from __future__ import annotations

import errno
import os
import stat

from veln_hook.sandbox import processes

_PATH_MAX = 4096
_MAX_KIN = 4096
_PAGE = 4096
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000

CAP_CHOWN, CAP_FOWNER, CAP_NET_BIND_SERVICE = 0, 3, 10


class Target:
    """A thread that waits for the answer to a system call."""

    def __init__(self, thread: int) -> None:
        """Take a thread ID as this process sees it."""
        self._proc = f"/proc/{thread}"
        self._thread = thread
        self._status: dict[str, list[str]] = {}

    def memory(self, address: int, length: int) -> bytes:
        """Return what the thread has at an address of its memory.

        Raises:
            OSError: EFAULT, nothing is there.
        """
        data = self._memory(address, length)
        if len(data) < length:
            raise OSError(errno.EFAULT, "memory of the target")
        return data

    def string(self, address: int) -> bytes:
        """Return the string at an address, without the zero at its end.

        Raises:
            OSError: EFAULT, nothing is there; ENAMETOOLONG, it is longer than a path can be.
        """
        found = b""
        while len(found) < _PATH_MAX:
            # Up to the end of the page: the next one may not exist.
            chunk = self._memory(address + len(found), _PAGE - (address + len(found)) % _PAGE)
            if not chunk:
                raise OSError(errno.EFAULT, "memory of the target")
            end = chunk.find(0)
            if end >= 0:
                found += chunk[:end]
                break
            found += chunk
        if len(found) >= _PATH_MAX:
            raise OSError(errno.ENAMETOOLONG, "path of the target")
        return found

    def _memory(self, address: int, length: int) -> bytes:
        memory = os.open(f"{self._proc}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(memory, length, address)
        except (OSError, OverflowError):
            return b""
        finally:
            os.close(memory)

    def socket(self, descriptor: int) -> int:
        """Return the inode number of an open socket.

        Raises:
            OSError: EBADF or ENOTSOCK.
        """
        try:
            found = os.stat(f"{self._proc}/fd/{descriptor}")
        except FileNotFoundError:
            raise OSError(errno.EBADF, "descriptor of the target") from None
        if not stat.S_ISSOCK(found.st_mode):
            raise OSError(errno.ENOTSOCK, "descriptor of the target")
        return found.st_ino

    def flags(self, descriptor: int) -> int:
        """Return the flags of an open file, O_CLOEXEC among them.

        Raises:
            OSError: EBADF.
        """
        try:
            with open(f"{self._proc}/fdinfo/{descriptor}", "rb") as file:
                for line in file:
                    if line.startswith(b"flags:"):
                        return int(line[6:], 8)
        except FileNotFoundError:
            pass
        raise OSError(errno.EBADF, "descriptor of the target")

    def open_path(self, directory: int, path: bytes, *, follow: bool, empty: bool = False) -> int:
        """Open what a path means to the thread, only to name it (O_PATH).

        The thread's root directory is the supervisor's: the filter refuses ``chroot`` and all mounting.

        Args:
            directory: A descriptor of the thread, or AT_FDCWD; for relative paths.
            path: As the thread gave it.
            follow: Whether the last component may be a symbolic link to it.
            empty: Whether an empty path means what the descriptor is, a directory or not (AT_EMPTY_PATH).

        Returns:
            A descriptor, to be closed by the caller.

        Raises:
            OSError: As open(2) does.
        """
        flags = os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        if path.startswith(b"/"):
            return os.open(self._own(path), flags)
        if not path and not empty:
            raise OSError(errno.ENOENT, "path of the target")
        base = f"{self._proc}/cwd" if directory == AT_FDCWD else f"{self._proc}/fd/{directory}"
        try:
            start = os.open(base, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            raise OSError(errno.EBADF, "descriptor of the target") from None
        if not path:
            return start
        try:
            return os.open(path, flags, dir_fd=start)
        finally:
            os.close(start)

    def _own(self, path: bytes) -> bytes:
        """Return a path, with the links that mean whoever follows them changed to what the thread sees."""
        process = f"/proc/{self.process()}"
        for prefix, meant in (
            (b"/proc/self/", f"{process}/"),
            (b"/proc/thread-self/", f"{process}/task/{self._thread}/"),
            (b"/dev/fd/", f"{process}/fd/"),
        ):
            if path.startswith(prefix):
                return meant.encode() + path[len(prefix) :]
        return path

    def status(self, field: str) -> list[str]:
        """Return a line of ``/proc/PID/status``, split at blanks.

        Raises:
            OSError: The thread is gone.
        """
        if not self._status:
            with open(f"{self._proc}/status", encoding="ascii", errors="replace") as file:
                self._status = {
                    name: rest.split() for name, _, rest in (line.partition(":") for line in file)
                }
        return self._status.get(field, [])

    def process(self) -> int:
        """Return the ID of the thread's process.

        Raises:
            OSError: The thread is gone.
        """
        return int(self.status("Tgid")[0])

    def name(self) -> str:
        """Return the name of the thread's process, empty where it is gone; it may hold any character."""
        try:
            return processes.name(self.process())
        except (OSError, LookupError, ValueError):
            return ""

    def user(self) -> int:
        """Return the user ID that file access goes by (the fsuid).

        Raises:
            OSError: The thread is gone.
        """
        return int(self.status("Uid")[3])

    def groups(self) -> set[int]:
        """Return the group IDs that file access goes by.

        Raises:
            OSError: The thread is gone.
        """
        return {int(self.status("Gid")[3]), *map(int, self.status("Groups"))}

    def umask(self) -> int:
        """Return the mode bits that new files don't get.

        Raises:
            OSError: The thread is gone.
        """
        return int(self.status("Umask")[0], 8)

    def capabilities(self) -> int:
        """Return the effective capabilities, a bit each (capabilities(7)); none in another user namespace.

        Raises:
            OSError: The thread is gone.
        """
        return int(self.status("CapEff")[0], 16) if self._in_our_namespace() else 0

    def own_id(self, kind: str, number: int) -> int:
        """Return what a user or group ID of the thread is here (user_namespaces(7)).

        Args:
            kind: "uid" or "gid".
            number: As the thread has it.

        Raises:
            OSError: EINVAL, it is none of its IDs; or the thread is gone.
        """
        if self._in_our_namespace():
            return number
        with open(f"{self._proc}/{kind}_map", encoding="ascii") as file:
            for inside, outside, count in (map(int, line.split()) for line in file):
                if inside <= number < inside + count:
                    return outside + number - inside
        raise OSError(errno.EINVAL, "ID of the target")

    def _in_our_namespace(self) -> bool:
        return os.readlink(f"{self._proc}/ns/user") == os.readlink("/proc/self/ns/user")


def descends(process: int, roots: tuple[int, ...]) -> bool:
    """Say whether a living process is one of these or descends from one."""
    for _ in range(_MAX_KIN):
        if process in roots:
            return True
        if process <= 1:
            return False
        process = processes.parent(process)
    return False
