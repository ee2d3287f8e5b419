"""The store's files on disk: made safely, checked before use, locked, moved aside.

Rules of this module:

* Whoever can write the store can approve anything, so nobody but its owner
  may: files are 0600 whatever the umask, and a file that others can write, that
  is a link, or that belongs to somebody else is refused, not repaired.
* Nothing is ever deleted. A damaged store is renamed.
* The database file itself is never opened here once it exists: closing any
  descriptor of it would drop the locks that SQLite holds in this process.
* The lock file says who uses the store, not who writes (SQLite sees to that).
  Everyone who has the database open holds it shared; making or moving the
  database takes it exclusively. Without this, a process that closes a renamed
  database would delete the ``-wal`` of the new one, which has its old name.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from veln_hook.errors import StoreError

if TYPE_CHECKING:
    from datetime import datetime

if os.name == "posix":  # elsewhere there is no flock; on Windows an open file can't be renamed anyway
    import fcntl

SIDECARS = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database; it gives them the database's mode."""

_NETWORK = frozenset(
    (
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
        "sshfs",
    )
)
_POLL = 0.005
_TIMEOUT = 10.0


class UnwritableError(StoreError):
    """The store can't be written in this process; ``open_store`` then goes on without writing."""


def uri(path: Path, query: str) -> str:
    """Return the ``file:`` URI that SQLite opens, with ``query`` such as ``mode=rw``."""
    # Not Path.as_uri: newer Pythons import a module inside it, which pip forbids while it installs.
    text = quote(os.fsencode(path.absolute().as_posix()))
    return f"file://{'' if text.startswith('/') else '/'}{text}?{query}"


def sidecar(path: Path, ending: str) -> Path:
    """Return the path beside ``path`` with ``ending`` put behind its name."""
    return path.with_name(path.name + ending)


def check(path: Path) -> bool:
    """Tell whether the store's file exists, having made sure that it can be trusted.

    Raises:
        StoreError: It, a file of SQLite beside it, or its directory could be written by somebody else.
        UnwritableError: The directory can't be looked into.
    """
    try:
        exists = _check_file(path)
        for ending in SIDECARS:
            _check_file(sidecar(path, ending))
        if path.parent.is_dir():
            # Not the group: with one group a user, 0775 is what a umask of 002 gives.
            _check_access(path.parent, path.parent.stat(), others=stat.S_IWOTH)
    except OSError as error:
        raise UnwritableError(f"{path} can't be reached: {error.strerror or error}") from error
    return exists


def _check_file(path: Path) -> bool:
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(status.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a regular file"
        raise StoreError(f"{path} is {kind}, and so could be somebody else's", advice=f"Move {path} away.")
    _check_access(path, status, others=stat.S_IWGRP | stat.S_IWOTH)
    return True


def _check_access(path: Path, status: os.stat_result, *, others: int) -> None:
    if os.name != "posix":  # modes and owners say nothing there
        return
    me = os.geteuid()
    # Root's files are trusted by everyone. Root trusts everyone's: under 'sudo pip' with the user's HOME that
    # user's own pip configuration is in force anyway.
    if me not in (0, status.st_uid) and status.st_uid != 0:
        raise StoreError(
            f"{path} belongs to another user (uid {status.st_uid})",
            advice=f"Move {path} away, or take it over.",
        )
    if status.st_mode & others:
        raise StoreError(
            f"{path} can be written by other users (mode {stat.S_IMODE(status.st_mode):04o})",
            advice=f"Find out who wrote to it, then run: chmod go-w '{path}'",
        )


def is_writable(path: Path) -> bool:
    """Tell whether SQLite could write the existing file; it also makes files beside it."""
    effective = os.access in os.supports_effective_ids
    return os.access(path, os.R_OK | os.W_OK, effective_ids=effective) and os.access(
        path.parent, os.W_OK | os.X_OK, effective_ids=effective
    )


def make_directory(directory: Path) -> None:
    """Make the directory, only for its owner, and those above it as they come.

    Raises:
        UnwritableError: It can't be made.
    """
    try:
        missing = []
        step = directory
        while not step.exists():
            missing.append(step)
            step = step.parent
        for each in reversed(missing):
            each.mkdir(mode=0o700 if each == directory else 0o777, exist_ok=True)
            if os.name == "posix" and os.geteuid() == 0:
                # By descriptor: whoever owns the directory above could put a link in its place meanwhile.
                descriptor = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    _make_private(descriptor, each, 0o700 if each == directory else None)
                finally:
                    os.close(descriptor)
            elif each == directory:
                each.chmod(0o700)
    except OSError as error:
        raise UnwritableError(f"{directory} can't be made: {error.strerror or error}") from error


def create(path: Path) -> None:
    """Make the empty file; harmless if it exists already.

    Raises:
        UnwritableError: It can't be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _make_private(descriptor, path, 0o600)
        finally:
            os.close(descriptor)
    except FileExistsError:
        return
    except OSError as error:
        raise UnwritableError(f"{path} can't be made: {error.strerror or error}") from error


def _make_private(descriptor: int, path: Path, mode: int | None) -> None:
    """Set the mode whatever the umask was; what root makes in a user's directory becomes that user's."""
    if os.name != "posix":
        return
    if mode is not None:
        os.fchmod(descriptor, mode)
    if os.geteuid() == 0:
        above = path.parent.stat()
        if above.st_uid != 0:
            os.fchown(descriptor, above.st_uid, above.st_gid)


def set_aside(path: Path, now: datetime) -> str:
    """Rename the database and what lies beside it; return the new path of the database.

    Call it with the lock held exclusively.

    Raises:
        UnwritableError: It can't be renamed.
    """
    target = sidecar(path, f".corrupt-{now:%Y%m%dT%H%M%S.%f}Z")
    try:
        for ending in ("", *SIDECARS):
            source = sidecar(path, ending)
            if os.path.lexists(source):
                source.rename(sidecar(target, ending))
    except OSError as error:
        raise UnwritableError(
            f"{path} is damaged and can't be moved away: {error.strerror or error}"
        ) from error
    return str(target)


def has_content(path: Path) -> bool:
    """Tell whether a file is there and not empty."""
    try:
        return path.lstat().st_size > 0
    except OSError:
        return False


def on_network(directory: Path, mounts: str | None = None) -> bool:
    """Tell whether the directory is known to lie on a network file system.

    SQLite's write-ahead log needs memory that all users of the file share, so
    it destroys a file that two machines write at once.

    Args:
        directory: Exists.
        mounts: Text of ``/proc/self/mounts``; read if not given. Elsewhere than on Linux nothing is known.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape")
        except OSError:
            return False
    real = os.path.realpath(directory)
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 - device, directory, type
            continue
        place = fields[1].replace("\\040", " ").replace("\\134", "\\")
        # Not only longer: the last of several mounts on one directory is the one in sight.
        if len(place) >= len(best) and (real + "/").startswith(place.rstrip("/") + "/"):
            best, kind = place, fields[2]
    return kind.rpartition(".")[2] in _NETWORK


def _flock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without such locks: SQLite's own are all there is
        return True
    return True


class StoreLock:
    """The lock file of one store, held while the store is open."""

    def __init__(self, path: Path) -> None:
        """Open the lock file, making it if need be.

        Raises:
            UnwritableError: It can't be made; then neither could anything else there.
        """
        self._descriptor = -1
        if os.name != "posix":
            return
        flags = os.O_RDWR | os.O_NOFOLLOW
        try:
            try:
                self._descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
                _make_private(self._descriptor, path, 0o600)
            except FileExistsError:
                self._descriptor = os.open(path, flags)
        except OSError as error:
            self.release()
            raise UnwritableError(f"{path.parent} can't be written: {error.strerror or error}") from error

    def shared(self, timeout: float = _TIMEOUT) -> bool:
        """Hold it with others, giving up an exclusive hold; return whether that worked in time."""
        return os.name != "posix" or self._hold(fcntl.LOCK_SH, timeout)

    def exclusive(self, timeout: float = _TIMEOUT) -> bool:
        """Hold it alone; return whether that worked in time. If not, nothing is held."""
        return os.name != "posix" or self._hold(fcntl.LOCK_EX, timeout)

    def _hold(self, how: int, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while self._descriptor >= 0:
            if _flock(self._descriptor, how):
                return True
            if time.monotonic() >= deadline:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                return False
            time.sleep(_POLL)
        return False

    def release(self) -> None:
        """Let go and close the file. Calling twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
