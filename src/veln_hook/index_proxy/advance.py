"""Metadata in advance of its file (PEP 658): cheap for a resolver, and a promise that the file must keep."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from veln_hook.gate.exchange import TooBigError
from veln_hook.gate.headers import end_to_end
from veln_hook.index_proxy import refusals
from veln_hook.index_proxy.headers import whole
from veln_hook.index_proxy.judging import other_metadata
from veln_hook.index_proxy.lookups import ERRORS, OK, REDIRECTIONS
from veln_hook.index_proxy.metadata import MAX_METADATA, digest, wheel_metadata
from veln_hook.index_proxy.places import identity, without_metadata

if TYPE_CHECKING:
    from veln_hook.gate.exchange import Answer, Exchange
    from veln_hook.guard import Guard
    from veln_hook.index_proxy.bounded import Bounded
    from veln_hook.index_proxy.files import Files
    from veln_hook.index_proxy.identifying import Identified
    from veln_hook.index_proxy.judges import Judges
    from veln_hook.index_proxy.ledger import Ledger
    from veln_hook.index_proxy.places import Asked, Places
    from veln_hook.index_proxy.spool import Spool, Spooled
    from veln_hook.model import Candidate


class Advance:
    """Answers requests for the metadata of wheels that have been identified. For the event loop's thread.

    Args:
        judges: Who reads wheels.
        files: Where those are that have been judged.
        places: What may be asked for.
        ledger: What happens is noted there.
        spool: Keeps files while they are read.
        handed_out: By URL (`places.identity`), the digest of what was served.
    """

    def __init__(
        self,
        judges: Judges,
        files: Files,
        places: Places,
        ledger: Ledger,
        spool: Spool,
        *,
        handed_out: Bounded[str, str],
    ) -> None:
        self._judges, self._files, self._places = judges, files, places
        self._ledger, self._spool, self._handed_out = ledger, spool, handed_out

    async def answer(self, exchange: Exchange, asked: Asked, identified: Identified) -> None:
        """Answer a request for metadata of a wheel whose candidate passes.

        Raises:
            UpstreamError: Its server doesn't answer, or not to the end.
            VelnHookError: It can't be judged.
        """
        candidate = identified.found.candidate
        if not candidate.is_wheel:
            await exchange.refuse(
                *refusals.file("only a wheel's metadata is served in advance", asked.filename)
            )
            return
        spooled = self._files.judged(exchange, without_metadata(exchange.url))
        if spooled is not None:
            metadata = await self._own(spooled, candidate)
            await self._hand_out(exchange, identified, metadata)
            return
        headers = whole(end_to_end(exchange.headers), coding=b"identity")
        async with await exchange.fetch(method="GET", headers=headers) as answer:
            if answer.status != OK:
                await self._pass_other(exchange, asked, answer)
                return
            try:
                metadata = await answer.read(MAX_METADATA)
            except TooBigError as error:
                await exchange.refuse(*refusals.file(str(error), asked.filename))
                return
            coding = answer.header(b"content-encoding") or b"identity"
        promised = identified.found.metadata_sha256
        differs = bool(promised) and hashlib.sha256(metadata).hexdigest() != promised
        place = identity(asked.url)
        before = self._handed_out.get(place)
        if coding.lower() != b"identity" or differs or before not in (None, digest(metadata)):
            verdict = await self._judges.ask(lambda guard: other_metadata(guard, candidate))
            if not verdict.passes:
                self._ledger.refused(verdict)
                await exchange.refuse(*refusals.held(verdict))
                return
        self._handed_out.put(place, digest(metadata))
        await self._hand_out(exchange, identified, metadata)

    async def _own(self, spooled: Spooled, candidate: Candidate) -> bytes:
        with self._spool.using(spooled):
            return await self._judges.ask(partial(_read, spooled.path, candidate.project))

    async def _hand_out(self, exchange: Exchange, identified: Identified, metadata: bytes) -> None:
        self._ledger.used(identified.verdict, file=False)
        await exchange.respond(
            OK, [(b"content-type", b"application/octet-stream"), (b"cache-control", b"max-age=600")], metadata
        )

    async def _pass_other(self, exchange: Exchange, asked: Asked, answer: Answer) -> None:
        location = answer.header(b"location") or b""
        if answer.status in REDIRECTIONS:
            if location and self._places.redirect(asked, exchange.url, location.decode("latin-1")):
                headers = [(b"location", location), (b"cache-control", b"no-cache")]
                await exchange.respond(answer.status, headers)
            else:
                await exchange.refuse(*refusals.redirected(location.decode("latin-1")))
        elif answer.status not in ERRORS:
            await exchange.refuse(*refusals.file(f"its status is {answer.status}", asked.filename))
        else:
            await exchange.forward(answer)


def _read(path: str, project: str, _: Guard) -> bytes:
    return wheel_metadata(path, project)
