"""What a command changed of the files that other programs run unasked, where it could not be kept from it.

They are looked at before and afterwards. A change of contents, mode or name shows in the time of the last
change of the inode (ctime of inode(7)), which no program can set.
"""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.cli.confining import ENVIRONMENT_MARKS, STARTED_UNASKED, environments_in
from veln_hook.sandbox.layout import covers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_GIT = ("hooks/*", "config", "config.worktree", "commondir", "modules/*/hooks/*", "modules/*/config")
"""Of the rest, git runs nothing (githooks(5), gitrepository-layout(5))."""
_ENVIRONMENT = (
    *ENVIRONMENT_MARKS,
    *("bin/*", "lib/python*/site-packages/*.pth", "lib/python*/site-packages/*customize.py"),
)
_MAX_FILES = 10_000


class _Mark(NamedTuple):
    """What tells one state of a file from another."""

    inode: int
    mode: int
    size: int
    changed: int
    """Nanoseconds."""


class Watch:
    """What there was when it was made."""

    def __init__(self, directory: str, opened: Iterable[str]) -> None:
        """Look at a working directory.

        Args:
            directory: An absolute path.
            opened: Real paths that the user let the command change.
        """
        self._directory = directory
        self._opened = tuple(path for path in opened if path != os.path.realpath(directory))
        self._before = self._marks()

    def changes(self) -> list[str]:
        """Return what was made, changed or removed since, relative to the directory, sorted."""
        after = self._marks()
        names = self._before.keys() | after.keys()
        return sorted(name for name in names if self._before.get(name) != after.get(name))

    def _marks(self) -> dict[str, _Mark]:
        found: dict[str, _Mark] = {}
        for path in self._files():
            if len(found) >= _MAX_FILES:
                break
            try:
                now = os.lstat(path)
            except OSError:
                continue
            name = os.path.relpath(path, self._directory)
            found[name] = _Mark(now.st_ino, now.st_mode, now.st_size, now.st_ctime_ns)
        return found

    def _files(self) -> Iterator[str]:
        for name in STARTED_UNASKED:
            path = os.path.join(self._directory, name)
            if self._is_opened(path):
                continue
            if name == ".git" and os.path.isdir(path):
                yield from _matches(path, _GIT)
            elif os.path.isdir(path) and not os.path.islink(path):
                for root, _, files in os.walk(path):
                    yield from (os.path.join(root, file) for file in files)
            else:
                yield path
        for environment in environments_in(self._directory):
            if not self._is_opened(environment):
                yield from _matches(environment, _ENVIRONMENT)

    def _is_opened(self, path: str) -> bool:
        real = os.path.realpath(path)
        return covers(self._opened, real)


def _matches(directory: str, patterns: Iterable[str]) -> Iterator[str]:
    for pattern in patterns:
        yield from glob.iglob(os.path.join(glob.escape(directory), pattern))
