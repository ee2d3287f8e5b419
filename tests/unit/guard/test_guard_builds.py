"""What the guard makes of a build on a machine with and without a sandbox; the rule itself is ``decide``'s."""

from __future__ import annotations

import pytest
from guard_records import INDEX, START, approval, candidate

from support.builders import make_sdist, make_tree
from veln_hook.archive import describe_archive, describe_tree, hash_file
from veln_hook.model import Confidence, Decision, Finding, Origin, Severity
from veln_hook.policy.settings import Policy, SandboxPolicy
from veln_hook.sandbox.interface import Rung
from veln_hook.sandbox.ladder import Ladder, Probe

NONE = Ladder((Probe(Rung.NAMESPACES, False, "not permitted"), Probe(Rung.SUPERVISOR, False, "no Landlock")))
ONE = Ladder((Probe(Rung.NAMESPACES, False, "not permitted"), Probe(Rung.SUPERVISOR, True, "works")))


@pytest.fixture
def sdist(tmp_path):
    path = make_sdist(tmp_path, "demo", "1.0")
    sha256, _ = hash_file(str(path))
    asked = candidate(filename=path.name, sha256=sha256)
    return describe_archive(str(path), origin=Origin.FETCHED, candidate=asked)


@pytest.fixture
def tree(tmp_path):
    return describe_tree(str(make_tree(tmp_path, "demo", "1.0")))


def _unasked():
    raise AssertionError("the machine was tried, although nothing depends on it")


def _checked(machine, archive, find, builds="auto"):
    guard = machine.guard(Policy(sandbox=SandboxPolicy(builds=builds)))
    before = guard.check_archive(archive)
    logged = len(list(machine.store.log()))
    after = guard.check_build(before, find)
    return before, after, len(list(machine.store.log())) - logged


@pytest.mark.parametrize("builds", ["auto", "require"])
def test_with_a_sandbox_the_verdict_stays(machine, sdist, builds):
    before, after, logged = _checked(machine, sdist, lambda: ONE, builds)
    assert after is before
    assert after.decision is Decision.ALLOW
    assert logged == 0


@pytest.mark.parametrize("builds, decision", [("auto", Decision.HOLD), ("require", Decision.BLOCK)])
def test_without_one_an_sdist_does_not_pass_and_it_is_logged_why(machine, sdist, builds, decision):
    _, after, logged = _checked(machine, sdist, lambda: NONE, builds)
    assert after.decision is decision
    (ruling,) = after.rulings
    assert (ruling.finding.signal, ruling.rule) == ("unconfined-build", "sandbox.builds")
    assert ruling.finding.message.startswith("its build code would run unconfined, as no sandbox works here")
    assert ruling.finding.evidence == "namespaces: not permitted; supervisor: no Landlock"
    assert logged == 1
    record = max(machine.store.log(), key=lambda entry: len(entry.findings))
    assert (record.decision, record.stage, record.index, record.at) == (decision, "archive", INDEX, START)


@pytest.mark.parametrize("builds, decision", [("auto", Decision.WARN), ("require", Decision.BLOCK)])
def test_without_one_a_directory_has_no_hash_to_approve(machine, tree, builds, decision):
    _, after, _ = _checked(machine, tree, lambda: NONE, builds)
    assert after.decision is decision


def test_an_approval_of_the_file_lifts_it(machine, sdist):
    machine.store.add_approval(approval(sha256=sdist.sha256, filename=sdist.filename))
    _, after, logged = _checked(machine, sdist, lambda: NONE)
    assert after.decision is Decision.ALLOW
    assert after.approval is not None
    assert logged == 1


def test_off_asks_nothing_of_the_machine(machine, sdist):
    before, after, _ = _checked(machine, sdist, _unasked, "off")
    assert after is before


def test_nor_does_what_is_refused_already(machine, sdist):
    machine.says.findings = [Finding("says", Severity.CRITICAL, Confidence.HIGH, "bad")]
    before, after, _ = _checked(machine, sdist, _unasked)
    assert after is before
    assert after.decision is Decision.BLOCK


def test_what_was_found_before_still_counts(machine, tree):
    machine.says.findings = [Finding("says", Severity.MEDIUM, Confidence.HIGH, "odd")]
    before, after, _ = _checked(machine, tree, lambda: NONE)
    assert before.decision is Decision.WARN
    assert sorted(ruling.finding.signal for ruling in after.rulings) == ["says", "unconfined-build"]
