"""One request of a client to an index, and everything that can be done with it."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, BinaryIO, Protocol

import h11

from veln_hook.gate.answer import Answer, AnswerCutOffError, TooBigError, UpstreamError
from veln_hook.gate.headers import BadRequestError, end_to_end, is_chunked, unframed
from veln_hook.gate.hosts import Target, Url, origin_of, read_url
from veln_hook.gate.refusing import shown
from veln_hook.gate.stream import BIG_CHUNK, CutOffError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veln_hook.gate.context import Origin
    from veln_hook.gate.limits import Limits
    from veln_hook.gate.turns import Body, Turn

__all__ = ["Answer", "AnswerCutOffError", "Exchange", "Responder", "TooBigError", "UpstreamError"]

_NO_CONTENT, _NOT_MODIFIED = 204, 304
_MAX_REASON = 200
_FOR_ONE_ORIGIN = frozenset({b"authorization", b"cookie"})


class _Passing:
    """A body's place, as h11's ``Data`` takes it: whatever has a length."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length


class Asker(Protocol):
    """What asks servers: ``upstream.Upstream``, or what becomes one when it is needed."""

    async def fetch(
        self,
        method: str,
        url: str | Url,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        body: Body | None = None,
        chunked: bool = False,
    ) -> Answer:
        """Ask, and return the answer as soon as its head is there; see ``upstream.Upstream.fetch``.

        Raises:
            UpstreamError: There is none.
        """
        ...

    async def close(self) -> None:
        """Close what is kept. Nothing can be asked afterwards."""
        ...


class Exchange:
    """One request, until it is answered. To be used in the thread of its event loop only.

    Attributes:
        method: Such as ``GET``.
        target: Host and port; the request's ``Host`` header says the same.
        secure: Whether it came over TLS.
        path: Path and query, as they were sent.
        headers: As h11 has them: names in lower case, ``raw_items()`` as they came.
        origin: Where it came from.
        answered: Whether a response has begun.
        lost: Whether the client can't be reached any more.
        status: Of that response; 0 before.
        sent: How many bytes of it the client has been sent.
    """

    def __init__(self, turn: Turn, upstream: Asker, limits: Limits) -> None:
        """Answer a request that was read."""
        self._turn, self._upstream, self._limits = turn, upstream, limits
        self._http, self._client = turn.http, turn.client
        self._fetched: list[Answer] = []
        self._task = asyncio.current_task()
        self.method = turn.request.method.decode("ascii")
        self.target: Target = turn.target
        self.secure, self.path = turn.secure, turn.path
        self.headers = turn.request.headers
        self.origin: Origin = turn.origin
        self.answered = self.lost = False
        self.status = self.sent = 0

    @property
    def url(self) -> str:
        """What is asked for; the port is left out if it is the scheme's own, and there are no credentials."""
        return f"{origin_of(self.target, secure=self.secure)}{self.path}"

    def header(self, name: bytes) -> bytes | None:
        """Return a header's value, several of them joined (RFC 9110 section 5.3)."""
        values = [value for found, value in self.headers if found == name.lower()]
        return b", ".join(values) if values else None

    async def body(self, limit: int) -> bytes:
        """Return the request's body.

        Raises:
            BadRequestError: It is longer than ``limit`` bytes; the client is told if nobody catches it.
            CutOffError: The client's connection ended.
        """
        pieces: list[bytes] = []
        size = 0
        try:
            async for data in self._turn.body.chunks():
                size += len(data)
                if size > limit:
                    raise BadRequestError(f"the body is longer than {limit} bytes")
                pieces.append(data)
        except OSError:
            self.lost = True
            raise CutOffError from None
        return b"".join(pieces)

    async def fetch(
        self,
        *,
        method: str | None = None,
        url: str | None = None,
        headers: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> Answer:
        """Ask an index, by default for what the client asks for.

        Its body goes along only where neither ``method`` nor ``url`` is given. The answer is to be used as a
        context manager. It ends with this exchange, unless another task than the exchange's asks.

        Args:
            method: Another method.
            url: Another URL. What the client says who it is (``Authorization``, ``Cookie``) goes along only
                to the same scheme, host and port.
            headers: What is sent in place of the client's end-to-end headers.

        Raises:
            UpstreamError: There is no answer.
            CutOffError: The client's connection ended while its body was sent on.
        """
        fields = end_to_end(self.headers) if headers is None else list(headers)
        wanted: str | Url = Url(self.secure, self.target, self.path)
        if url is not None:
            wanted = url
            if not self._is_own(url):
                fields = [(name, value) for name, value in fields if name.lower() not in _FOR_ONE_ORIGIN]
        with_body = method is None and url is None and not self._turn.body.ended()
        if with_body and headers is not None:
            fields = [*unframed(fields), *self._lengths()]
        try:
            answer = await self._upstream.fetch(
                method or self.method,
                wanted,
                fields,
                body=self._turn.body if with_body else None,
                chunked=with_body and is_chunked(self._turn.request),
            )
        except UpstreamError:
            raise
        except CutOffError:
            self.lost = True
            raise
        if asyncio.current_task() is self._task:
            self._fetched.append(answer)
        return answer

    async def forward(self, answer: Answer | None = None) -> None:
        """Give the client an answer as it comes, untouched; by default what `fetch` returns for this request.

        Via fields are left out: servers compress nothing for proxies that say who they are (nginx,
        ``gzip_proxied``).

        Raises:
            UpstreamError: There is no answer; nothing was sent to the client.
            CutOffError: It ended too early, and the client's connection can't be used any more.
            OSError: The client's connection is broken.
        """
        if answer is None:
            answer = await self.fetch()
        async with answer:
            await self._begin(answer.status, end_to_end(answer.headers), answer.reason)
            if answer.length:
                self._announce(answer.length)
            async for data in answer.chunks():
                if answer.length:
                    await self._write(data)
                else:
                    await self._send(h11.Data(data=data))
            await self._send(h11.EndOfMessage())

    async def respond(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes = b"", *, reason: str = ""
    ) -> None:
        """Answer with these bytes.

        Args:
            status: Status code.
            headers: All but those that say how long the body is.
            body: What follows; a response to ``HEAD`` has its length and nothing of it.
            reason: The reason phrase; characters that may not stand there are replaced.

        Raises:
            OSError: The client's connection is broken.
        """
        phrase = shown(reason, _MAX_REASON).encode("ascii")
        await self._begin(status, self._measured(status, headers, len(body)), phrase, body)

    async def respond_file(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], file: BinaryIO, start: int, length: int
    ) -> None:
        """Answer with a part of a file, which others may read at the same time.

        Args:
            status: Status code.
            headers: All but those that say how long the body is.
            file: A real file; its position is neither used nor changed.
            start: Where the part begins, in bytes.
            length: How long it is.

        Raises:
            CutOffError: The file is shorter; the client's connection can't be used any more.
            OSError: The client's connection is broken, or the file can't be read.
        """
        await self._begin(status, self._measured(status, headers, length), b"")
        if not self._has_body(status):
            length = 0
        self._announce(length)
        while length:
            # Its number is asked for each time: a file that was closed meanwhile must not become another one.
            data = os.pread(file.fileno(), min(length, BIG_CHUNK), start)
            if not data:
                raise CutOffError
            await self._write(data)
            start += len(data)
            length -= len(data)
        await self._send(h11.EndOfMessage())

    async def refuse(self, status: int, title: str, detail: str) -> None:
        """Answer with a problem (RFC 9457); its title is the reason phrase too, since installers show one.

        Raises:
            OSError: The client's connection is broken.
        """
        body = json.dumps({"title": title, "status": status, "detail": detail}).encode("ascii")
        headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        await self.respond(status, headers, body, reason=title)

    async def end(self) -> None:
        """Cut off what was fetched and not read."""
        for answer in self._fetched:
            await answer.close()

    def _is_own(self, url: str) -> bool:
        try:
            other = read_url(url)
        except ValueError:
            return False
        return (other.secure, other.target) == (self.secure, self.target)

    def _lengths(self) -> list[tuple[bytes, bytes]]:
        return [(name, value) for name, value in self.headers if name == b"content-length"]

    def _has_body(self, status: int) -> bool:
        return self.method != "HEAD" and status not in (_NO_CONTENT, _NOT_MODIFIED)

    @staticmethod
    def _measured(
        status: int, headers: Iterable[tuple[bytes, bytes]], length: int
    ) -> list[tuple[bytes, bytes]]:
        fields = unframed(headers)
        if status not in (_NO_CONTENT, _NOT_MODIFIED):
            fields.append((b"content-length", str(length).encode("ascii")))
        return fields

    async def _begin(
        self, status: int, headers: list[tuple[bytes, bytes]], reason: bytes, body: bytes | None = None
    ) -> None:
        """Send the head; with a body also that, and the end."""
        if self.answered:
            raise RuntimeError("the exchange has been answered")
        response = h11.Response(status_code=status, headers=headers, reason=reason)
        head = self._http.send(response) or b""
        self.answered, self.status = True, status
        self._client.watch.keep(self._limits.idle_seconds)
        if body is not None:
            if body and self._has_body(status):
                parts = self._http.send_with_data_passthrough(h11.Data(data=body)) or []
                head = await self._joined(head, parts)
            head += self._http.send(h11.EndOfMessage()) or b""
        if head:
            await self._write(head)

    async def _joined(self, head: bytes, parts: list[bytes]) -> bytes:
        size = sum(len(part) for part in parts)
        if size <= BIG_CHUNK:
            return head + b"".join(parts)
        await self._write(head)
        for part in parts:
            await self._write(part)
        return b""

    def _announce(self, length: int) -> None:
        """Tell h11 of a body that then passes it by: it looks at nothing of one with a length but that."""
        self._http.send_with_data_passthrough(h11.Data(data=_Passing(length)))  # type: ignore[arg-type]

    async def _send(self, event: h11.Data | h11.EndOfMessage) -> None:
        for part in self._http.send_with_data_passthrough(event) or []:
            if part:
                await self._write(part)

    async def _write(self, data: bytes) -> None:
        try:
            await self._client.write(data)
        except OSError:
            self.lost = True
            raise
        self.sent += len(data)


class Responder(Protocol):
    """Decides what every request to an index is answered."""

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request, in the gate's event loop, which must not be blocked.

        What it raises refuses the request and is kept as a fault, but for UpstreamError, which becomes
        status 502, and BadRequestError, which becomes 400.
        """
