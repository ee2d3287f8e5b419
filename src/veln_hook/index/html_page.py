"""A PEP 503 page of which files are cut out, anchor by anchor, without being written anew.

HTML pages tell no upload times: PEP 700 left them to JSON.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from veln_hook.index.entries import names_of, resolve, same_name, sha256_of
from veln_hook.index.html_tokens import plain, tags_of
from veln_hook.index.limits import MAX_PAGE
from veln_hook.index.page_facts import html_page_facts
from veln_hook.index.simple import FileEntry
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Collection

    from veln_hook.history import ProjectPage
    from veln_hook.index.html_tokens import Token

_NOT_IN_ANCHORS = frozenset({"a", "base", "link", "meta", "script", "style", "title", "textarea"})
_BASE = re.compile(r"https?://[A-Za-z0-9.:-]+/[A-Za-z0-9/:@!$'()*+,;=._~%-]*")
# One hash, or what old pages have there (#egg=demo); several, or quoted ones, are read differently.
_FRAGMENT = re.compile(r"(?:([a-z0-9]+)=)?([A-Za-z0-9._+-]*)")


class _Anchor(NamedTuple):
    start: int
    end: int
    entry: FileEntry


class HtmlPage:
    """An HTML page of the Simple API, as it came."""

    def __init__(self, text: str, anchors: list[_Anchor]) -> None:
        self._text = text
        self._anchors = anchors

    @classmethod
    def parse(cls, body: bytes, page_url: str) -> HtmlPage:
        """Read a page.

        Args:
            body: The page, with no content encoding left; UTF-8, whatever charset it was said to have.
            page_url: Where it came from; relative URLs are relative to it unless the page has a base.

        Raises:
            ValueError: It is too large, or has something on it that clients could read differently.
        """
        if len(body) > MAX_PAGE:
            raise ValueError("the page is too large")
        text = body.decode("utf-8")
        return cls(text, _anchors(text, page_url))

    @property
    def project(self) -> str:
        """Always empty: such a page doesn't say which project it is about."""
        return ""

    @cached_property
    def facts(self) -> ProjectPage:
        """What the page says of its project as a whole."""
        return html_page_facts(self._text.encode())

    def entry(self, filename: str) -> FileEntry | None:
        """Return one file; ``None`` if the page has none of that name."""
        return self.entries().get(filename)

    def entries(self) -> dict[str, FileEntry]:
        """Return all archives by name, without upload times; a flawed one may stand under two names."""
        return same_name([anchor.entry for anchor in self._anchors])

    def is_empty_without(self, filenames: Collection[str]) -> bool:
        """Tell whether the page has archives, and none of them would be left."""
        return bool(self._anchors) and len(self._dropped(filenames)) == len(self._anchors)

    def without(self, filenames: Collection[str]) -> bytes:
        """Return the page less the anchors of these files; of every other byte none changes.

        Args:
            filenames: An anchor goes if any client could call its file by one of these.
        """
        dropped = self._dropped(filenames)
        pieces: list[str] = []
        position = 0
        for number in sorted(dropped):
            pieces.append(self._text[position : self._anchors[number].start])
            position = self._anchors[number].end
        return ("".join(pieces) + self._text[position:]).encode()

    def _dropped(self, filenames: Collection[str]) -> set[int]:
        wanted = frozenset(filenames)
        return {
            number
            for number, anchor in enumerate(self._anchors)
            if not wanted.isdisjoint(names_of(anchor.entry))
        }


def _anchors(text: str, page_url: str) -> list[_Anchor]:
    anchors: list[_Anchor] = []
    base = ""
    linked = False
    opened: Token | None = None
    for tag in tags_of(text):
        if opened is not None and tag.name == "a" and tag.closes:
            entry = _entry(opened, base or page_url)
            if entry is not None:
                anchors.append(_Anchor(opened.start, tag.end, entry))
            opened = None
        elif opened is not None and tag.name in _NOT_IN_ANCHORS:
            raise ValueError(f"the page has a <{tag.name}> within a link")
        elif tag.name == "base":
            # uv takes the first one before any link, pip the first one at all.
            if base or linked:
                raise ValueError("the page has a base after a link, or two of them")
            base = _base(tag)
        elif tag.name == "a":
            if tag.closes:
                raise ValueError("the page ends a link that it didn't begin")
            opened = tag
        linked = linked or tag.name in ("a", "link")
    if opened is not None:
        raise ValueError("the page ends within a link")
    return anchors


def _base(tag: Token) -> str:
    href = tag.attributes.get("href") or ""
    if not _BASE.fullmatch(href):
        raise ValueError("the page has a base that isn't plain")
    return href


def _entry(tag: Token, base: str) -> FileEntry | None:
    """Read an anchor; ``None`` for one that leads to no archive."""
    href = plain(tag.attributes.get("href") or "")
    url, _, fragment = href.partition("#")
    named = [name for name in (_pip_name(url), _uv_name(url)) if parse_filename(name) is not None]
    if not named:
        return None
    filename = named[-1]
    absolute, flaw = resolve(url, base, filename)
    if named != [filename, filename]:
        flaw = flaw or "its URL has two names"
    match = _FRAGMENT.fullmatch(fragment)
    sha256 = sha256_of(match[2]) if match is not None and match[1] == "sha256" else ""
    if match is None or (match[1] == "sha256" and not sha256):
        flaw = flaw or "its URL has a fragment that isn't plain"
    offered = [
        plain(value)
        for key in ("data-core-metadata", "data-dist-info-metadata")
        for value in [tag.attributes.get(key)]
        if value is not None
    ]
    if offered[1:] and offered[0] != offered[1]:
        flaw = flaw or "its entry tells two things of its metadata"
    return FileEntry(
        filename=filename,
        url=absolute,
        sha256=sha256,
        upload_time=None,
        size=None,
        requires_python=plain(tag.attributes.get("data-requires-python") or ""),
        yanked="data-yanked" in tag.attributes,
        provenance=bool(tag.attributes.get("data-provenance")),
        has_metadata=bool(offered) and offered[0] != "false",
        metadata_sha256=_metadata_sha256(offered[0]) if offered else "",
        flaw=flaw,
    )


def _pip_name(url: str) -> str:
    """Return the last part of the path, whatever slashes and blanks follow, or else the host."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    return unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc.rpartition("@")[2]


def _uv_name(url: str) -> str:
    """Return what follows the last slash, even one in the query."""
    return unquote(url.rpartition("/")[2].partition("?")[0])


def _metadata_sha256(value: str) -> str:
    name, _, digest = value.partition("=")
    return sha256_of(digest) if name == "sha256" else ""
