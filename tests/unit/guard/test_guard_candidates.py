from __future__ import annotations

from datetime import timedelta

import pytest
from guard_records import AGE, INDEX, OTHER, SHA, START, approval, candidate

from veln_hook import __version__
from veln_hook.errors import StoreError
from veln_hook.model import Confidence, Decision, Finding, Observation, Severity, Source
from veln_hook.policy.settings import CoolingPolicy, Policy, PolicyException
from veln_hook.store import ArchiveMemory

YOUNG = timedelta(minutes=5)
FOUND = Finding("acme", Severity.HIGH, Confidence.HIGH, "reads credentials")


def test_nothing_asked_nothing_answered(machine):
    assert machine.guard().check_candidates([]) == []


def test_verdicts_come_in_the_order_of_the_candidates(machine):
    asked = [candidate("1.0"), candidate("3.0", age=YOUNG), candidate("2.0"), candidate("4.0", age=YOUNG)]
    verdicts = machine.guard().check_candidates(asked)
    assert [v.subject for v in verdicts] == asked
    assert [v.decision for v in verdicts] == [Decision.ALLOW, Decision.HOLD, Decision.ALLOW, Decision.HOLD]


def test_what_no_signal_speaks_of_is_allowed_without_a_ruling(machine):
    verdict = machine.guard().check_candidate(candidate())
    assert (verdict.decision, verdict.rulings) == (Decision.ALLOW, ())


def test_a_hold_opens_when_the_age_is_reached(machine):
    verdict = machine.guard().check_candidate(candidate(age=YOUNG))
    assert verdict.opens_at == START - YOUNG + AGE
    machine.now = verdict.opens_at - timedelta(microseconds=1)
    assert machine.guard().check_candidate(candidate(age=YOUNG)).decision is Decision.HOLD
    machine.now = verdict.opens_at
    assert machine.guard().check_candidate(candidate(age=YOUNG)).decision is Decision.ALLOW


# First sights


def test_the_first_sight_of_what_has_no_time_is_kept_once(machine):
    unknown = candidate(age=None)
    assert machine.guard().check_candidate(unknown).decision is Decision.HOLD
    machine.now += timedelta(hours=1)
    guard = machine.guard()
    for _ in range(3):
        assert guard.check_candidate(unknown).opens_at == START + AGE
    (observation,) = machine.store.observations("demo")
    assert observation.first_seen == START
    assert (observation.filename, observation.sha256, observation.index) == (unknown.filename, SHA, INDEX)
    machine.now = START + AGE
    assert machine.guard().check_candidate(unknown).decision is Decision.ALLOW


def test_a_clock_that_was_wrong_does_not_hold_for_ever(machine):
    machine.now = START + timedelta(days=4000)
    machine.guard().check_candidate(candidate(age=None))
    machine.now = START
    assert machine.guard().check_candidate(candidate(age=None)).opens_at == START + AGE
    machine.now = START + AGE
    assert machine.guard().check_candidate(candidate(age=None)).decision is Decision.ALLOW


@pytest.mark.parametrize(
    "unkept",
    [
        candidate(),  # has a time
        candidate(age=None, source=Source.LOCAL_FILE),
        candidate(age=None, source=Source.DIRECT_URL, index="", sha256=""),  # a URL alone is no identity
    ],
)
def test_other_files_start_no_clock(machine, unkept):
    machine.guard().check_candidate(unkept)
    assert list(machine.store.observations("demo")) == []


def test_two_indexes_have_a_clock_each(machine):
    both = [candidate(age=None, sha256=""), candidate(age=None, sha256="", index="https://mirror/")]
    machine.guard().check_candidates(both)
    assert {o.index for o in machine.store.observations("demo")} == {INDEX, "https://mirror/"}


def test_what_was_held_is_observed_when_asked_to(machine):
    machine.guard().observe([candidate(age=YOUNG), candidate(source=Source.LOCAL_FILE, sha256=OTHER)])
    (observation,) = machine.store.observations("demo")
    assert observation.sha256 == SHA


# Approvals and exceptions


def test_an_approval_of_the_exact_file_lifts_a_hold(machine):
    machine.store.add_approval(approval())
    young = candidate(age=YOUNG)
    verdict = machine.guard().check_candidate(young)
    assert verdict.decision is Decision.ALLOW
    assert verdict.approval.author == "ada"
    assert [r.decision for r in verdict.rulings] == [Decision.ALLOW]


@pytest.mark.parametrize(
    "other",
    [
        {"sha256": OTHER},
        {"project": "other"},
        {"expires_at": START},
        {"revoked_at": START},
    ],
)
def test_an_approval_of_anything_else_does_not(machine, other):
    machine.store.add_approval(approval(**other))
    assert machine.guard().check_candidate(candidate(age=YOUNG)).decision is Decision.HOLD


def test_what_has_no_hash_can_not_be_approved(machine):
    machine.store.add_approval(approval(sha256=""))
    assert machine.guard().check_candidate(candidate(age=YOUNG, sha256="")).decision is Decision.HOLD


def test_an_exception_lifts_it_too_and_says_why(machine):
    policy = Policy(exceptions=(PolicyException(SHA, "vetted"),))
    verdict = machine.guard(policy).check_candidate(candidate(age=YOUNG))
    assert (verdict.decision, verdict.exception) == (Decision.ALLOW, "vetted")


# What earlier runs found in the archive


def test_a_remembered_archive_is_dropped_before_it_is_fetched_again(machine):
    machine.store.remember_archive(ArchiveMemory(SHA, __version__, (FOUND,)))
    held, free = machine.guard().check_candidates([candidate("2.0"), candidate("1.0", sha256=OTHER)])
    assert held.decision is Decision.HOLD
    assert held.rulings[0].finding == FOUND
    assert held.opens_at is None
    assert free.decision is Decision.ALLOW


def test_every_candidate_with_these_bytes_is_dropped(machine):
    # The same file on two indexes, or under two names on one.
    machine.store.remember_archive(ArchiveMemory(SHA, __version__, (FOUND,)))
    asked = [
        candidate(),
        candidate(index="https://mirror/"),
        candidate(filename="demo-1.0-1-py3-none-any.whl"),
    ]
    assert [v.decision for v in machine.guard().check_candidates(asked)] == [Decision.HOLD] * 3


def test_another_version_of_this_program_looks_again(machine):
    machine.store.remember_archive(ArchiveMemory(SHA, "0.0.0", (FOUND,)))
    assert machine.guard().check_candidate(candidate()).decision is Decision.ALLOW


def test_what_is_remembered_can_be_approved(machine):
    machine.store.remember_archive(ArchiveMemory(SHA, __version__, (FOUND,)))
    machine.store.add_approval(approval())
    assert machine.guard().check_candidate(candidate()).decision is Decision.ALLOW


def test_foreign_members_are_foreign_to_one_project_only(machine):
    # The bytes of pip's own wheel, once offered under the name 'evil', must not block pip's next release.
    found = Finding("overwrite", Severity.CRITICAL, Confidence.HIGH, "would overwrite pip", evidence="evil")
    machine.store.remember_archive(ArchiveMemory(SHA, __version__, (found,)))
    assert machine.guard().check_candidate(candidate(project="pip")).decision is Decision.ALLOW
    assert machine.guard().check_candidate(candidate(project="evil")).decision is Decision.BLOCK


def test_min_observations_counts_this_machines_own_sight(machine):
    policy = Policy(cooling=CoolingPolicy(min_observations=2))
    guard = machine.guard(policy)
    verdict = guard.check_candidate(candidate())
    assert verdict.decision is Decision.HOLD
    assert "seen by 1 of the 2 machines" in verdict.rulings[0].finding.message
    seen = candidate()
    machine.store.observe(
        [Observation(seen.project, seen.version, seen.filename, SHA, INDEX, START, machine="another")]
    )
    assert guard.check_candidate(candidate()).decision is Decision.ALLOW


# The log, and a store that fails


def test_judging_candidates_writes_no_log_until_it_is_asked_for(machine):
    guard = machine.guard()
    verdict = guard.check_candidate(candidate(age=YOUNG))
    assert list(machine.store.log()) == []
    guard.log([verdict], stage="candidate")
    (record,) = machine.store.log()
    assert (record.at, record.decision, record.stage) == (START, Decision.HOLD, "candidate")
    assert (record.project, record.version, record.sha256, record.index) == ("demo", "1.0", SHA, INDEX)
    assert record.opens_at == verdict.opens_at
    assert record.reason.startswith("uploaded 5 min ago")
    assert record.findings == tuple(r.finding for r in verdict.rulings)


def test_the_log_names_the_approval(machine):
    stored = machine.store.add_approval(approval())
    guard = machine.guard()
    guard.log([guard.check_candidate(candidate(age=YOUNG))], stage="candidate")
    (record,) = machine.store.log()
    assert (record.approval_id, record.author) == (stored.id, "ada")


def test_a_store_that_does_not_answer_is_an_error_and_never_a_pass(machine):
    guard = machine.guard()
    machine.store.close()
    with pytest.raises(StoreError):
        guard.check_candidate(candidate())
