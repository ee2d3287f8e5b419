"""Named checks over candidates and archives. ``hookimpl`` is what a third party's plugin imports."""

from __future__ import annotations

from veln_hook.signals.hookspecs import ArchiveContext, CandidateContext, FeedState, SignalInfo, hookimpl
from veln_hook.signals.manager import SignalManager

__all__ = ["ArchiveContext", "CandidateContext", "FeedState", "SignalInfo", "SignalManager", "hookimpl"]
