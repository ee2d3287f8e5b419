"""Where requests come in: they go to the policy that is in force at that moment, and are counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from veln_hook.gate.exchange import UpstreamError
from veln_hook.gate.refusing import shown
from veln_hook.index_proxy.places import Kind, Places
from veln_hook.standing.telling import client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veln_hook.gate.exchange import Exchange
    from veln_hook.standing.generation import Generation
    from veln_hook.standing.log import Log
    from veln_hook.standing.metrics import Figures

MAX_RETIRING = 2
"""Policies that may still have requests when they are no longer in force; of more, the oldest is cut off."""
_READING = ("GET", "HEAD")
_LEGAL, _FORBIDDEN, _MISSING, _GONE = 451, 403, 404, 410
_MOVED, _CLIENT, _SERVER = 300, 400, 500
_NOT_MODIFIED = 304


class Reception:
    """A ``gate.exchange.Responder``. For the event loop's thread.

    Args:
        generation: The policy that is in force.
        indexes: Base URLs of indexes, to tell kinds of requests apart.
        log: For indexes that don't answer.
        figures: For what is counted.

    Attributes:
        running: How many requests are being answered.
    """

    def __init__(self, generation: Generation, indexes: Iterable[str], log: Log, figures: Figures) -> None:
        self._generation, self._log, self._figures = generation, log, figures
        self._places = Places(indexes)
        self._retiring: list[Generation] = []
        self.running = 0

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request; see ``gate.exchange.Responder``."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        token = client.set(exchange.origin.address)
        outcome = ""
        asked = self._places.asked(exchange.url) if exchange.method in _READING else None
        page = asked is not None and asked.kind in (Kind.PAGE, Kind.API)
        self.running += 1
        try:
            await self._generation.answer(exchange, page=page)
        except UpstreamError as error:
            outcome = "upstream-error"
            self._figures.add("upstream_errors_total")
            url = shown(exchange.url.partition("?")[0])
            self._log.write("upstream-error", client=client.get(), url=url, reason=str(error))
            raise
        except (OSError, EOFError):
            outcome = "lost"
            raise
        except BaseException:
            outcome = "lost" if exchange.lost else "fault"
            raise
        finally:
            self.running -= 1
            client.reset(token)
            kind = "other" if asked is None else asked.kind.value
            self._figures.add("requests_total", kind=kind, outcome=outcome or _outcome(exchange.status))
            self._figures.observe("request_seconds", loop.time() - began, kind=kind)
            self._figures.add("response_bytes_total", exchange.sent)

    @property
    def generation(self) -> Generation:
        """The policy that is in force."""
        return self._generation

    def use(self, generation: Generation) -> None:
        """Have requests that come from now on answered by another policy."""
        old, self._generation = self._generation, generation
        old.retire()
        self._retiring.append(old)
        self._retiring = [each for each in self._retiring if not each.closed]
        for each in self._retiring[:-MAX_RETIRING]:
            each.close()

    def generations(self) -> list[Generation]:
        """Return the policy in force and those that still have requests."""
        self._retiring = [each for each in self._retiring if not each.closed]
        return [self._generation, *self._retiring]


def _outcome(status: int) -> str:
    if status in (_FORBIDDEN, _LEGAL):
        return "refused"
    if status in (_MISSING, _GONE):
        return "missing"
    if status < _MOVED or status == _NOT_MODIFIED:
        return "ok"
    if status < _CLIENT:
        return "redirect"
    return "client-error" if status < _SERVER else "server-error"
