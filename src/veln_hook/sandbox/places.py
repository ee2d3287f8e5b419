"""Where a confined command may make and change files, asked about files that are open already."""

from __future__ import annotations

import os

from veln_hook.sandbox.layout import covers

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from collections.abc import Iterable


class Places:
    """Directories and files that can be written, and what is hidden even there."""

    def __init__(self, write: Iterable[str], hide: Iterable[str]) -> None:
        """Take paths; symbolic links in them are followed now, once."""
        self._write = tuple(map(os.path.realpath, write))
        self._hide = tuple(map(os.path.realpath, hide))

    def writable(self, descriptor: int, name: bytes | None = None) -> bool:
        """Say whether what is open here lies where the command may write.

        It is asked by the path that the kernel knows for the open file, so no link can mislead it, and what
        is not there now can't get there: Landlock lets the command move nothing in from elsewhere.

        Args:
            descriptor: An open file of this process (O_PATH is enough).
            name: If given, a name in that directory is meant.
        """
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if name is not None:
            path = os.path.join(path, os.fsdecode(name))
        return covers(self._write, path) and not covers(self._hide, path)
