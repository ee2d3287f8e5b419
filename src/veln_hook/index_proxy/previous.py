"""The release before an archive's, from the pages that have passed, fetched through the same gate."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

from veln_hook.archive import describe_archive
from veln_hook.index_proxy.headers import whole
from veln_hook.model import Archive, Candidate, Origin
from veln_hook.names import SDIST_SUFFIXES, likeness
from veln_hook.source.baseline import FETCH_SECONDS, MAX_LOOKED_AT, fetch_limit, version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from veln_hook.gate.exchange import Exchange
    from veln_hook.index_proxy.judges import Judges
    from veln_hook.index_proxy.listings import Listings
    from veln_hook.index_proxy.spool import Spool, Spooled

logger = logging.getLogger("veln_hook")

_OK = 200
_TICK = 0.5
"""Seconds after which it is looked whether the gate is closing."""


class _Asking(NamedTuple):
    """For whose sake a judge's thread is at work."""

    exchange: Exchange
    loop: asyncio.AbstractEventLoop
    judges: Judges
    listings: Listings
    spool: Spool


class Previous:
    """What a guard asks for a baseline (``source.baseline.BaselineSource``); one for all guards of a gate.

    Args:
        installed: Tells the version of a project where the archives will be installed; empty if none is.
    """

    def __init__(self, installed: Optional[Callable[[str], str]] = None) -> None:
        self._installed = installed
        self._own = threading.local()

    def installed(self, project: str) -> str:
        """Return the version that is installed; empty if none is, or if nobody can tell."""
        return "" if self._installed is None else self._installed(project)

    @contextmanager
    def asking(
        self,
        exchange: Exchange,
        loop: asyncio.AbstractEventLoop,
        judges: Judges,
        listings: Listings,
        spool: Spool,
    ) -> Iterator[None]:
        """Fetch what is asked for in this thread through an exchange, as long as this lasts."""
        self._own.asking = _Asking(exchange, loop, judges, listings, spool)
        try:
            yield
        finally:
            self._own.asking = None

    @contextmanager
    def previous(self, archive: Archive, *, without: Collection[str]) -> Iterator[Archive | None]:
        """Fetch the newest release before the archive's that passes; see ``BaselineSource``."""
        asking: _Asking | None = getattr(self._own, "asking", None)
        candidate = _choice(asking, archive, without) if asking is not None else None
        spooled = None
        if asking is not None and candidate is not None:
            logger.debug("veln-hook: fetching %s to compare with", candidate.url)
            spooled = _fetch(asking, candidate, fetch_limit(archive))
        if asking is None or spooled is None:
            yield None
            return
        try:
            with asking.spool.using(spooled):
                yield describe_archive(spooled.path, origin=Origin.FETCHED, candidate=candidate)
        finally:
            asking.spool.drop(spooled)


def _choice(asking: _Asking, archive: Archive, without: Collection[str]) -> Candidate | None:
    guard = asking.judges.guard()
    if guard is None:
        return None
    for candidate in itertools.islice(_offers(asking.listings, archive), MAX_LOOKED_AT):
        if candidate.sha256 and candidate.sha256 not in without and guard.check_candidate(candidate).passes:
            return candidate
    return None


def _offers(listings: Listings, archive: Archive) -> Iterator[Candidate]:
    """Yield files of older releases, the best first: of the newest release, the one that is most like it.

    A page has thousands of files, and reading each name by the standards would take longer than all the rest.
    """
    index = archive.candidate.index if archive.candidate is not None else ""
    own, listing = version_of(archive.version), listings.get(index, archive.project)
    if own is None or listing is None:
        return
    by_version: dict[str, list[str]] = {}
    for filename in listing.names():
        by_version.setdefault(_version_text(filename), []).append(filename)
    older = [
        (not version.is_prerelease or own.is_prerelease, version, text)
        for text in by_version
        for version in [version_of(text)]
        if version is not None and version < own
    ]
    for _, _, text in sorted(older, reverse=True):
        for filename in sorted(
            by_version[text], key=lambda name: likeness(name, archive.filename), reverse=True
        ):
            entry = listing.entry(filename)
            found = listing.found(entry) if entry is not None else None
            version = version_of(found.candidate.version) if found is not None else None
            if found is not None and version is not None and version < own and not found.candidate.yanked:
                yield found.candidate


def _version_text(filename: str) -> str:
    """Return what stands where most names of files have their version."""
    if filename.endswith(".whl"):
        return filename.split("-", 2)[1] if "-" in filename else ""
    stem = next((filename[: -len(suffix)] for suffix in SDIST_SUFFIXES if filename.endswith(suffix)), "")
    return stem.rpartition("-")[2]


def _fetch(asking: _Asking, candidate: Candidate, limit: int) -> Spooled | None:
    """Have the event loop fetch a file, and wait for it."""
    coming = asyncio.run_coroutine_threadsafe(_download(asking, candidate, limit), asking.loop)
    until = time.monotonic() + FETCH_SECONDS
    while True:
        try:
            return coming.result(timeout=_TICK)
        # Before 3.11 this was no builtin TimeoutError; and one of the network's ends it all the same.
        except concurrent.futures.TimeoutError:
            if coming.done() or asking.judges.closing or time.monotonic() > until:
                coming.cancel()
                return None


async def _download(asking: _Asking, candidate: Candidate, limit: int) -> Spooled | None:
    trace = [
        (name, value)
        for name, value in asking.exchange.headers.raw_items()
        if name.lower() in (b"authorization", b"cookie", b"user-agent")
    ]
    headers = whole(trace, coding=b"identity", accept=b"*/*")
    async with await asking.exchange.fetch(method="GET", url=candidate.url, headers=headers) as answer:
        if answer.status != _OK or answer.header(b"content-encoding") not in (None, b"identity"):
            return None
        size = 0
        with asking.spool.writer(".whl" if candidate.is_wheel else "") as writer:
            async for data in answer.chunks():
                size += len(data)
                if size > limit:
                    return None
                writer.write(data)
            spooled = writer.done()
    if spooled.sha256 != candidate.sha256:
        asking.spool.drop(spooled)
        return None
    return spooled
