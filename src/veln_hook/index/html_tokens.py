"""HTML that has one meaning only.

pip and poetry read index pages with Python's ``html.parser``, which changes with Python; uv reads them with
a fast parser that sees tags in scripts, ends comments elsewhere and takes a tab for a part of a name. So here
is a grammar of the HTML that PEP 503 pages are made of, and the rest is refused rather than guessed at.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Iterator

_RAW = frozenset({"script", "style", "title", "textarea"})
"""Elements in which some parsers see no tags; there must be none."""
_REFUSED = frozenset(
    {"plaintext", "xmp", "template", "svg", "math", "iframe", "noembed", "noframes", "noscript", "frameset"}
)
_READ = frozenset(
    {"href", "data-yanked", "data-requires-python", "data-core-metadata", "data-dist-info-metadata"}
)
_NAME = r"[A-Za-z][A-Za-z0-9-]*"
# Quoted, or a plain word: uv's parser ends an unquoted value at a slash. No tabs or carriage returns, which
# it takes for a part of a name. Each branch begins with something else, so that nothing is tried twice.
_ATTRIBUTE = rf"[ \n]+{_NAME}(?:=(?:\"[^\"\x00]*\"|'[^'\x00]*'|[A-Za-z0-9_.]+(?=[ \n>])))?"
_TOKEN = re.compile(
    r"(?P<text>[^<\x00]+)"
    r"|<!--(?P<comment>[^<>\x00-][^<>\x00]*)-->"
    r"|<![Dd][Oo][Cc][Tt][Yy][Pp][Ee](?P<doctype> [^<>\x00]*)>"
    rf"|</(?P<end>{_NAME})[ \n]*>"
    rf"|<(?P<start>{_NAME})(?P<attributes>(?:{_ATTRIBUTE}){{0,100}})[ \n]*/?>"
)
_ONE_ATTRIBUTE = re.compile(rf"[ \n]+({_NAME})(?:=(?:\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_.]+)))?")
_MAX_TAG = 20_000
_MAX_TOKENS = 1_000_000
"""Tags, texts and comments of a page; PyPI's largest has a tenth of it."""
# The references that every decoder knows, with their semicolon.
_REFERENCE = re.compile(r"&(amp|lt|gt|quot|apos|#39|#x27|#34|#x22|#43|#x2[bB]|#38|#x26|#60|#62|#x3[cCeE]);")


class Token(NamedTuple):
    """A tag; text and comments aren't handed out."""

    start: int
    end: int
    name: str
    """In lower case."""
    closes: bool
    attributes: dict[str, Optional[str]]
    """By name in lower case, with references as they stand; ``None`` for one without a value."""


def tags_of(text: str) -> Iterator[Token]:
    """Yield the tags of a page.

    Raises:
        ValueError: There is something on the page that parsers could read differently.
    """
    position = number = 0
    raw = ""
    while position < len(text):
        match = _TOKEN.match(text, position)
        number += 1
        if match is None or number > _MAX_TOKENS:
            raise ValueError(f"the page has HTML that isn't plain, or too much, at character {position}")
        position = match.end()
        if match["text"] is not None:
            continue
        if raw and match["end"] != raw:
            raise ValueError(f"the page has a tag within <{raw}>")
        raw = ""
        if match["start"] is not None:
            raw = match["start"] if match["start"].lower() in _RAW else ""
            yield _opening(match)
        elif match["end"] is not None:
            yield Token(match.start(), position, match["end"].lower(), closes=True, attributes={})
        elif match["comment"] is not None and "--" in f"{match['comment']}-":
            raise ValueError("the page has a comment that isn't plain")
    if raw:
        raise ValueError(f"the page ends within <{raw}>")


def plain(value: str) -> str:
    """Decode the references in an attribute.

    Raises:
        ValueError: It has some that decoders could read differently, such as ``&copy`` without a semicolon.
    """
    if "&" not in value:
        return value
    decoded = _REFERENCE.sub(lambda match: html.unescape(match[0]), value)
    if decoded != html.unescape(value):
        raise ValueError("the page has a character reference that isn't plain")
    return decoded


def _opening(match: re.Match[str]) -> Token:
    name = match["start"].lower()
    if name in _REFUSED or match.end() - match.start() > _MAX_TAG:
        raise ValueError(f"the page has a <{name}> that no index page needs")
    return Token(match.start(), match.end(), name, closes=False, attributes=_attributes(match["attributes"]))


def _attributes(text: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, double, single, bare in _ONE_ATTRIBUTE.findall(text):
        key = name.lower()
        # After an attribute without a value uv's parser may skip a character.
        if key in found or key[1:] in _READ:
            raise ValueError(f"the page has a tag with {key} twice, or too much like another")
        found[key] = double or single or bare or None
    return found
