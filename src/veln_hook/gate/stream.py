"""Connections of the event loop, with the bytes that were read too far and the time that is left."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, Callable

CHUNK = 1 << 16
"""Bytes that are read at once, and that one direction of a connection holds at most."""
BIG_CHUNK = 1 << 18
"""The same, where long bodies pass: each piece costs as much as a hundred KiB of it."""
_LINGER_BYTES = 1 << 20


class CutOffError(EOFError):
    """A connection ended in the middle of something."""


class Watch:
    """Ends a connection whose time is over. To be used in the thread of its event loop only."""

    def __init__(self, loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> None:
        """Watch for nothing yet; ``end`` is called once a second from the moment when time is over."""
        self._loop, self._end = loop, end
        self._idle: float | None = None
        self._at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, seconds: float) -> None:
        """Give this much time to what follows, no matter how much is sent meanwhile."""
        self._idle = None
        self._set(self._loop.time() + seconds)

    def keep(self, idle: float) -> None:
        """Give as long as something is sent every ``idle`` seconds."""
        self._idle = idle
        self._set(self._loop.time() + idle)

    def touch(self) -> None:
        """Note that something was sent."""
        if self._idle is not None:
            self._at = self._loop.time() + self._idle

    def pause(self) -> None:
        """Give all the time there is, until the next limit."""
        self._idle, self._at = None, math.inf

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, at: float) -> None:
        self._at = at
        # A timer that fires too early looks again; so most limits cost no timer.
        if self._timer is None or self._timer.when() > at:
            self.stop()
            self._timer = self._loop.call_at(at, self._fire)

    def _fire(self) -> None:
        now = self._loop.time()
        if self._at == math.inf:
            self._timer = None
            return
        if now >= self._at:
            self._end()
            if self._timer is None:  # nothing is left to be ended
                return
            # A cancellation can be lost, as in asyncio.wait_for before Python 3.12.
            self._at = now + 1
        self._timer = self._loop.call_at(self._at, self._fire)


class Wire(ABC):
    """Bytes in both directions. To be used in the thread of its event loop only.

    Attributes:
        watch: What ends it when its time is over.
        whole: Whether nothing would be missing if it ended now.
    """

    watch: Watch
    whole: bool

    def __init__(self) -> None:
        self._ahead = bytearray()

    async def read(self, most: int = CHUNK) -> bytes:
        """Return what there is, waiting for it; nothing at the end.

        Raises:
            OSError: The connection is broken.
        """
        if self._ahead:
            data = bytes(self._ahead[:most])
            del self._ahead[:most]
            return data
        # A socket that always has data would never let another connection run.
        await asyncio.sleep(0)
        data = await self.receive(most)
        self.watch.touch()
        return data

    async def fill(self) -> bool:
        """Read further ahead, and tell whether there was something.

        Raises:
            OSError: The connection is broken.
        """
        await asyncio.sleep(0)
        data = await self.receive(CHUNK)
        self._ahead += data
        return bool(data)

    async def exactly(self, count: int) -> bytes:
        """Return that many bytes.

        Raises:
            CutOffError: They end before.
            OSError: The connection is broken.
        """
        while len(self._ahead) < count:
            if not await self.fill():
                raise CutOffError
        data = bytes(self._ahead[:count])
        del self._ahead[:count]
        return data

    def ahead(self) -> bytes:
        """Return what was read ahead, without taking it."""
        return bytes(self._ahead)

    def put_back(self, data: bytes) -> None:
        """Have these bytes read first."""
        self._ahead[:0] = data

    @abstractmethod
    async def receive(self, most: int) -> bytes:
        """Return what comes next over the network, past what was read ahead; nothing at the end.

        Raises:
            OSError: The connection is broken.
        """

    @abstractmethod
    def at_once(self) -> bytes | None:
        """Return what has come, without waiting: nothing at the end, ``None`` if nothing has come.

        Raises:
            OSError: The connection is broken.
        """

    @abstractmethod
    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything.

        Raises:
            OSError: The connection is broken.
        """

    @abstractmethod
    async def linger(self, seconds: float) -> None:
        """End the direction of sending, then wait for the other side's end, so that it reads what was sent.

        Closing a socket with unread bytes resets the connection, and what was sent last is lost.
        """

    @abstractmethod
    def close(self) -> None:
        """Close it. Does nothing the second time."""


class Stream(Wire):
    """One connected TCP socket.

    Attributes:
        sock: The socket.
    """

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        """Take a socket over; it is closed with the stream."""
        super().__init__()
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.watch = sock, watch
        self.whole = False
        self._loop = asyncio.get_running_loop()

    async def receive(self, most: int) -> bytes:
        """Return what comes next; see `Wire`."""
        return await self._loop.sock_recv(self.sock, most)

    def at_once(self) -> bytes | None:
        """Return what has come; see `Wire`."""
        try:
            return self.sock.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return None

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything; see `Wire`."""
        await self._loop.sock_sendall(self.sock, data)
        self.watch.touch()

    async def copy_to(self, other: Stream) -> None:
        """Send the other one everything until the end, then end it in that direction (RFC 9293: half-close).

        Raises:
            OSError: A connection is broken.
        """
        while self._ahead:
            await other.write(await self.read())
        buffer = memoryview(bytearray(CHUNK))
        while True:
            await asyncio.sleep(0)
            count = await self._loop.sock_recv_into(self.sock, buffer)
            if not count:
                break
            await other.write(buffer[:count])
        with suppress(OSError):  # it may be gone in both directions
            other.sock.shutdown(socket.SHUT_WR)

    async def linger(self, seconds: float) -> None:
        """End the direction of sending and wait for the other side's end; see `Wire`."""
        self.whole = True
        self.watch.stop()
        until = self._loop.time() + seconds
        timer = self._loop.call_later(seconds, self._end_reading)
        left = _LINGER_BYTES
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            # What comes after the end of reading is still read, so that alone is no end.
            while left > 0 and self._loop.time() < until:
                data = await self.read()
                if not data:
                    break
                left -= len(data)
        timer.cancel()

    def _end_reading(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RD)

    def reset(self) -> None:
        """Close it; unless it is whole the other side sees an error, and no end that it could believe."""
        if not self.whole:
            with suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close it. Does nothing the second time."""
        self.sock.close()


async def join(client: Stream, server: Stream) -> None:
    """Copy in both directions until both have ended.

    Raises:
        OSError: A connection is broken.
    """
    await together(client.copy_to(server), server.copy_to(client))


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run all of them; none is left running when this returns or raises what the first one raised."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        await settled(*tasks)


async def settled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended, whatever they end with."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def first_to_speak(client: Stream, server: Stream) -> Stream:
    """Return the one that has something to read first, or has ended; nothing is read."""
    if client.ahead():
        return client
    loop = asyncio.get_running_loop()
    spoke: asyncio.Future[Stream] = loop.create_future()

    def note(stream: Stream) -> None:
        if not spoke.done():
            spoke.set_result(stream)

    for stream in (client, server):
        loop.add_reader(stream.sock, note, stream)
    try:
        return await spoke
    finally:
        for stream in (client, server):
            loop.remove_reader(stream.sock)
