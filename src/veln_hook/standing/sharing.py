"""Pages that many clients ask for at the same time are fetched, judged and kept once.

An install asks for the page of each of its packages, and installs come in crowds. Requests that an index
couldn't tell apart get the same answer: whoever comes while it is being made waits for it, and for a moment
it is kept. Long ones are kept on disk, so that clients who read slowly hold no memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, NamedTuple, Optional, cast

from veln_hook.errors import UsageError
from veln_hook.gate.exchange import UpstreamError
from veln_hook.gate.headers import end_to_end
from veln_hook.index_proxy.singly import Singly
from veln_hook.standing.telling import Event, events

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from veln_hook.gate.exchange import Answer, Exchange

FRESH = 2.0
"""Seconds for which a page is kept: an approval or an upload counts after that at the latest."""
AT_ONCE = 16
"""Pages that are fetched and judged at once: each can be in memory several times meanwhile."""
_OK = 200
_LONG = 1 << 18
"""Bytes from which a body is kept on disk; what is being sent of a file is a piece of this size."""
_KEPT_BYTES = 1 << 30
"""Of all pages that are kept, nearly all of them on disk."""
_NOT_TOLD = frozenset(b"if-none-match if-modified-since if-match if-unmodified-since if-range range".split())
"""What the index proxy doesn't ask pages with."""


class _Response(NamedTuple):
    """What is answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    file: Optional[BinaryIO]
    """Has the body, if that is long; closed when nobody refers to it any more."""
    length: int
    told: tuple[Event, ...]
    """What the ledger was told."""

    async def send(self, exchange: Exchange) -> None:
        """Answer a request with it."""
        if self.file is None:
            await exchange.respond(self.status, self.headers, self.body)
        else:
            await exchange.respond_file(self.status, self.headers, self.file, 0, self.length)


class _Refused(NamedTuple):
    """The same, for what is refused."""

    status: int
    title: str
    detail: str
    told: tuple[Event, ...]

    async def send(self, exchange: Exchange) -> None:
        """Refuse a request with it."""
        await exchange.refuse(self.status, self.title, self.detail)


class _Failed(NamedTuple):
    """The same, for what an index didn't answer."""

    error: UpstreamError
    told: tuple[Event, ...]

    async def send(self, exchange: Exchange) -> None:  # noqa: ARG002 - as the others have it
        """Raise it once more."""
        raise UpstreamError(str(self.error))


class _Recorder:
    """An exchange that doesn't answer but keeps what it was told to answer."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.response: tuple[int, list[tuple[bytes, bytes]], bytes] | None = None
        self.refusal: tuple[int, str, str] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    @property
    def answered(self) -> bool:
        """Whether there is an answer, or the client has had one."""
        return self.response is not None or self.refusal is not None or self._exchange.answered

    async def forward(self, answer: Answer | None = None) -> None:
        """Answer at once; what isn't judged isn't kept."""
        await self._exchange.forward(answer)

    async def respond(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes = b"", *, reason: str = ""
    ) -> None:
        """Keep an answer; see `Exchange`."""
        if reason:
            await self._exchange.respond(status, headers, body, reason=reason)
        else:
            self.response = status, list(headers), body

    async def refuse(self, status: int, title: str, detail: str) -> None:
        """Keep a refusal; see `Exchange`."""
        self.refusal = status, title, detail


class SharedPages:
    """Answers requests for pages, each page once for all who ask at the same time. For one event loop.

    Args:
        answer: Answers one request.
        directory: Where long pages are kept.
        again: Tells a ledger once more what it was told, for another client.
    """

    def __init__(
        self,
        answer: Callable[[Exchange], Awaitable[None]],
        directory: str,
        again: Callable[[Iterable[Event]], None],
    ) -> None:
        self._answer, self._directory, self._again = answer, directory, again
        self._turns = Singly()
        self._few = asyncio.Semaphore(AT_ONCE)
        self._kept: dict[bytes, tuple[float, _Response]] = {}
        """With the time until which they are; the oldest first."""
        self._bytes = 0

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request for a page; raises as ``gate.exchange.Responder`` does."""
        key = _key(exchange)
        async with self._turns.turn(key) as shared:
            self._drop_old()
            outcome: _Response | _Refused | _Failed | None = None
            if key in self._kept:
                outcome = self._kept[key][1]
            elif shared:
                outcome = shared[0]
            own = outcome is None
            if own:
                async with self._few:
                    outcome = await self._made(exchange)
                if outcome is not None:
                    shared.append(outcome)
                # An index that errs, or redirects elsewhere, is asked again.
                if isinstance(outcome, _Response) and outcome.status == _OK:
                    self._keep(key, outcome)
        if outcome is None:  # the client has its answer
            return
        if not own:
            self._again(outcome.told)
        await outcome.send(exchange)

    async def _made(self, exchange: Exchange) -> _Response | _Refused | _Failed | None:
        recorder = _Recorder(exchange)
        told: list[Event] = []
        token = events.set(told)
        try:
            await self._answer(cast("Exchange", recorder))
        except UpstreamError as error:
            if exchange.answered:
                raise
            return _Failed(error, tuple(told))
        finally:
            events.reset(token)
        if recorder.refusal is not None:
            status, title, detail = recorder.refusal
            return _Refused(status, title, detail, tuple(told))
        if recorder.response is None:
            return None
        status, headers, body = recorder.response
        file = self._filed(body) if len(body) > _LONG else None
        kept = b"" if file is not None else body
        return _Response(status, headers, kept, file, len(body), tuple(told))

    def _keep(self, key: bytes, outcome: _Response) -> None:
        self._kept[key] = asyncio.get_running_loop().time() + FRESH, outcome
        self._bytes += outcome.length
        self._drop_old()

    def _drop_old(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._kept:
            key, (until, outcome) = next(iter(self._kept.items()))
            if until > now and self._bytes <= _KEPT_BYTES:
                return
            del self._kept[key]
            self._bytes -= outcome.length

    def _filed(self, body: bytes) -> BinaryIO:
        try:
            file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - those who send it keep it open
            file.write(body)
            file.flush()
        except OSError as error:
            raise UsageError(f"a page can't be kept: {error.strerror or error}") from error
        return cast("BinaryIO", file)


def _key(exchange: Exchange) -> bytes:
    """Return what is the same only for requests that get the same answer: all that an index is told."""
    told = hashlib.sha256(exchange.url.encode("utf-8", "surrogateescape"))
    for name, value in sorted(end_to_end(exchange.headers)):
        if name.lower() not in _NOT_TOLD:
            told.update(b"\0%b\0%b" % (name.lower(), value))
    return told.digest()
