"""Tells how a gate is, over plain HTTP on a listener of its own: for a monitor, not for clients."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import h11

from veln_hook.standing.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable

_MAX_CONNECTIONS = 32
_SECONDS = 30.0
"""For one whole connection, the answer included."""
_HEAD_BYTES = 8192
_TEXT = "text/plain; charset=utf-8"


class Told(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    content_type: str = _TEXT


class StatusListener:
    """Answers ``GET /healthz`` and ``GET /metrics``, one request a connection.

    Args:
        health: Tells what is wrong, a line each; nothing if all is well.
        metrics: Returns figures in the text format.
    """

    def __init__(
        self, health: Callable[[], Awaitable[list[str]]], metrics: Callable[[], Awaitable[bytes]]
    ) -> None:
        self._health, self._metrics = health, metrics
        self._open: set[asyncio.Task[Any]] = set()
        self._server: asyncio.AbstractServer | None = None

    async def listen(self, sock: socket.socket) -> None:
        """Begin to answer at a listening socket, which becomes this one's own."""
        self._server = await asyncio.start_server(self._connected, sock=sock, limit=_HEAD_BYTES)

    async def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if len(self._open) < _MAX_CONNECTIONS and task is not None:
            self._open.add(task)
            with suppress(OSError, EOFError, asyncio.TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._serve(reader, writer), _SECONDS)
            self._open.discard(task)
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
        try:
            event: Any = http.next_event()
            while event is h11.NEED_DATA:
                http.receive_data(await reader.read(_HEAD_BYTES))
                event = http.next_event()
        except h11.RemoteProtocolError as error:
            told = Told(error.error_status_hint, b"this is no request\n")
        else:
            if not isinstance(event, h11.Request):
                return
            told = await self._answer(event)
        headers = [
            ("content-type", told.content_type),
            ("content-length", str(len(told.body))),
            ("cache-control", "no-store"),
            ("connection", "close"),
        ]
        data = http.send(h11.Response(status_code=told.status, headers=headers)) or b""
        with suppress(h11.LocalProtocolError):  # the response to HEAD has no body
            data += http.send(h11.Data(data=told.body)) or b""
        writer.write(data)
        await writer.drain()

    async def _answer(self, request: h11.Request) -> Told:
        if request.method not in (b"GET", b"HEAD"):
            return Told(405, b"only GET and HEAD\n")
        path = request.target.partition(b"?")[0]
        if path == b"/metrics":
            return Told(200, await self._metrics(), CONTENT_TYPE)
        if path == b"/healthz":
            problems = await self._health()
            return Told(
                503 if problems else 200, "".join(f"{line}\n" for line in problems or ["ok"]).encode()
            )
        return Told(404, b"there are /healthz and /metrics\n")
