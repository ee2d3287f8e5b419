"""Streams that can do little."""

from __future__ import annotations

import io
from typing import Any


class OneWay(io.RawIOBase):
    """What can't be sought in, so that ``zipfile`` writes sizes behind the data."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Keep what is written."""
        self.data += bytes(data)
        return len(data)
