"""Parts of a gate that are made with the first request: most commands of uv ask for nothing at all.

Judges, signals and what reads archives take longer to import than such a command takes.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from veln_hook.errors import VelnHookError
from veln_hook.gate.answer import UpstreamError
from veln_hook.gate.proxies import Proxies
from veln_hook.gate.trust import trust_from
from veln_hook.gate.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from veln_hook.gate.answer import Answer
    from veln_hook.gate.exchange import Exchange
    from veln_hook.index_proxy.ledger import Ledger
    from veln_hook.index_proxy.proxy import IndexProxy


class LateJudging:
    """An index proxy, once there is something to judge; a ``gate.exchange.Responder``.

    Args:
        make: Makes it, in a thread of its own. What it raises refuses the request.
    """

    def __init__(self, make: Callable[[], IndexProxy]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: IndexProxy | None = None
        self._closed = False

    @property
    def ledger(self) -> Ledger | None:
        """What happened; ``None`` if nothing was asked for."""
        return None if self._made is None else self._made.ledger

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request; see ``gate.exchange.Responder``."""
        made = self._made
        if made is None:
            made = await asyncio.get_running_loop().run_in_executor(None, self._ready)
        await made.answer(exchange)

    def close(self) -> None:
        """Record, and end what was made. Twice is harmless."""
        with self._lock:
            self._closed = True
            if self._made is not None:
                self._made.close()

    def _ready(self) -> IndexProxy:
        with self._lock:
            if self._closed:
                raise VelnHookError("the gate is closing")
            if self._made is None:
                self._made = self._make()
            return self._made


class LateUpstream:
    """A ``gate.exchange.Asker``; whom it trusts is read besides, in a thread of its own.

    Args:
        environ: The user's own, for proxies and certificates.

    Raises:
        UsageError: A proxy can't be read.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._proxies_told = Proxies.from_environment(environ)
        self._real: Upstream | None = None
        self._error: Exception | None = None
        self._reading = threading.Thread(target=self._read, args=(dict(environ),), daemon=True)
        self._reading.start()

    async def fetch(self, *args: Any, **options: Any) -> Answer:
        """Ask; see `Upstream.fetch`."""
        if self._real is None:
            await asyncio.get_running_loop().run_in_executor(None, self._reading.join)
        if self._real is None:
            raise UpstreamError(f"nobody can be trusted: {self._error}")
        return await self._real.fetch(*args, **options)

    async def close(self) -> None:
        """Close what is kept."""
        if self._real is not None:
            await self._real.close()

    def _read(self, environ: Mapping[str, str]) -> None:
        try:
            self._real = Upstream(trust=trust_from(environ), proxies=self._proxies_told)
        except Exception as error:  # noqa: BLE001 - told to whoever asks
            self._error = error
