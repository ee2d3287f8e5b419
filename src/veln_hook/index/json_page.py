"""Where on a PEP 691 page what stands: the page is walked, not loaded, so that its text can be cut.

Every value is parsed strictly on the way (``strict_json``), and of all of them only the spans of the files
and of the versions are kept.
"""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple, Optional

from veln_hook.index.strict_json import value_at

_SPACE = re.compile(r"[ \t\n\r]*")


class Span(NamedTuple):
    """A value in the text, and where."""

    start: int
    end: int
    value: Any


class Walked(NamedTuple):
    """A page that was walked."""

    name: str
    """As the page spells it; empty if it doesn't."""
    files: list[Span]
    gaps: int
    """Places in the list of files where none stands."""
    files_end: int
    """Where that list ends."""
    versions: Optional[int]
    """Where PEP 700's list begins; ``None`` if the page has none that is a list of texts."""


def walk(text: str, read: Callable[[object], Any], *, gap: str = "") -> Walked:
    """Find the files on a page.

    Args:
        text: The whole page.
        read: Makes of a parsed file what is kept of it.
        gap: What stands between two files, if some were taken out of the text, which left gaps.

    Raises:
        ValueError: It is no project page that every client reads alike.
    """
    name = ""
    files: list[Span] | None = None
    gaps = files_end = 0
    versions: int | None = None
    seen: set[str] = set()
    position = _skip(text, _expect(text, _skip(text, 0), "{"))
    while text[position : position + 1] != "}":
        key, position = _key(text, position, seen)
        if key == "files":
            files, gaps, position = _array(text, position, read, gap)
            files_end = position
        else:
            start = position
            value, position = value_at(text, position)
            if key == "name" and isinstance(value, str):
                name = value
            elif (
                key == "versions" and isinstance(value, list) and all(isinstance(each, str) for each in value)
            ):
                versions = start
        position = _skip(text, position)
    if _skip(text, position + 1) != len(text):
        raise ValueError("something follows the page's end")
    if files is None:
        raise ValueError("the page is no Simple API project page")
    return Walked(name, files, gaps, files_end, versions)


def elements(text: str, start: int) -> list[Span]:
    """Return what is in a list.

    Raises:
        ValueError: There is no list.
    """
    return _array(text, start, lambda value: value, "")[0]


def cut(text: str, spans: list[tuple[int, int]]) -> str:
    """Cut elements out of the lists that they stand in, each with the comma that isn't needed any more.

    Args:
        text: The whole page.
        spans: Where the elements begin and end, from the first to the last.

    Raises:
        ValueError: There is no element of a list.
    """
    pieces: list[str] = []
    position = 0
    leads = False
    for start, end in spans:
        before, after = _back(text, start), _skip(text, end)
        if text[before - 1] not in "[," or text[after : after + 1] not in (",", "]"):
            raise ValueError("the page can't be cut")
        # What stands first, or has become first, goes with the comma behind it, all else with the one before.
        leads = text[before - 1] == "[" or (leads and position == start)
        if leads:
            pieces.append(text[position:start])
            position = _skip(text, after + 1) if text[after] == "," else end
        else:
            pieces.append(text[position : _back(text, before - 1)])
            position = end
    return "".join([*pieces, text[position:]])


def _key(text: str, position: int, seen: set[str]) -> tuple[str, int]:
    """Read a key of the page's object, and return it and where its value begins."""
    if seen:
        position = _skip(text, _expect(text, position, ","))
    _expect(text, position, '"')
    key, position = value_at(text, position)
    if key in seen:
        raise ValueError("a key stands twice on the page")
    seen.add(key)
    return key, _skip(text, _expect(text, _skip(text, position), ":"))


def _array(text: str, position: int, read: Callable[[object], Any], gap: str) -> tuple[list[Span], int, int]:
    """Read a list, and return its elements, how many are missing, and where it ends."""
    spans: list[Span] = []
    gaps = 0
    missing = re.compile(f"(?:{re.escape(gap)})*")
    position = _skip(text, _expect(text, position, "["))
    while gap or text[position : position + 1] != "]":
        if gap:
            match = missing.match(text, position)
            end = match.end() if match else position
            gaps += (end - position) // len(gap)
            position = end
            if text[position : position + 1] == "]":
                gaps += 1
                break
        value, end = value_at(text, position)
        spans.append(Span(position, end, read(value)))
        position = _skip(text, end)
        if text[position : position + 1] == "]":
            break
        position = _skip(text, _expect(text, position, ","))
        if not gap and text[position : position + 1] == "]":
            raise ValueError("a list on the page ends in a comma")
    return spans, gaps, position + 1


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _back(text: str, position: int) -> int:
    while text[position - 1] in " \t\n\r":
        position -= 1
    return position


def _expect(text: str, position: int, character: str) -> int:
    if text[position : position + 1] != character:
        raise ValueError(f"the page is no JSON: {character!r} is missing at character {position}")
    return position + 1
