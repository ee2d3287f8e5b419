"""One policy at work: an index proxy with judges and a spool, until the last request under it has ended."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, TypeVar

from veln_hook.gate.allow import Rules
from veln_hook.gate.hosts import HTTP_PORT, HTTPS_PORT, hosts_of
from veln_hook.guard import Guard, open_guard
from veln_hook.index_proxy.judges import Judges
from veln_hook.index_proxy.previous import Previous
from veln_hook.index_proxy.proxy import IndexProxy
from veln_hook.index_proxy.spool import Spool
from veln_hook.standing.sharing import SharedPages
from veln_hook.standing.telling import TellingLedger

if TYPE_CHECKING:
    from veln_hook.gate.exchange import Exchange
    from veln_hook.policy.settings import Policy
    from veln_hook.standing.log import Log
    from veln_hook.standing.metrics import Figures
    from veln_hook.standing.settings import Settings

Answer = TypeVar("Answer")


class CountingJudges(Judges):
    """Judges that know how many archives are being judged, or wait for it. For the event loop's thread.

    Attributes:
        running: How many.
    """

    running = 0

    async def examine(self, question: Callable[[Guard], Answer]) -> Answer:
        """Have something judged that can take long; see `Judges`."""
        self.running += 1
        try:
            return await super().examine(question)
        finally:
            self.running -= 1


class Generation:
    """What answers under one policy. For the event loop's thread.

    Args:
        policy: The settings in force.
        settings: What the gate was asked for.
        directory: Where files are kept on their way, in a directory of this generation's own.
        log: For what is held.
        figures: For what is counted.

    Raises:
        UsageError: A host that the policy allows can't be read.

    Attributes:
        running: How many requests are being answered.
    """

    def __init__(
        self, policy: Policy, settings: Settings, directory: str, log: Log, figures: Figures
    ) -> None:
        self.policy, self.running = policy, 0
        indexes = tuple(dict.fromkeys((*settings.indexes, *(index.url for index in policy.indexes))))
        rules = Rules(
            (*policy.sandbox.allow_hosts, *settings.allow),
            ports=(HTTP_PORT, HTTPS_PORT),
            index_hosts=hosts_of(indexes),
        )
        self._directory = tempfile.mkdtemp(prefix="policy-", dir=directory)
        previous = Previous()

        self._judges = CountingJudges(lambda: open_guard(policy, baselines=previous))
        ledger = TellingLedger(log, figures)
        self._proxy = IndexProxy(
            self._judges,
            indexes=indexes,
            rules=rules,
            ledger=ledger,
            spool=Spool(self._directory),
            policy=policy,
            previous=previous,
        )
        self._pages = SharedPages(self._proxy.answer, self._directory, ledger.again)
        self._retired = False
        self._closing: asyncio.Future[None] | None = None

    async def check(self) -> None:
        """Return if there can be a guard by this policy: its store opens, and so do its plugins.

        Raises:
            VelnHookError: There can't.
        """
        await self._judges.ask(_nothing)

    async def answer(self, exchange: Exchange, *, page: bool) -> None:
        """Answer a request; see ``gate.exchange.Responder``.

        Args:
            exchange: The request.
            page: Whether it asks for a page, or for the project API.
        """
        self.running += 1
        try:
            await (self._pages if page else self._proxy).answer(exchange)
        finally:
            self.running -= 1
            if self._retired and not self.running:
                self.close()

    async def record(self) -> None:
        """Write to the store what was held.

        Raises:
            VelnHookError: The store doesn't answer.
        """
        await asyncio.get_running_loop().run_in_executor(None, self._proxy.record)

    def retire(self) -> None:
        """Close when the last request has been answered."""
        self._retired = True
        if not self.running:
            self.close()

    def close(self) -> asyncio.Future[None]:
        """Begin to close, whatever is running; the future tells when that is done."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().run_in_executor(None, self._close)
        return self._closing

    @property
    def closed(self) -> bool:
        """Whether nothing of it is left."""
        return self._closing is not None and self._closing.done()

    @property
    def scans(self) -> int:
        """How many archives are being judged, or wait for it."""
        return self._judges.running

    def spooled(self) -> int:
        """Return how many bytes are kept. Not for the event loop's thread."""
        total = 0
        for directory, _, names in os.walk(self._directory):
            for name in names:
                try:
                    total += os.stat(os.path.join(directory, name)).st_size
                except OSError:  # gone meanwhile
                    continue
        return total

    def _close(self) -> None:
        try:
            self._proxy.close()
        finally:
            with suppress(OSError):  # the supervisor removes what is left
                os.rmdir(self._directory)


def _nothing(guard: Guard) -> None:
    guard.store.info()
