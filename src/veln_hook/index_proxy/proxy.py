"""Answers what installers ask indexes through the gate: the one place where requests come in.

Rules of this module: what is no page, file, metadata or API of an index passes only where a list of hosts
says so; and whatever goes wrong here, the request is refused.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Callable, Protocol

from packaging.utils import canonicalize_name

from veln_hook.errors import VelnHookError
from veln_hook.gate.exchange import UpstreamError
from veln_hook.gate.headers import BadRequestError
from veln_hook.gate.refusing import RefusedError
from veln_hook.index import base_url
from veln_hook.index_proxy import refusals
from veln_hook.index_proxy.advance import Advance
from veln_hook.index_proxy.bounded import Bounded
from veln_hook.index_proxy.files import Files
from veln_hook.index_proxy.identifying import Identifier
from veln_hook.index_proxy.judges import ClosedError
from veln_hook.index_proxy.listings import Listings
from veln_hook.index_proxy.lookups import Lookups
from veln_hook.index_proxy.pages import Pages
from veln_hook.index_proxy.places import Asked, Kind, Places
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veln_hook.gate.exchange import Exchange
    from veln_hook.index_proxy.judges import Judges
    from veln_hook.index_proxy.ledger import Ledger
    from veln_hook.index_proxy.previous import Previous
    from veln_hook.index_proxy.spool import Spool
    from veln_hook.policy.settings import Policy
    from veln_hook.sandbox.ladder import Ladder

_READING = ("GET", "HEAD")
_MAX_HANDED_OUT = 50_000
_SIMPLE = b"application/vnd.pypi.simple"


class Allowed(Protocol):
    """A list of hosts: ``gate.allow.Rules``."""

    def check(self, host: str, port: int | None) -> None:
        """Return if a host may be reached on a port.

        Raises:
            RefusedError: It may not.
        """


class IndexProxy:
    """A ``gate.exchange.Responder`` that knows the guard. Close it before the gate.

    Args:
        judges: Who judges; closed with this.
        indexes: Base URLs of the indexes that may be asked for pages, such as ``https://pypi.org/simple/``.
        find_links: URLs of pages that list files of several projects.
        files: URLs of files that the user or a lock file named; with ``#sha256=...`` only those bytes pass.
        rules: Hosts to which everything else passes untouched; none without it. No host of an index counts.
        services: Hosts to which even what is sent to an index passes, such as an upload; none without it.
        ledger: What happens is noted there.
        spool: Where files are kept on their way; closed with this.
        policy: The settings in force, which the judges' guards have too.
        ladder: Tells how this machine confines builds; without it, that is somebody else's matter.
        previous: What the judges' guards fetch older releases with, if they do.
    """

    def __init__(
        self,
        judges: Judges,
        *,
        indexes: Iterable[str],
        ledger: Ledger,
        spool: Spool,
        policy: Policy,
        find_links: Iterable[str] = (),
        files: Iterable[str] = (),
        rules: Allowed | None = None,
        services: Allowed | None = None,
        ladder: Callable[[], Ladder] | None = None,
        previous: Previous | None = None,
    ) -> None:
        self.ledger = ledger
        self._closing = False
        self._judges, self._spool = judges, spool
        self._rules, self._services = rules, services
        self._places = Places(indexes, find_links=find_links, files=files)
        listings = Listings()
        handed_out: Bounded[str, str] = Bounded(_MAX_HANDED_OUT)
        lookups = Lookups(judges, listings, self._places, policy)
        self._identifier = Identifier(judges, listings, lookups, self._places)
        self._pages = Pages(judges, listings, lookups, self._places, ledger)
        self._files = Files(
            judges,
            listings,
            self._places,
            ledger,
            spool,
            previous=previous,
            ladder=ladder,
            handed_out=handed_out,
        )
        self._advance = Advance(judges, self._files, self._places, ledger, spool, handed_out=handed_out)

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request; see ``gate.exchange.Responder``."""
        try:
            await self._answer(exchange)
        except (UpstreamError, BadRequestError, RefusedError):
            raise
        except Exception as error:
            if exchange.lost or exchange.answered:
                raise
            refusal = refusals.failed(error)
            if not self._closing:  # else whoever asked has ended, while others' answers were on their way
                self.ledger.broke(f"{refusal.title}: {refusal.detail}")
            await exchange.refuse(*refusal)

    def record(self) -> None:
        """Write to the store what a person is told of candidates. Not for the event loop's thread.

        Raises:
            VelnHookError: The store doesn't answer, or there is no guard.
        """
        self._judges.run(self.ledger.record)

    def close(self) -> None:
        """Record, and end the judges and the spool. Not for the event loop's thread. Twice is harmless."""
        self._closing = True
        # A store that fails now has failed before, and that was told.
        with suppress(ClosedError, VelnHookError):
            self.record()
        self._judges.close()
        self._spool.close()

    async def _answer(self, exchange: Exchange) -> None:
        asked = self._places.asked(exchange.url) if exchange.method in _READING else None
        if asked is None:
            await self._elsewhere(exchange)
        elif asked.kind in (Kind.PAGE, Kind.API):
            await self._pages.answer(exchange, asked)
        elif asked.direct or asked.index or not self._is_service(exchange, asked):
            await self._file(exchange, asked)
        else:
            await exchange.forward()

    async def _file(self, exchange: Exchange, asked: Asked) -> None:
        allowed = asked.direct or _allows(self._rules, exchange) or _allows(self._services, exchange)
        identified = await self._identifier.identify(exchange, asked, allowed=allowed)
        if identified is None:
            refusal = refusals.unknown_file(asked.filename)
            self.ledger.unread(f"{refusal.title}: {refusal.detail}")
            await exchange.refuse(*refusal)
        elif not identified.verdict.passes:
            self.ledger.refused(identified.verdict)
            await exchange.refuse(*refusals.held(identified.verdict))
        elif asked.kind is Kind.METADATA:
            await self._advance.answer(exchange, asked, identified)
        else:
            await self._files.answer(exchange, asked, identified)

    async def _elsewhere(self, exchange: Exchange) -> None:
        """Answer what is nothing of an index."""
        index = self._places.index_at(exchange.target)
        if _allows(self._services, exchange):
            await exchange.forward()
        elif not index and _allows(self._rules, exchange):
            page = _asked_page(exchange)
            if page is None:
                await exchange.forward()
            else:
                await self._pages.answer(exchange, page)
        else:
            refusal = refusals.elsewhere(exchange.target, index=index)
            self.ledger.note(refusal.detail)
            await exchange.refuse(*refusal)

    def _is_service(self, exchange: Exchange, asked: Asked) -> bool:
        """Tell whether a file is what uv fetches for itself, a Python say; no distribution is called so."""
        named = parse_filename(asked.filename)
        if named is not None and named.project:
            return False
        return not self._places.index_at(exchange.target) and _allows(self._services, exchange)


def _allows(hosts: Allowed | None, exchange: Exchange) -> bool:
    if hosts is None:
        return False
    try:
        hosts.check(exchange.target.host, exchange.target.port)
    except RefusedError:
        return False
    return True


def _asked_page(exchange: Exchange) -> Asked | None:
    """Return the page that a request to an allowed host asks for, if it says that it wants one."""
    if exchange.method not in _READING or _SIMPLE not in (exchange.header(b"accept") or b""):
        return None
    path = exchange.path.partition("?")[0].rstrip("/")
    project = canonicalize_name(path.rpartition("/")[2])
    return Asked(Kind.PAGE, exchange.url, index=base_url(exchange.url, project), project=project)
