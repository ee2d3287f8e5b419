"""Asks indexes, in the place of the gate's clients: HTTP/1.1, by h11, over connections that are kept.

Who may be asked is the responder's word. No rule about private addresses applies here: an index can well lie
on this machine.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, NamedTuple, Optional
from urllib.parse import quote

import h11

from veln_hook.gate.answer import Answer, AnswerCutOffError, TooBigError, UpstreamError
from veln_hook.gate.headers import unframed
from veln_hook.gate.hosts import Url, host_field, read_url
from veln_hook.gate.limits import Limits
from veln_hook.gate.pool import Dialer, Link, Place, Pool
from veln_hook.gate.proxies import Proxies, Proxy
from veln_hook.gate.refusing import shown
from veln_hook.gate.resolve import Connector
from veln_hook.gate.stream import CutOffError, settled
from veln_hook.gate.trust import trust_from

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from veln_hook.gate.resolve import Resolver
    from veln_hook.gate.turns import Body

__all__ = [
    "Answer",
    "AnswerCutOffError",
    "Proxies",
    "Proxy",
    "TooBigError",
    "Upstream",
    "UpstreamError",
    "trust_from",
]

_REPEATABLE = frozenset({"GET", "HEAD"})
_MAX_INFORMATIONAL = 16
_URL_CHARACTERS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_PROXY_AUTHENTICATION = 407


class _Anywhere:
    """What the rules about private addresses say here: nothing."""

    @staticmethod
    def may_be_private(host: str, port: int) -> bool:  # noqa: ARG004 - as `Rules` has it
        return True


class _Question(NamedTuple):
    place: Place
    method: str
    url: str
    head: h11.Request
    body: Optional[Body]


class _StaleError(Exception):
    """A connection that was kept had been closed by its server."""


class Upstream:
    """Asks servers. It is bound to the event loop in which it is asked first, and closed there."""

    def __init__(
        self,
        *,
        trust: ssl.SSLContext,
        proxies: Proxies | None = None,
        limits: Limits | None = None,
        resolver: Resolver = socket.getaddrinfo,
    ) -> None:
        """Connect to nothing yet.

        Args:
            trust: What servers are checked by; see `trust_from`.
            proxies: What is gone through; see `Proxies.from_environment`.
            limits: How much is spent.
            resolver: What names are looked up with.
        """
        self._trust, self._proxies, self._resolver = trust, proxies or Proxies(), resolver
        self._limits = limits or Limits()
        self._pool: Pool | None = None
        self._connector: Connector | None = None

    async def fetch(
        self,
        method: str,
        url: str | Url,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        body: Body | None = None,
        chunked: bool = False,
    ) -> Answer:
        """Ask, and return the answer as soon as its head is there.

        Args:
            method: Such as ``GET``.
            url: What for; a fragment is left out.
            headers: End-to-end headers, sent as they are, but for those of one hop, ``Host`` and, without a
                body, its length.
            body: What is sent along, while the answer is read already.
            chunked: Whether that has no length among the headers.

        Returns:
            The answer, of any status; redirections are not followed.

        Raises:
            UpstreamError: There is none.
        """
        question = self._prepared(method, url, headers, body, chunked=chunked)
        pool = self._ready()
        try:
            return await self._ask(pool, await pool.take(question.place), question)
        except _StaleError:
            if body is not None or method not in _REPEATABLE:
                raise UpstreamError(f"{question.place} closed the connection") from None
        return await self._ask(pool, await pool.take(question.place, fresh=True), question)

    async def close(self) -> None:
        """Close what is kept. Nothing can be asked afterwards."""
        pool = self._ready()
        pool.close()
        if self._connector is not None:
            self._connector.wait()

    def _ready(self) -> Pool:
        if self._pool is None:
            self._connector = Connector(self._resolver, _Anywhere(), self._limits)
            self._pool = Pool(Dialer(self._connector, self._trust, self._limits), self._limits)
        return self._pool

    def _prepared(
        self,
        method: str,
        url: str | Url,
        headers: Iterable[tuple[bytes, bytes]],
        body: Body | None,
        *,
        chunked: bool,
    ) -> _Question:
        try:
            wanted = read_url(_encoded(url)) if isinstance(url, str) else url
        except ValueError:
            raise UpstreamError(f"{shown(str(url), 200)} is no URL that can be asked for") from None
        place = Place(wanted.secure, wanted.target, self._proxies.find(wanted.target, secure=wanted.secure))
        fields = [(b"host", host_field(wanted.target, secure=wanted.secure).encode("ascii"))]
        if body is not None:
            fields += [(name, value) for name, value in headers if name.lower() != b"host"]
            if chunked:
                fields.append((b"transfer-encoding", b"chunked"))
        else:
            fields += unframed(headers)
        path = wanted.path
        if place.proxy is not None and not place.secure:
            path = str(wanted)
            if place.proxy.authorization is not None:
                fields.append((b"proxy-authorization", place.proxy.authorization))
        try:
            head = h11.Request(method=method, target=path, headers=fields)
        except h11.LocalProtocolError as error:
            raise UpstreamError(f"{shown(str(wanted), 200)} can't be asked for: {error}") from None
        return _Question(place, method, str(wanted), head, body)

    async def _ask(self, pool: Pool, link: Link, question: _Question) -> Answer:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=self._limits.head_bytes)
        upload: asyncio.Task[None] | None = None
        try:
            data = http.send(question.head) or b""
            if question.body is None:
                data += http.send(h11.EndOfMessage()) or b""
            link.watch.limit(self._limits.answer_seconds)
            await self._begin(link, data)
            if question.body is not None:
                upload = asyncio.ensure_future(_send(link, http, question.body))
            response = await self._head(link, http, upload)
            return Answer(pool, link, http, response, method=question.method, url=question.url, upload=upload)
        except BaseException:
            pool.drop(link)
            if upload is not None:
                await settled(upload)
            raise

    async def _begin(self, link: Link, data: bytes) -> None:
        try:
            await link.wire.write(data)
        except OSError:
            raise self._broken(link) from None

    async def _head(
        self, link: Link, http: h11.Connection, upload: asyncio.Task[None] | None
    ) -> h11.Response:
        place = link.place
        try:
            for _ in range(_MAX_INFORMATIONAL):
                event = await _next(link, http, upload)
                if isinstance(event, h11.Response):
                    break
            else:
                raise UpstreamError(f"{place} never comes to its answer")
        except OSError:
            raise self._broken(link) from None
        except h11.RemoteProtocolError as error:
            if link.expired:
                raise self._broken(link) from None
            raise UpstreamError(f"the answer of {place} can't be read: {shown(str(error), 200)}") from None
        if place.proxy is not None and not place.secure and event.status_code == _PROXY_AUTHENTICATION:
            raise UpstreamError(f"the proxy of {place.proxy.variable} wants other credentials")
        return event

    @staticmethod
    def _broken(link: Link) -> Exception:
        if link.expired:
            return UpstreamError(f"{link.place} doesn't answer in time")
        if link.used:
            return _StaleError(f"{link.place} closed the connection")
        return UpstreamError(f"{link.place} closed the connection without an answer")


async def _next(link: Link, http: h11.Connection, upload: asyncio.Task[None] | None) -> Any:
    """Return the next event; if the client's side of the upload breaks meanwhile, that is raised."""
    if upload is None or upload.done():
        if upload is not None:
            upload.result()
        return await _received(link, http)
    coming = asyncio.ensure_future(_received(link, http))
    try:
        await asyncio.wait({coming, upload}, return_when=asyncio.FIRST_COMPLETED)
        if upload.done():
            upload.result()
        return await coming
    finally:
        await settled(coming)


async def _received(link: Link, http: h11.Connection) -> Any:
    while True:
        event = http.next_event()
        if event is not h11.NEED_DATA:
            return event
        data = await link.wire.read()
        if not data and not http.trailing_data[0]:
            raise ConnectionResetError  # to the parser, the end of nothing is an answer that can't be read
        http.receive_data(data)


async def _send(link: Link, http: h11.Connection, body: Body) -> None:
    """Send a request's body and its end, without trailers.

    Raises:
        CutOffError: The client's side of it broke.
    """
    try:
        async for data in body.chunks():
            link.watch.limit(link.limits.answer_seconds)
            if not await _reads(link, http.send(h11.Data(data=data))):
                return
    except OSError:
        raise CutOffError from None
    await _reads(link, http.send(h11.EndOfMessage()))


async def _reads(link: Link, data: bytes | None) -> bool:
    """Send data; tell whether the server still reads. What it has answered otherwise is still to be had."""
    try:
        if data:
            await link.wire.write(data)
    except OSError:
        return False
    return True


def _encoded(url: str) -> str:
    """Return a URL with what may not stand in one percent-encoded, as browsers and uv do it."""
    return quote(url, safe=_URL_CHARACTERS)
