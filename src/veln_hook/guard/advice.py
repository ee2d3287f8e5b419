"""What the feed says of a project, and whether it is the feed that the policy asks for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.errors import FeedError
from veln_hook.policy.durations import format_duration
from veln_hook.signals import FeedState
from veln_hook.signals.release.cooling import may_repair, settled_before

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from veln_hook.feed import Advisory, Feed, FeedInfo
    from veln_hook.model import Candidate
    from veln_hook.policy.settings import Policy

logger = logging.getLogger("veln_hook")

UPDATE = "run 'veln-hook feed update'"
_FIT = FeedState()


class Told(NamedTuple):
    """What is known of one project."""

    advisories: tuple[Advisory, ...]
    state: FeedState


class Advice:
    """Asks the feed for one guard.

    Args:
        feed: The feed.
        policy: The settings in force.
        installed: Tells which version of a project is installed where the installer installs.
    """

    def __init__(self, feed: Feed, policy: Policy, installed: Callable[[str], str] | None) -> None:
        self._feed, self._policy, self._ask = feed, policy, installed

    def of(self, project: str, now: datetime) -> Told:
        """Return what is known of a project.

        Args:
            project: Normalized name; may be empty.
            now: Aware, UTC.
        """
        try:
            state = feed_state(self._feed.info(), self._policy, now)
            return Told(self._feed.advisories(project), state)
        except FeedError as error:
            return Told((), FeedState(problem=f"{error}. {error.advice}".rstrip(".")))

    def wants_every_look(self, project: str, now: datetime) -> bool:
        """Tell whether no file of a project may be passed over, however old it is.

        Where a feed that isn't fit only warns, it is soon enough to say so of what is wanted.
        """
        told = self.of(project, now)
        holds = bool(told.state.problem) or (bool(told.state.unfit) and self._policy.feed.on_stale != "warn")
        return holds or any(each.malware for each in told.advisories)

    def installed(self, candidates: Sequence[Candidate], told: Told, now: datetime) -> str:
        """Return which version of the candidates' project is installed, if it matters; else nothing.

        Looking for it takes many milliseconds, so it is done only where an advisory names a young release as
        the repair.
        """
        if self._ask is None or self._policy.cooling.security_fixes != "warn":
            return ""
        fixing = [advisory for advisory in told.advisories if advisory.fixed()]
        if not fixing:
            return ""
        settled = settled_before(self._policy, now)
        for candidate in candidates:
            uploaded = candidate.upload_time
            if uploaded is None or uploaded <= settled or not may_repair(candidate):
                continue
            if any(advisory.names_as_fixed(candidate.version) for advisory in fixing):
                return self.installed_of(candidate.project)
        return ""

    def installed_of(self, project: str) -> str:
        """Return which version of a project is installed; empty if none is, or if nobody can tell."""
        if self._ask is None:
            return ""
        try:
            return self._ask(project)
        except Exception as error:  # noqa: BLE001 - what isn't known makes no verdict milder
            logger.debug("veln-hook: what is installed of %s can't be told: %r", project, error)
            return ""

    def close(self) -> None:
        """Close the feed. Calling twice is harmless."""
        self._feed.close()


def feed_state(info: FeedInfo | None, policy: Policy, now: datetime) -> FeedState:
    """Tell whether a feed is what the policy asks for.

    Args:
        info: Of the feed; ``None`` if there is none.
        policy: The settings in force.
        now: Aware, UTC.
    """
    wanted = policy.feed
    if info is None:
        if not wanted.required and not wanted.max_age:
            return _FIT
        key = "feed.required" if wanted.required else "feed.max_age"
        return FeedState(unfit=f"there is no feed of known malware here (policy: {key}); {UPDATE}")
    age = now - info.as_of
    if wanted.max_age and age > wanted.max_age:
        limit = format_duration(wanted.max_age)
        return FeedState(unfit=f"the feed of known malware is {rough(age)} old (policy: {limit}); {UPDATE}")
    return _FIT


def rough(age: timedelta) -> str:
    """Spell an age by its two greatest units at most: days and hours, or hours and minutes."""
    minutes = max(int(age.total_seconds() // 60), 0)
    days, hours = divmod(minutes // 60, 24)
    if days > 1:
        return f"{days} days"
    if minutes >= 60:  # noqa: PLR2004
        return f"{days * 24 + hours} h {minutes % 60} min"
    return f"{minutes} min"
