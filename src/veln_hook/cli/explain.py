"""Tell for each file of a release what was found, which rule decided, and what was approved or excepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from veln_hook import clock
from veln_hook.cli import asking
from veln_hook.cli.parsing import release
from veln_hook.model import Candidate, ExitStatus
from veln_hook.policy.decide import decide
from veln_hook.policy.durations import format_duration
from veln_hook.report.json_form import approval_object, finding_object, moment, verdict_object
from veln_hook.report.text import when
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import Approval, Decision, Finding, Verdict
    from veln_hook.policy.settings import Policy, PolicyException

HELP = "why a release passes or does not: findings, rules, layers"
USAGE = "explain [options] NAME==VERSION"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``explain``."""
    parser.add_argument("release", metavar="NAME==VERSION", help="the release")
    asking.add_index_options(parser)


def run(invocation: Invocation) -> ExitStatus:
    """Explain each file's verdict. It is an answer, so its exit status is 0 whatever the verdict is."""
    console = invocation.console
    project, version = release(invocation.args.release)
    policy = invocation.policy()
    now = clock.now()
    with invocation.store(policy) as store, asking.client(invocation, policy, store, fresh=True) as client:
        console.progress(f"asking for {project} {version} ...")
        verdicts = client.release(project, version)
        approvals = store.approvals(project)
    for verdict in verdicts:
        own = [approval for approval in approvals if _concerns(approval, verdict)]
        exceptions = [
            one
            for one in policy.exceptions
            if verdict.subject.sha256 and one.sha256 == verdict.subject.sha256
        ]
        console.result(_object(policy, verdict, own, exceptions, now))
        head = f"{verdict.decision.name:<5} {printable(verdict.subject.filename)}"
        console.line(console.palette.decision(head, verdict.decision))
        for line in _lines(policy, verdict, own, exceptions, now):
            console.line(f"      {line}")
    return ExitStatus.OK


def undisturbed(policy: Policy, verdict: Verdict, now: datetime) -> dict[Finding, Decision]:
    """Return what each finding leads to before approvals and exceptions lift anything."""
    findings = [ruling.finding for ruling in verdict.rulings]
    plain = replace(policy, exceptions=())
    again = decide(verdict.subject, findings, policy=plain, approvals=(), now=now)
    return {ruling.finding: ruling.decision for ruling in again.rulings}


def _lines(
    policy: Policy,
    verdict: Verdict,
    approvals: Sequence[Approval],
    exceptions: Sequence[PolicyException],
    now: datetime,
) -> Iterator[str]:
    subject = verdict.subject
    yield f"sha256    {subject.sha256 or 'the index promises none, so this file can not be approved'}"
    if isinstance(subject, Candidate):
        age = "tells no upload time"
        if subject.upload_time is not None:
            ago = f" ({format_duration(now - subject.upload_time)} ago)" if subject.upload_time <= now else ""
            age = f"uploaded {when(subject.upload_time)}{ago}"
        yield f"index     {printable(subject.index or subject.source.value)}, {age}"
        applied = policy.min_age_for(subject.project, subject.version, subject.index)
        wait = format_duration(applied.min_age) if applied.min_age else "none"
        yield f"cooling   {wait} ({applied.key}, {place(policy, applied.layer)})"
    if not verdict.rulings:
        yield "findings  none"
    plain = undisturbed(policy, verdict, now)
    for ruling in verdict.rulings:
        finding = ruling.finding
        where = (
            f" [{finding.path}{'' if finding.line is None else f':{finding.line}'}]" if finding.path else ""
        )
        yield f"finding   {finding.signal}: {printable(finding.message + where)}"
        unknown = ", unverifiable" if finding.unverifiable else ""
        yield f"          severity {finding.severity.word}, confidence {finding.confidence.word}{unknown}"
        key, layer = ruling.rule, ruling.layer
        before = plain[finding]
        lifted = f", lifted to {ruling.decision.word}" if ruling.decision is not before else ""
        yield f"          {before.word} by {key} ({place(policy, layer)}){lifted}"
    for approval in approvals:
        yield f"approval  {approval.id} of {printable(approval.author)}: {printable(approval.reason)}"
        yield f"          {_state(approval, verdict, now)}"
    for exception in exceptions:
        state = "in force" if exception.is_active(now) else "expired"
        until = when(exception.expires, never="for ever")
        yield f"exception {printable(exception.reason)}"
        yield f"          until {until}, {state} ({place(policy, policy.origin('exceptions'))})"
    if verdict.opens_at is not None:
        yield f"opens     {when(verdict.opens_at)} by itself"


def place(policy: Policy, layer: str) -> str:
    """Return a layer with the file it was read from."""
    path = next((one.path for one in policy.files if one.name == layer and one.present), "")
    return f"{layer}: {path}" if path else layer


def _state(approval: Approval, verdict: Verdict, now: datetime) -> str:
    if approval.sha256 != verdict.subject.sha256:
        return f"lifts nothing: it is for other bytes, sha256 {approval.sha256}"
    if approval.revoked_at is not None:
        return f"revoked {when(approval.revoked_at)}"
    until = when(approval.expires_at, never="for ever")
    if not approval.is_active(now):
        return f"expired {until}"
    used = verdict.approval is not None and verdict.approval.id == approval.id
    return f"until {until}{', lifts the hold' if used else ''}"


def _concerns(approval: Approval, verdict: Verdict) -> bool:
    same = bool(approval.sha256) and approval.sha256 == verdict.subject.sha256
    return same or approval.filename == verdict.subject.filename


def _object(
    policy: Policy,
    verdict: Verdict,
    approvals: Sequence[Approval],
    exceptions: Sequence[PolicyException],
    now: datetime,
) -> dict[str, Any]:
    findings = []
    plain = undisturbed(policy, verdict, now)
    for ruling in verdict.rulings:
        key, layer = ruling.rule, ruling.layer
        decided = plain[ruling.finding].word
        told = {"decision": decided, "rule": key, "layer": layer, "counts_as": ruling.decision.word}
        findings.append({**finding_object(ruling.finding), **told})
    return {
        **verdict_object(verdict),
        "findings": findings,
        "approvals": [approval_object(approval, now) for approval in approvals],
        "exceptions": [
            {
                "reason": exception.reason,
                "expires": moment(exception.expires),
                "active": exception.is_active(now),
            }
            for exception in exceptions
        ],
    }
