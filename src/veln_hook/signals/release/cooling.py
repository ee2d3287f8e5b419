"""``cooling``: a release younger than the policy's ``min_age`` is held.

Age is told by the index's ``upload-time`` (PEP 700), per file. Where the index
gives none, the policy says what counts instead; by default the time at which
this store first saw the file. Files that were on this machine already have no
age and are not cooled. Nothing here lets an unknown pass as old.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Finding, Origin, Severity, Source
from veln_hook.policy.decide import SECURITY_FIX
from veln_hook.policy.durations import format_duration
from veln_hook.signals.hookspecs import SignalInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.model import Archive, Candidate, Observation
    from veln_hook.policy.settings import Policy
    from veln_hook.signals.hookspecs import ArchiveContext, CandidateContext

NAME = "cooling"
_MINUTE = timedelta(minutes=1)
_MAX_NAMES = 3
_FIRST = datetime.min.replace(tzinfo=timezone.utc)
_LAST = datetime.max.replace(tzinfo=timezone.utc)
_COOLED = (Source.INDEX, Source.FIND_LINKS, Source.LOCK, Source.DIRECT_URL)


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (SignalInfo(NAME, "Holds releases that are younger than the policy's threshold."),)


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Find the candidates that are too young, or whose age nobody knows."""
    policy, now = context.policy, context.now
    # Almost all of a big page is older than any threshold that could apply;
    # one comparison settles those.
    settled = settled_before(policy, now)
    few = policy.cooling.min_observations
    for candidate in candidates:
        uploaded = candidate.upload_time
        if uploaded is not None and uploaded <= settled and not few:
            continue
        if candidate.source not in _COOLED:
            continue
        min_age, _, _ = policy.min_age_for(candidate.project, candidate.version, candidate.index)
        if min_age:
            seen = context.observations.get(candidate.filename, ())
            finding = _by_age(candidate, min_age, seen, context)
            if finding is not None:
                yield candidate, _as_repair(candidate, finding, context)
                continue
        if few and not _is_exempt(policy, candidate):
            finding = _by_observations(candidate, few, context)
            if finding is not None:
                yield candidate, finding


@hookimpl
def veln_hook_examine_archive(archive: Archive, context: ArchiveContext) -> Iterator[Finding]:
    """Find downloaded bytes that no index vouches for and that nobody has seen before.

    A URL given directly reads no index page. Where no index lists its file with
    this very hash, its age counts from the first sight of these bytes.
    """
    candidate = archive.candidate
    if candidate is None or archive.origin is not Origin.FETCHED:
        return
    if candidate.source not in (Source.DIRECT_URL, Source.LOCK):
        return
    if candidate.upload_time is not None and candidate.sha256 == archive.sha256:
        return  # judged by its upload time before it was fetched, and the bytes are those
    min_age, _, _ = context.policy.min_age_for(archive.project, archive.version, candidate.index)
    mode, _, _ = context.policy.missing_upload_time_for(candidate.index)
    if not min_age or mode == "allow":
        return
    seen = [observation for observation in context.observations if observation.sha256 == archive.sha256]
    if mode == "hold":
        yield _unknown_age("no index lists this file with this hash, so its age is unknown")
        return
    finding = _first_seen(seen, min_age, context)
    if finding is not None:
        yield finding


def _after(moment: datetime, duration: timedelta) -> datetime:
    """Add without an error: an index may tell any year up to 9999."""
    return _LAST if duration > _LAST - moment else moment + duration


def _before(moment: datetime, duration: timedelta) -> datetime:
    return _FIRST if duration > moment - _FIRST else moment - duration


def settled_before(policy: Policy, now: datetime) -> datetime:
    """Return when a file must have been uploaded to be older than any threshold it could meet.

    Args:
        policy: The settings in force.
        now: Aware, UTC.
    """
    return _before(now, _longest(policy))


def _longest(policy: Policy) -> timedelta:
    cooling = policy.cooling
    ages = [cooling.min_age, *cooling.projects.values(), *cooling.at_least.values()]
    ages.extend(index.min_age for index in policy.indexes if index.min_age is not None)
    return max(ages)


def _is_exempt(policy: Policy, candidate: Candidate) -> bool:
    _, key, _ = policy.min_age_for(candidate.project, candidate.version, candidate.index)
    return key == "cooling.exempt"


def _by_age(
    candidate: Candidate, min_age: timedelta, seen: Sequence[Observation], context: CandidateContext
) -> Finding | None:
    now, uploaded = context.now, candidate.upload_time
    if uploaded is not None:
        opens_at = _after(uploaded, min_age)
        if opens_at <= now:
            return None
        if uploaded > now:
            told = f"upload time {_instant(uploaded, now)} lies in the future, so a clock is wrong"
        else:
            told = f"uploaded {_rough(now - uploaded)} ago"
        return _cooling(f"{told}, {_until(opens_at, now, min_age)}", opens_at)
    mode, _, _ = context.policy.missing_upload_time_for(candidate.index)
    if mode == "allow":
        return None
    if mode == "hold":
        return _unknown_age("the index gives no upload time, so its age is unknown")
    if candidate.source in (Source.DIRECT_URL, Source.LOCK) and not candidate.sha256:
        return None  # decided on the bytes, once they are here: a URL alone is no identity
    same = [
        observation
        for observation in seen
        if (
            observation.sha256 == candidate.sha256
            if candidate.sha256
            else observation.index == candidate.index
        )
    ]
    return _first_seen(same, min_age, context)


def may_repair(candidate: Candidate) -> bool:
    """Tell whether a candidate's age is of the kind that a repair shortens.

    The index itself must offer the file and tell when it came: a URL or a mirror without times can serve
    anybody's bytes under the name of the repair.
    """
    return candidate.source is Source.INDEX and candidate.upload_time is not None


def _as_repair(candidate: Candidate, finding: Finding, context: CandidateContext) -> Finding:
    """Return the finding as one that only warns, if this release repairs the installed one."""
    if context.policy.cooling.security_fixes != "warn" or not context.installed or not may_repair(candidate):
        return finding
    if candidate.upload_time is not None and candidate.upload_time > context.now:
        return finding
    names = [a.id for a in context.advisories if a.repairs(candidate.version, context.installed)]
    if not names:
        return finding
    told = ", ".join(sorted(names)[:_MAX_NAMES])
    message = (
        f"repairs {told} in {context.installed}, which is installed here, so it only warns: {finding.message}"
    )
    return replace(finding, message=message, evidence=SECURITY_FIX)


def _first_seen(
    seen: Sequence[Observation], min_age: timedelta, context: CandidateContext | ArchiveContext
) -> Finding | None:
    now = context.now
    # A first sight in the future was written by a clock that has since been set back: it counts as now.
    first = min((observation.first_seen for observation in seen), default=now)
    first = min(first, now)
    opens_at = _after(first, min_age)
    if opens_at <= now:
        return None
    when = "just now" if now - first < timedelta(seconds=1) else f"{_rough(now - first)} ago"
    message = f"no upload time, first seen here {when}, {_until(opens_at, now, min_age)}"
    if not context.store_persistent:
        message += "; this machine can't remember what it saw, so set 'upstream' for this index in the policy"
    elif context.store_started_at > _before(now, min_age):
        # A build machine that starts anew each time would be held for ever, and must be told what to do.
        since = _instant(context.store_started_at, now)
        message += (
            f"; the store itself is new (since {since}): "
            "where it isn't kept, set 'upstream' for this index in the policy"
        )
    return _cooling(message, opens_at)


def _by_observations(candidate: Candidate, few: int, context: CandidateContext) -> Finding | None:
    seen = context.observations.get(candidate.filename, ())
    # Where the index promises no hash, nobody can tell which bytes another machine saw.
    machines = {o.machine for o in seen if candidate.sha256 and o.sha256 == candidate.sha256}
    machines.add(context.machine)
    if len(machines) >= few:
        return None
    return Finding(
        signal=NAME,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        message=f"seen by {len(machines)} of the {few} machines that the policy asks for",
        evidence="cooling.min_observations",
    )


def _cooling(message: str, opens_at: datetime) -> Finding:
    return Finding(
        signal=NAME, severity=Severity.HIGH, confidence=Confidence.HIGH, message=message, opens_at=opens_at
    )


def _unknown_age(message: str) -> Finding:
    return Finding(
        signal=NAME,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        message=message,
        unverifiable=True,
        evidence="cooling.missing_upload_time",
    )


def _until(opens_at: datetime, now: datetime, min_age: timedelta) -> str:
    # A wait is rounded up, an age down: neither may promise more than is so.
    wait = _rough(opens_at - now + _MINUTE - timedelta(microseconds=1))
    return f"cooling until {_instant(opens_at, now)} (in {wait}; policy: {format_duration(min_age)})"


def _rough(duration: timedelta) -> str:
    """Spell a duration without the seconds nobody needs."""
    return format_duration(duration if duration < _MINUTE else duration - duration % _MINUTE)


def _instant(moment: datetime, now: datetime) -> str:
    # isoformat rather than strftime's twin: strptime's module can't be imported while pip 26.3 installs.
    if moment.date() == now.date():
        return f"{moment.isoformat()[11:16]} UTC"
    return f"{moment.isoformat()[:10]} {moment.isoformat()[11:16]} UTC"
