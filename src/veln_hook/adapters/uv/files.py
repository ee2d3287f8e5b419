"""Reading the files that uv will read: bounded, regular, and refused where they can't be understood.

TOML that isn't understood here may still be read by uv (TOML 1.1), so it is refused rather than skipped.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from veln_hook.errors import UsageError
from veln_hook.policy.lines import find_line, too_deep
from veln_hook.report.wording import printable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.policy.lines import Part

MAX_TOML = 1 << 20
"""Bytes of a configuration; a generated pyproject.toml has some ten thousand."""
MAX_TEXT = 1 << 26
"""Bytes of a lock file or a list of requirements; the lock of a few hundred packages has a million."""
_MAX_DEPTH = 100
_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_SCRIPT_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""The reference implementation of PEP 723."""
_SCRIPT_BEGINS = re.compile(r"(?m)^# /// script$")


class TomlFile(NamedTuple):
    """A file, and what it says."""

    path: str
    text: str
    table: dict[str, Any]
    above: int = 0
    """Lines of the file before the text: of a script whose metadata is the text."""

    def place(self, parts: Sequence[Part]) -> str:
        """Return ``path:line`` of a key."""
        line = find_line(self.text, parts)
        return self.path if line is None else f"{self.path}:{line + self.above}"


def read_toml(path: str) -> Optional[TomlFile]:
    """Read a TOML file; ``None`` if there is none.

    Raises:
        UsageError: Something is there that can't be read, or isn't understood.
    """
    text = read_text(path, MAX_TOML)
    return None if text is None else TomlFile(path, text, parsed(text, path, 0))


def read_script(path: str) -> Optional[TomlFile]:
    """Read the metadata in a Python file (PEP 723); ``None`` if it has none.

    Raises:
        UsageError: It can't be read, or has metadata that isn't understood.
    """
    text = read_text(path, MAX_TEXT)
    return None if text is None else script_metadata(text, path)


def script_metadata(text: str, path: str) -> Optional[TomlFile]:
    """Return the metadata in the text of a Python file; ``None`` if it has none.

    Args:
        text: Of the file.
        path: For messages.

    Raises:
        UsageError: It isn't understood.
    """
    blocks = [match for match in _SCRIPT_BLOCK.finditer(text) if match["type"] == "script"]
    begun = len(_SCRIPT_BEGINS.findall(text))
    if begun > 1 or begun != len(blocks):
        # uv takes the first line that begins a block, even within another or without an end.
        raise UsageError(
            f"{printable(path)}: has its metadata twice, in other metadata, or without an end",
            advice="PEP 723 allows one block of it.",
        )
    if not blocks:
        return None
    lines = blocks[0]["content"].splitlines(keepends=True)
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
    above = text.count("\n", 0, blocks[0].start("content"))
    return TomlFile(path, content, parsed(content, path, above), above)


def read_text(path: str, limit: int) -> Optional[str]:
    """Read a text file; ``None`` if there is none, or if it is a directory.

    Raises:
        UsageError: It can't be read, or is no regular file, or larger than ``limit`` bytes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            return None
        if not stat.S_ISREG(mode):
            raise _unreadable(path, "it is no regular file")
        data = _bytes(descriptor, limit + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise _unreadable(path, f"it is larger than {limit >> 20} MiB")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8", data.count(b"\n", 0, error.start) + 1) from None


def _bytes(descriptor: int, most: int) -> bytes:
    pieces: list[bytes] = []
    while most:
        piece = os.read(descriptor, min(most, MAX_TOML))
        if not piece:
            break
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def parsed(text: str, path: str, above: int = 0) -> dict[str, Any]:
    """Return what a text of TOML says.

    Args:
        text: To be parsed.
        path: Of the file, for messages.
        above: Lines of the file before the text.

    Raises:
        UsageError: It isn't understood.
    """
    # Before the parser sees it: a compiled one may not survive what a RecursionError stops.
    deep = too_deep(text, _MAX_DEPTH)
    if deep is not None:
        raise _unreadable(path, "it is nested too deeply", deep + above)
    try:
        return dict(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found[1]) + above if found else None
        message = printable(str(error)[: found.start()] if found else str(error))
        raise _unreadable(path, f"it is not valid TOML: {message}", line) from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, printable(str(error))) from None


def _unreadable(path: str, reason: str, line: int | None = None) -> UsageError:
    place = path if line is None else f"{path}:{line}"
    return UsageError(
        f"{printable(place)}: what uv would read there can't be looked at: {reason}", advice="Mend the file."
    )
