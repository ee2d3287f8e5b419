"""What supervisor and workers say to each other: one JSON object a line, over a pair of sockets."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import socket

_MAX_LINE = 16 << 20


class Channel:
    """One end. To be used in its event loop only."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, sock: socket.socket) -> Channel:
        """Speak over a socket, which is closed with the channel."""
        return cls(*await asyncio.open_connection(sock=sock, limit=_MAX_LINE))

    async def say(self, **message: Any) -> None:
        """Send a message.

        Raises:
            OSError: The other end is gone.
        """
        self._writer.write(json.dumps(message).encode("ascii") + b"\n")
        await self._writer.drain()

    async def hear(self) -> Optional[dict[str, Any]]:
        """Return the next message; ``None`` if the other end is gone, or talks nonsense."""
        try:
            message = json.loads(await self._reader.readuntil(b"\n"))
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            return None
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        """Close it. Twice is harmless."""
        self._writer.close()


def packed(value: object) -> str:
    """Return an object of ours as text; only the supervisor says such things, and only to its own workers."""
    return pickle.dumps(value, protocol=0).decode("latin-1")


def unpacked(text: str) -> Any:
    """Return what `packed` was given."""
    return pickle.loads(text.encode("latin-1"))  # noqa: S301 - of the process that started this one
