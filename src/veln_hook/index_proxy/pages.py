"""Index pages on their way to an installer: what is held isn't on them any more."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.errors import VelnHookError
from veln_hook.gate.exchange import TooBigError
from veln_hook.gate.headers import end_to_end
from veln_hook.index.limits import MAX_PAGE
from veln_hook.index_proxy import refusals
from veln_hook.index_proxy.candidates import order_of
from veln_hook.index_proxy.headers import page_caching, takes_gzip, whole
from veln_hook.index_proxy.judging import PageJudged, judge, look
from veln_hook.index_proxy.listings import Listing
from veln_hook.index_proxy.lookups import ERRORS, OK, REDIRECTIONS
from veln_hook.index_proxy.places import Asked, Kind
from veln_hook.index_proxy.views import api_answer_of, media_type, page_of
from veln_hook.model import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.gate.exchange import Answer, Exchange
    from veln_hook.guard import Guard
    from veln_hook.index import FileEntry
    from veln_hook.index_proxy.candidates import View
    from veln_hook.index_proxy.judges import Judges
    from veln_hook.index_proxy.judging import Look
    from veln_hook.index_proxy.ledger import Ledger
    from veln_hook.index_proxy.listings import Listings
    from veln_hook.index_proxy.lookups import Lookups
    from veln_hook.index_proxy.places import Places

_ONCE = (b"content-type", b"content-encoding")
"""Headers that change what the body means: two of them could be read in two ways."""
_LONG = 8 << 20
"""Bytes of a page over the wire beyond which it is one of the long ones; PyPI's longest has one megabyte."""
_FEW = 4
"""Long pages that are in memory at a time."""


class _Came(NamedTuple):
    """A page as it came."""

    asked: Asked
    url: str
    body: bytes
    coding: bytes | None
    content_type: bytes


class _Judged(NamedTuple):
    """What came of it."""

    page: Look
    body: bytes
    """Without its content coding."""
    outcome: PageJudged | None
    """``None`` if times have to be looked up first."""
    cut: bytes | None = None
    """What is left; ``None`` if it is to pass as it came."""
    empty: bool = False


class Pages:
    """Answers requests for pages and for the project API. For the event loop's thread.

    Args:
        judges: Who judges.
        listings: Where pages are kept until their files are asked for.
        lookups: Who is asked for times that a page doesn't tell.
        places: What may be asked for.
        ledger: What is held is noted there.
    """

    def __init__(
        self, judges: Judges, listings: Listings, lookups: Lookups, places: Places, ledger: Ledger
    ) -> None:
        self._judges, self._listings, self._lookups = judges, listings, lookups
        self._places, self._ledger = places, ledger
        self._few: asyncio.Semaphore | None = None

    async def answer(self, exchange: Exchange, asked: Asked) -> None:
        """Answer a request for a page.

        Raises:
            UpstreamError: The index doesn't answer.
            VelnHookError: It can't be judged.
        """
        coding = b"gzip" if takes_gzip(exchange.header(b"accept-encoding")) else b"identity"
        headers = whole(end_to_end(exchange.headers), coding=coding)
        async with AsyncExitStack() as stack:
            answer = await stack.enter_async_context(await exchange.fetch(method="GET", headers=headers))
            if answer.status != OK:
                await self._pass_other(exchange, asked, answer)
                return
            try:
                body = await self._read(answer, stack)
            except TooBigError as error:
                await self._refuse_unread(exchange, asked, str(error))
                return
            doubled = [name for name in _ONCE if sum(name == other for other, _ in answer.headers) > 1]
            content_type = answer.header(b"content-type") or b""
            came = _Came(
                asked,
                exchange.url,
                body,
                answer.header(b"content-encoding"),
                content_type,
            )
            if doubled:
                await self._refuse_unread(exchange, asked, f"it has {doubled[0].decode()} twice")
                return
            try:
                judged = await self._judged(exchange, came)
            except VelnHookError:  # some are ValueErrors, too
                raise
            except ValueError as error:
                await self._refuse_unread(exchange, asked, str(error))
                return
            await self._respond(exchange, came, judged, answer.header(b"cache-control"))

    async def _read(self, answer: Answer, stack: AsyncExitStack) -> bytes:
        """Read a page; a long one has to wait until there are few others, as it stays until it is sent on."""
        pieces: list[bytes] = []
        size = 0
        async for data in answer.chunks():
            pieces.append(data)
            size += len(data)
            if size > MAX_PAGE:
                raise TooBigError(f"it is longer than {MAX_PAGE} bytes")
            if size > _LONG and size - len(data) <= _LONG:
                if self._few is None:  # in Python 3.9 it belongs to the event loop in which it is made
                    self._few = asyncio.Semaphore(_FEW)
                await stack.enter_async_context(self._few)
        return b"".join(pieces)

    async def _judged(self, exchange: Exchange, came: _Came) -> _Judged:
        judged = await self._judges.ask(partial(_judge, came, self._lookups))
        times: Mapping[str, FileEntry] = {}
        if judged.outcome is None:
            times = await self._lookups.times(exchange, judged.page, came.url)
            judged = await self._judges.ask(partial(_judge_with, judged, times))
        if came.asked.kind is Kind.PAGE:
            page = judged.page
            listing = Listing(page.index, page.project, came.url, page.source, page.view, judged.body, times)
            self._listings.keep(listing)
        return judged

    async def _respond(
        self, exchange: Exchange, came: _Came, judged: _Judged, cache_control: bytes | None
    ) -> None:
        outcome = judged.outcome
        held = list(outcome.held.values()) if outcome is not None else []
        if came.asked.project:
            self._ledger.page(came.asked.project, came.url, held)
        else:
            for project in {candidate.project for candidate in judged.page.candidates}:
                own = [verdict for verdict in held if verdict.subject.project == project]
                self._ledger.page(project, came.url, own)
        if outcome is not None and held and (judged.empty or outcome.refuse):
            newest = max(held, key=lambda verdict: order_of(verdict.subject.version))
            refusal = refusals.held(newest, refusals.LEGAL)
            await exchange.refuse(*refusal)
            return
        headers = [
            (b"content-type", came.content_type),
            (b"cache-control", page_caching(cache_control, cut=judged.cut is not None)),
            # What this proxy makes of a page depends on what was asked, as it does with its index.
            (b"vary", b"Accept, Accept-Encoding"),
        ]
        if judged.cut is not None:
            await exchange.respond(OK, headers, judged.cut)
            return
        if came.coding is not None:
            headers.append((b"content-encoding", came.coding))
        await exchange.respond(OK, headers, came.body)

    async def _pass_other(self, exchange: Exchange, asked: Asked, answer: Answer) -> None:
        """Pass on what is no page: a redirection within what may be asked for, a 401, a 404."""
        if answer.status in REDIRECTIONS:
            location = answer.header(b"location")
            text = (location or b"").decode("latin-1")
            if location is None or not self._places.redirect(asked, exchange.url, text):
                refusal = refusals.redirected(text)
                self._ledger.note(f"{refusal.title}: {refusal.detail}")
                await exchange.refuse(*refusal)
                return
            await exchange.respond(answer.status, [(b"location", location), (b"cache-control", b"no-cache")])
            return
        if answer.status not in ERRORS:
            await self._refuse_unread(exchange, asked, f"its status is {answer.status}")
            return
        await exchange.forward(answer)

    async def _refuse_unread(self, exchange: Exchange, asked: Asked, reason: str) -> None:
        refusal = refusals.page(reason, asked.url)
        self._ledger.unread(f"{refusal.title}: {refusal.detail}")
        await exchange.refuse(*refusal)


def _judge(came: _Came, lookups: Lookups, guard: Guard) -> _Judged:
    asked = came.asked
    kind = media_type(came.content_type)
    view: View
    if asked.kind is Kind.API:
        view, body = api_answer_of(came.body, came.coding, kind), b""
    else:
        view, body = page_of(came.body, came.coding, kind, came.url)
    source = Source.FIND_LINKS if asked.several else Source.INDEX
    page = look(guard, view, project=asked.project, index=asked.index, source=source)
    if lookups.can_tell_more(page):
        return _Judged(page, body, None)
    return _outcome(guard, page, body)


def _judge_with(judged: _Judged, times: Mapping[str, FileEntry], guard: Guard) -> _Judged:
    return _outcome(guard, judged.page.with_times(times), judged.body)


def _outcome(guard: Guard, page: Look, body: bytes) -> _Judged:
    outcome = judge(guard, page)
    if not outcome.held:
        return _Judged(page, body, outcome)
    if outcome.refuse or page.view.is_empty_without(outcome.held):
        return _Judged(page, body, outcome, empty=True)
    return _Judged(page, body, outcome, page.view.without(outcome.held))
