"""What ``status`` and ``doctor`` tell of the feed of known malware.

The rules of ``probes`` hold: a probe looks at one thing, changes nothing, and never raises.
"""

from __future__ import annotations

from veln_hook import clock, paths
from veln_hook.cli.feed import NOTHING, feed_lines
from veln_hook.cli.probing import Machine, ProbeResult
from veln_hook.errors import FeedError, PolicyError
from veln_hook.feed import Feed
from veln_hook.feed.state import feed_state, rough
from veln_hook.policy.loading import load_policy

UPDATE = "veln-hook feed update, or where no server is reached: veln-hook feed import FILE"


def feed(machine: Machine) -> ProbeResult:
    """Whether anything is known of malware, and as of when."""
    try:
        policy = load_policy(environ=machine.environ)
    except PolicyError:
        return ProbeResult("feed", ok=None, summary="unknown, as the policy judges its age and is broken")
    opened, now = Feed(paths.feed_file()), clock.now()
    try:
        info = opened.info()
    except FeedError as error:
        summary = f"can't be used, so nothing is installed: {error}"
        return ProbeResult("feed", ok=False, summary=summary, remedy=error.advice, error=error)
    finally:
        opened.close()
    unfit = feed_state(info, policy, now).unfit
    details = () if info is None else tuple(feed_lines(info, now))
    if unfit:
        held = policy.feed.on_stale != "warn"
        summary = f"{unfit}; until then {'nothing is installed' if held else 'each install warns'}"
        return ProbeResult(
            "feed", ok=False if held else None, summary=summary, details=details, remedy=UPDATE
        )
    if info is None:
        return ProbeResult("feed", ok=None, summary=NOTHING, remedy=UPDATE)
    summary = f"as of {rough(now - info.as_of)} ago, {info.malware} records of malware"
    if info.unreadable:
        return ProbeResult(
            "feed",
            ok=None,
            summary=f"{summary}; {info.unreadable} could not be read",
            details=(*details, *info.unreadable_names),
        )
    return ProbeResult("feed", ok=True, summary=summary, details=details)
