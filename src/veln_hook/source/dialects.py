"""Python that isn't in a file of Python: in the cells of a notebook, under the types of Cython."""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import TYPE_CHECKING

from veln_hook.source.encodings import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TOO_MUCH = (SyntaxError, ValueError, RecursionError, MemoryError)


def notebook_code(data: bytes) -> bytes:
    """Return the Python in a notebook's cells, without what is meant for a shell; empty if it is none."""
    try:
        cells = json.loads(data)["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return b""
    plain = "\n".join(line for line in code.split("\n") if not line.lstrip().startswith(("%", "!")))
    return plain.encode("utf-8", "replace")


def cython_code(data: bytes) -> bytes:
    """Return the Python of a Cython file, line by line, as far as it is some that can be parsed.

    Declarations go, and so do types; a top-level statement that still is no Python is left out whole.
    What that loses is lost: this reads what hides in a file that is compiled, it compiles nothing.

    Args:
        data: The bytes of a ``.pyx`` file.
    """
    lines = readable(data).decode("utf-8", "replace").split("\n")
    for place, line in enumerate(lines):
        lines[place] = _plain(line)
    kept: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = "\n".join(lines)
        if _parses(whole):
            return whole.encode()
        for block in _blocks(lines):
            kept += block if _parses("\n".join(block)) else [""] * len(block)
    return "\n".join(kept).encode()


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except _TOO_MUCH:
        return False
    return True


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Yield statements that begin at the margin, each with the lines below it."""
    block: list[str] = []
    for line in lines:
        begins = line[:1] not in ("", " ", "\t", "#", ")", "]", "}")
        if begins and block and not line.startswith(("else", "elif", "except", "finally")):
            yield block
            block = []
        block.append(line)
    yield block


def _plain(line: str) -> str:
    for pattern, made in _DECLARATIONS:
        found = pattern.fullmatch(line)
        if found:
            return made(found)
    line = _CAST.sub("", line)
    return _ADDRESS.sub("", line)


_DECLARATIONS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern), made)
    for pattern, made in (
        (
            r"(\s*)(?:from\s.*\scimport\s.*|cimport\s.*|include\s.*|ctypedef\s.*)",
            lambda found: f"{found[1]}pass",
        ),
        (
            r"(\s*)cdef\s+(?:extern|struct|union|enum|packed|cppclass)\b.*:\s*(?:#.*)?",
            lambda found: f"{found[1]}if 0:",
        ),
        (r"(\s*)cdef\s+(?:\w+\s+)*class\s+(.*:.*)", lambda found: f"{found[1]}class {found[2]}"),
        (r"(\s*)cdef\s*:\s*", lambda found: f"{found[1]}if 1:"),
        # Functions, whose arguments have types.
        (
            r"(\s*)(?:async\s+)?(?:def|cpdef|cdef)\b[^=(]*?(\w+)\s*\(.*\)[^:()]*:(.*)",
            lambda found: f"{found[1]}def {found[2]}(*_, **__):{found[3]}",
        ),
        # Variables: what is on the right side is evaluated.
        (
            r"(\s*)(?:cdef|cpdef)\s[^=]*?(\w+)\s*=\s*(.+)",
            lambda found: f"{found[1]}{found[2]} = {_plain(found[3])}",
        ),
        (r"(\s*)(?:cdef|cpdef)\s.*", lambda found: f"{found[1]}pass"),
        (r"(\s*)DEF\s+(.*)", lambda found: f"{found[1]}{found[2]}"),
        (r"(\s*)(IF|ELIF|ELSE)\b(.*)", lambda found: f"{found[1]}{found[2].lower()}{found[3]}"),
        (r"(\s*)with\s+(?:nogil|gil)\b.*", lambda found: f"{found[1]}if 1:"),
        (r"(\s*)for\s+(\w+)\s+from\s.*:\s*", lambda found: f"{found[1]}for {found[2]} in (0,):"),
    )
)
"""Lines of Cython, and what is Python in them."""
_CAST = re.compile(r"<[A-Za-z_][\w .*&\[\],:]*\??>(?=\s*[\w(&\[])")
_ADDRESS = re.compile(r"(?<=[(,=])(\s*)&(?=\w)")
