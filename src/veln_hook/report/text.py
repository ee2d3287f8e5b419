"""How our own commands lay text out: columns, colours, times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.model import Decision
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
_DECISIONS = {
    Decision.ALLOW: "green",
    Decision.WARN: "yellow",
    Decision.HOLD: "yellow",
    Decision.BLOCK: "red",
}


class Palette:
    """Colours, or none.

    Args:
        color: Whether to use any.
    """

    def __init__(self, *, color: bool) -> None:
        self._color = color

    def paint(self, text: str, style: str) -> str:
        """Return the text in a style: ``red``, ``green``, ``yellow``, ``bold`` or ``dim``."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self._color else text

    def decision(self, line: str, decision: Decision) -> str:
        """Paint a decision's word where a line begins with it."""
        word = decision.name
        return self.paint(word, _DECISIONS[decision]) + line[len(word) :] if line.startswith(word) else line


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> list[str]:
    """Lay rows out in columns; their text may come from anywhere.

    Args:
        rows: Each with as many cells as ``head``, if there is one.
        head: Titles of the columns.
    """
    clean = [[printable(cell) for cell in row] for row in ([head, *rows] if head else rows)]
    if not clean:
        return []
    widths = [max(len(row[place]) for row in clean) for place in range(len(clean[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in clean]


def when(time: datetime | None, *, never: str = "-") -> str:
    """Return a time to the minute, in UTC."""
    return never if time is None else f"{time.isoformat()[:10]} {time.isoformat()[11:16]} UTC"
