"""The feed, fetched through pip's own session: proxies, certificates and timeouts are pip's."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

from veln_hook.adapters.pip.loading import Notes, load_pip, make_command, pip_error
from veln_hook.errors import FeedError
from veln_hook.index import strip_credentials
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

MAX_BYTES = 1 << 30
"""More than any feed has; OSV's of PyPI had some 30 MB in 2026."""
_SECONDS = 900.0
"""For all of it; a slow line takes OSV's in minutes."""
_CHUNK_BYTES = 1 << 16
_OK, _NOT_MODIFIED = 200, 304
_MARKUP = re.compile(r"\[/?[a-z ]*\]", re.ASCII)
"""Colours in the words of pip's newer errors."""


class _Silent(Notes):
    """Hears what pip warns of while it tries again: it would print the URL as it is, and our error tells."""

    def emit(self, record: logging.LogRecord) -> None:
        """Drop it."""


class Answer(NamedTuple):
    """What a server said."""

    new: bool
    """It gave a feed; else the one with the same ETag is still its newest."""
    etag: str


def shown_url(url: str) -> str:
    """Return a URL without what may be a secret: no credentials, no query, no fragment."""
    return strip_credentials(url.partition("?")[0].partition("#")[0])


def fetch_feed(
    url: str,
    file: BinaryIO,
    *,
    etag: str = "",
    anonymous: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Answer:
    """Download a feed.

    Args:
        url: Of it; may have credentials, which are told to its host alone.
        file: Where to put it.
        etag: Of what is here already; empty for nothing.
        anonymous: Tell the server nothing of what is set for others: no credentials, no client certificate;
            and follow no redirect, to a host for which there may be some.
        progress: Told how many bytes are here.

    Raises:
        FeedError: It can't be had, is too large, or comes too slowly.
        UnsupportedPipError: There is no pip here whose session could be used.
        UsageError: pip's own configuration can't be read.
    """
    load_pip()
    notes = _Silent()
    try:
        command, options = make_command(["--no-cache-dir", "--no-input"])
        session: Any = command._build_session(options)  # noqa: SLF001 - pip's, and how its commands do it
        try:
            if anonymous:
                # Not None: then requests would look into the user's .netrc, where a default may stand.
                session.auth, session.cert = _nobody, None
            return _fetched(session, url, file, etag, progress, follow=not anonymous)
        finally:
            session.close()
    finally:
        notes.remove()


def _nobody(request: Any) -> Any:
    """Add no credentials to a request."""
    return request


def _fetched(
    session: Any,
    url: str,
    file: BinaryIO,
    etag: str,
    progress: Callable[[int], None] | None,
    *,
    follow: bool,
) -> Answer:
    shown = shown_url(url)
    # A server that compressed what is compressed already would cost both of us time.
    headers = {"Accept-Encoding": "identity", **({"If-None-Match": etag} if etag else {})}
    try:
        with session.get(url, headers=headers, stream=True, allow_redirects=follow) as response:
            _check_way(url, [*(each.url for each in response.history), response.url])
            if etag and response.status_code == _NOT_MODIFIED:
                return Answer(new=False, etag=etag)
            if response.status_code != _OK:
                raise FeedError(f"{shown} answered {response.status_code}", advice=_ADVICE)
            _copy(response, file, shown, progress)
            return Answer(new=True, etag=_sound(response.headers.get("ETag", "")))
    except (pip_error(), OSError, ValueError) as error:  # requests' errors are OSErrors
        if isinstance(error, FeedError):
            raise
        told = _words(error)
        for secret in filter(None, (urlsplit(url).query, urlsplit(url).password, urlsplit(url).username)):
            told = told.replace(secret, "****")
        raise FeedError(f"{shown} can't be fetched: {printable(told)}", advice=_ADVICE) from error


def _copy(response: Any, file: BinaryIO, shown: str, progress: Callable[[int], None] | None) -> None:
    until, size = time.monotonic() + _SECONDS, 0
    for chunk in response.iter_content(_CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_BYTES:
            raise FeedError(f"{shown} is larger than {MAX_BYTES} bytes", advice=_ADVICE)
        if time.monotonic() > until:
            raise FeedError(f"{shown} comes too slowly", advice=_ADVICE)
        file.write(chunk)
        if progress is not None:
            progress(size)
    promised = str(response.headers.get("Content-Length", ""))
    if promised.isdecimal() and int(promised[:20]) != size:
        raise FeedError(f"{shown} broke off after {size} of {promised} bytes", advice=_ADVICE)


def _words(error: Exception) -> str:
    """Return what an error says; pip's newer ones keep that in parts."""
    parts = [str(part) for part in (getattr(error, "message", ""), getattr(error, "context", "")) if part]
    return _MARKUP.sub("", "; ".join(parts) or str(error))


def _check_way(url: str, ways: list[str]) -> None:
    """Refuse to be led from TLS to a plain connection, on which anybody could have written the feed."""
    if url.lower().startswith("https:") and not all(way.lower().startswith("https:") for way in ways):
        raise FeedError(f"{shown_url(url)} leads to a connection without TLS", advice=_ADVICE)


def _sound(etag: object) -> str:
    """Return an ETag fit to be kept and sent back; empty if it isn't."""
    text = str(etag)
    return text if len(text) <= 200 and text.isascii() and text.isprintable() else ""  # noqa: PLR2004


_ADVICE = (
    "Check 'feed.url' in the policy, and pip's proxy and certificate settings, which count here, too; "
    "or fetch the file elsewhere and run 'veln-hook feed import FILE'."
)
