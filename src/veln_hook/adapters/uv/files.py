"""Reading the files that uv will read: bounded, regular, and refused where they can't be understood.

TOML that isn't understood here may still be read by uv (TOML 1.1), so it is refused rather than skipped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from veln_hook.errors import UsageError
from veln_hook.locks import text as bounded
from veln_hook.policy.lines import find_line
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.policy.lines import Part

MAX_TOML = 1 << 20
"""Bytes of a configuration; a generated pyproject.toml has some ten thousand."""
MAX_TEXT = 1 << 26
"""Bytes of a lock file or a list of requirements; the lock of a few hundred packages has a million."""
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
        return bounded.read_text(path, limit)
    except bounded.UnreadableError as error:
        raise _unreadable(path, str(error), error.line) from None


def parsed(toml: str, path: str, above: int = 0) -> dict[str, Any]:
    """Return what a text of TOML says.

    Args:
        toml: To be parsed.
        path: Of the file, for messages.
        above: Lines of the file before the text.

    Raises:
        UsageError: It isn't understood.
    """
    try:
        return bounded.parse_toml(toml)
    except bounded.UnreadableError as error:
        line = None if error.line is None else error.line + above
        raise _unreadable(path, printable(str(error)), line) from None


def _unreadable(path: str, reason: str, line: int | None = None) -> UsageError:
    place = path if line is None else f"{path}:{line}"
    return UsageError(
        f"{printable(place)}: what uv would read there can't be looked at: {reason}", advice="Mend the file."
    )
