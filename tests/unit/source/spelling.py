"""The same code written otherwise: how it is spaced, and which characters its names have, is not what it does."""

from __future__ import annotations

import io
import keyword
import tokenize

_WIDE = {code: 0xFF21 + code - ord("A") for code in range(ord("A"), ord("Z") + 1)}
_WIDE.update({code: 0xFF41 + code - ord("a") for code in range(ord("a"), ord("z") + 1)})
_BOLD = {code: 0x1D41A + code - ord("a") for code in range(ord("a"), ord("z") + 1)}


def _between(source: str, blank: str) -> str:
    """Put something between all tokens that stand on one line."""
    lines: list[str] = []
    last, row = "", 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (
            tokenize.INDENT,
            tokenize.DEDENT,
            tokenize.NEWLINE,
            tokenize.NL,
            tokenize.ENDMARKER,
        ):
            continue
        if token.start[0] != row:
            row = token.start[0]
            lines += ["" for _ in range(row - len(lines) - 1)]
            lines.append(source.split("\n")[row - 1][: token.start[1]])
            last = ""
        if last and token.type != tokenize.COMMENT:
            lines[-1] += blank
        lines[-1] += ("  " if token.type == tokenize.COMMENT else "") + token.string
        last = token.string
    return "\n".join(lines) + "\n"


def _in_letters(source: str, letters: dict[int, int]) -> str:
    """Write all names, but for keywords, in other letters that are the same for Python (PEP 3131)."""
    lines = source.split("\n")
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for token in reversed(tokens):
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            row, start = token.start[0] - 1, token.start[1]
            rest = lines[row][start + len(token.string) :]
            lines[row] = lines[row][:start] + token.string.translate(letters) + rest
    return "\n".join(lines)


def _utf_7(source: str) -> bytes:
    shifted = source.replace("+", "+-").replace("import", "+AGkAbQBwAG8AcgB0-")
    return b"# coding: utf-7\n" + shifted.encode()


def _escaped(source: str, encoding: str) -> bytes:
    escape = "\\x{:02x}" if encoding == "unicode_escape" else "\\u{:04x}"
    text = "".join(char if char == "\n" else escape.format(ord(char)) for char in source)
    return f"# -*- coding: {encoding} -*-\n{text}".encode()


def otherwise(source: str) -> dict[str, bytes]:
    """Return source code as others may write it; all of it does the same."""
    return {
        "blanks": _between(source, " ").encode(),
        "form feeds": _between(source, "\f").encode(),
        "tabs": _between(source, "\t").encode(),
        "continued lines": _between(source, "\\\n ").encode(),
        "many continued lines": _between(source, "\\\n" * 150).encode(),
        "old line ends": source.replace("\n", "\r").encode(),
        "other line ends, continued": _between(source, "\\\n").replace("\n", "\r\n").encode(),
        "wide letters": _in_letters(source, _WIDE).encode(),
        "bold letters": _in_letters(source, _BOLD).encode(),
        "wide letters in gbk": b"# coding: gbk\n" + _in_letters(source, _WIDE).encode("gbk"),
        "utf-7": _utf_7(source),
        "unicode_escape": _escaped(source, "unicode_escape"),
        "raw_unicode_escape": _escaped(source, "raw_unicode_escape"),
    }
