"""The guard room: gather facts, ask the signals, let the policy decide, remember.

Both ways in (pip's adapter in-process, later the gate for other installers) ask the one ``Guard``;
nothing about a decision lives anywhere else.
"""

from __future__ import annotations

from veln_hook.guard.candidates import Settled
from veln_hook.guard.opening import open_guard
from veln_hook.guard.orchestrator import Guard

__all__ = ["Guard", "Settled", "open_guard"]
