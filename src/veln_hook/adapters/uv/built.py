"""What a step of uv's builds made: the wheel that uv will take, and that nobody writes to any more.

The step has ended with all that it started, but what it left behind is its own choice: a link, a second name
for the same file, a word in its outcome that leads elsewhere. So a wheel is copied into a file of ours, in
its own place, before it is judged.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.adapters.uv.build_step import Step

_NAME = re.compile(r"[^/\\\0\r\n]+\.whl")
_MAX_NAME = 4096
_MAX_WHEELS = 20


class Made:
    """What one step is to make; look at the directory before it starts.

    Args:
        step: ``build_wheel`` or ``build_editable``.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._directory = os.path.realpath(step.result)
        self._before = _wheels(self._directory)

    def wheels(self) -> list[str]:
        """Return the paths of what was made, as copies that only we have written, once the step has ended.

        The one that uv takes is the first; what lay there before, and is the same, is none of them.

        Raises:
            ArchiveError: What uv would take is no plain file in the directory that it gave the step.
            OSError: It can't be read, or copied.
        """
        if os.path.realpath(self._step.result) != self._directory:
            raise ArchiveError("its directory is another one by now")
        taken = self._taken()
        now = _wheels(self._directory)
        if taken not in now:
            raise ArchiveError(f"it made no {taken}")
        new = [name for name, identity in sorted(now.items()) if self._before.get(name) != identity]
        if len(new) > _MAX_WHEELS:
            raise ArchiveError(f"it made {len(new)} wheels")
        names = [taken, *(name for name in new if name != taken)]
        return [_copied(os.path.join(self._directory, name)) for name in names]

    def remove(self) -> None:
        """Remove what was made."""
        for name, identity in _wheels(self._directory).items():
            if self._before.get(name) != identity:
                with suppress(OSError):
                    os.unlink(os.path.join(self._directory, name))

    def _taken(self) -> str:
        """Return the name that uv reads: it joins it to the directory, wherever that leads."""
        descriptor = os.open(self._step.outcome, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, _MAX_NAME)
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        finally:
            os.close(descriptor)
        name = os.fsdecode(text)
        if not regular or not _NAME.fullmatch(name):
            raise ArchiveError("what it calls its wheel is no name of one")
        return name


def _wheels(directory: str) -> Mapping[str, tuple[int, ...]]:
    """Return what changes whenever a file's bytes do, by name."""
    found = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".whl"):
                status = entry.stat(follow_symlinks=False)
                found[entry.name] = (
                    status.st_dev,
                    status.st_ino,
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                )
    return found


def _copied(path: str) -> str:
    """Put a copy in a file's place; return its path."""
    # A pipe that nobody writes to would be waited for.
    source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(source, "rb") as given:
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveError(f"{os.path.basename(path)} is no plain file")
        descriptor, copy = tempfile.mkstemp(prefix=".veln-hook-", dir=os.path.dirname(path))
        try:
            with open(descriptor, "wb") as made:
                shutil.copyfileobj(given, made, 1 << 20)
                os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & 0o755 | 0o600)
            os.replace(copy, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(copy)
            raise
    return path
