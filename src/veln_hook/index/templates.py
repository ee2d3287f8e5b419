"""Regular expressions that match the sound, old entries of one index, as that index spells them.

An index writes all its entries alike. From one of them follows an expression for the others: the same keys in
the same order, each once, and of each value only the form that needs no look. What it matches has been
understood as completely as by a parser, at a fraction of the time; what it doesn't match is parsed.

A page is JSON, or no client reads it; so a ``{"`` that such a match begins with stands at the beginning of an
object and never within a text, where the quote would have to be escaped.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.index.entries import METADATA_KEYS, json_entry
from veln_hook.index.strict_json import value_at

if TYPE_CHECKING:
    from datetime import date

_STYLES = ((", ", ": "), (",", ":"))
"""Separators as ``json.dumps`` writes them, and without spaces."""
_MAX_KEYS = 20
MAX_ENTRY = 65_536
"""Characters of an entry that an expression can match: each value below is bounded."""
# What is taken from the URL of one entry and expected of all: then none leads to another scheme or host.
_PLACE = re.compile(r"https?://[A-Za-z0-9.:-]+/|(?:\.\./)+|/(?!/)")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NAME = r'"(?P<name>[A-Za-z0-9][A-Za-z0-9._+!-]{0,254})"'
_CLOCK = r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z"
_FIRST_YEAR, _LAST_YEAR = 2001, 2099


class Care(NamedTuple):
    """What a page makes necessary to look at; each costs time."""

    characters: bool
    """Whether the page has a backslash, or a character with a meaning in URLs."""
    hashes: bool
    """Whether hashes are wanted."""


class Template(NamedTuple):
    """An expression and what is in it."""

    pattern: re.Pattern[bytes]
    """Group ``name`` is the file's name and its URL's last part; ``sha256`` is there if hashes are wanted."""
    begin: bytes
    """What each match begins with."""
    colon: str
    comma: str


class _Shape(NamedTuple):
    """What the entries of an index have in common."""

    keys: tuple[tuple[str, tuple[str, ...]], ...]
    """Keys in their order, and the keys within."""
    place: str
    """How URLs begin."""
    comma: str
    colon: str
    day: date
    care: Care


def learn(text: str, page_url: str, day: date, care: Care) -> Template | None:
    """Make an expression for entries like one.

    Args:
        text: The entry.
        page_url: Where its page came from.
        day: Only what was uploaded on an earlier day (UTC) is matched.
        care: What is to be looked at.

    Returns:
        ``None`` if there is nothing simple about the entry.
    """
    try:
        entry, end = value_at(text, 0)
        flaw = json_entry(entry, page_url).flaw
    except ValueError:
        return None
    place = _PLACE.match(entry["url"])
    if flaw or end != len(text) or len(entry) > _MAX_KEYS or place is None:
        return None
    for comma, colon in _STYLES:
        if json.dumps(entry, separators=(comma, colon)) == text:
            keys = ((key, tuple(value) if isinstance(value, dict) else ()) for key, value in entry.items())
            return _compiled(_Shape(tuple(keys), place.group(), comma, colon, day, care))
    return None


@lru_cache(maxsize=64)
def _compiled(shape: _Shape) -> Template | None:
    """Compile an expression; all pages of an index have the same one, or a few."""
    parts: list[str] = []
    seen: set[str] = set()
    for key, inner in shape.keys:
        value = _value(shape, key, inner, seen)
        if not value or not _KEY.fullmatch(key):
            return None
        parts.append(f'"{key}"{shape.colon}{value}')
        seen.add(key)
    if not seen.issuperset(("filename", "url", "hashes", "upload-time")):
        return None
    source = r"\{" + shape.comma.join(parts) + r"\}"
    begin = f'{{"{shape.keys[0][0]}"{shape.colon}'
    return Template(re.compile(source.encode()), begin.encode(), shape.colon, shape.comma)


def _value(shape: _Shape, key: str, inner: tuple[str, ...], seen: set[str]) -> str:
    """Return an expression for the value of a key; empty if there is none."""
    character = r'[^"\\]' if shape.care.characters else '[^"]'
    if key == "filename":
        value = _NAME
    elif key == "upload-time":
        dates = dates_before(shape.day)
        value = f'"{dates}{_CLOCK}"' if dates else ""
    elif key == "url":
        path = r'[^"\\?#%]' if shape.care.characters else '[^"]'
        slash = "(?!/)" if shape.place == "/" else ""
        value = (
            f'"{re.escape(shape.place)}{slash}(?:{path}{{0,2048}}/)?(?P=name)"' if "filename" in seen else ""
        )
    elif key == "hashes":
        value = _hashes(shape, inner, character)
    elif key in METADATA_KEYS:
        # Whoever reads the one key and whoever reads the other must be told the same.
        digest = rf'\{{"sha256"{shape.colon}"{character}{{64}}"\}}'
        again = bool(seen.intersection(METADATA_KEYS))
        value = "(?P=metadata)" if again else f"(?P<metadata>false|true|null|{digest})"
    elif inner:
        value = ""
    else:
        escaped = rf"(?:\\.{character}{{0,1023}}){{0,20}}" if shape.care.characters else ""
        value = rf'(?:"{character}{{0,1023}}{escaped}"|false|null|true|-?\d[0-9.]{{0,20}})'
    return value


def _hashes(shape: _Shape, algorithms: tuple[str, ...], character: str) -> str:
    parts = []
    for algorithm in algorithms:
        digest = f"{character}{{0,128}}"
        if algorithm == "sha256":
            digest = f"(?P<sha256>{character}{{64}})" if shape.care.hashes else f"{character}{{64}}"
        elif not _KEY.fullmatch(algorithm):
            return ""
        parts.append(f'"{algorithm}"{shape.colon}"{digest}"')
    return r"\{" + shape.comma.join(parts) + r"\}" if "sha256" in algorithms else ""


@lru_cache(maxsize=8)
def dates_before(day: date) -> str:
    """Return an expression for the dates of this century before a day; empty if there are hardly any.

    It matches no day that there isn't, and no 29th of February: few files are that lucky.
    """
    if day.year < _FIRST_YEAR:
        return ""
    if day.year > _LAST_YEAR:
        day = day.replace(year=_LAST_YEAR, month=12, day=31)
    years = _numbers(0, day.year % 100 - 1)
    branches = [f"20{years}-{_days(12)}"]
    this_year = []
    if day.month > 1:
        this_year.append(_days(day.month - 1))
    if day.day > 1:
        this_year.append(f"{day.month:02}-{_numbers(1, min(day.day - 1, 28))}")
    if this_year:
        branches.append(f"{day.year}-(?:{'|'.join(this_year)})")
    return f"(?:{'|'.join(branches)})"


def _days(months: int) -> str:
    """Return an expression for the days of a year's first months."""
    long = "|".join(f"{month:02}" for month in (1, 3, 5, 7, 8, 10, 12) if month <= months)
    short = "|".join(f"{month:02}" for month in (4, 6, 9, 11) if month <= months)
    branches = [f"{_numbers(1, months)}-{_numbers(1, 28)}", f"(?:{long})-(?:29|30|31)"]
    if short:
        branches.append(f"(?:{short})-(?:29|30)")
    return f"(?:{'|'.join(branches)})"


def _numbers(first: int, last: int) -> str:
    """Return an expression for two digits from one number to another, both below a hundred."""
    branches = [
        f"{tens}[{max(first - 10 * tens, 0)}-{min(last - 10 * tens, 9)}]"
        for tens in range(first // 10, last // 10 + 1)
    ]
    return f"(?:{'|'.join(branches)})"
