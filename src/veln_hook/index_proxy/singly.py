"""One at a time for each of many keys, in one event loop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable


class _Turn:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.wanting = 0
        self.shared: list[Any] = []


class Singly:
    """Locks by key, which are there as long as somebody wants them."""

    def __init__(self) -> None:
        self._turns: dict[Hashable, _Turn] = {}

    @asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncIterator[list[Any]]:
        """Wait until nobody else has a key, and have it.

        Yields:
            What those before have left there for those who were waiting for them already.
        """
        turn = self._turns.setdefault(key, _Turn())
        turn.wanting += 1
        try:
            async with turn.lock:
                yield turn.shared
        finally:
            turn.wanting -= 1
            if not turn.wanting:
                del self._turns[key]
