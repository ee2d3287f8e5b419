"""What ``sandbox.builds`` makes of a build that would run unconfined."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from veln_hook.model import (
    Approval,
    Archive,
    ArchiveKind,
    Confidence,
    Decision,
    Finding,
    Origin,
    Severity,
)
from veln_hook.policy.decide import UNCONFINED_BUILD, decide
from veln_hook.policy.settings import DecisionTable, Policy, PolicyException, SandboxPolicy, SignalPolicy

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
SHA = "ab" * 32
SDIST = Archive("/tmp/x", ArchiveKind.SDIST, Origin.FETCHED, "demo-1.0.tar.gz", "demo", "1.0", SHA)
TREE = Archive("/tmp/y", ArchiveKind.DIRECTORY, Origin.TREE, "demo")
FINDING = Finding(UNCONFINED_BUILD, Severity.HIGH, Confidence.HIGH, "no sandbox works here")
APPROVAL = Approval("demo", "1.0", "demo-1.0.tar.gz", SHA, "read it", "me", NOW)


def _policy(builds, **more):
    return Policy(
        sandbox=SandboxPolicy(builds=builds), origins={"sandbox.builds": "/etc/policy.toml"}, **more
    )


@pytest.mark.parametrize(
    "builds, subject, decision",
    [
        ("auto", SDIST, Decision.HOLD),
        ("auto", TREE, Decision.WARN),
        ("require", SDIST, Decision.BLOCK),
        ("require", TREE, Decision.BLOCK),
        ("off", SDIST, Decision.ALLOW),
        ("off", TREE, Decision.ALLOW),
    ],
)
def test_the_setting_decides(builds, subject, decision):
    verdict = decide(subject, [FINDING], policy=_policy(builds), approvals=(), now=NOW)
    assert verdict.decision is decision
    assert (verdict.rulings[0].rule, verdict.rulings[0].layer) == ("sandbox.builds", "/etc/policy.toml")
    assert verdict.opens_at is None


def test_an_approval_lifts_the_hold_and_not_the_block():
    held = decide(SDIST, [FINDING], policy=_policy("auto"), approvals=[APPROVAL], now=NOW)
    assert (held.decision, held.approval) == (Decision.ALLOW, APPROVAL)
    blocked = decide(SDIST, [FINDING], policy=_policy("require"), approvals=[APPROVAL], now=NOW)
    assert blocked.decision is Decision.BLOCK
    exception = PolicyException(SHA, "we build it elsewhere, too")
    policy = _policy("require", exceptions=(exception,))
    lifted = decide(SDIST, [FINDING], policy=policy, approvals=(), now=NOW)
    assert (lifted.decision, lifted.exception) == (Decision.ALLOW, exception.reason)


def test_neither_the_table_nor_a_signals_entry_loosens_it():
    cells = dict.fromkeys(((s, c) for s in Severity for c in Confidence), Decision.ALLOW)
    policy = _policy(
        "auto",
        decisions=DecisionTable(cells),
        signals={UNCONFINED_BUILD: SignalPolicy(enabled=False, severity=Severity.LOW)},
    )
    assert decide(SDIST, [FINDING], policy=policy, approvals=(), now=NOW).decision is Decision.HOLD
