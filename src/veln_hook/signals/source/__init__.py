"""Signals about what an archive's code does; each is a module in ``rules``.

They read facts (``veln_hook.source.facts``), never the archive itself, and with a
baseline only what is new in it counts.
"""

from __future__ import annotations

from veln_hook.signals.source.judging import SIGNALS, examine, would_hold_if_new

__all__ = ["SIGNALS", "examine", "would_hold_if_new"]
