"""One verdict for each pin, by the same guard as an install's."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from veln_hook.guard import Guard
from veln_hook.locks.comparing import Indexes
from veln_hook.locks.judging import MAX_RULINGS, judge, merged, wanted
from veln_hook.locks.model import OriginKind, Pin, PinnedFile
from veln_hook.model import (
    Approval,
    Candidate,
    Confidence,
    Decision,
    Finding,
    Ruling,
    Severity,
    Source,
    Verdict,
)
from veln_hook.policy.settings import Policy, PolicyException
from veln_hook.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
PYPI = "https://pypi.org/simple/"
INDEXES = Indexes([PYPI])
A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    store = SqliteStore(":memory:")
    yield store
    store.close()


def guard(store, policy=None):
    return Guard(policy or Policy(), store, prefix=sys.prefix, now=lambda: NOW)


def listed(version="2.0", sha256=A, age=timedelta(days=30), filename=""):
    name = filename or f"demo-{version}-py3-none-any.whl"
    return Candidate(
        "demo", version, name, f"https://x/{name}", Source.INDEX, PYPI, sha256, upload_time=NOW - age
    )


def pin(version="2.0", sha256=A, filename="", **changes):
    file = PinnedFile(filename or f"demo-{version}-py3-none-any.whl", "", (("sha256", sha256),), 4)
    return Pin("demo", version, OriginKind.REGISTRY, PYPI, **{"files": (file,), **changes})


def judged(store, pins, offered, policy=None):
    return [verdict for _, verdict in judge(guard(store, policy), pins, offered, INDEXES)]


def test_each_pin_has_its_own_release(store):
    pins = [pin("1.0"), pin("2.0.0", filename="demo-2.0-py3-none-any.whl"), pin("3.0", sha256=C), pin("4.0")]
    offered = [listed("2.0"), listed("1.0", age=timedelta(minutes=5)), listed("3.0", sha256=B)]
    verdicts = judged(store, pins, offered)
    assert [one.decision for one in verdicts] == [
        Decision.HOLD,
        Decision.ALLOW,
        Decision.BLOCK,
        Decision.HOLD,
    ]
    assert verdicts[0].opens_at == NOW + timedelta(hours=1, minutes=55)
    assert verdicts[3].opens_at is None  # nobody lists it: time doesn't mend that


def test_what_a_lock_claims_is_no_observation(store):
    judged(store, [pin(sha256=C), pin("9.0")], [listed()])
    assert list(store.observations("demo")) == []
    unknown = listed()._replace(upload_time=None)
    judged(store, [pin(sha256=C)], [unknown])
    assert [one.sha256 for one in store.observations("demo")] == [A]


def test_exceptions_and_approvals_are_of_the_bytes_that_the_lock_means(store):
    def policy(sha256):
        return Policy(exceptions=(PolicyException(sha256, "ours", None),))

    tampered = [pin(sha256=C)]
    assert judged(store, tampered, [listed()], policy(A))[0].decision is Decision.BLOCK
    assert judged(store, tampered, [listed()], policy(C))[0].decision is Decision.ALLOW
    store.add_approval(Approval("demo", "2.0", "demo-2.0-py3-none-any.whl", C, "x", "me", NOW))
    assert judged(store, tampered, [listed()])[0].decision is Decision.BLOCK


def test_the_strictest_file_decides_and_all_findings_are_told(store):
    young = listed(age=timedelta(minutes=5), filename="demo-2.0.tar.gz", sha256=B)
    files = (*pin(sha256=C).files, PinnedFile("demo-2.0.tar.gz", "", (("sha256", B),), 5))
    (verdict,) = judged(store, [pin(files=files)], [listed(), young])
    assert verdict.decision is Decision.BLOCK
    assert verdict.opens_at is None
    assert [ruling.finding.signal for ruling in verdict.rulings] == ["lock-hash", "cooling"]


def test_a_lock_without_hashes_passes_and_says_so(store):
    (verdict,) = judged(store, [pin(files=())], [listed(), listed(filename="demo-2.0.zip", sha256=B)])
    assert verdict.decision is Decision.ALLOW
    (ruling,) = verdict.rulings
    assert (ruling.finding.signal, ruling.finding.severity) == ("lock-hash", Severity.LOW)


def test_what_is_asked_for():
    pins = [
        pin("1.0"),
        pin("2.0"),
        pin()._replace(project="foreign", source="https://other.example/simple/"),
        pin()._replace(project="url", origin=OriginKind.URL),
        pin()._replace(project="tree", origin=OriginKind.URL, version=""),
        pin()._replace(project="vcs", origin=OriginKind.VCS),
        pin()._replace(project="path", origin=OriginKind.PATH),
    ]
    assert wanted(pins, INDEXES) == {"demo": {"1.0", "2.0"}, "url": {"2.0"}}


def verdict(decision, *, opens_at=None, message="m", signal="s"):
    finding = Finding(signal, Severity.HIGH, Confidence.HIGH, message, opens_at=opens_at)
    return Verdict(decision, listed(), (Ruling(finding, decision, "rule", "default"),), opens_at=opens_at)


def test_a_release_opens_when_its_last_file_does():
    soon, late = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    holds = [
        verdict(Decision.HOLD, opens_at=late, signal="cooling"),
        verdict(Decision.HOLD, opens_at=soon, signal="cooling"),
    ]
    assert merged(holds).opens_at == late
    assert len(merged(holds).rulings) == 1
    assert merged([*holds, verdict(Decision.HOLD)]).opens_at is None
    assert merged([*holds, verdict(Decision.BLOCK)]).decision is Decision.BLOCK


def test_there_is_an_end_to_what_is_told():
    many = [verdict(Decision.WARN, message=str(number)) for number in range(MAX_RULINGS + 5)]
    many.append(verdict(Decision.BLOCK, message="worst"))
    told = merged(many).rulings
    assert len(told) == MAX_RULINGS
    assert told[0].finding.message == "worst"
