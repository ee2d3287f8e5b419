"""From a target that is wanted to whatever serves it: a handler, requests read one by one, or a tunnel."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from veln_hook.gate.forwarding import Session
from veln_hook.gate.hello import ALERT
from veln_hook.gate.hosts import HTTP_PORT
from veln_hook.gate.refusing import RefusedError
from veln_hook.gate.tunnel import tunnel

if TYPE_CHECKING:
    from veln_hook.gate.context import Context, Handler, Origin
    from veln_hook.gate.hosts import Target
    from veln_hook.gate.stream import Stream


class Passage:
    """One client's way to one target, which is open when `open_passage` returns it."""

    def __init__(
        self,
        context: Context,
        client: Stream,
        target: Target,
        origin: Origin,
        *,
        handler: Handler | None = None,
        server: Stream | None = None,
    ) -> None:
        """Keep what `open_passage` found; without handler and server it is for plain HTTP."""
        self._context, self._client, self._target, self._origin = context, client, target, origin
        self._handler, self._server = handler, server

    async def run(self) -> None:
        """Serve the client until the end.

        Raises:
            OSError: A connection broke.
            EOFError: One ended too early.
        """
        if self._handler is not None:
            await self._handler.serve(self._client, self._target, self._origin, self._context)
        elif self._server is None:
            await Session(self._context, self._client, self._origin, fixed=self._target).run()
        else:
            await self._tunnel(self._server)

    async def _tunnel(self, server: Stream) -> None:
        try:
            await tunnel(self._client, server, self._target, self._context.limits)
        except RefusedError as refused:
            server.reset()
            await self._context.note_refusal(refused, self._origin)
            await send_alert(self._client, self._context)

    def close(self) -> None:
        """Close the server's side."""
        if self._server is not None:
            self._server.reset()


async def send_alert(client: Stream, context: Context) -> None:
    """Tell a client of TLS that it may not go on."""
    with suppress(OSError):
        await client.write(ALERT)
    await client.linger(context.limits.linger_seconds)


async def open_passage(context: Context, client: Stream, target: Target, origin: Origin) -> Passage:
    """Check a target and, if it is to be a tunnel, connect to it.

    Raises:
        RefusedError: It is not allowed.
        UnreachableError: It can't be reached.
    """
    handler = context.handler(target)
    if handler is not None:
        context.note_reached(target, origin)
        return Passage(context, client, target, origin, handler=handler)
    if target.port == HTTP_PORT:
        # A tunnel would let the Host header name another site of the same server.
        context.rules.check(*target)
        return Passage(context, client, target, origin)
    return Passage(context, client, target, origin, server=await context.connect(target, origin, client))
