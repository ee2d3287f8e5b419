"""Waiting for what another process or thread does in its own time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 60.0
"""For whatever has to happen; nothing is measured by it."""


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait for a condition and return what it came to.

    Args:
        condition: Asked until it gives something true.
        what: What the failure says if that never comes.
    """
    end = time.monotonic() + SECONDS
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, what or "it never came to that"
        time.sleep(0.02)
