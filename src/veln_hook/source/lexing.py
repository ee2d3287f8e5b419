"""The code of a file without its strings and comments, told from its bytes much faster than by parsing.

Whether a name is used, and how, can then be looked up without taking prose for code, and neither a
string nor a comment can hide code from it. Where it isn't certain what a string is, nothing is told.
"""

from __future__ import annotations

import re

_STRINGS = re.compile(
    rb"#[^\n]*"
    rb'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    rb"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    rb'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    rb"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'",
    re.DOTALL,
)
_FORMATTED = re.compile(rb"(?<![\w\x80-\xff])(?:[fFtT][rR]?|[rR][fFtT])\Z")
"""What stands before the quote of an f-string, or of a template string (PEP 750)."""
_PREFIXES = b"fFtTrR"
_WORD = re.compile(rb"[\"']([A-Za-z_]\w*)[\"']")
_MAX_WORD = 40
"""Bytes of a string that may name something, with its quotes."""
_MARKS = re.compile(rb"\\.|[{}\"'#\n]", re.DOTALL)
"""What tells text from code in an f-string."""


class _UnsureError(Exception):
    """Versions of Python differ in where a string ends, or nobody knows."""


def code_of(data: bytes) -> bytes | None:
    r"""Return source without comments and strings; ``None`` if that can't be told for certain.

    Args:
        data: What ``encodings.readable`` gave.

    Returns:
        Bytes. In the place of a string stand two backticks, with its text between them if that is a name.
        The code in f-strings is kept, between blanks. A line that a backslash continues is one line. What
        no Python can read, as a string has no end, stays as it is.
    """

    def kept(match: re.Match[bytes]) -> bytes:
        text, start = match.group(), match.start()
        if text[:1] == b"#":
            return b""
        if start and data[start - 1] in _PREFIXES and _FORMATTED.search(data, max(0, start - 4), start):
            return b"` %b `" % b" ".join(_fields(text))
        name = _WORD.fullmatch(text) if len(text) <= _MAX_WORD else None
        return b"`%b`" % name.group(1) if name else b"``"

    try:
        code = _STRINGS.sub(kept, data)
    except _UnsureError:
        return None
    if b'"' in code or b"'" in code:
        return data
    return code.replace(b"\\\n", b" ") if b"\\" in code else code


def _fields(text: bytes) -> list[bytes]:
    """Return the code in an f-string.

    Up to Python 3.11 a string ends at the next such quote, later ones may have it in their code (PEP 701).

    Raises:
        _UnsureError: It isn't certain for all versions, or for none.
    """
    width = 3 if text[:3] in (b'"""', b"'''") else 1
    place, end = width, len(text) - width
    found: list[bytes] = []
    depth = start = 0
    while True:
        mark = _MARKS.search(text, place, end)
        if mark is None:
            break
        kind, place = mark.group()[:1], mark.end()
        if kind == b"{" or (kind == b"}" and not depth):
            if not depth and place < end and text[place : place + 1] == kind:
                # Doubled, it is a character of the text.
                place += 1
                continue
            if kind == b"}":
                raise _UnsureError
            depth += 1
            start = start if depth > 1 else place
        elif kind == b"}":
            depth -= 1
            if not depth:
                found.append(text[start : place - 1])
        elif depth:
            found.append(text[start : place - 1])
            start = place = _past_inner(text, place, end, kind)
    if depth:
        raise _UnsureError
    return found


def _past_inner(text: bytes, place: int, end: int, kind: bytes) -> int:
    """Return where something that is no code inside of an f-string's code ends."""
    if kind == b"#" and text[:3] not in (b'"""', b"'''"):  # of a format
        return place
    past = text.find(kind, place, end) + 1
    if kind not in b"\"'" or kind == text[:1] or not past or _MARKS.search(text, place, past - 1):
        raise _UnsureError
    return past
