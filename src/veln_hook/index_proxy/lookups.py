"""What we ask indexes ourselves: pages of files that no page named, and times that a page doesn't tell."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Optional
from urllib.parse import quote, urljoin

from veln_hook import __version__
from veln_hook.errors import VelnHookError
from veln_hook.gate.exchange import UpstreamError
from veln_hook.gate.hosts import read_url
from veln_hook.index import ACCEPT_JSON, parse_project_api, project_api_url
from veln_hook.index.html_page import HtmlPage
from veln_hook.index.limits import MAX_PAGE
from veln_hook.index_proxy.bodies import decoded
from veln_hook.index_proxy.bounded import Bounded
from veln_hook.index_proxy.listings import Listing
from veln_hook.index_proxy.singly import Singly
from veln_hook.index_proxy.views import API_JSON, HTML, media_type, page_of
from veln_hook.model import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.gate.exchange import Exchange
    from veln_hook.guard import Guard
    from veln_hook.index import FileEntry
    from veln_hook.index_proxy.judges import Judges
    from veln_hook.index_proxy.judging import Look
    from veln_hook.index_proxy.listings import Listings
    from veln_hook.index_proxy.places import Places
    from veln_hook.policy.settings import Policy

Entries = dict[str, Any]
"""Of type ``FileEntry``, by filename."""

OK = 200
REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
ERRORS = range(400, 600)
"""What every client takes for an error; of other statuses uv reads the body as if nothing were odd."""
_MAX_REDIRECTIONS = 5
_PATIENCE = 2
"""Unanswered questions after which an index isn't asked for a while; each costs two requests a project."""
_SILENCE = 600.0
"""Seconds that it isn't."""
_FRESH = 60.0
"""Seconds for which asking again would learn nothing."""
_MAX_KEYS = 10_000
_ACCEPT_PAGE = f"{ACCEPT_JSON}, {HTML};q=0.2, text/html;q=0.01"
_TRACE = frozenset({b"authorization", b"cookie"})


class Answered(NamedTuple):
    """What an index answered to us."""

    url: str
    """After redirections."""
    kind: str
    """Its media type."""
    body: bytes
    coding: Optional[bytes]


class Lookups:
    """Asks indexes on our own behalf, through the exchange of whoever needs it. For the event loop's thread.

    Args:
        judges: What comes back is read in their thread.
        listings: Where pages are kept.
        places: Within which redirections are followed.
        policy: For the indexes whose times are looked up elsewhere.
    """

    def __init__(self, judges: Judges, listings: Listings, places: Places, policy: Policy) -> None:
        self._judges, self._listings, self._places, self._policy = judges, listings, places, policy
        self._turns = Singly()
        self._until: Bounded[tuple[str, str], float] = Bounded(_MAX_KEYS)
        """Until when a project's page isn't looked up on an index again."""
        self._silent: Bounded[str, tuple[int, float]] = Bounded(_MAX_KEYS)
        """By index: unanswered questions, and until when they count."""

    async def page(self, exchange: Exchange, index: str, project: str) -> Listing | None:
        """Return a project's page on an index, asking for it unless that was done a moment ago.

        Args:
            exchange: For whose sake.
            index: Base URL.
            project: Normalized.

        Returns:
            The page; ``None`` if there is none, or none that can be read.
        """
        key = (index, project)
        async with self._turns.turn(key):
            if time.monotonic() < (self._until.get(key) or 0.0):
                return self._listings.get(index, project)
            listing = await self._page(exchange, index, project)
            self._until.put(key, time.monotonic() + _FRESH)
            if listing is not None:
                self._listings.keep(listing)
            return listing

    def can_tell_more(self, page: Look) -> bool:
        """Tell whether there is anybody to ask for times that a page doesn't tell."""
        if all(candidate.upload_time is not None for candidate in page.candidates):
            return False
        return isinstance(page.view, HtmlPage) or bool(self._upstream(page.index))

    async def times(self, exchange: Exchange, page: Look, url: str) -> Mapping[str, FileEntry]:
        """Return what can be learned of upload times: from the index itself, or from what it is a mirror of.

        Nothing of that is an error: what isn't known has no age, and is held for that.

        Args:
            exchange: For whose sake.
            page: The page that lacks them.
            url: Where it came from.

        Returns:
            Entries by filename.
        """
        learned: Entries = {}
        if isinstance(page.view, HtmlPage):
            learned.update(await self._own_times(exchange, page.index, page.project, url))
        upstream = self._upstream(page.index)
        lacking = [
            candidate
            for candidate in page.candidates
            if candidate.upload_time is None
            and candidate.sha256
            and (candidate.filename not in learned or learned[candidate.filename].upload_time is None)
        ]
        for project in {candidate.project for candidate in lacking if candidate.project} if upstream else ():
            elsewhere = await self.page(exchange, upstream, project)
            if elsewhere is not None:
                # A mirror's file is its upstream's only if it has the same bytes.
                wanted = {c.filename: c.sha256 for c in lacking if c.project == project}
                learned.update(await self._judges.ask(partial(_same, elsewhere, wanted)))
        return learned

    def _upstream(self, index: str) -> str:
        found = self._policy.index_for(index)
        return "" if found is None or not found.upstream else f"{found.upstream.rstrip('/')}/"

    async def _own_times(
        self, exchange: Exchange, index: str, project: str, url: str
    ) -> Mapping[str, FileEntry]:
        """Ask for an HTML page once more as JSON, or else PyPI's older API."""
        if self._is_silent(index):
            return {}
        found = await self._entries(exchange, url, ACCEPT_JSON)
        if found is None and project:
            api = project_api_url(index, project)
            found = await self._entries(exchange, api, API_JSON) if api else None
        self._note(index, answered=found is not None)
        return found or {}

    async def _page(self, exchange: Exchange, index: str, project: str) -> Listing | None:
        answered = (
            None
            if self._is_silent(index)
            else await self._ask(exchange, f"{index}{quote(project)}/", _ACCEPT_PAGE)
        )
        if answered is None:
            return None
        try:
            view, body = await self._judges.ask(partial(_page, answered))
        except VelnHookError:  # some are ValueErrors, too
            raise
        except ValueError:
            return None
        times: Mapping[str, FileEntry] = {}
        if isinstance(view, HtmlPage):
            times = await self._own_times(exchange, index, project, answered.url)
        return Listing(index, project, answered.url, Source.INDEX, view, body, times)

    async def _entries(self, exchange: Exchange, url: str, accept: str) -> Mapping[str, FileEntry] | None:
        answered = await self._ask(exchange, url, accept)
        if answered is None or answered.kind != accept:
            return None
        try:
            return await self._judges.ask(partial(_read, answered))
        except VelnHookError:
            raise
        except ValueError:
            return None

    async def _ask(self, exchange: Exchange, url: str, accept: str) -> Answered | None:
        """Fetch something small, following redirections to hosts of known indexes."""
        headers = [(name, value) for name, value in exchange.headers.raw_items() if name.lower() in _TRACE]
        headers += [
            (b"accept", accept.encode()),
            (b"accept-encoding", b"gzip"),
            # PyPI answers some of pip's own user agents with HTML whatever they accept.
            (b"user-agent", f"veln-hook/{__version__}".encode()),
        ]
        try:
            for _ in range(_MAX_REDIRECTIONS + 1):
                async with await exchange.fetch(method="GET", url=url, headers=headers) as answer:
                    if answer.status == OK:
                        body = await answer.read(MAX_PAGE)
                        coding = answer.header(b"content-encoding")
                        return Answered(url, media_type(answer.header(b"content-type")), body, coding)
                    location = answer.header(b"location")
                    if answer.status not in REDIRECTIONS or location is None:
                        return None
                    url = self._followed(url, location.decode("latin-1"))
                    if not url:
                        return None
        except UpstreamError:
            return None
        return None

    def _followed(self, url: str, location: str) -> str:
        """Return where a redirection leads, if that is a known index and as well protected; else nothing."""
        try:
            to = urljoin(url, location)
            known = self._places.index_at(read_url(to).target) or read_url(to).target == read_url(url).target
        except ValueError:
            return ""
        return to if known and (to.startswith("https:") or not url.startswith("https:")) else ""

    def _is_silent(self, index: str) -> bool:
        count, until = self._silent.get(index) or (0, 0.0)
        return count >= _PATIENCE and time.monotonic() < until

    def _note(self, index: str, *, answered: bool) -> None:
        count, _ = self._silent.get(index) or (0, 0.0)
        self._silent.put(index, (0, 0.0) if answered else (count + 1, time.monotonic() + _SILENCE))


def _page(answered: Answered, _: Guard) -> Any:
    return page_of(answered.body, answered.coding, answered.kind, answered.url)


def _read(answered: Answered, _: Guard) -> Mapping[str, FileEntry]:
    """Read entries from a JSON page or the API."""
    if answered.kind == API_JSON:
        return parse_project_api(decoded(answered.body, answered.coding))
    view = page_of(answered.body, answered.coding, answered.kind, answered.url)[0]
    return {name: entry for name, entry in view.entries().items() if not entry.flaw}


def _same(listing: Listing, wanted: Mapping[str, str], _: Guard) -> Mapping[str, FileEntry]:
    found = {}
    for filename, sha256 in wanted.items():
        try:
            entry = listing.entry(filename)
        except ValueError:
            return {}
        if entry is not None and entry.sha256 == sha256 and not entry.flaw:
            found[filename] = entry
    return found
