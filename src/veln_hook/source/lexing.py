"""The code of a file without its strings and comments, told from its bytes much faster than by parsing.

Whether a name is used, and how, can then be looked up without taking prose for code, and neither a
string nor a comment can hide code from it. Where it isn't certain what a string is, nothing is told.
"""

from __future__ import annotations

import re

_STRINGS = re.compile(
    rb"(#[^\n]*"
    rb'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    rb"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    rb'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    rb"|'[^'\\\n]*(?:\\.[^'\\\n]*)*')",
    re.DOTALL,
)
"""Comments and strings; a group, so that splitting keeps them."""
_FORMATTED = re.compile(rb"(?<![\w\x80-\xff])(?:[fFtT][rR]?|[rR][fFtT])\Z")
"""What stands before the quote of an f-string, or of a template string (PEP 750)."""
_PREFIXES = frozenset(b"fFtTrR")
_BEFORE = 4
"""Bytes that tell whether a string has such a prefix."""
_WORD = re.compile(rb"[\"']([A-Za-z_]\w*)[\"']")
_MAX_WORD = 80
"""Bytes of a string that may name something, with its quotes."""
_MARKS = re.compile(rb"\\.|[{}\"'#\n]", re.DOTALL)
"""What tells text from code in an f-string."""
_UNSURE_MARKS = re.compile(rb"[\\\"'\n]")
"""Those that no string in its code may have to be read in the same way by all versions."""
_TRIPLE = 3


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
    parts = _STRINGS.split(data)  # code, string, code ...
    try:
        for place in range(1, len(parts), 2):
            parts[place] = _kept(parts[place], parts[place - 1])
    except _UnsureError:
        return None
    code = b"".join(parts)
    if b'"' in code or b"'" in code:
        return data
    return code.replace(b"\\\n", b" ") if b"\\" in code else code


def _kept(text: bytes, before: bytes) -> bytes:
    """Return what stands in the place of a comment or string, told also from the code before it."""
    if text[:1] == b"#":
        return b""
    if before and before[-1] in _PREFIXES and _FORMATTED.search(before[-_BEFORE:]):
        return b"` %b `" % b" ".join(_fields(text))
    return b"`%b`" % text[1:-1] if len(text) <= _MAX_WORD and _WORD.fullmatch(text) else b"``"


def _fields(text: bytes) -> list[bytes]:
    """Return the code in an f-string.

    Up to Python 3.11 a string ends at the next such quote, later ones may have it in their code (PEP 701).

    Raises:
        _UnsureError: It isn't certain for all versions, or for none.
    """
    width = _TRIPLE if text[:3] in (b'"""', b"'''") else 1
    place, end = width, len(text) - width
    found: list[bytes] = []
    while (field := _next_field(text, place, end)) is not None:
        place = _past_field(text, field, end, found)
    return found


def _next_field(text: bytes, place: int, end: int) -> int | None:
    """Return where the code of the next field begins."""
    while (mark := _MARKS.search(text, place, end)) is not None:
        kind, place = mark.group()[:1], mark.end()
        if kind == b"\\":
            place -= mark.group()[1:] in (b"{", b"}")  # before a brace it is a character like others
        elif kind in b"{}":
            if place == end or text[place : place + 1] != kind:
                if kind == b"}":
                    raise _UnsureError
                return place
            place += 1  # doubled, it is a character of the text
    return None


def _past_field(text: bytes, field: int, end: int, found: list[bytes]) -> int:
    """Take the code of a field that begins there; return where what follows the field begins."""
    place = start = field
    depth = 1
    while (mark := _MARKS.search(text, place, end)) is not None:
        kind, place = mark.group()[:1], mark.end()
        if kind in b"{}":
            depth += 1 if kind == b"{" else -1
            if not depth:
                found.append(text[start : place - 1])
                return place
        else:
            found.append(text[start : mark.start()])
            start = place = _past_inner(text, field, mark.start() + 1, end, found)
    raise _UnsureError


def _past_inner(text: bytes, field: int, place: int, end: int, found: list[bytes]) -> int:
    """Return where something that is no code inside of an f-string's code ends.

    Args:
        text: The f-string.
        field: Where the field begins.
        place: Behind the first character of what is no code.
        end: Of the f-string.
        found: Gets the code of an f-string in there.
    """
    kind = text[place - 1 : place]
    triple = text[:_TRIPLE] in (b'"""', b"'''")
    if (kind == b"#" and not triple) or (kind == b"\n" and triple):
        return place  # of a format; code goes on
    past = text.find(kind, place, end) + 1
    if kind not in b"\"'" or (kind == text[:1] and not triple) or not past:
        raise _UnsureError
    if _MARKS.search(text, place, past - 1) is None:
        return past
    # Braces in a string are its own, but in a format there are no strings.
    if b":" in text[field:place] or _UNSURE_MARKS.search(text, place, past - 1):
        raise _UnsureError
    if _FORMATTED.search(text, max(0, place - 1 - _BEFORE), place - 1):
        found += _fields(text[place - 1 : past])
    return past
