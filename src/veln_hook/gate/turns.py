"""A client's requests, read one after the other; who answers them is a matter of the subclass.

All framing and parsing of messages is h11's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h11

from veln_hook.gate.headers import BadRequestError, check_host, is_chunked
from veln_hook.gate.hosts import Target, read_http_url
from veln_hook.gate.refusing import RefusedError, UnreachableError, other_host, shown, unreadable
from veln_hook.gate.stream import CutOffError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from veln_hook.gate.context import Context, Origin
    from veln_hook.gate.stream import Wire


class BadResponseError(Exception):
    """A server's response ended or can't be read, and nothing of it has been sent on."""


class Body:
    """The body of the request that a client is at."""

    def __init__(self, http: h11.Connection, client: Wire) -> None:
        """Read nothing yet."""
        self._http, self._client = http, client
        self._next: Any = None

    def ended(self) -> bool:
        """Tell whether nothing of it is left; nothing is waited for.

        Raises:
            h11.RemoteProtocolError: It isn't framed as it should be.
        """
        if self._next is None and self._http.their_state is h11.SEND_BODY:
            event = self._http.next_event()
            self._next = None if event is h11.NEED_DATA else event
        return self._http.their_state is not h11.SEND_BODY and not isinstance(self._next, h11.Data)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Read it, and tell the client to send it if it waits for that (RFC 9110 section 10.1.1).

        Raises:
            h11.RemoteProtocolError: It isn't framed as it should be.
            CutOffError: It ends too early.
            OSError: The connection is broken.
        """
        while not self.ended():
            event, self._next = self._next, None
            if event is None:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                    await self._client.write(self._http.send(go_on) or b"")
                event = await next_event(self._http, self._client)
            if isinstance(event, h11.Data):
                yield event.data
            elif not isinstance(event, h11.EndOfMessage):
                raise CutOffError


@dataclass(frozen=True)
class Turn:
    """One request that was read, and is to be answered."""

    http: h11.Connection
    """The client's side; it waits for a response."""
    client: Wire
    request: h11.Request
    target: Target
    """Where the request belongs; its ``Host`` header says the same."""
    secure: bool
    """Whether it came in TLS."""
    path: str
    """Path and query, as they were sent."""
    body: Body
    origin: Origin


class Turns(ABC):
    """One client's requests, one after the other.

    Attributes:
        http: The client's side of it.
    """

    def __init__(
        self,
        context: Context,
        client: Wire,
        origin: Origin,
        *,
        fixed: Target | None = None,
        secure: bool = False,
    ) -> None:
        """Serve a client.

        Args:
            context: The gate's.
            client: Its connection; it is left open.
            origin: Where it came from.
            fixed: The only target there is, for a client that doesn't know that it talks to a proxy;
                without one every request names its own.
            secure: Whether the connection is TLS, for that target.
        """
        self._context, self._client, self._origin, self._limits = context, client, origin, context.limits
        self._fixed, self._secure = fixed, secure
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes)

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
                self._client.watch.limit(self._limits.head_seconds)
                self._client.whole = True
                request = await self._event()
                self._client.whole = False
                if not isinstance(request, h11.Request) or not await self.admit(request):
                    return None
                if request.method == b"CONNECT" and self._fixed is None:
                    return request
                if not await self._serve(request):
                    return None
                self.http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await self.refuse_unread(error)
        except BadRequestError as error:
            await self.answer(400, f"veln-hook: {error}")
        except RefusedError as refused:
            await self.refuse(refused)
        except UnreachableError as error:
            await self.answer(502, str(error))
        except BadResponseError:
            await self.answer(502, "veln-hook: the server sent no response that can be read")
        return None

    async def admit(self, request: h11.Request) -> bool:  # noqa: ARG002 - for those who ask for a password
        """Tell whether a request may be looked at; if not, it has been answered."""
        return True

    @abstractmethod
    async def serve(self, turn: Turn) -> None:
        """Answer a request.

        Raises:
            RefusedError: Its target is not allowed; the client isn't answered yet.
            UnreachableError: The same, and it can't be reached.
            BadRequestError: The same, and it is no good request.
            BadResponseError: The same, and there is no good response.
            OSError: A connection broke.
            EOFError: One ended too early.
        """

    async def refuse(self, refused: RefusedError) -> None:
        """Record a refusal and tell the client."""
        await self._context.note_refusal(refused, self._origin)
        await self.answer(403, str(refused))

    async def refuse_unread(self, error: h11.RemoteProtocolError) -> None:
        """Tell the client that its request can't be read."""
        await self.answer(error.error_status_hint, f"veln-hook: not a request that can be read: {error}")

    async def answer(self, status: int, line: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send one line as body and reason, unless a response has begun, and wait for the client's end."""
        text = shown(line, self._limits.head_bytes).encode("ascii")
        body = text + b"\n"
        fields = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(body))),
            ("connection", "close"),
            *headers,
        ]
        with suppress(h11.LocalProtocolError):
            await self._send(h11.Response(status_code=status, headers=fields, reason=text))
            with suppress(h11.LocalProtocolError):  # the response to HEAD has no body
                await self._send(h11.Data(data=body))
        await self._client.linger(self._limits.linger_seconds)

    async def _event(self) -> Any:
        return await next_event(self.http, self._client)

    async def _send(self, event: Any) -> None:
        data = self.http.send(event)
        if data:
            await self._client.write(data)

    async def _serve(self, request: h11.Request) -> bool:
        """Have one request answered; tell whether another may follow."""
        target, path = self._read_target(request)
        check_host(request, target)
        is_chunked(request)
        body = Body(self.http, self._client)
        await self.serve(
            Turn(self.http, self._client, request, target, self._secure, path, body, self._origin)
        )
        if not body.ended():
            # What is left of it can't be told from a request; the client is to see its response first.
            await self._client.linger(self._limits.linger_seconds)
            return False
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    def _read_target(self, request: h11.Request) -> tuple[Target, str]:
        text = request.target.decode("latin-1")
        if self._fixed is not None and text.startswith("/"):
            return self._fixed, text
        if text.startswith("/") or text == "*":
            raise BadRequestError("this is a proxy: a request names its host in an absolute http URL")
        try:
            target, path = read_http_url(text, "https" if self._secure else "http")
        except ValueError:
            raise unreadable(text) from None
        if self._fixed is not None and target != self._fixed:
            raise other_host(self._fixed, target.host)
        return target, path


async def next_event(connection: h11.Connection, wire: Wire) -> Any:
    """Return the next event of an h11 connection, reading what it needs.

    Raises:
        h11.RemoteProtocolError: What came is no HTTP.
        OSError: The connection is broken.
    """
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event
        connection.receive_data(await wire.read())
