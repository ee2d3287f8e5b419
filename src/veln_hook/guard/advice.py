"""What the feed says of a project, and whether it is the feed that the policy asks for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.errors import FeedError
from veln_hook.feed.state import FeedState, feed_state
from veln_hook.signals.release.cooling import may_repair, settled_before

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from veln_hook.feed import Advisory, Feed
    from veln_hook.model import Candidate
    from veln_hook.policy.settings import Policy

logger = logging.getLogger("veln_hook")


class Told(NamedTuple):
    """What is known of one project."""

    malware: tuple[Advisory, ...]
    state: FeedState


class Repairs(NamedTuple):
    """Which weaknesses young releases are told to repair, and what they would replace."""

    advisories: tuple[Advisory, ...] = ()
    installed: str = ""
    """Version that is installed; empty if none is, or if there are no advisories."""


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
            return Told(self._feed.malware(project), state)
        except FeedError as error:
            return Told((), FeedState(problem=f"{error}. {error.advice}".rstrip(".")))

    def wants_every_look(self, project: str, now: datetime) -> bool:
        """Tell whether no file of a project may be passed over, however old it is.

        Where a feed that isn't fit only warns, it is soon enough to say so of what is wanted.
        """
        told = self.of(project, now)
        holds = bool(told.state.problem) or (bool(told.state.unfit) and self._policy.feed.on_stale != "warn")
        return holds or bool(told.malware)

    def repairs(self, candidates: Sequence[Candidate], now: datetime) -> Repairs:
        """Return what young candidates of one project repair, and what is installed of it.

        Looking for what is installed takes many milliseconds, so it is done only where it matters.

        Args:
            candidates: At least one.
            now: Aware, UTC.
        """
        if self._ask is None or self._policy.cooling.security_fixes != "warn":
            return Repairs()
        settled, project = settled_before(self._policy, now), candidates[0].project
        versions = {
            each.version
            for each in candidates
            if each.upload_time is not None and each.upload_time > settled and may_repair(each)
        }
        try:
            found = {
                advisory.id: advisory
                for version in versions
                for advisory in self._feed.repaired(project, version)
            }
        except FeedError:  # told in the state, which holds everything
            return Repairs()
        return Repairs(tuple(found.values()), self.installed_of(project)) if found else Repairs()

    def weaknesses(self, project: str) -> tuple[Advisory, ...]:
        """Return what is known of the weaknesses of a project; nothing where the feed can't be read."""
        try:
            return self._feed.weaknesses(project)
        except FeedError:
            return ()

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
