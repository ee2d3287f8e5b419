"""What every judgement of one run is made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from veln_hook.model import Observation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from veln_hook.guard.advice import Advice
    from veln_hook.model import Archive, Candidate
    from veln_hook.policy.settings import Policy
    from veln_hook.signals import SignalManager
    from veln_hook.store import Store


class Situation(NamedTuple):
    """The policy, the store, the clock and the signals of one run, and where it runs."""

    policy: Policy
    store: Store
    now: Callable[[], datetime]
    """The clock: aware, UTC."""
    signals: SignalManager
    prefix: str
    """``sys.prefix`` of the environment installed into."""
    machine: str
    """Which machine this is, as the store has it."""
    started_at: datetime
    """When the store began to remember."""
    persistent: bool
    """Whether the store outlives this process."""
    advice: Advice
    """Asks the feed, and which version of a project is installed."""

    def observation(self, file: Candidate | Archive, index: str, now: datetime) -> Observation:
        """Return that this machine sees a file now.

        Args:
            file: What is seen.
            index: Whose word it is; empty for nobody's.
            now: Aware, UTC.
        """
        return Observation(
            project=file.project,
            version=file.version,
            filename=file.filename,
            sha256=file.sha256,
            index=index,
            first_seen=now,
            machine=self.machine,
        )
