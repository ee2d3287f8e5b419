"""What a file's bytes tell before it is parsed: code pushed out of sight, letters that look like others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.source.facts import Capability
from veln_hook.source.vocabulary import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN_BLANKS = 120
LONG_LINE = 4_000
_BIDI = tuple(chr(code).encode() for code in (0x202A, 0x202B, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068))
_INVISIBLE = re.compile("[\u200b\u200c\u2060\ufe00-\ufe0e\U000e0100-\U000e01ef\U000e0020-\U000e007e]{8,}")
_PUSHED = re.compile(
    rb"^[^\n#'\"]{0,200}[^ \t\n#](?:[ \t]{%d,}|\t{30,})[^\s#\\\"')\]},][^\n]{3}" % HIDDEN_BLANKS, re.MULTILINE
)
_BLANKS = b" " * HIDDEN_BLANKS
_TABS = b"\t" * 30
_BLOB = re.compile(rb"[A-Za-z0-9+/=]{1500,}|(?:\\x[0-9a-fA-F]{2}){300,}|(?:\d{1,3}, ?){600,}")
_MIXED = re.compile(
    r"\b(?=\w*[a-z])(?=\w*[\u0430-\u044f\u03b1-\u03c9\uff21-\uff5a\U0001d400-\U0001d7ff])\w+(?=\s*[(.=])"
)
# What the first bytes of such characters are in UTF-8; looked up much faster than these.
_MAY_BE_INVISIBLE = (b"\xe2\x80\x8b", b"\xe2\x80\x8c", b"\xe2\x81\xa0", b"\xef\xb8", b"\xf3\xa0")
_MAY_BE_MIXED = (b"\xd0", b"\xd1", b"\xce", b"\xcf", b"\xef\xbc", b"\xef\xbd", b"\xf0\x9d")
# Spelled backwards, or this file would bear the marks itself.
_ENCRYPTED = b"(__romrayp__"[::-1]
"""How the code of a file begins that is decrypted and run by native code."""
_OBFUSCATORS = tuple(
    marker[::-1].encode()
    for marker in (
        "romrayp",
        "etacsufbOyP",
        "etacsufboyp",
        "remarK",
        "FBOknalB",
        "noirepyH",
        "__etacsufyp__",
        "x0_",
        "lllll",
        "IlIII",
        "lIlIl",
        "O0OOO",
        "O0O0O",
        "rekresreB",
        "XmurtcepS",
        "duf-yb",
        "fbo_tnempoleved",
    )
)
_SHORT_MARKER = 6
"""Characters up to which a marker may be a word of honest code, so that it has to come more often."""
_LONGEST_MIXED = 500
"""Characters of a line in which letters that look alike are looked for."""


def examine_text(data: bytes) -> Iterator[Capability]:
    """Yield what is odd about any file of Python source.

    Args:
        data: Its bytes.
    """
    if _BLANKS in data or _TABS in data:
        match = _PUSHED.search(data)
        if match:
            hidden = data[match.start() : match.start() + 2_000].split(b"\n", 1)[0].lstrip()
            yield _odd("hidden-blanks", data, match.start(), hidden[-160:])
    if not data.isascii():
        yield from _unicode(data)


def examine_marks(data: bytes) -> Iterator[Capability]:
    """Yield the marks of obfuscation; only where code does something that is worth hiding.

    Args:
        data: Bytes of a file of Python source.
    """
    if _has_long_line(data):
        blob = _BLOB.search(data)
        if blob:
            yield _odd("blob", data, blob.start(), blob.group()[:60])
    encrypted = data.find(_ENCRYPTED)
    if encrypted >= 0:
        yield _odd("encrypted", data, encrypted, _ENCRYPTED)
    for marker in _OBFUSCATORS:
        telling = marker[:1].isalpha() and marker.islower() and len(marker) > _SHORT_MARKER
        if data.count(marker) > (0 if telling else 4):
            place = data.find(marker)
            yield _odd("obfuscator", data, place, marker)
            break


def _unicode(data: bytes) -> Iterator[Capability]:
    for mark in _BIDI:
        if mark in data:
            yield _odd("bidi", data, data.find(mark), b"")
            break
    if any(mark in data for mark in _MAY_BE_INVISIBLE):
        text = data.decode("utf-8", "replace")
        match = _INVISIBLE.search(text)
        if match:
            yield _odd("invisible", data, len(text[: match.start()].encode("utf-8", "replace")), b"")
    if not any(mark in data for mark in _MAY_BE_MIXED):
        return
    text = data.decode("utf-8", "replace")
    for line, words in enumerate(text.split("\n"), 1):
        if (
            not words.isascii()
            and len(words) < _LONGEST_MIXED
            and "#" not in words
            and _MIXED.search(words)
            and '"' not in words
            and "'" not in words
        ):
            yield Capability(TEXT, line, "homoglyph", words.strip()[:160])
            return


def _has_long_line(data: bytes) -> bool:
    """Tell whether a line is longer than that; from the end of one line to the last that is near enough."""
    start = 0
    while start + LONG_LINE < len(data):
        end = data.rfind(b"\n", start, start + LONG_LINE + 1)
        if end < 0:
            return True
        start = end + 1
    return False


def _odd(detail: str, data: bytes, place: int, evidence: bytes) -> Capability:
    return Capability(TEXT, data.count(b"\n", 0, place) + 1, detail, evidence.decode("utf-8", "replace"))
