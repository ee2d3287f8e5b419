"""What every connection of one gate shares, and what each knows of where it came from."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from veln_hook.gate.hosts import HTTP_PORT, HTTPS_PORT, Target
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
    address: str = ""
    """The address of that end, where it isn't known to be on this machine."""

    def asked(self) -> asyncio.Future[str]:
        """Return a future with the name, which is empty if it can't be told."""
        if self.route is not None:
            return self.route.who(self.port)
        known = asyncio.get_running_loop().create_future()
        known.set_result(self.process)
        return known


_MAX_FAULTS = 20


class Handler(Protocol):
    """Serves connections to some hosts itself, in place of the tunnel; it decides what it reaches for them.

    Its hosts need not be listed. It is asked before the rules are, so index hosts can have one.
    """

    def covers(self, target: Target) -> bool:
        """Tell whether connections to this target are served here."""

    async def serve(self, client: Stream, target: Target, origin: Origin, context: Context) -> None:
        """Serve one connection, from the first byte that the client sends to its target until the end.

        It runs in the gate's event loop and must not block it; it is cancelled when the gate closes.

        Raises:
            OSError: The connection broke.
            EOFError: It ended too early.
        """

    async def serve_request(self, turn: Turn, context: Context) -> None:
        """Answer one plain HTTP request that named this target.

        Raises:
            RefusedError: It goes against the rules; neither the client nor the record knows yet.
            OSError: The connection broke.
            EOFError: It ended too early.
        """

    async def close(self) -> None:
        """Close what it keeps open between connections; called once, when all of them have ended."""


class Faults:
    """Tracebacks of errors that should not happen; what was being served then was closed."""

    def __init__(self) -> None:
        self._told: list[str] = []

    def add(self, error: BaseException) -> None:
        """Keep an error, unless there are many already."""
        if len(self._told) < _MAX_FAULTS:
            lines = traceback.format_exception(type(error), error, error.__traceback__)
            self._told.append("".join(lines))

    def rows(self) -> tuple[str, ...]:
        """Return them in the order they came in."""
        return tuple(self._told)


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
    faults: Faults

    def handler(self, target: Target) -> Handler | None:
        """Return who serves a target in place of the tunnel."""
        return next((handler for handler in self.handlers if handler.covers(target)), None)

    def check_name(self, host: str) -> None:
        """Return if a name may be given an address, on whichever port it is wanted.

        Raises:
            RefusedError: It may not.
        """
        if all(self.handler(Target(host, port)) is None for port in (HTTPS_PORT, HTTP_PORT)):
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
