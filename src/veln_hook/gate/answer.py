"""What an index answered, read as it comes; and everything that can go wrong with that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import h11

from veln_hook.gate.headers import options
from veln_hook.gate.stream import BIG_CHUNK, CutOffError, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from veln_hook.gate.pool import Link, Pool

_BODILESS = frozenset({204, 304})


class UpstreamError(Exception):
    """An index can't be asked, or there is no good answer. Its text is one line for the user."""


class AnswerCutOffError(UpstreamError, CutOffError):
    """An answer ended before its end."""


class TooBigError(UpstreamError):
    """An answer's body is longer than it may be."""


class Answer:
    """One answer. A context manager: what wasn't read to its end when it is left is cut off.

    Attributes:
        status: Its status code.
        reason: Its reason phrase.
        headers: As h11 has them: names in lower case, ``raw_items()`` as they came.
        url: What was asked for.
        length: How long its body is to be, in bytes, if that is known.
    """

    def __init__(
        self,
        pool: Pool,
        link: Link,
        http: h11.Connection,
        response: h11.Response,
        *,
        method: str,
        url: str,
        upload: asyncio.Task[None] | None = None,
    ) -> None:
        """Begin to read a body.

        Args:
            pool: Where the connection goes when it has been read.
            link: The connection.
            http: Its parser, which has read the head.
            response: The head.
            method: What was asked with.
            url: What was asked for.
            upload: What still sends the request's body.

        Raises:
            UpstreamError: It could be read in two ways (RFC 9112 section 6.3).
        """
        self.status, self.reason, self.headers = response.status_code, response.reason, response.headers
        self.url = url
        self._pool, self._http, self._upload = pool, http, upload
        self._link: Link | None = link
        names = {name for name, _ in response.headers}
        if {b"content-length", b"transfer-encoding"} <= names:
            raise UpstreamError(f"the answer of {link.place} has two lengths")
        self._lasting = response.http_version == b"1.1" and b"close" not in options(response.headers)
        self._chunked = b"transfer-encoding" in names
        self.length: int | None = None
        if method == "HEAD" or self.status in _BODILESS:
            self.length = 0
        elif b"content-length" in names:
            self.length = int(self.header(b"content-length") or b"0")
        self._left = self.length or 0
        self._begun = b""
        if self.length is not None:
            # The parser would copy it three times, and knows no more of it than its length.
            self._begun, _ = http.trailing_data
            if self._left == 0:
                self._end()
        if self._link is not None:
            link.watch.pause()
        self._left_seconds = link.limits.body_seconds

    def header(self, name: bytes) -> bytes | None:
        """Return a header's value, several of them joined (RFC 9110 section 5.3)."""
        values = [value for found, value in self.headers if found == name.lower()]
        return b", ".join(values) if values else None

    async def some(self) -> bytes:
        """Return what comes next of the body; nothing at its end.

        Its content coding is untouched, its transfer coding removed.

        Raises:
            AnswerCutOffError: It ends too early.
        """
        link = self._link
        if link is None:
            return b""
        # Only what the index takes counts: whoever reads may do so as slowly as its client.
        now = asyncio.get_running_loop().time
        began = now()
        link.watch.limit(min(link.limits.stall_seconds, self._left_seconds))
        try:
            data = await (self._parsed(link) if self.length is None else self._counted(link))
        except (OSError, EOFError, h11.RemoteProtocolError):
            raise self._cut_off("didn't go on in time" if link.expired else "was cut off") from None
        except BaseException:
            self._drop()
            raise
        link.watch.pause()
        self._left_seconds -= now() - began
        if not data or (self.length is not None and self._left == 0):
            self._end()
        return data

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body, as `some` returns it.

        Raises:
            AnswerCutOffError: It ends too early.
        """
        while True:
            data = await self.some()
            if not data:
                return
            yield data

    async def read(self, limit: int) -> bytes:
        """Return the whole body, as `some` returns it.

        Raises:
            TooBigError: It is longer than ``limit`` bytes.
            AnswerCutOffError: It ends too early.
        """
        pieces: list[bytes] = []
        size = self.length or 0
        if size <= limit:
            size = 0
            while size <= limit:
                data = await self.some()
                if not data:
                    return b"".join(pieces)
                pieces.append(data)
                size += len(data)
        await self.close()
        raise TooBigError(f"the answer of {self.url.partition('?')[0]} is longer than {limit} bytes")

    async def close(self) -> None:
        """Cut off what wasn't read. Does nothing the second time, and nothing at the end."""
        self._drop()
        if self._upload is not None:
            await settled(self._upload)

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _counted(self, link: Link) -> bytes:
        if self._begun:
            data, self._begun = self._begun[: self._left], self._begun[self._left :]
        else:
            data = await link.wire.read(min(self._left, BIG_CHUNK))
            if not data:
                raise CutOffError
        self._left -= len(data)
        return data

    async def _parsed(self, link: Link) -> bytes:
        while True:
            event: Any = self._http.next_event()
            if event is h11.NEED_DATA:
                # A close that TLS has not announced is an error here, and no end.
                self._http.receive_data(await link.wire.read(BIG_CHUNK))
            elif isinstance(event, h11.Data):
                if event.data:
                    return bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return b""
            else:
                raise CutOffError

    def _cut_off(self, how: str) -> AnswerCutOffError:
        place = self._link.place if self._link is not None else self.url
        self._drop()
        return AnswerCutOffError(f"the answer of {place} {how}")

    def _end(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        left = self._begun if self.length is not None else self._http.trailing_data[0]
        uploaded = self._upload is None or (self._upload.done() and not self._upload.cancelled())
        framed = self.length is not None or self._chunked
        if self._lasting and framed and uploaded and not left and not link.expired:
            self._pool.give(link)
        else:
            self._pool.drop(link)

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._pool.drop(link)
