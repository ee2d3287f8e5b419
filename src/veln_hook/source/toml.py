"""The texts that a TOML file has, each with the dotted key that it stands under.

Read by hand: the worker has nothing but the standard library, whose older versions have no TOML and whose
newer ones each know one version of it. Whoever reads a ``pyproject.toml`` for an install may know another, so
what is no TOML is passed over here, and never the whole file.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r'"""\n?(?P<long>(?:\\.|[^\\])*?"{0,2})"""(?!")|\'\'\'\n?(?P<raw>.*?\'{0,2})\'\'\'(?!\')|"(?P<basic>(?:\\.|[^"\\\n])*)"'
    r"|'(?P<literal>[^'\n]*)'|(?P<comment>#[^\n]*)|(?P<word>[\w+:-]+)|(?P<mark>[\[\]{}=,\n])",
    re.DOTALL,
)
"""What TOML is made of; dots between the parts of a key are left out."""
_ESCAPE = re.compile(
    r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|[ \t]*(\n)\s*|(.))", re.DOTALL
)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "e": "\x1b"}


def texts(toml: str) -> Iterator[tuple[str, str]]:
    """Yield ``(dotted key, text)`` of each string that is a value, those in arrays and inline tables too.

    Args:
        toml: The file (https://toml.io/en/v1.1.0); what is wrong in it is passed over.
    """
    reader = _Reader()
    for match in _TOKEN.finditer(toml.replace("\r\n", "\n")):
        kind = str(match.lastgroup)
        if kind == "mark":
            reader.mark(match[0])
        elif kind != "comment":
            text = _unescaped(match[kind]) if kind in ("long", "basic") else match[kind]
            if reader.naming:
                reader.key.append(text)
            elif kind != "word":
                yield ".".join(reader.place), text


class _Reader:
    """Follows what a value stands under."""

    def __init__(self) -> None:
        self.naming = True
        """What comes is part of a key, or of a table's name."""
        self.key: list[str] = []
        self.place: tuple[str, ...] = ()
        """The key of the value that comes."""
        self._table: tuple[str, ...] = ()
        self._header = False
        self._inside: list[tuple[str, tuple[str, ...]]] = []
        """Open arrays and inline tables, each with the key that it is the value of."""

    def mark(self, mark: str) -> None:
        """Take one of the characters that TOML is built with."""
        if mark == "\n":
            self._line()
        elif mark == "=":
            self.place, self.naming = (*self._above(), *self.key), False
        elif self.naming and not self._inside and mark in "[]":
            if mark == "]" and self._header:
                self._table = tuple(self.key)
            self.key, self._header = [], mark == "["
        elif mark in "[{":
            self._inside.append((mark, self.place))
            self.key, self.naming = [], mark == "{"
        elif self._inside:
            opened, self.place = self._inside[-1]
            if mark in "]}":
                del self._inside[-1]
                self.naming = False
            else:
                self.key, self.naming = [], opened == "{"

    def _line(self) -> None:
        if not self._inside:
            self.key, self.naming, self._header = [], True, False

    def _above(self) -> tuple[str, ...]:
        return self._inside[-1][1] if self._inside else self._table


def _unescaped(text: str) -> str:
    def made(match: re.Match[str]) -> str:
        code = int(match[1] or match[2] or match[3] or "0", 16)
        if 0 < code <= sys.maxunicode:
            return chr(code)
        return "" if match[4] else _ESCAPED.get(match[5] or "", match[5] or "")

    return _ESCAPE.sub(made, text)
