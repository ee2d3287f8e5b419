"""On which line of a TOML text a key stands: ``tomllib`` does not tell."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Union

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Sequence

Part = Union[str, int]

# A string that is not closed takes the rest, so that a hostile text is walked once and not once a quote.
_TOKEN = re.compile(
    r'(?P<comment>#[^\n]*)|(?P<long>"""(?:\\.|[^\\])*?(?:"{3,5}|\\?\Z)|\'\'\'.*?(?:\'{3,5}|\Z))'
    r'|(?P<key>"(?:\\[^\n]|[^"\\\n])*"?|\'[^\'\n]*\'?|[A-Za-z0-9_-]+)'
    r"|(?P<newline>\n)|(?P<mark>[\[\]{}=.])|(?P<other>[^\n])",
    re.DOTALL,
)
_OPENING, _CLOSING = "[{", "]}"


def find_line(text: str, parts: Sequence[Part]) -> int | None:
    """Find the line of a key, or of the innermost table around it that has one of its own.

    Args:
        text: TOML that was parsed without an error.
        parts: The keys that lead there; a number picks an item of an array of tables.

    Returns:
        The 1-based line, or ``None`` if not even the first of the parts has one.
    """
    wanted = tuple(parts)
    best: tuple[int, int] | None = None
    for line, place in _places(text):
        common = _common(place, wanted)
        if common and (best is None or common > best[0]):
            best = (common, line)
    return None if best is None else best[1]


def too_deep(text: str, limit: int) -> int | None:
    """Find the line where brackets or a dotted key go more than ``limit`` deep; ``None`` if none do.

    The text need not be valid. Long dotted keys cost a parser the square of their length.
    """
    depth, dots, line = 0, 0, 1
    for token in _TOKEN.finditer(text):
        word = token.group()
        if token.lastgroup == "mark":
            depth = max(0, depth + (word in _OPENING) - (word in _CLOSING))
        if word == ".":
            dots += 1
        elif token.lastgroup != "key" and word not in " \t":
            dots = 0
        if depth > limit or dots > limit:
            return line
        line += word.count("\n")
    return None


def _common(place: tuple[Part, ...], wanted: tuple[Part, ...]) -> int:
    """How many parts agree, if one is the beginning of the other."""
    shorter = min(len(place), len(wanted))
    return shorter if place[:shorter] == wanted[:shorter] else 0


def _places(text: str) -> list[tuple[int, tuple[Part, ...]]]:
    """Every table header and every key of a line of its own, with its line."""
    scan = _Scan()
    for token in _TOKEN.finditer(text):
        scan.take(str(token.lastgroup), token.group())
    return scan.places


class _Scan:
    """A walk through the tokens: what is a header, what is a key, what lies inside a value."""

    def __init__(self) -> None:
        self.places: list[tuple[int, tuple[Part, ...]]] = []
        self._line = 1
        self._depth = 0
        self._in_value = False
        self._in_header = 0
        self._keys: list[str] = []
        self._header: tuple[Part, ...] = ()
        self._counts: dict[tuple[Part, ...], int] = {}

    def take(self, kind: str, word: str) -> None:
        """Go one word further."""
        if kind == "mark" and (self._in_value or word in _OPENING + _CLOSING):
            self._bracket(word)
        elif kind == "mark" and word == "=":
            self.places.append((self._line, self._header + tuple(self._keys)))
            self._in_value = True
        elif kind == "key" and not self._in_value:
            self._keys.append(_plain(word))
        elif kind == "newline" and self._depth == 0:
            self._in_value, self._keys = False, []
        self._line += word.count("\n")

    def _bracket(self, word: str) -> None:
        if self._in_value:
            self._depth += (word in _OPENING) - (word in _CLOSING)
        elif word == "[":
            self._in_header += 1
        elif word == "]" and self._in_header:
            if self._keys:
                self._end_header(tuple(self._keys), array=self._in_header > 1)
            self._in_header, self._keys = 0, []

    def _end_header(self, keys: tuple[Part, ...], *, array: bool) -> None:
        if array:
            self._counts[keys] = self._counts.get(keys, -1) + 1
        full: tuple[Part, ...] = ()
        for length, key in enumerate(keys, start=1):
            full += (key,)
            if keys[:length] in self._counts:
                full += (self._counts[keys[:length]],)
        self._header = full
        self.places.append((self._line, full))


def _plain(word: str) -> str:
    if word.startswith("'"):
        return word[1:-1]
    if word.startswith('"'):
        try:
            return str(tomllib.loads(f"key = {word}")["key"])
        except ValueError:
            return word[1:-1]
    return word
