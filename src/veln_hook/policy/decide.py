"""From findings to a verdict. PURE: facts, policy and the time go in; nothing else is looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from veln_hook.model import Candidate, Decision, Finding, Ruling, Severity, Verdict
from veln_hook.policy.settings import DEFAULT_LAYER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from veln_hook.model import Approval, Subject
    from veln_hook.policy.settings import Policy

COOLING = "cooling"
"""The signal whose findings hold by the rules of ``[cooling]``, not through the table of decisions."""
SECURITY_FIX = "cooling.security_fixes"
"""Evidence of a cooling finding about a release that repairs the installed one; the key that rules it."""
KNOWN_MALWARE = "known-malware"
STALE_FEED = "feed.on_stale"
"""Evidence of that signal's finding that the feed is missing or too old; the key that rules it."""
UNVERIFIABLE_RULE = "unverifiable"
UNCONFINED_BUILD = "unconfined-build"
"""The finding that an archive's build code would run without the sandbox; ``sandbox.builds`` rules it."""


def decide(
    subject: Subject,
    findings: Sequence[Finding],
    *,
    policy: Policy,
    approvals: Sequence[Approval],
    now: datetime,
) -> Verdict:
    """Decide about one candidate or archive; the strictest finding counts.

    An approval of this exact file lifts what holds, an exception of the policy
    what holds or blocks. A lifted ruling keeps its rule and becomes ALLOW.

    Args:
        subject: What the findings are about.
        findings: Everything any signal said about it.
        policy: The settings in force.
        approvals: Recorded words of people; those that don't concern the subject are passed over.
        now: Aware, UTC.

    Returns:
        The verdict, its rulings the strictest first.

    Raises:
        ValueError: ``now`` is naive.
    """
    if now.utcoffset() is None:
        raise ValueError("now must be aware")
    rulings = [_rule(finding, subject, policy) for finding in findings]
    approval: Approval | None = None
    pending: tuple[Approval, ...] = ()
    if any(ruling.decision is Decision.HOLD for ruling in rulings):
        given = counting(subject.project, subject.sha256, policy=policy, approvals=approvals, now=now)
        if len(given) >= policy.approvals_people:
            approval = given[0]
            rulings = [_lifted(ruling, Decision.HOLD) for ruling in rulings]
        else:
            pending = given
    exception = ""
    if any(ruling.decision >= Decision.HOLD for ruling in rulings):
        exception = _exception(subject, policy, now)
        if exception:
            rulings = [_lifted(ruling, Decision.BLOCK) for ruling in rulings]
    rulings.sort(key=_strictest_first)
    decision = rulings[0].decision if rulings else Decision.ALLOW
    return Verdict(
        decision=decision,
        subject=subject,
        rulings=tuple(rulings),
        opens_at=_opens_at(rulings) if decision is Decision.HOLD else None,
        approval=approval,
        pending=pending,
        exception=exception,
    )


def _cooling_rule(finding: Finding, subject: Subject, policy: Policy) -> tuple[str, str]:
    """Return the key that holds a young release, and its layer: a project or an index can have its own."""
    candidate = subject if isinstance(subject, Candidate) else subject.candidate
    index = candidate.index if candidate is not None else ""
    if finding.evidence == "cooling.missing_upload_time":
        missing = policy.missing_upload_time_for(index)
        return missing.key, missing.layer
    if finding.evidence.startswith("cooling."):
        return finding.evidence, policy.origin(finding.evidence)
    age = policy.min_age_for(subject.project, subject.version, index)
    return age.key, age.layer


def _unconfined_decision(subject: Subject, policy: Policy) -> Decision:
    """Return what an unconfined build leads to: a person can approve a file by its hash, but no directory."""
    if policy.sandbox.builds == "off":
        return Decision.ALLOW
    if policy.sandbox.builds == "require":
        return Decision.BLOCK
    return Decision.HOLD if subject.sha256 else Decision.WARN


def _rule(finding: Finding, subject: Subject, policy: Policy) -> Ruling:
    if finding.signal == COOLING:
        lowered = finding.evidence == SECURITY_FIX and policy.cooling.security_fixes == "warn"
        decision = Decision.WARN if lowered else Decision.HOLD
        return Ruling(finding, decision, *_cooling_rule(finding, subject, policy))
    if finding.signal == KNOWN_MALWARE and finding.evidence == STALE_FEED:
        decision = Decision.WARN if policy.feed.on_stale == "warn" else Decision.HOLD
        return Ruling(finding, decision, STALE_FEED, policy.origin(STALE_FEED))
    if finding.signal == UNCONFINED_BUILD:
        key = "sandbox.builds"
        return Ruling(finding, _unconfined_decision(subject, policy), key, policy.origin(key))
    signal = policy.signal(finding.signal)
    if not signal.enabled and finding.severity is not Severity.CRITICAL:
        key = f"signals.{finding.signal}.enabled"
        return Ruling(finding, Decision.ALLOW, key, policy.origin(key))
    severity = finding.severity
    if signal.severity is not None and severity is not Severity.CRITICAL:
        severity = signal.severity
    # Every step up to the floor counts: whatever the table says, a floor never makes the decision milder.
    severities = [severity]
    if signal.at_least is not None:
        severities += [step for step in Severity if severity < step <= signal.at_least]
    counted = max(severities, key=lambda step: policy.decisions.decision(step, finding.confidence))
    decision = policy.decisions.decision(counted, finding.confidence)
    if finding.unverifiable and decision < Decision.HOLD:
        return Ruling(finding, Decision.HOLD, UNVERIFIABLE_RULE, DEFAULT_LAYER)
    key = f"decisions.{counted.word}.{finding.confidence.word}"
    return Ruling(finding, decision, key, policy.origin(key))


def counting(
    project: str, sha256: str, *, policy: Policy, approvals: Iterable[Approval], now: datetime
) -> tuple[Approval, ...]:
    """Return the approvals of exactly this file that count, one of each person, in the order given.

    Args:
        project: Of the file.
        sha256: Of the file; nothing counts for one without.
        policy: The settings in force.
        approvals: Of any files.
        now: Aware, UTC.
    """
    if not sha256 or policy.approvals_accept == "none":
        return ()
    project = canonicalize_name(project)
    found: dict[str, Approval] = {}
    for approval in approvals:
        if (
            approval.sha256 == sha256
            and canonicalize_name(approval.project) == project
            and approval.is_active(now)
            and (approval.shared or policy.approvals_accept == "local")
        ):
            found.setdefault(approval.person, approval)
    return tuple(found.values())


def _exception(subject: Subject, policy: Policy, now: datetime) -> str:
    """Return the reason of the exception for exactly this file; empty if there is none."""
    for exception in policy.exceptions:
        if subject.sha256 and exception.sha256 == subject.sha256 and exception.is_active(now):
            return exception.reason or "no reason given"
    return ""


def _lifted(ruling: Ruling, up_to: Decision) -> Ruling:
    if Decision.HOLD <= ruling.decision <= up_to:
        return replace(ruling, decision=Decision.ALLOW)
    return ruling


def _strictest_first(ruling: Ruling) -> tuple[int, bool, int, int]:
    finding = ruling.finding
    # What time alone lifts comes after what needs a person, who would else wait in vain.
    return (-ruling.decision, finding.opens_at is not None, -finding.severity, -finding.confidence)


def _opens_at(rulings: Sequence[Ruling]) -> datetime | None:
    latest: datetime | None = None
    for ruling in rulings:
        if ruling.decision is Decision.HOLD:
            opens_at = ruling.finding.opens_at
            if opens_at is None:
                return None
            latest = opens_at if latest is None else max(latest, opens_at)
    return latest
