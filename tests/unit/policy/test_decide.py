from __future__ import annotations

import ast
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from veln_hook.model import (
    Approval,
    Archive,
    ArchiveKind,
    Candidate,
    Confidence,
    Decision,
    Finding,
    Origin,
    Severity,
    Source,
)
from veln_hook.policy import decide as decide_module
from veln_hook.policy.decide import decide
from veln_hook.policy.settings import DecisionTable, Policy, PolicyException, SignalPolicy

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
SHA = "ab" * 32
CANDIDATE = Candidate("litellm", "1.82.8", "litellm-1.82.8.tar.gz", "https://x/", Source.INDEX, sha256=SHA)
ARCHIVE = Archive(
    "/tmp/x", ArchiveKind.SDIST, Origin.FETCHED, "litellm-1.82.8.tar.gz", "litellm", "1.82.8", SHA
)


def finding(severity=Severity.HIGH, confidence=Confidence.HIGH, signal="dns-exfiltration", **more):
    return Finding(signal, severity, confidence, "a message", **more)


def cooling(**more):
    return finding(Severity.LOW, Confidence.HIGH, "cooling", **more)


def approval(**changes):
    fields = {
        "project": "litellm",
        "version": "1.82.8",
        "filename": "litellm-1.82.8.tar.gz",
        "sha256": SHA,
        "reason": "read it",
        "author": "me",
        "created_at": NOW - timedelta(hours=1),
    }
    return Approval(**{**fields, **changes})


def verdict(*findings, policy=None, approvals=(), subject=CANDIDATE, now=NOW):
    return decide(subject, findings, policy=policy or Policy(), approvals=approvals, now=now)


def test_nothing_found_is_allowed():
    result = verdict()
    assert (result.decision, result.rulings, result.opens_at) == (Decision.ALLOW, (), None)


@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("confidence", list(Confidence))
def test_the_table_decides_and_is_named(severity, confidence):
    policy = Policy(origins={f"decisions.{severity.word}.{confidence.word}": "system"})
    result = verdict(finding(severity, confidence), policy=policy)
    (ruling,) = result.rulings
    assert result.decision is ruling.decision is DecisionTable().decision(severity, confidence)
    assert (ruling.rule, ruling.layer) == (f"decisions.{severity.word}.{confidence.word}", "system")


def test_the_strictest_decides_and_comes_first():
    found = [
        finding(Severity.LOW),
        finding(Severity.CRITICAL),
        finding(Severity.MEDIUM),
        finding(Severity.HIGH),
    ]
    result = verdict(*found)
    assert result.decision is Decision.BLOCK
    assert [ruling.decision for ruling in result.rulings] == [3, 2, 1, 0]


def test_cooling_holds_whatever_the_table_says():
    lax = Policy(
        decisions=DecisionTable({(s, c): Decision.ALLOW for s in Severity for c in Confidence}),
        signals={"cooling": SignalPolicy(enabled=False)},
        origins={"cooling.min_age": "user"},
    )
    result = verdict(cooling(opens_at=NOW + timedelta(hours=1)), policy=lax)
    assert result.decision is Decision.HOLD
    assert result.opens_at == NOW + timedelta(hours=1)
    assert (result.rulings[0].rule, result.rulings[0].layer) == ("cooling.min_age", "user")


def test_opens_at_is_the_last_of_them_and_only_if_all_have_one():
    early, late = cooling(opens_at=NOW + timedelta(hours=1)), finding(opens_at=NOW + timedelta(hours=5))
    assert verdict(early, late).opens_at == NOW + timedelta(hours=5)
    assert verdict(late, early).opens_at == NOW + timedelta(hours=5)
    assert verdict(early, cooling()).opens_at is None
    assert verdict(early, finding(Severity.MEDIUM)).opens_at == NOW + timedelta(
        hours=1
    )  # a WARN holds nothing
    blocked = verdict(early, finding(Severity.CRITICAL))
    assert (blocked.decision, blocked.opens_at) == (Decision.BLOCK, None)


@pytest.mark.parametrize(
    ("severity", "decision", "rule"),
    [
        (Severity.LOW, Decision.HOLD, "unverifiable"),
        (Severity.MEDIUM, Decision.HOLD, "unverifiable"),
        (Severity.HIGH, Decision.HOLD, "decisions.high.high"),
        (Severity.CRITICAL, Decision.BLOCK, "decisions.critical.high"),
    ],
)
def test_unverifiable_is_at_least_held(severity, decision, rule):
    result = verdict(finding(severity, unverifiable=True))
    assert (result.decision, result.rulings[0].rule) == (decision, rule)


def test_a_disabled_signal_does_not_count_but_is_told():
    policy = Policy(signals={"dns-exfiltration": SignalPolicy(enabled=False)})
    result = verdict(finding(), finding(unverifiable=True), policy=policy)
    assert result.decision is Decision.ALLOW
    assert {ruling.rule for ruling in result.rulings} == {"signals.dns-exfiltration.enabled"}
    assert verdict(finding(signal="another"), policy=policy).decision is Decision.HOLD


@pytest.mark.parametrize("signal", [SignalPolicy(enabled=False), SignalPolicy(severity=Severity.LOW)])
def test_no_signal_setting_lowers_a_critical_finding(signal):
    policy = Policy(signals={"dns-exfiltration": signal})
    assert verdict(finding(Severity.CRITICAL), policy=policy).decision is Decision.BLOCK


def test_a_severity_override_goes_both_ways():
    lowered = Policy(signals={"dns-exfiltration": SignalPolicy(severity=Severity.LOW)})
    raised = Policy(signals={"dns-exfiltration": SignalPolicy(severity=Severity.CRITICAL)})
    assert verdict(finding(Severity.HIGH), policy=lowered).decision is Decision.ALLOW
    assert verdict(finding(Severity.LOW), policy=raised).decision is Decision.BLOCK


def test_a_floor_only_ever_raises_even_where_the_table_is_crooked():
    cells = {(s, c): Decision.ALLOW for s in Severity for c in Confidence}
    cells[Severity.MEDIUM, Confidence.HIGH] = Decision.HOLD
    floor = {"dns-exfiltration": SignalPolicy(at_least=Severity.CRITICAL)}
    crooked = Policy(decisions=DecisionTable(cells), signals=floor)
    result = verdict(finding(Severity.MEDIUM), policy=crooked)
    assert (result.decision, result.rulings[0].rule) == (Decision.HOLD, "decisions.medium.high")
    assert verdict(finding(Severity.LOW), policy=crooked).decision is Decision.HOLD
    assert verdict(finding(Severity.HIGH), policy=crooked).decision is Decision.ALLOW


@pytest.mark.parametrize("subject", [CANDIDATE, ARCHIVE])
def test_an_approval_lifts_what_holds(subject):
    word = approval()
    result = verdict(cooling(), finding(), finding(Severity.MEDIUM), approvals=[word], subject=subject)
    assert result.decision is Decision.WARN
    assert result.approval == word
    assert sorted(ruling.decision for ruling in result.rulings) == [0, 0, 1]
    assert verdict(cooling(), approvals=[word], subject=subject).passes


def test_an_approval_never_lifts_a_block():
    result = verdict(finding(Severity.CRITICAL), cooling(), approvals=[approval()])
    assert result.decision is Decision.BLOCK


def test_an_approval_that_lifts_nothing_is_not_named():
    assert verdict(finding(Severity.MEDIUM), approvals=[approval()]).approval is None


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "cd" * 32},
        {"sha256": SHA.upper()},
        {"sha256": ""},
        {"project": "another"},
        {"expires_at": NOW},
        {"expires_at": NOW - timedelta(seconds=1)},
        {"revoked_at": NOW},
    ],
)
def test_an_approval_of_something_else_or_of_another_time_lifts_nothing(changes):
    result = verdict(cooling(), approvals=[approval(**changes)])
    assert (result.decision, result.approval) == (Decision.HOLD, None)
    assert verdict(cooling(), approvals=[approval(**changes), approval()]).passes


def test_an_approval_is_good_until_its_last_moment():
    assert verdict(cooling(), approvals=[approval(expires_at=NOW + timedelta(microseconds=1))]).passes


def test_the_project_is_compared_by_its_normal_form():
    subject = CANDIDATE._replace(project="zope-interface")
    assert verdict(cooling(), approvals=[approval(project="Zope.Interface")], subject=subject).passes


@pytest.mark.parametrize(
    ("accept", "shared", "passes"),
    [("local", False, True), ("local", True, True), ("shared", False, False), ("shared", True, True),
     ("none", False, False), ("none", True, False)],
)  # fmt: skip
def test_whose_approvals_count(accept, shared, passes):
    result = verdict(cooling(), approvals=[approval(shared=shared)], policy=Policy(approvals_accept=accept))
    assert result.passes is passes


def test_without_a_digest_nothing_is_lifted():
    subject = CANDIDATE._replace(sha256="")
    policy = Policy(exceptions=(PolicyException("", "slipped in"),))
    assert (
        verdict(cooling(), approvals=[approval(sha256="")], subject=subject, policy=policy).decision
        is Decision.HOLD
    )


def test_an_exception_lifts_a_block_and_a_hold_until_its_day():
    policy = Policy(exceptions=(PolicyException(SHA, "we wrote it", NOW + timedelta(days=1)),))
    found = [finding(Severity.CRITICAL), cooling(), finding(Severity.MEDIUM)]
    result = verdict(*found, policy=policy)
    assert (result.decision, result.exception) == (Decision.WARN, "we wrote it")
    after = verdict(*found, policy=policy, now=NOW + timedelta(days=1))
    assert (after.decision, after.exception) == (Decision.BLOCK, "")
    other = verdict(*found, policy=policy, subject=CANDIDATE._replace(sha256="cd" * 32))
    assert (other.decision, other.exception) == (Decision.BLOCK, "")
    assert verdict(finding(Severity.MEDIUM), policy=policy).exception == ""


def test_a_naive_now_is_refused():
    with pytest.raises(ValueError, match="aware"):
        verdict(now=datetime(2026, 5, 1))  # noqa: DTZ001


def test_the_module_can_reach_no_clock_disk_or_network():
    allowed = {"__future__", "dataclasses", "typing", "collections.abc", "datetime", "packaging.utils"}
    allowed |= {"veln_hook.model", "veln_hook.policy.settings"}
    tree = ast.parse(Path(decide_module.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported <= allowed
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {"now", "today", "utcnow"}


def test_as_many_people_have_to_approve_as_the_policy_says():
    policy = Policy(approvals_accept="shared", approvals_people=2)
    ada = approval(shared=True, login="ada", author="x")
    twice = verdict(finding(), policy=policy, approvals=[ada, approval(shared=True, login="ada", author="y")])
    assert (twice.decision, twice.approval, twice.pending) == (Decision.HOLD, None, (ada,))
    own = approval(author="me")
    assert verdict(finding(), policy=policy, approvals=[ada, own]).pending == (ada,)
    both = verdict(finding(), policy=policy, approvals=[ada, approval(shared=True, login="bob")])
    assert (both.decision, both.approval, both.pending) == (Decision.ALLOW, ada, ())
