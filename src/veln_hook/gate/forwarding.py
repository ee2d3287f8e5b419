"""HTTP/1.1 requests, read and written anew, one at a time: nothing that two parsers could read differently.

All framing and parsing of messages is h11's. Each request has a connection of its own to its server, so
what is left over of one can't become another (RFC 9112 section 11.2).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h11

from veln_hook.gate.hosts import HTTP_PORT, HTTPS_PORT, Target, bracketed, read_authority, read_http_url
from veln_hook.gate.refusing import RefusedError, UnreachableError, no_tls, other_host, unreadable
from veln_hook.gate.stream import CutOffError, settled

if TYPE_CHECKING:
    from veln_hook.gate.context import Context, Origin
    from veln_hook.gate.stream import Stream

# RFC 9110 section 7.6.1, and what is said to proxies only. `expect` is answered here.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer"
    b" transfer-encoding upgrade expect host".split()
)
_VIA = (b"via", b"1.1 veln-hook")


class BadRequestError(Exception):
    """A request that can't be understood in one way. Its text is one line for the client."""


class BadResponseError(Exception):
    """A server's response ended or can't be read, and nothing of it has been sent on."""


class Session:
    """One client's requests, one after the other.

    Attributes:
        http: The client's side of it.
    """

    def __init__(
        self, context: Context, client: Stream, origin: Origin, *, fixed: Target | None = None
    ) -> None:
        """Serve a client.

        Args:
            context: The gate's.
            client: Its connection; it is left open.
            origin: Where it came from.
            fixed: The only target there is, for a client that doesn't know that it talks to a proxy;
                without one every request names its own.
        """
        self._context, self._client, self._origin, self._fixed = context, client, origin, fixed
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=context.limits.head_bytes)

    async def run(self) -> h11.Request | None:
        """Serve requests until the client ends, or what is left of the connection has no sure meaning.

        Returns:
            A CONNECT request, unanswered, if one came where targets aren't fixed.

        Raises:
            OSError: The client's connection broke.
            EOFError: It ended within a request.
        """
        try:
            while True:
                self._client.watch.limit(self._context.limits.head_seconds)
                self._client.whole = True
                request = await self._event()
                self._client.whole = False
                if not isinstance(request, h11.Request):
                    return None
                if request.method == b"CONNECT" and self._fixed is None:
                    return request
                if not await self._serve(request):
                    return None
                self.http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await self.answer(error.error_status_hint, f"veln-hook: not a request that can be read: {error}")
        except BadRequestError as error:
            await self.answer(400, f"veln-hook: {error}")
        except RefusedError as refused:
            await self.refuse(refused)
        except UnreachableError as error:
            await self.answer(502, str(error))
        except BadResponseError:
            await self.answer(502, "veln-hook: the server sent no response that can be read")
        return None

    async def refuse(self, refused: RefusedError) -> None:
        """Record a refusal and tell the client."""
        await self._context.note_refusal(refused, self._origin)
        await self.answer(403, str(refused))

    async def answer(self, status: int, line: str) -> None:
        """Send one line as body and reason, unless a response has begun, and wait for the client's end."""
        text = "".join(char if " " <= char <= "~" else "?" for char in line).encode("ascii")
        body = text + b"\n"
        headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        with suppress(h11.LocalProtocolError):
            await self._send(h11.Response(status_code=status, headers=headers, reason=text))
            with suppress(h11.LocalProtocolError):  # the response to HEAD has no body
                await self._send(h11.Data(data=body))
        await self._client.linger(self._context.limits.linger_seconds)

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

    async def _event(self) -> Any:
        return await _next_event(self.http, self._client)

    async def _send(self, event: Any) -> None:
        data = self.http.send(event)
        if data:
            await self._client.write(data)

    async def _serve(self, request: h11.Request) -> bool:
        """Forward one request and its response; tell whether another may follow."""
        target, path = self._read_target(request)
        check_host(request, target)
        if target.port == HTTPS_PORT:
            raise no_tls(target)
        server = await self._context.connect(target, self._origin, self._client)
        try:
            self._client.watch.keep(self._context.limits.idle_seconds)
            await self._exchange(server, _forwarded(request, target, path))
        finally:
            server.close()
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    def _read_target(self, request: h11.Request) -> tuple[Target, str]:
        text = request.target.decode("latin-1")
        if self._fixed is not None and text.startswith("/"):
            return self._fixed, text
        if text.startswith("/") or text == "*":
            raise BadRequestError("this is a proxy: a request names its host in an absolute http URL")
        try:
            target, path = read_http_url(text)
        except ValueError:
            raise unreadable(text) from None
        if self._fixed is not None and target != self._fixed:
            raise other_host(self._fixed, target.host)
        return target, path

    async def _exchange(self, server: Stream, request: h11.Request) -> None:
        upstream = h11.Connection(h11.CLIENT, max_incomplete_event_size=self._context.limits.head_bytes)
        # Both at once: a server may answer before it has read everything, and then stop to read.
        upload = asyncio.ensure_future(self._upload(server, upstream, request))
        download = asyncio.ensure_future(self._download(server, upstream))
        waiting = {upload, download}
        try:
            while download in waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            await settled(upload, download)

    async def _upload(self, server: Stream, upstream: h11.Connection, request: h11.Request) -> None:
        outgoing: Any = request
        while True:
            data = upstream.send(outgoing)
            if data:
                try:
                    await server.write(data)
                except OSError:  # it reads no more; what it has answered is still to be had
                    return
            if isinstance(outgoing, h11.EndOfMessage):
                return
            if self.http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            event = await self._event()
            if isinstance(event, h11.Data):
                outgoing = h11.Data(data=event.data)
            elif isinstance(event, h11.EndOfMessage):
                outgoing = h11.EndOfMessage()  # without trailers
            else:
                raise CutOffError

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
            event = await _next_event(upstream, server)
        except (h11.RemoteProtocolError, OSError):
            event = None
        if event is None or isinstance(event, h11.ConnectionClosed):
            # Once the response has begun, the client must see that it is cut off.
            raise CutOffError if self.http.our_state is h11.SEND_BODY else BadResponseError
        return event


async def _next_event(connection: h11.Connection, stream: Stream) -> Any:
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event
        connection.receive_data(await stream.read())


def check_host(request: h11.Request, target: Target) -> None:
    """Return if a request's ``Host`` header, which HTTP/1.0 may lack, is its target (RFC 9112 section 3.2).

    Raises:
        RefusedError: It is another host.
    """
    for name, value in request.headers:
        if name != b"host":
            continue
        text = value.decode("latin-1")
        try:
            named = read_authority(text, target.port)
        except ValueError:
            raise other_host(target, text) from None
        if named != target:
            raise other_host(target, text)


def _end_to_end(headers: Any) -> list[tuple[bytes, bytes]]:
    """Return h11's headers without those of this hop, in their order and with the case of their names."""
    present = {name for name, _ in headers}
    dropped = set(_HOP_BY_HOP)
    for name, value in headers:
        if name == b"connection":
            dropped.update(option.strip().lower() for option in value.split(b","))
    # Neither `connection: content-length` nor a second framing may change where the message ends.
    dropped.discard(b"content-length")
    if b"transfer-encoding" in present:
        dropped.add(b"content-length")
    return [(name, value) for name, value in headers.raw_items() if name.lower() not in dropped]


def _forwarded(request: h11.Request, target: Target, path: str) -> h11.Request:
    """Return the request as its server gets it.

    Raises:
        BadRequestError: It has two framings, which is how requests are smuggled (RFC 9112 section 6.3).
    """
    names = {name for name, _ in request.headers}
    chunked = b"transfer-encoding" in names
    if chunked and b"content-length" in names:
        raise BadRequestError("a request has either Transfer-Encoding or Content-Length")
    host = bracketed(target.host) if target.port == HTTP_PORT else str(target)
    headers = [
        (b"host", host.encode("ascii")),
        *_end_to_end(request.headers),
        _VIA,
        (b"connection", b"close"),
    ]
    if chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    return h11.Request(method=request.method, target=path.encode("latin-1"), headers=headers)


def _returned(response: h11.Response) -> h11.Response:
    """Return the response as the client gets it; h11 frames it anew."""
    return h11.Response(
        status_code=response.status_code,
        headers=[*_end_to_end(response.headers), _VIA],
        reason=response.reason,
    )
