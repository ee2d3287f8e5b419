"""The files of a page that need no look, taken out of its bytes; what is left is parsed.

On most pages nothing is left. The proof that nothing was overlooked: the entries are taken out of the text
(``templates`` says what is one), and the rest must be the page's JSON with exactly as many gaps in its list
of files as entries were taken. Where that isn't so, nothing is guessed: the whole page is parsed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable, NamedTuple

from veln_hook.index.entries import names_of
from veln_hook.index.json_page import Walked, walk
from veln_hook.index.strict_json import text_of, value_at
from veln_hook.index.templates import MAX_ENTRY, Care, Template, learn

if TYPE_CHECKING:
    from datetime import date

    from veln_hook.index.simple import FileEntry

_FILES = re.compile(rb'"files" ?: ?\[\s{0,99}')
_ROUNDS = 3
"""Templates tried on a page: an index may leave out keys of which it knows no value."""
_FEW = 40
"""Entries whose parsing costs less than another template would."""
_SAMPLES = 4
_PLACES = 20
"""Where a name is looked for as a file's; without malice it stands there once on a page."""
_GAP = re.compile(rb"[ \n]{0,99},[ \n]{0,99}")
_QUERY = (b"\\", b"?", b"#", b"%")


class Sifted(NamedTuple):
    """A page in two parts."""

    day: date
    """Files from this day (UTC) on need a look."""
    taken: dict[str, None]
    """Names of the files that need none."""
    hashes: list[bytes]
    """Their SHA-256 in the same order and in lower case, if they were asked for."""
    templates: list[Template]
    rest: str
    """The page's text without them."""
    walked: Walked
    """The rest, read."""


def sift(
    body: bytes, page_url: str, day: date, read: Callable[[object], FileEntry], *, hashes: bool
) -> Sifted | None:
    """Part a page.

    Args:
        body: The page.
        page_url: Where it came from.
        day: Files from this day (UTC) on need a look.
        read: Makes an entry of a parsed file.
        hashes: Whether the hashes of the files are wanted.

    Returns:
        ``None`` if that isn't possible, which says nothing of the page: it may be an odd one, or be none.
    """
    if not body.isascii():
        return None
    care = Care(any(character in body for character in _QUERY), hashes)
    rest, gap = body, ""
    names: list[bytes] = []
    found: list[bytes] = []
    templates: list[Template] = []
    while len(templates) < _ROUNDS and (not templates or rest.count(b'"filename"') > _FEW):
        template = _next(rest, page_url, day, care, templates)
        if template is None:
            break
        templates.append(template)
        # One pass: what stands between the matches, and the groups of each match.
        pieces = template.pattern.split(rest)
        stride = template.pattern.groups + 1
        names += pieces[template.pattern.groupindex["name"] :: stride]
        if hashes:
            found += pieces[template.pattern.groupindex["sha256"] :: stride]
        between = pieces[::stride]
        if not gap:
            separator = _GAP.match(between[1]) if len(between) > 1 else None
            gap = separator[0].decode() if separator else template.comma
        rest = b"".join(between)
    if not names:
        return None
    taken = dict.fromkeys(b"\n".join(names).decode().split("\n"))
    try:
        text = text_of(rest)
        walked = walk(text, read, gap=gap)
    except ValueError:
        return None
    if walked.gaps != len(names) or not _are_different(taken, len(names), walked):
        return None
    return Sifted(
        day, taken, b"\n".join(found).lower().split(b"\n") if found else [], templates, text, walked
    )


def _are_different(taken: dict[str, None], number: int, walked: Walked) -> bool:
    """Tell whether no two files bear one name."""
    return len(taken) == number and all(
        taken.keys().isdisjoint(names_of(span.value)) for span in walked.files
    )


def span_of(body: bytes, sifted: Sifted, filename: str) -> tuple[int, int] | None:
    """Find an entry that was taken.

    Args:
        body: The page.
        sifted: Its parts.
        filename: One of ``sifted.taken``.

    Returns:
        Where it begins and ends; ``None`` if it isn't found, or not soon.
    """
    for template in sifted.templates:
        needle = f'"filename"{template.colon}"{filename}"'.encode()
        place = -1
        for _ in range(_PLACES):
            place = body.find(needle, place + 1)
            if place < 0:
                break
            start = body.rfind(template.begin, max(0, place - MAX_ENTRY), place + len(template.begin))
            match = template.pattern.match(body, start) if start >= 0 else None
            if match is not None and match["name"].decode() == filename:
                return match.span()
    return None


def _next(rest: bytes, page_url: str, day: date, care: Care, known: list[Template]) -> Template | None:
    """Learn from the first entries that are left."""
    begun = _FILES.search(rest)
    position = begun.end() if begun else -1
    for _ in range(_SAMPLES):
        position = rest.find(b"{", position) if position >= 0 else -1
        if position < 0:
            return None
        text = rest[position : position + MAX_ENTRY].decode()
        try:
            _, end = value_at(text, 0)
        except ValueError:
            return None
        template = learn(text[:end], page_url, day, care)
        if template is not None and template not in known:
            return template
        position += end
    return None
