"""Git checkouts in one of our caches: which of them were judged, and which have to be.

A build leaves things in the checkout that it builds, and may read what it likes there from then on. So a
checkout is judged before its first step, and a mark in the cache tells the next run that it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress

_MARKS = "veln-hook-checkouts"
"""uv removes what it doesn't know of when it prunes its cache; then they are judged again."""
_MAX_BYTES = 1 << 10


class Checkouts:
    """Those of one cache (``git-v*/checkouts/REPOSITORY/REVISION``).

    Args:
        cache: One of ours.
    """

    def __init__(self, cache: str) -> None:
        self._cache = os.path.realpath(cache)

    def unjudged(self) -> list[str]:
        """Return the paths of those that nobody has judged."""
        found = []
        for bucket in _directories(self._cache):
            if os.path.basename(bucket).startswith("git-"):
                for repository in _directories(os.path.join(bucket, "checkouts")):
                    found += [path for path in _directories(repository) if not self.is_judged(path)]
        return sorted(found)

    def is_judged(self, path: str) -> bool:
        """Tell whether just this checkout was judged, and may be built."""
        try:
            with open(self._mark(path), encoding="ascii") as file:
                return file.read(_MAX_BYTES) == _identity(path)
        except (OSError, ValueError):
            return False

    def remember(self, path: str) -> None:
        """Write down that a checkout was judged and may be built; where that can't be, it is judged again."""
        mark = self._mark(path)
        temporary = f"{mark}.{os.getpid()}"
        with suppress(OSError):
            os.makedirs(os.path.dirname(mark), 0o700, exist_ok=True)
            with open(temporary, "w", encoding="ascii") as file:
                file.write(_identity(path))
            os.replace(temporary, mark)

    def forget(self, path: str) -> None:
        """Remove a checkout, and all that was built of any: uv would take it without asking the next time."""
        shutil.rmtree(path, ignore_errors=True)
        for bucket in _directories(self._cache):
            if os.path.basename(bucket).startswith("sdists-"):
                shutil.rmtree(os.path.join(bucket, "git"), ignore_errors=True)

    def _mark(self, path: str) -> str:
        name = hashlib.sha256(os.fsencode(os.path.relpath(path, self._cache))).hexdigest()
        return os.path.join(self._cache, _MARKS, name)


def remove_bytecode(path: str) -> None:
    """Remove compiled modules, which Python makes again: a build before may have left them there."""
    for directory, names, _ in os.walk(path):
        if "__pycache__" in names:
            names.remove("__pycache__")
            shutil.rmtree(os.path.join(directory, "__pycache__"), ignore_errors=True)


def _identity(path: str) -> str:
    """Return what changes when uv makes a checkout anew, as for another commit with the same short name.

    Nobody can set a file's change time, a build that may write there included.

    Raises:
        OSError: It is no checkout.
    """
    if os.path.islink(os.path.join(path, ".git")):
        raise OSError("git's directory is elsewhere")
    status = os.lstat(os.path.join(path, ".git", "HEAD"))
    return f"{status.st_dev} {status.st_ino} {status.st_ctime_ns}"


def _directories(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
