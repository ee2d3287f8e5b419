"""What was tried, counted: bounded, and safe to be asked from any thread."""

from __future__ import annotations

import threading
from typing import NamedTuple, Optional

from veln_hook.gate.refusing import shown

MAX_ROWS = 1000
"""A command that asks for ever new names must not fill the memory of the process it is watched from."""
_MAX_PROCESS = 64


class Attempt(NamedTuple):
    """Something a confined command tried to reach."""

    host: str
    """A name, or an address."""
    port: Optional[int]
    """``None`` where only the name was asked for."""
    process: str
    """The name of the process; empty where it can't be told."""
    count: int  # type: ignore[assignment] # tuple's method of this name is never wanted of a row
    """How often."""


class Attempts:
    """Counts of attempts by host, port and process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int | None, str], int] = {}

    def add(self, host: str, port: int | None, process: str) -> None:
        """Count one attempt; once there are `MAX_ROWS` rows, new ones count as one row, host ``...``."""
        key = (shown(host), port, shown(process, _MAX_PROCESS))
        with self._lock:
            if key not in self._counts and len(self._counts) >= MAX_ROWS:
                key = ("...", None, "")
            self._counts[key] = self._counts.get(key, 0) + 1

    def rows(self) -> tuple[Attempt, ...]:
        """Return them in the order of their first appearance."""
        with self._lock:
            return tuple(Attempt(*key, count) for key, count in self._counts.items())
