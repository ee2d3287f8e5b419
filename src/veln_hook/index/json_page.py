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
    versions: Optional[list[Span]]
    """PEP 700's; ``None`` if the page has none, or none that is a list of texts."""


def walk(text: str, read: Callable[[object], Any]) -> Walked:
    """Find the files on a page.

    Args:
        text: The whole page.
        read: Makes of a parsed file what is kept of it.

    Raises:
        ValueError: It is no project page that every client reads alike.
    """
    name = ""
    files: list[Span] | None = None
    versions: list[Span] | None = None
    seen: set[str] = set()
    position = _skip(text, _expect(text, _skip(text, 0), "{"))
    while text[position : position + 1] != "}":
        key, position = _key(text, position, seen)
        if key == "files":
            files, position = _array(text, position, read)
        elif key == "versions" and text[position : position + 1] == "[":
            versions, position = _array(text, position, lambda value: value)
        else:
            value, position = value_at(text, position)
            if key == "name" and isinstance(value, str):
                name = value
        position = _skip(text, position)
    if _skip(text, position + 1) != len(text):
        raise ValueError("something follows the page's end")
    if files is None:
        raise ValueError("the page is no Simple API project page")
    if versions is not None and not all(isinstance(span.value, str) for span in versions):
        versions = None
    return Walked(name, files, versions)


def without_spans(text: str, spans: list[Span], dropped: set[int]) -> str:
    """Cut elements out of an array's text; of every other byte none changes.

    Args:
        text: The text that holds the array.
        spans: All of the array's elements.
        dropped: Which of them go, by number.

    Returns:
        What comes to stand from the first element's start to the last one's end.
    """
    pieces: list[str] = []
    for number, span in enumerate(spans):
        if number in dropped:
            continue
        if pieces:
            pieces.append(text[spans[number - 1].end : span.start])
        pieces.append(text[span.start : span.end])
    return "".join(pieces)


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


def _array(text: str, position: int, read: Callable[[object], Any]) -> tuple[list[Span], int]:
    spans: list[Span] = []
    position = _skip(text, _expect(text, position, "["))
    while text[position : position + 1] != "]":
        if spans:
            position = _skip(text, _expect(text, position, ","))
        value, end = value_at(text, position)
        spans.append(Span(position, end, read(value)))
        position = _skip(text, end)
    return spans, position + 1


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _expect(text: str, position: int, character: str) -> int:
    if text[position : position + 1] != character:
        raise ValueError(f"the page is no JSON: {character!r} is missing at character {position}")
    return position + 1
