"""Distribution files on their way to an installer: each is here whole, and judged, before a byte goes on."""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Union

from veln_hook.gate.exchange import TooBigError
from veln_hook.gate.headers import end_to_end
from veln_hook.index_proxy import refusals
from veln_hook.index_proxy.bounded import Bounded
from veln_hook.index_proxy.headers import whole
from veln_hook.index_proxy.judging import check_archive, other_bytes
from veln_hook.index_proxy.lookups import ERRORS, OK, REDIRECTIONS
from veln_hook.index_proxy.places import identity
from veln_hook.index_proxy.ranges import UnsatisfiableError, span_of
from veln_hook.index_proxy.refusals import Refusal
from veln_hook.index_proxy.singly import Singly
from veln_hook.index_proxy.spool import Spooled, TooLongError
from veln_hook.model import Archive, ArchiveKind, Candidate, Origin, Source, Verdict
from veln_hook.names import SDIST_SUFFIXES, parse_filename

if TYPE_CHECKING:
    from veln_hook.gate.exchange import Answer, Exchange
    from veln_hook.guard import Guard
    from veln_hook.index_proxy.identifying import Identified
    from veln_hook.index_proxy.judges import Judges
    from veln_hook.index_proxy.ledger import Ledger
    from veln_hook.index_proxy.listings import Listings
    from veln_hook.index_proxy.places import Asked, Places
    from veln_hook.index_proxy.previous import Previous
    from veln_hook.index_proxy.spool import Spool
    from veln_hook.sandbox.ladder import Ladder

_PARTIAL, _NOT_MODIFIED, _UNSATISFIABLE = 206, 304, 416
_MAX_KEPT = 10_000
_MAX_OTHER = 1 << 16
"""Bytes of an answer that is no file."""
_PASSED_ON = frozenset(b"content-type www-authenticate retry-after".split())


class _Kept(NamedTuple):
    """A file that is here and passes."""

    spooled: Spooled
    verdict: Verdict
    candidate: Candidate
    content_type: bytes
    cache_control: Optional[bytes]


class _Other(NamedTuple):
    """Something else than a file, that is passed on."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


_Outcome = Union[_Kept, _Other, Refusal]


class Files:
    """Answers requests for files that have been identified. For the event loop's thread.

    Args:
        judges: Who judges.
        listings: Pages that have passed, for what a file is compared with.
        places: What may be asked for.
        ledger: What happens is noted there.
        spool: Where files are kept.
        previous: What fetches older releases for the judges' guards, if anything does.
        ladder: Tells how this machine confines builds; without it, that is somebody else's matter.
        handed_out: By URL (`places.identity`), the digest of metadata that was served in advance.
    """

    def __init__(
        self,
        judges: Judges,
        listings: Listings,
        places: Places,
        ledger: Ledger,
        spool: Spool,
        *,
        previous: Previous | None,
        ladder: Callable[[], Ladder] | None,
        handed_out: Bounded[str, str],
    ) -> None:
        self._judges, self._listings, self._places = judges, listings, places
        self._ledger, self._spool = ledger, spool
        self._previous, self._ladder, self._handed_out = previous, ladder, handed_out
        self._turns = Singly()
        self._kept: Bounded[tuple[str, bytes], _Kept] = Bounded(_MAX_KEPT)

    async def answer(self, exchange: Exchange, asked: Asked, identified: Identified) -> None:
        """Answer a request for a file whose candidate passes.

        Raises:
            UpstreamError: Its server doesn't answer, or not to the end.
            VelnHookError: It can't be judged.
        """
        candidate = identified.found.candidate
        key = (identity(exchange.url), _who(exchange))
        async with self._turns.turn(key) as shared:
            kept = self._kept.get(key)
            outcome: _Outcome
            if kept is not None and not kept.spooled.gone and kept.candidate == candidate:
                outcome = kept
            elif shared:
                outcome = shared[0]
            else:
                outcome = await self._fetched(exchange, asked, candidate)
                shared.append(outcome)
                if isinstance(outcome, _Kept):
                    self._kept.put(key, outcome)
        if isinstance(outcome, Refusal):
            await exchange.refuse(*outcome)
        elif isinstance(outcome, _Other):
            await exchange.respond(outcome.status, outcome.headers, outcome.body)
        else:
            await self._serve(exchange, outcome, identified)

    def judged(self, exchange: Exchange, url: str) -> Spooled | None:
        """Return a file that is here and passes, by its URL; ``None`` if it isn't."""
        kept = self._kept.get((identity(url), _who(exchange)))
        return None if kept is None or kept.spooled.gone else kept.spooled

    async def _fetched(self, exchange: Exchange, asked: Asked, candidate: Candidate) -> _Outcome:
        headers = whole(end_to_end(exchange.headers), coding=b"identity")
        async with await exchange.fetch(method="GET", headers=headers) as answer:
            if answer.status != OK:
                return await self._other(exchange, asked, answer)
            if (answer.header(b"content-encoding") or b"identity").lower() != b"identity":
                return self._unjudged("it came compressed once more, which nobody asked for", candidate)
            content_type = answer.header(b"content-type") or b"application/octet-stream"
            cache_control = answer.header(b"cache-control")
            try:
                with self._spool.writer(_suffix(candidate.filename)) as writer:
                    async for data in answer.chunks():
                        writer.write(data)
                    spooled = writer.done()
            except TooLongError as error:
                return self._unjudged(str(error), candidate)
        with self._spool.using(spooled):
            verdict = await self._judged(exchange, asked, candidate, spooled)
        if verdict.passes:
            return _Kept(spooled, verdict, candidate, content_type, cache_control)
        self._spool.drop(spooled)
        self._ledger.refused(verdict)
        return refusals.held(verdict)

    async def _judged(
        self, exchange: Exchange, asked: Asked, candidate: Candidate, spooled: Spooled
    ) -> Verdict:
        archive = _archive(spooled, candidate)
        # What the user named may be another file of the name; the guard has rules for that.
        named = candidate.source is Source.DIRECT_URL and not asked.sha256
        other_hash = candidate.sha256 and candidate.sha256 != spooled.sha256
        other_size = not candidate.sha256 and candidate.size not in (None, spooled.size)
        if (other_hash or other_size) and not named:
            return await self._judges.examine(lambda guard: other_bytes(guard, archive, candidate))
        handed_out = self._handed_out.get(identity(asked.url)) or ""
        loop = asyncio.get_running_loop()
        return await self._judges.examine(partial(self._examine, exchange, loop, archive, handed_out))

    def _examine(
        self,
        exchange: Exchange,
        loop: asyncio.AbstractEventLoop,
        archive: Archive,
        handed_out: str,
        guard: Guard,
    ) -> Verdict:
        """Judge an archive in a judge's thread."""
        if self._previous is None:
            return check_archive(guard, archive, self._ladder, handed_out)
        with self._previous.asking(exchange, loop, self._judges, self._listings, self._spool):
            return check_archive(guard, archive, self._ladder, handed_out)

    async def _other(self, exchange: Exchange, asked: Asked, answer: Answer) -> _Outcome:
        """Take what is no file: a redirection, a 401, a 404."""
        if answer.status in REDIRECTIONS:
            location = answer.header(b"location") or b""
            if not location or not self._places.redirect(asked, exchange.url, location.decode("latin-1")):
                refusal = refusals.redirected(location.decode("latin-1"))
                self._ledger.note(f"{refusal.title}: {refusal.detail}")
                return refusal
            return _Other(answer.status, [(b"location", location), (b"cache-control", b"no-cache")], b"")
        if answer.status not in ERRORS:
            refusal = refusals.file(f"its status is {answer.status}", asked.filename)
            self._ledger.unread(f"{refusal.title}: {refusal.detail}")
            return refusal
        kept = [(name, value) for name, value in answer.headers.raw_items() if name.lower() in _PASSED_ON]
        try:
            body = await answer.read(_MAX_OTHER)
        except TooBigError:
            body = b""
        return _Other(answer.status, kept, body)

    async def _serve(self, exchange: Exchange, kept: _Kept, identified: Identified) -> None:
        spooled = kept.spooled
        etag = b'"%s"' % spooled.sha256.encode()
        headers = [
            (b"content-type", kept.content_type),
            (b"accept-ranges", b"bytes"),
            (b"etag", etag),
        ]
        if kept.cache_control is not None:
            headers.append((b"cache-control", kept.cache_control))
        with self._spool.using(spooled), spooled.opened() as file:
            if etag in _tags(exchange.header(b"if-none-match")):
                self._used(kept, identified, file=True)
                await exchange.respond(_NOT_MODIFIED, headers)
                return
            span = None
            wanted = exchange.header(b"range") if exchange.method == "GET" else None
            if exchange.header(b"if-range") in (None, etag):
                try:
                    span = span_of(wanted, spooled.size)
                except UnsatisfiableError:
                    total = b"bytes */%d" % spooled.size
                    await exchange.respond(_UNSATISFIABLE, [*headers, (b"content-range", total)])
                    return
            # uv reads a wheel's metadata by ranges where its index doesn't serve it.
            self._used(kept, identified, file=span is None and exchange.method == "GET")
            if span is None:
                await exchange.respond_file(OK, headers, file, 0, spooled.size)
                return
            total = b"bytes %d-%d/%d" % (span.start, span.start + span.length - 1, spooled.size)
            headers.append((b"content-range", total))
            await exchange.respond_file(_PARTIAL, headers, file, span.start, span.length)

    def _used(self, kept: _Kept, identified: Identified, *, file: bool) -> None:
        self._ledger.used(identified.verdict, file=file)
        if file:
            self._ledger.used(kept.verdict, file=True)

    def _unjudged(self, reason: str, candidate: Candidate) -> Refusal:
        refusal = refusals.file(reason, candidate.filename)
        self._ledger.unread(f"{refusal.title}: {refusal.detail}")
        return refusal


def _archive(spooled: Spooled, candidate: Candidate) -> Archive:
    """Describe a file as ``archive.describe_archive`` does, without taking its hash once more."""
    named = parse_filename(candidate.filename)
    return Archive(
        path=spooled.path,
        kind=named.kind if named else ArchiveKind.SDIST,
        origin=Origin.FETCHED,
        filename=candidate.filename,
        project=candidate.project or (named.project if named else ""),
        version=(named.version if named else "") or candidate.version,
        sha256=spooled.sha256,
        size=spooled.size,
        candidate=candidate,
    )


def _who(exchange: Exchange) -> bytes:
    """Return what tells clients with different credentials apart: no one gets what another may have."""
    said = [exchange.header(name) or b"" for name in (b"authorization", b"cookie")]
    return hashlib.sha256(b"\0".join(said)).digest() if any(said) else b""


def _suffix(filename: str) -> str:
    return next((suffix for suffix in (".whl", *SDIST_SUFFIXES) if filename.endswith(suffix)), "")


def _tags(header: bytes | None) -> set[bytes]:
    return {tag.strip().removeprefix(b"W/") for tag in (header or b"").split(b",")}
