"""Whether the feed is what the policy asks for, and what it has taught this machine since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from veln_hook.errors import FeedError
from veln_hook.policy.durations import format_duration

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from veln_hook.feed.reading import Feed, FeedInfo
    from veln_hook.policy.settings import Policy
    from veln_hook.store import Store

UPDATE = "run 'veln-hook feed update'"


@dataclass(frozen=True)
class FeedState:
    """What is wrong with the feed of known malware, if anything is.

    .. versionadded:: 0.2
    """

    problem: str = ""
    """Why it can't be read; then nothing it says is known."""
    unfit: str = ""
    """Why it isn't what the policy asks for: missing, or too old."""


FIT = FeedState()


def learned_since(feed: Feed, store: Store, policy: Policy, now: datetime) -> list[str]:
    """Return what tells a cache that may hold malware, or must not be used unasked, from one that holds none.

    A cache holds what was let pass before. What this machine has seen and the feed names now may be in it; so
    may anything, where the store remembers nothing or began after the cache did.

    Args:
        feed: The feed; closed when this returns.
        store: What was seen.
        policy: The settings in force.
        now: Aware, UTC.

    Returns:
        Words that stay the same as long as the answer does.

    Raises:
        StoreError: The store doesn't answer.
    """
    try:
        info = feed.info()
        unfit = feed_state(info, policy, now).unfit and policy.feed.on_stale != "warn"
        words = ["unfit"] if unfit else []
        if info is None:
            return words
        known = store.info()
        words.append(f"since {(known.started_at if known.persistent else info.imported_at).isoformat()}")
        for project in sorted(store.projects()):
            malware = feed.malware(project)
            if malware:
                seen = {observation.version for observation in store.observations(project)}
                words += [
                    f"{project} {advisory.id}"
                    for advisory in malware
                    if any(advisory.affects(version) for version in seen)
                ]
    except FeedError:
        return ["unreadable"]
    finally:
        feed.close()
    return words


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
            return FIT
        key = "feed.required" if wanted.required else "feed.max_age"
        return FeedState(unfit=f"there is no feed of known malware here (policy: {key}); {UPDATE}")
    age = now - info.as_of
    if wanted.max_age and age > wanted.max_age:
        limit = format_duration(wanted.max_age)
        return FeedState(unfit=f"the feed of known malware is {rough(age)} old (policy: {limit}); {UPDATE}")
    return FIT


def rough(age: timedelta) -> str:
    """Spell an age by its two greatest units at most: days and hours, or hours and minutes."""
    minutes = max(int(age.total_seconds() // 60), 0)
    days, hours = divmod(minutes // 60, 24)
    if days > 1:
        return f"{days} days"
    if minutes >= 60:  # noqa: PLR2004
        return f"{days * 24 + hours} h {minutes % 60} min"
    return f"{minutes} min"
