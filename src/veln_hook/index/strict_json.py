"""JSON as every client reads it: where two parsers could differ, nothing is read at all.

Python's parser takes the last of two equal keys, uv's takes the first for some keys and the last for
others; Python's knows ``NaN``, counts to any number and guesses UTF-16. Whoever filters a page must not
see another page than the installer does, so all of these are errors here.
"""

from __future__ import annotations

import json
from typing import Any

_MAX_DIGITS = 21
"""Of a whole number; 64 bits have 20. Python takes quadratic time for longer ones."""
_MAX_FLOAT = 40
_MAX_CONTAINERS = 2_000_000
_MAX_VALUES = 6_000_000
"""Both keep a page of nothing but ``{},{},{}`` from taking gigabytes; PyPI's have a twentieth of it."""


def text_of(content: bytes) -> str:
    """Decode what is to be parsed.

    Raises:
        ValueError: It isn't UTF-8, or too many values would be made of it.
    """
    text = content.decode("utf-8")
    if text.count("{") + text.count("[") > _MAX_CONTAINERS or text.count(",") > _MAX_VALUES:
        raise ValueError("it holds more values than an index would send")
    return text


def value_at(text: str, start: int) -> tuple[Any, int]:
    """Parse one value.

    Args:
        text: All of the text.
        start: Where the value begins.

    Returns:
        The value, and where it ends.

    Raises:
        ValueError: There is no value that every client reads alike.
    """
    try:
        return _decoder.raw_decode(text, start)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def loads(content: bytes) -> Any:
    """Parse a whole text.

    Raises:
        ValueError: It is no JSON that every client reads alike.
    """
    try:
        return _decoder.decode(text_of(content))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number is too long")
    return int(digits)


def _fraction(digits: str) -> float:
    if len(digits) > _MAX_FLOAT:
        raise ValueError("a number is too long")
    return float(digits)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction, parse_constant=_constant
)
