"""What every connection of one gate shares, and what each knows of where it came from."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from veln_hook.gate.hosts import HTTPS_PORT, Target
from veln_hook.gate.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.gate.allow import Rules
    from veln_hook.gate.attempts import Attempts
    from veln_hook.gate.fake import FakeAddresses
    from veln_hook.gate.limits import Limits
    from veln_hook.gate.refusing import RefusedError
    from veln_hook.gate.resolve import Connector
    from veln_hook.gate.route import Route
    from veln_hook.gate.turns import Turn


@dataclass(frozen=True)
class Origin:
    """Where one connection came from."""

    process: str = ""
    """The name of the process, if it was told with the connection."""
    route: Route | None = None
    """Who can be asked for it otherwise."""
    port: int = 0
    """The port of the process' own end."""

    def asked(self) -> asyncio.Future[str]:
        """Return a future with the name, which is empty if it can't be told."""
        if self.route is not None:
            return self.route.who(self.port)
        known = asyncio.get_running_loop().create_future()
        known.set_result(self.process)
        return known


class Handler(Protocol):
    """Serves connections to some hosts itself, in place of the tunnel; it decides what it reaches for them.

    Its hosts need not be listed. It is asked before the rules are, so index hosts can have one.
    """

    def covers(self, target: Target) -> bool:
        """Tell whether connections to this target are served here."""

    async def serve(self, client: Stream, target: Target, origin: Origin) -> None:
        """Serve one connection, from the first byte that the client sends to its target until the end.

        It runs in the gate's event loop and must not block it; it is cancelled when the gate closes.

        Raises:
            RefusedError: It went against the rules; the client knows, and it is to be recorded.
            OSError: The connection broke.
            EOFError: It ended too early.
        """

    async def serve_request(self, turn: Turn) -> None:
        """Answer one plain HTTP request that named this target.

        Raises:
            RefusedError: It goes against the rules; the client is to be told, and it is to be recorded.
            OSError: The connection broke.
            EOFError: It ended too early.
        """

    async def close(self) -> None:
        """Close what it keeps open between connections; called once, when all of them have ended."""


@dataclass(frozen=True)
class Context:
    """What every connection of one gate shares."""

    rules: Rules
    fakes: FakeAddresses
    connector: Connector
    limits: Limits
    handlers: Sequence[Handler]
    refused: Attempts
    reached: Attempts

    def handler(self, target: Target) -> Handler | None:
        """Return who serves a target in place of the tunnel."""
        return next((handler for handler in self.handlers if handler.covers(target)), None)

    def check_name(self, host: str) -> None:
        """Return if a name may be given an address, on whichever port it is wanted.

        Raises:
            RefusedError: It may not.
        """
        if self.handler(Target(host, HTTPS_PORT)) is None:
            self.rules.check(host, None)

    async def note_refusal(self, refused: RefusedError, origin: Origin) -> None:
        """Record a refusal; the process is asked for while its socket is still there."""
        self.refused.add(refused.host, refused.port, await asyncio.shield(origin.asked()))

    def note_reached(self, target: Target, origin: Origin) -> None:
        """Record that a target was reached, as soon as it is known by which process."""
        origin.asked().add_done_callback(lambda asked: self.reached.add(*target, asked.result()))

    async def connect(self, target: Target, origin: Origin, client: Stream) -> Stream:
        """Check a target, connect to it and record it.

        Returns:
            The connection; it keeps the client's watch busy.

        Raises:
            RefusedError: It is not allowed.
            UnreachableError: It can't be reached.
        """
        self.rules.check(*target)
        client.watch.limit(self.limits.reach_seconds)
        sock = await self.connector.connect(target)
        self.note_reached(target, origin)
        return Stream(sock, client.watch)
