"""Reading a text that came with other people's changes: bounded, regular, UTF-8, and TOML that can be parsed.

Callers tell whose file it is; here is only why it can't be read, and where.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import Any

from veln_hook.policy.lines import too_deep

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_CHUNK = 1 << 20
_MAX_DEPTH = 100
_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


class UnreadableError(ValueError):
    """A text can't be read.

    Attributes:
        line: 1-based line, or ``None`` if there is none to name.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(reason)


def read_text(path: str, limit: int) -> str | None:
    """Read a text file; ``None`` if there is none, or if it is a directory.

    Args:
        path: Where.
        limit: Most bytes that it may have.

    Raises:
        UnreadableError: It can't be read, or is no regular file, or larger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UnreadableError(getattr(error, "strerror", None) or str(error)) from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            return None
        if not stat.S_ISREG(mode):
            raise UnreadableError("it is no regular file")
        data = _bytes(descriptor, limit + 1)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise UnreadableError(f"it is larger than {limit >> 20} MiB")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UnreadableError("it is not UTF-8", data.count(b"\n", 0, error.start) + 1) from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a text of TOML says.

    Raises:
        UnreadableError: It isn't understood.
    """
    # Before the parser sees it: a compiled one may not survive what a RecursionError stops.
    deep = too_deep(text, _MAX_DEPTH)
    if deep is not None:
        raise UnreadableError("it is nested too deeply", deep)
    try:
        return dict(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        message = str(error)[: found.start()] if found else str(error)
        raise UnreadableError(f"it is not valid TOML: {message}", int(found[1]) if found else None) from None
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from None


def _bytes(descriptor: int, most: int) -> bytes:
    pieces: list[bytes] = []
    while most:
        piece = os.read(descriptor, min(most, _CHUNK))
        if not piece:
            break
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)
