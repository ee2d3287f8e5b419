"""The text of a file as Python reads it: its encoding, its line ends, and names that are written otherwise.

What is looked up in a file's bytes must not depend on how they are written. PEP 263 lets a file choose an
encoding in which ``import`` has no letter of its own (``utf-7``, ``unicode_escape``), and names are the same
for Python that are the same in normal form KC (PEP 3131).
"""

from __future__ import annotations

import codecs
import re
import unicodedata

_HEAD = re.compile(rb"(?:\xef\xbb\xbf)?([^\r\n]*)(?:\r\n|\r|\n)?([^\r\n]*)")
_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
"""As ``tokenize`` has it."""
_BLANK = re.compile(rb"[ \t\f]*(?:#.*)?")
_SURE = re.compile(r"utf-8|utf-8-sig|ascii")
_ALIKE = re.compile(
    r"iso8859-\d+|cp(?:125\d|437|85[0-8]|86[0-35-9]|874|932|949|950)|koi8-[rtu]|mac-\w+|euc_\w+|shift_jis"
    r"|gb2312|gbk|gb18030|big5|johab|tis-620|hp-roman8|kz1048|ptcp154"
)
"""Names of encodings that sources were honestly written in, in each of which ASCII is ASCII."""
_FEEDS = re.compile(rb"^[ \t\f]*\f", re.MULTILINE)
_OTHERS = re.compile(r"[^\x00-\x7f]")


def declared(data: bytes) -> str:
    """Return the encoding that a file of source declares (PEP 263), as it spells it; empty if none."""
    head = _HEAD.match(data)
    if head is None or b"coding" not in head.group():
        return ""
    first, second = head.groups()
    found = _COOKIE.match(first) or (_COOKIE.match(second) if _BLANK.fullmatch(first) else None)
    return found.group(1).decode("ascii", "replace") if found else ""


def hides(encoding: str) -> bool:
    """Tell whether bytes in an encoding may mean other characters than they seem to."""
    name = _python_name(encoding)
    return bool(encoding) and not (_SURE.fullmatch(name) or _ALIKE.fullmatch(name))


def readable(data: bytes) -> bytes:
    r"""Return source in UTF-8, with ``\n`` at the end of each line and names as Python takes them.

    It is for being searched, not for being run: characters that Python takes for ASCII in names are ASCII in
    texts, too. What can't be decoded stays what it is; Python can't read it either.
    """
    encoding = declared(data)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\f" in data:  # in front of a line, it takes back the blanks before it
        data = _FEEDS.sub(b"", data).replace(b"\f", b" ")
    if data.isascii():
        return data
    name = _python_name(encoding)
    if not _ALIKE.fullmatch(name):
        name = "utf-8"
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        return data
    letters = _letters(frozenset(_OTHERS.findall(text)))
    if letters:
        text = text.translate(letters)
    return text.encode() if letters or name != "utf-8" else data


def _python_name(encoding: str) -> str:
    """Return Python's name for an encoding; empty if it knows none."""
    lowered = encoding.lower().replace("_", "-")
    for start, name in (("utf-8", "utf-8"), ("latin-1", "iso8859-1"), ("iso-8859-1", "iso8859-1")):
        if lowered == start or lowered.startswith(f"{start}-"):  # as CPython's tokenizer
            return name
    try:
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        return ""


def _letters(others: frozenset[str]) -> dict[int, str]:
    """Return which of some characters are ASCII letters, digits or underscores for Python, and which ones."""
    normal = {other: unicodedata.normalize("NFKC", other) for other in others}
    return {
        ord(other): ascii_
        for other, ascii_ in normal.items()
        if ascii_.isascii() and f"a{ascii_}".isidentifier() and f"a{other}".isidentifier()
    }
