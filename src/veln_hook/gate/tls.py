"""TLS over a connection of the event loop, on either side of it.

``asyncio``'s own needs its transports, and can't begin with bytes that were already read before Python 3.11.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from veln_hook.gate.stream import BIG_CHUNK, CHUNK, Wire

if TYPE_CHECKING:
    from veln_hook.gate.stream import Watch

_RECORD = 1 << 14  # RFC 8446 section 5.1: one call of OpenSSL's returns no more


class _Scratch(threading.local):
    """Where a thread decrypts to: joining records costs twice as much as decrypting them."""

    def __init__(self) -> None:
        self.space = memoryview(bytearray(BIG_CHUNK))


_SCRATCH = _Scratch()


class TlsStream(Wire):
    """TLS over another connection, which is closed with it."""

    def __init__(
        self,
        inner: Wire,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        name: Optional[str] = None,
        session: Optional[ssl.SSLSession] = None,
    ) -> None:
        """Begin nothing yet.

        Args:
            inner: What it goes over.
            context: Certificates and what is trusted; whether names are checked is a matter of it.
            server_side: Which side this is.
            name: Whom to reach, on the client's side.
            session: One of an earlier connection with this name and context, to be resumed.
        """
        super().__init__()
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=name, session=session
        )
        self._ended = self._cut_off = False
        self._sending = asyncio.Lock()

    @property
    def tls(self) -> ssl.SSLObject:
        """What knows the certificate, the protocol and the session."""
        return self._tls

    @property
    def watch(self) -> Watch:  # type: ignore[override] # it has one with its inner one
        """What ends it when its time is over."""
        return self._inner.watch

    @property
    def whole(self) -> bool:
        """Whether nothing would be missing if it ended now."""
        return self._inner.whole

    @whole.setter
    def whole(self, whole: bool) -> None:
        self._inner.whole = whole

    async def handshake(self) -> None:
        """Shake hands; the other side is told why if it comes to nothing.

        Raises:
            OSError: It came to nothing (``ssl.SSLError``), or the connection is broken.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
            except ssl.SSLError:
                with suppress(OSError):
                    await self._flush()
                raise
            else:
                await self._flush()
                return

    async def read(self, most: int = CHUNK) -> bytes:
        """Return what there is; see `Wire`."""
        if not self._ahead:
            data = self._decrypted(most)
            if data or self._ended:  # it was received before, and so another connection had its turn
                return data
        return await super().read(most)

    async def receive(self, most: int) -> bytes:
        """Return what comes next; see `Wire`."""
        while True:
            data = self._decrypted(most)
            if data or self._ended:
                return data
            if self._outgoing.pending:
                await self._flush()
            await self._feed()

    def at_once(self) -> bytes | None:
        """Return what has come; see `Wire`."""
        while True:
            data = self._decrypted(CHUNK)
            if data or self._ended:
                return data
            raw = self._inner.at_once()
            if raw is None:
                return None
            self._put(raw)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything; see `Wire`."""
        view = memoryview(data)
        at = 0
        while at < len(view):
            # More at once is no cheaper, and OpenSSL keeps the memory.
            at += self._tls.write(view[at : at + CHUNK])
            await self._flush()

    async def finish(self) -> None:
        """Tell the other side that nothing more comes, and that nothing was cut off (RFC 8446 section 6.1).

        Raises:
            OSError: The connection is broken.
        """
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush()

    async def linger(self, seconds: float) -> None:
        """End the direction of sending and wait for the other side's end; see `Wire`."""
        with suppress(OSError):
            await self.finish()
        await self._inner.linger(seconds)

    def close(self) -> None:
        """Close it. Does nothing the second time."""
        self._inner.close()

    def _decrypted(self, most: int) -> bytes:
        """Return what can be decrypted of what has come."""
        space = _SCRATCH.space
        most, at = min(most, len(space)), 0
        while at < most and not self._ended:
            try:
                # With a buffer it returns how much it put there, whatever typeshed says.
                count: int = self._tls.read(min(most - at, _RECORD), space[at:])  # type: ignore[assignment]
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                count = 0
            at += count
            if not count and self._cut_off:  # Python 3.9 tells OpenSSL 3 to take it for an end
                raise ssl.SSLEOFError("the connection ended, and TLS did not")
            self._ended = not count
        return bytes(space[:at])

    async def _feed(self) -> None:
        self._put(await self._inner.read(BIG_CHUNK))

    def _put(self, raw: bytes) -> None:
        if raw:
            self._incoming.write(raw)
        else:
            self._cut_off = True
            self._incoming.write_eof()  # to OpenSSL, an error: nobody has said that it is the end

    async def _flush(self) -> None:
        # Reading can have to send, too, and what two tasks send must not mix.
        async with self._sending:
            data = self._outgoing.read()
            if data:
                await self._inner.write(data)
