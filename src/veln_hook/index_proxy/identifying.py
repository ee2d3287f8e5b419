"""Which file it is that somebody asks for: what indexes say of it, before it is fetched.

A URL is no identity: an old lock file, a redirection or an attacker can name any. What counts is what an
index that is configured says of this URL, or else of a file of this name, whose bytes it then has to have.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import urlsplit

from veln_hook.gate.hosts import read_url
from veln_hook.index_proxy.candidates import projects_of
from veln_hook.index_proxy.judging import check_file
from veln_hook.index_proxy.listings import Found, at_url, by_name
from veln_hook.index_proxy.places import FILE_HOSTS, Kind, filename_of, identity, without_metadata
from veln_hook.model import Candidate, Source
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.gate.exchange import Exchange
    from veln_hook.guard import Guard
    from veln_hook.index_proxy.judges import Judges
    from veln_hook.index_proxy.listings import Listing, Listings
    from veln_hook.index_proxy.lookups import Lookups
    from veln_hook.index_proxy.places import Asked, Places
    from veln_hook.model import Verdict

_MAX_INDEXES = 10
_MAX_PROJECTS = 3


class Identified(NamedTuple):
    """A file, and what is thought of it before it is here."""

    found: Found
    verdict: Verdict
    """About everything that was said of it, the strictest."""


class Identifier:
    """Finds files on the pages of indexes. For the event loop's thread.

    Args:
        judges: Pages are searched in their thread.
        listings: Pages that have passed.
        lookups: Asks for those that haven't.
        places: The indexes.
    """

    def __init__(self, judges: Judges, listings: Listings, lookups: Lookups, places: Places) -> None:
        self._judges, self._listings, self._lookups, self._places = judges, listings, lookups, places

    async def identify(self, exchange: Exchange, asked: Asked, *, allowed: bool) -> Optional[Identified]:
        """Return what indexes say of a file; ``None`` if nobody vouches for it.

        Args:
            exchange: The request.
            asked: What it asks for.
            allowed: Whether the user has named the URL, or its host: then no index has to know it.

        Raises:
            VelnHookError: It can't be judged.
        """
        requested = without_metadata(exchange.url) if asked.kind is Kind.METADATA else exchange.url
        urls = [identity(asked.url), identity(requested)]
        own = FILE_HOSTS.get(urlsplit(requested).hostname or "", "")
        search = _Search(asked, urls, filename_of(requested), own)
        identified = await self._judges.ask(partial(_known, search, self._listings.about(asked.filename)))
        if identified is not None and (not own or identified.found.candidate.index == own):
            return identified
        pages = await self._looked_up(exchange, asked, requested)
        looked_up = await self._judges.ask(partial(_known, search, pages)) if pages else None
        if looked_up is not None or identified is not None:
            return looked_up or identified
        # Bytes with the right hash may come from anywhere; but what a build asks a host for tells the host,
        # and so no host is asked that neither an index nor the user has named.
        if not allowed and not self._places.index_at(read_url(asked.url).target):
            return None
        return await self._judges.ask(partial(_by_name, search, pages, allowed))

    async def _looked_up(self, exchange: Exchange, asked: Asked, url: str) -> list[Listing]:
        pages = []
        for index in self._places.indexes_for(url)[:_MAX_INDEXES]:
            for project in projects_of(asked.filename)[:_MAX_PROJECTS]:
                page = await self._lookups.page(exchange, index, project)
                if page is not None:
                    pages.append(page)
                    break
        return pages


class _Search(NamedTuple):
    asked: Asked
    urls: Sequence[str]
    requested_name: str
    own: str
    """The index that the host of the URL belongs to; empty if it is nobody's alone."""


def _known(search: _Search, pages: Sequence[Listing], guard: Guard) -> Identified | None:
    found = at_url(pages, search.asked.filename, search.urls)
    if search.requested_name != search.asked.filename:  # where a redirection led
        found += at_url(pages, search.requested_name, search.urls)
    if search.own:
        # What another index says of PyPI's URLs doesn't count as long as PyPI says something itself.
        found = [each for each in found if each.candidate.index == search.own] or found
    return _judged(guard, found) if found else None


def _by_name(search: _Search, pages: Sequence[Listing], allowed: bool, guard: Guard) -> Identified | None:
    asked = search.asked
    source = Source.DIRECT_URL if allowed else Source.LOCK
    found = by_name(pages, asked.filename, asked.sha256, source)
    if found is not None:
        return _judged(guard, [found._replace(candidate=found.candidate._replace(url=asked.url))])
    named = parse_filename(asked.filename)
    if not allowed or named is None:
        return None
    candidate = Candidate(
        project=named.project,
        version=named.version,
        filename=asked.filename,
        url=asked.url,
        source=Source.DIRECT_URL,
        sha256=asked.sha256,
    )
    return _judged(guard, [Found(candidate, "")])


def _judged(guard: Guard, found: Sequence[Found]) -> Identified:
    best = max(found, key=lambda each: bool(each.candidate.sha256))
    return Identified(best, check_file(guard, [each.candidate for each in found]))
