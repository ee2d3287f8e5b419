"""The only place that knows what time it is."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> datetime:
    """Return the current instant, aware and in UTC, with microseconds."""
    return datetime.now(timezone.utc)
