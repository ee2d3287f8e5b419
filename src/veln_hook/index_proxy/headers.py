"""Which headers go on to an index, and which come back to its client. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]
MAX_AGE = 600
"""Seconds that a client may keep a page: as PyPI says itself."""

_NOT_ASKED = frozenset(
    b"accept-encoding if-none-match if-modified-since if-match if-unmodified-since if-range range".split()
)
"""What would bring less than the whole: a 304 revives a page that was kept before anything was held."""
_AGE = re.compile(r"max-age\s*=\s*\"?([0-9]{1,10})\"?")
_NEVER = re.compile(rb"q\s*=\s*0(?:\.0*)?")
_KEPT_WORDS = ("public", "private", "no-store", "no-cache")


def whole(headers: Iterable[tuple[bytes, bytes]], *, coding: bytes, accept: bytes | None = None) -> Headers:
    """Return a request's headers so that the answer is the whole of what was asked for.

    Args:
        headers: As the client sent them.
        coding: The ``Accept-Encoding`` to ask with.
        accept: What to accept in place of what the client does.
    """
    dropped = _NOT_ASKED if accept is None else {*_NOT_ASKED, b"accept"}
    kept = [(name, value) for name, value in headers if name.lower() not in dropped]
    if accept is not None:
        kept.append((b"accept", accept))
    return [*kept, (b"accept-encoding", coding)]


def takes_gzip(accept_encoding: bytes | None) -> bool:
    """Tell whether a client reads gzip (RFC 9110 section 12.5.3); what isn't understood counts as no."""
    for part in (accept_encoding or b"").lower().split(b","):
        coding, _, weight = part.partition(b";")
        if coding.strip() in (b"gzip", b"x-gzip", b"*"):
            return _NEVER.fullmatch(weight.strip()) is None
    return False


def page_caching(cache_control: bytes | None, *, cut: bool) -> bytes:
    """Return the ``Cache-Control`` of a page that is passed on.

    Args:
        cache_control: What its index says.
        cut: Whether something was taken out of the page. Such a page isn't kept at all: an approval has to
            count at once.
    """
    if cut:
        return b"no-cache"
    text = (cache_control or b"").decode("latin-1").lower()
    words = {word.strip().partition("=")[0] for word in text.split(",")}
    found = _AGE.search(text)
    kept = [word for word in _KEPT_WORDS if word in words]
    if found is not None:
        kept.append(f"max-age={min(MAX_AGE, int(found[1]))}")
    return ", ".join(kept or ["no-cache"]).encode()
