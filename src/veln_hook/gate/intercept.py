"""TLS that ends in the gate: requests to some hosts are read, and a responder answers them."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from veln_hook.gate.attempts import Attempt, Attempts
from veln_hook.gate.exchange import Exchange, UpstreamError
from veln_hook.gate.headers import BadRequestError
from veln_hook.gate.hello import HANDSHAKE, HelloError, read_hello
from veln_hook.gate.hosts import HTTPS_PORT, Target, is_address
from veln_hook.gate.passage import send_alert
from veln_hook.gate.refusing import RefusedError, distrusted, no_handshake, no_name, no_tls, other_name
from veln_hook.gate.stream import CutOffError
from veln_hook.gate.tls import TlsStream
from veln_hook.gate.turns import Turn, Turns

if TYPE_CHECKING:
    from typing import Callable

    from veln_hook.gate.authority import Authority
    from veln_hook.gate.context import Context, Origin
    from veln_hook.gate.exchange import Asker, Responder
    from veln_hook.gate.limits import Limits
    from veln_hook.gate.stream import Stream

_TLS = bytes((HANDSHAKE,))
# What OpenSSL calls the alerts by which a client refuses a certificate (RFC 8446 section 6.2).
_DISTRUST = ("UNKNOWN_CA", "CERTIFICATE")
# Some don't say so, and just leave when they have seen it.
_LEFT = (ssl.SSLEOFError, ConnectionError)
_FAILED = "veln-hook failed to judge this request"


class UnansweredError(Exception):
    """A responder has returned without an answer."""


class Interceptor:
    """Serves clients of the hosts that it covers, as `context.Handler` has it."""

    def __init__(
        self,
        responder: Responder,
        authority: Authority,
        upstream: Asker,
        *,
        covers: Callable[[Target], bool],
        limits: Limits | None = None,
    ) -> None:
        """Serve nobody yet.

        Args:
            responder: Who answers.
            authority: Who vouches for the hosts; clients have to trust its certificate.
            upstream: Who asks indexes.
            covers: Tells which targets are served here.
            limits: How much each request may spend; by default, as much as the gate's others.
        """
        self._responder, self._authority, self._upstream = responder, authority, upstream
        self._covers, self._limits = covers, limits
        self._distrusted = Attempts()

    def covers(self, target: Target) -> bool:
        """Tell whether connections to this target are served here."""
        return self._covers(target)

    def distrusted(self) -> tuple[Attempt, ...]:
        """Return who didn't take the gate's certificate: host, port, process, count. Safe in any thread."""
        return self._distrusted.rows()

    async def serve(self, client: Stream, target: Target, origin: Origin, context: Context) -> None:
        """Serve one connection; see `context.Handler`.

        On port 443 it has to be TLS; on others, where private indexes are, it can be plain HTTP as well.
        """
        client.watch.limit(context.limits.hello_seconds)
        if not client.ahead() and not await client.fill():
            return
        if not client.ahead().startswith(_TLS) and target.port != HTTPS_PORT:
            await _Requests(self, context, client, origin, fixed=target).run()
            return
        try:
            await _greet(client, target)
            stream = await self._shaken(client, target, origin)
        except RefusedError as refused:
            await context.note_refusal(refused, origin)
            await send_alert(client, context)
            return
        await _Requests(self, context, stream, origin, fixed=target, secure=True).run()
        with suppress(OSError):
            await stream.finish()

    async def serve_request(self, turn: Turn, context: Context) -> None:
        """Answer one request; see `context.Handler`."""
        limits = self._limits or context.limits
        exchange = Exchange(turn, self._upstream, limits)
        turn.client.watch.limit(limits.turn_seconds)
        try:
            await self._answer(exchange, context)
        finally:
            await exchange.end()

    async def close(self) -> None:
        """Close what is kept open to indexes."""
        await self._upstream.close()

    async def _answer(self, exchange: Exchange, context: Context) -> None:
        try:
            await self._ask(exchange)
        except UpstreamError as error:
            if exchange.answered:
                raise CutOffError from error
            await exchange.refuse(502, f"veln-hook: {error}", str(error))
        except (RefusedError, BadRequestError):
            if exchange.answered:
                raise CutOffError from None
            raise
        except Exception as error:
            if exchange.lost:
                raise
            context.faults.add(error)
            if exchange.answered:
                raise CutOffError from None
            await exchange.refuse(403, _FAILED, "what went wrong is told where the gate was started")

    async def _ask(self, exchange: Exchange) -> None:
        await self._responder.answer(exchange)
        if not exchange.answered:
            raise UnansweredError(f"{exchange.method} {exchange.url.partition('?')[0]} was not answered")

    async def _shaken(self, client: Stream, target: Target, origin: Origin) -> TlsStream:
        """Shake hands with a client.

        Raises:
            RefusedError: It comes to nothing.
        """
        stream = TlsStream(client, self._authority.context(target.host), server_side=True)
        try:
            await stream.handshake()
        except OSError as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            if isinstance(error, _LEFT) or any(word in reason for word in _DISTRUST):
                self._distrusted.add(*target, await asyncio.shield(origin.asked()))
                raise distrusted(target) from None
            raise no_handshake(target, reason) from None
        return stream


class _Requests(Turns):
    """The requests of one client of a host that is covered."""

    def __init__(self, interceptor: Interceptor, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._interceptor = interceptor

    async def serve(self, turn: Turn) -> None:
        """Answer a request; see `Turns`."""
        await self._interceptor.serve_request(turn, self._context)


async def _greet(client: Stream, target: Target) -> None:
    """Return if a client begins with TLS for this target; nothing is taken.

    Raises:
        RefusedError: It begins with something else.
        OSError: The connection broke.
        EOFError: It ended before.
    """
    try:
        raw, hello = await read_hello(client)
    except HelloError:
        raise no_tls(target) from None
    # Whether another name is encrypted in it doesn't matter: nobody here could read it.
    if hello.name is None:
        if not is_address(target.host):  # RFC 6066 section 3: addresses are not permitted as server names
            raise no_name(target)
    elif hello.name.lower() != target.host:
        raise other_name(target, hello.name)
    client.put_back(raw)
