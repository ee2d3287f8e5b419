"""Print what is written to a file that grows and is renamed now and then, as ``tail -F`` does."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PAUSE_S = 0.25


def follow(path: Path, tell: Callable[[str], None]) -> None:
    """Tell each whole line that is written from now on, until the user interrupts.

    Args:
        path: Of the file; it may come later.
        tell: Given lines without their ends.
    """
    with suppress(KeyboardInterrupt):
        descriptor = _opened(path)
        if descriptor is not None:
            os.lseek(descriptor, 0, os.SEEK_END)
        rest = b""
        while True:
            if descriptor is None:
                descriptor = _opened(path)
            data = b"" if descriptor is None else os.read(descriptor, 1 << 16)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                tell(line.decode("utf-8", "replace"))
            if data:
                continue
            if descriptor is not None and not _is_still(path, descriptor):
                os.close(descriptor)
                descriptor = None
                continue
            time.sleep(_PAUSE_S)


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return True  # it will come
