"""HTTP/1.1 requests, read and written anew, one at a time: nothing that two parsers could read differently.

All framing and parsing of messages is h11's. Each request has a connection of its own to its server, so
what is left over of one can't become another (RFC 9112 section 11.2).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import h11

from veln_hook.gate.headers import BadRequestError, end_to_end, is_chunked
from veln_hook.gate.hosts import HTTPS_PORT, Target, host_field
from veln_hook.gate.refusing import no_tls
from veln_hook.gate.stream import CutOffError, settled
from veln_hook.gate.turns import BadResponseError, Turn, Turns, next_event

if TYPE_CHECKING:
    from veln_hook.gate.context import Context, Origin
    from veln_hook.gate.listening import Door
    from veln_hook.gate.stream import Stream

_VIA = (b"via", b"1.1 veln-hook")


class Session(Turns):
    """One client's requests, forwarded to servers or handed to whoever covers their targets."""

    def __init__(
        self,
        context: Context,
        client: Stream,
        origin: Origin,
        *,
        fixed: Target | None = None,
        door: Door | None = None,
    ) -> None:
        """Serve a client.

        Args:
            context: The gate's.
            client: Its connection; it is left open.
            origin: Where it came from.
            fixed: The only target there is; see `Turns`.
            door: What each request has to pass, where anybody could have connected.
        """
        super().__init__(context, client, origin, fixed=fixed)
        self._stream, self._door = client, door
        self._admitted = door is None

    async def admit(self, request: h11.Request) -> bool:
        """Tell whether a request brings the password, if it has to (RFC 9110 section 11.7)."""
        if self._door is None:
            return True
        self._admitted = self._door.opens(request)
        if not self._admitted:
            await self.answer(407, self._door.told, self._door.challenge)
        return self._admitted

    async def refuse_unread(self, error: h11.RemoteProtocolError) -> None:
        """Tell a client that its request can't be read, unless it could be anybody."""
        if self._admitted:
            await super().refuse_unread(error)

    async def accept_connect(self) -> None:
        """Answer a CONNECT request with success, and give what follows it back to the stream.

        Raises:
            OSError: The client's connection broke.
            EOFError: It ended.
        """
        await self._send(h11.Response(status_code=200, headers=[], reason=b"Connection established"))
        left, _ = self.http.trailing_data
        self._client.put_back(left)

    async def end_of_connect(self, request: h11.Request) -> None:
        """Read the end of a CONNECT request.

        Raises:
            BadRequestError: It has a body, or could be read as having one.
        """
        framed = any(name in (b"content-length", b"transfer-encoding") for name, _ in request.headers)
        if framed or not isinstance(await self._event(), h11.EndOfMessage):
            raise BadRequestError("a CONNECT request has no body")

    async def serve(self, turn: Turn) -> None:
        """Forward one request and its response; see `Turns`."""
        if turn.target.port == HTTPS_PORT:
            raise no_tls(turn.target)
        handler = self._context.handler(turn.target)
        if handler is not None:
            self._context.note_reached(turn.target, turn.origin)
            await handler.serve_request(replace(turn, request=_without_password(turn.request)), self._context)
            return
        server = await self._context.connect(turn.target, self._origin, self._stream)
        try:
            self._client.watch.keep(self._limits.idle_seconds)
            await self._exchange(server, turn)
        finally:
            server.close()

    async def _exchange(self, server: Stream, turn: Turn) -> None:
        upstream = h11.Connection(h11.CLIENT, max_incomplete_event_size=self._limits.head_bytes)
        # Both at once: a server may answer before it has read everything, and then stop to read.
        upload = asyncio.ensure_future(self._upload(server, upstream, turn, _forwarded(turn)))
        download = asyncio.ensure_future(self._download(server, upstream))
        waiting = {upload, download}
        try:
            while download in waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            await settled(upload, download)

    async def _upload(self, server: Stream, upstream: h11.Connection, turn: Turn, head: h11.Request) -> None:
        if not await _reads(server, upstream.send(head)):
            return
        async for data in turn.body.chunks():
            if not await _reads(server, upstream.send(h11.Data(data=data))):
                return
        await _reads(server, upstream.send(h11.EndOfMessage()))  # without trailers

    async def _download(self, server: Stream, upstream: h11.Connection) -> None:
        while True:
            event = await self._answered(server, upstream)
            if isinstance(event, h11.Response):
                event = _returned(event)
            elif isinstance(event, h11.Data):
                event = h11.Data(data=event.data)
            elif isinstance(event, h11.EndOfMessage):
                await self._send(h11.EndOfMessage())
                return
            else:  # informational: it is for this hop, as `expect` is
                continue
            await self._send(event)

    async def _answered(self, server: Stream, upstream: h11.Connection) -> Any:
        try:
            event = await next_event(upstream, server)
        except (h11.RemoteProtocolError, OSError):
            event = None
        if event is None or isinstance(event, h11.ConnectionClosed):
            # Once the response has begun, the client must see that it is cut off.
            raise CutOffError if self.http.our_state is h11.SEND_BODY else BadResponseError
        return event


async def _reads(server: Stream, data: bytes | None) -> bool:
    """Send data; tell whether the server still reads. What it has answered otherwise is still to be had."""
    try:
        if data:
            await server.write(data)
    except OSError:
        return False
    return True


def _forwarded(turn: Turn) -> h11.Request:
    """Return the request as its server gets it.

    Raises:
        BadRequestError: It has two framings.
    """
    chunked = is_chunked(turn.request)
    headers = [
        (b"host", host_field(turn.target, secure=False).encode("ascii")),
        *end_to_end(turn.request.headers),
        _VIA,
        (b"connection", b"close"),
    ]
    if chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    return h11.Request(method=turn.request.method, target=turn.path.encode("latin-1"), headers=headers)


def _returned(response: h11.Response) -> h11.Response:
    """Return the response as the client gets it; h11 frames it anew."""
    return h11.Response(
        status_code=response.status_code,
        headers=[*end_to_end(response.headers), _VIA],
        reason=response.reason,
    )


def _without_password(request: h11.Request) -> h11.Request:
    headers = [
        (name, value) for name, value in request.headers.raw_items() if name.lower() != b"proxy-authorization"
    ]
    return h11.Request(
        method=request.method, target=request.target, headers=headers, http_version=request.http_version
    )
