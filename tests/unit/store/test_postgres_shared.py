"""Machines that share a store: what one sees or is told, another knows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from store_records import HOUR, NOON, approval, observation, record, run, scan

pytest.importorskip("psycopg")

from veln_hook.guard import Guard
from veln_hook.model import Candidate, Decision, Source
from veln_hook.policy.settings import CoolingPolicy, Policy
from veln_hook.signals import SignalManager
from veln_hook.source.client import Scanner
from veln_hook.store import ArchiveMemory
from veln_hook.store.postgres_copy import LocalCopy
from veln_hook.store.postgres_server import server_identity
from veln_hook.store.sqlite import SqliteStore


def candidate(**changes):
    fields = {
        "project": "demo",
        "version": "1.0",
        "filename": "demo-1.0-py3-none-any.whl",
        "url": "https://x/demo-1.0-py3-none-any.whl",
        "source": Source.INDEX,
        "index": "https://pypi.org/simple/",
        "sha256": "ab" * 32,
        "upload_time": NOON - timedelta(days=30),
    }
    return Candidate(**{**fields, **changes})


def judged(fleet, name, subject, *, now=NOON, **cooling):
    """Judge on a machine in a process' life: open, ask, observe what was wanted, close."""
    policy = Policy(cooling=CoolingPolicy(**cooling))
    store = fleet.machine(name, votes=policy.cooling.min_observations)
    guard = Guard(policy, store, signals=SignalManager(), now=lambda: now, scanner=Scanner())
    verdict = guard.check_candidate(subject)
    guard.observe([subject])
    guard.log([verdict], stage="candidate")
    guard.close()
    store.close()
    return verdict


def test_a_release_cools_only_when_age_and_machines_say_so(fleet):
    fleet.any_time()
    rules = {"min_age": 2 * HOUR, "min_observations": 3}
    young = candidate(upload_time=NOON - HOUR)
    old = NOON + 2 * HOUR

    first = judged(fleet, "one", young, **rules)
    assert first.decision is Decision.HOLD
    assert "uploaded" in first.rulings[0].finding.message

    # Old enough, but two machines have seen it; a machine that asks again is no other machine.
    for name in ("two", "two", "one", "two"):
        verdict = judged(fleet, name, young, now=old, **rules)
        assert verdict.decision is Decision.HOLD
        assert "seen by 2 of the 3 machines" in verdict.rulings[0].finding.message

    assert judged(fleet, "three", young, now=old, **rules).decision is Decision.ALLOW
    assert judged(fleet, "one", young, now=old, **rules).decision is Decision.ALLOW
    # Three machines, but young again for a policy that asks for more.
    again = judged(fleet, "four", young, now=old, min_age=timedelta(days=9), min_observations=3)
    assert "uploaded" in again.rulings[0].finding.message


def test_other_bytes_under_the_name_have_no_machines(fleet):
    fleet.any_time()
    for name in ("one", "two"):
        judged(fleet, name, candidate(), min_observations=2)
    assert judged(fleet, "three", candidate(), min_observations=2).passes
    changed = judged(fleet, "three", candidate(sha256="cd" * 32), min_observations=2)
    assert not changed.passes
    assert {ruling.finding.signal for ruling in changed.holding} & {"cooling", "hash-mutation"}


def test_bytes_that_changed_are_noticed_by_a_machine_that_never_saw_the_first(fleet):
    fleet.any_time()
    assert judged(fleet, "one", candidate()).passes
    verdict = judged(fleet, "two", candidate(sha256="cd" * 32), now=NOON + HOUR)
    assert verdict.decision is Decision.BLOCK
    assert verdict.rulings[0].finding.signal == "hash-mutation"


def test_a_file_without_upload_time_ages_from_the_first_sight_of_any_machine(fleet):
    fleet.any_time()
    timeless = candidate(upload_time=None)
    assert judged(fleet, "one", timeless, min_age=2 * HOUR).decision is Decision.HOLD
    assert judged(fleet, "two", timeless, min_age=2 * HOUR, now=NOON + HOUR).decision is Decision.HOLD
    assert judged(fleet, "three", timeless, min_age=2 * HOUR, now=NOON + 2 * HOUR).passes


@pytest.mark.parametrize("trust_local, known", [(True, 1), (False, 0)])
def test_what_only_this_machines_file_tells_counts_if_the_policy_trusts_it(
    fleet, tmp_path, trust_local, known
):
    path = tmp_path / "m" / "store.sqlite3"
    local = SqliteStore(path)
    local.observe([observation(machine=local.machine_id()), observation(machine="forged")])
    local.close()
    machine = fleet.machine("m", trust_local=trust_local)
    assert len(machine.observations("litellm")) == known


def test_an_approval_holds_for_every_machine_at_once_and_so_does_its_end(fleet):
    approver = fleet.machine("approver", url=fleet.approver_url)
    given = approver.add_approval(approval())
    machines = [fleet.machine(f"m{number}") for number in range(3)]
    assert [list(each.approvals("litellm")) for each in machines] == [[given]] * 3
    assert given.shared
    for each in machines:
        each.close()
    assert approver.revoke_approval(given.id, NOON)
    assert [each.revoked_at for each in fleet.machine("m0").approvals("litellm")] == [NOON]
    assert approver.prune_approvals(NOON + HOUR) == 1
    assert list(fleet.machine("m1").approvals()) == []


def test_an_approval_in_this_machines_own_file_sleeps(fleet, tmp_path):
    local = SqliteStore(tmp_path / "m" / "store.sqlite3")
    local.add_approval(approval())
    local.close()
    assert list(fleet.machine("m").approvals("litellm")) == []
    assert list(fleet.machine("m").approvals()) == []


def test_what_was_found_in_archives_stays_on_the_machine(fleet):
    one, two = fleet.machine("one"), fleet.machine("two")
    one.remember_archive(ArchiveMemory("a" * 64, "1", ()))
    one.remember_scan(scan())
    one.remember_file_scans({"f": b"x"}, 7)
    assert one.archive_hashes() == {"a" * 64}
    assert two.archive_hashes() == frozenset()
    assert two.scan("a" * 64) is None
    assert list(two.scans("litellm")) == []
    assert two.file_scans(["f"], 7) == {}


def test_the_shared_log_has_what_matters_and_the_machines_own_has_all(fleet):
    machine = fleet.machine("m")
    told = []
    machine.told = told.extend
    records = [
        record(reason="held"),
        record(reason="passed", decision=Decision.ALLOW),
        record(reason="lifted", decision=Decision.ALLOW, approval_id=4),
        record(reason="off", decision=Decision.ALLOW, stage="switch"),
        record(reason="approved", decision=Decision.ALLOW, stage="approval", approval_id=4),
    ]
    machine.record(records)
    assert told == records
    assert {each.reason for each in machine.log()} == {"held", "passed", "lifted", "off", "approved"}
    mine = machine.machine_id()
    machine.close()
    assert {each.reason for each in fleet.server().log()} == {"held", "lifted", "off"}
    assert fleet.sql("SELECT DISTINCT machine, login FROM veln_hook.verdict_log") == [
        (mine, fleet.machine_login)
    ]


def test_a_file_that_was_told_of_is_not_told_of_again(fleet):
    """Ten thousand machines that install the same every day write nothing most days."""

    def tell():
        machine = fleet.machine("m")
        mine = machine.machine_id()
        machine.observations("litellm")
        machine.observe([observation(machine=mine, first_seen=machine.info().started_at)])
        machine.close()

    tell()
    # Without the right to tell, what would be told would wait here.
    fleet.sql("REVOKE EXECUTE ON FUNCTION veln_hook.observe FROM veln_hook_machine")
    tell()
    copy = LocalCopy(fleet.directory / "m" / "shared.sqlite3")
    assert copy.count(server_identity(fleet.url())) == 0
    copy.close()


def test_a_file_that_is_still_used_after_a_month_is_told_of_again(fleet):
    machine = fleet.machine("m")
    now = machine.info().started_at
    machine.observe([observation(machine=machine.machine_id(), first_seen=now)])
    machine.close()
    fleet.sql("UPDATE veln_hook.file SET last_seen = 0")
    machine = fleet.machine("m")
    machine.observations("litellm")
    machine.observe([observation(machine=machine.machine_id(), first_seen=now)])
    machine.close()
    assert fleet.sql("SELECT last_seen > 0 FROM veln_hook.file") == [(True,)]


def test_a_machine_whose_files_can_not_be_written_has_no_vote(fleet, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where a directory should be")
    from veln_hook.store import open_store

    for _ in range(2):
        store = open_store(fleet.url(), path=blocked / "store.sqlite3")
        assert not store.info().persistent
        mine = store.machine_id()
        store.observe([observation(machine=mine)])
        store.record([record(reason="told all the same")])
        assert [each.machine for each in store.observations("litellm")] == [mine]
        store.close()
    assert fleet.sql("SELECT count(*) FROM veln_hook.sighting") == [(0,)]
    assert [each.reason for each in fleet.server().log()] == ["told all the same"] * 2


def test_nothing_is_imported_once_the_store_is_open(fleet):
    """pip 26.3 forbids first imports while it installs, and the line to the server is made when it is needed."""
    code = """
import sys
from pathlib import Path
from datetime import timedelta
import encodings.idna  # as adapters.pip.preload
import store_records as r
from veln_hook.errors import StoreError
from veln_hook.model import Decision
from veln_hook.policy.settings import SharingPolicy
from veln_hook.store import open_store
good, bad, place = sys.argv[1], sys.argv[2], Path(sys.argv[3])
stores = [
    open_store(url, path=place / str(number) / "store.sqlite3", sharing=SharingPolicy(timedelta(seconds=wait), word))
    for number, (url, wait, word) in enumerate(((good, 20, "hold"), (bad, 0.5, "local"), (bad, 0.5, "hold")))
]
refused = []
def refuse(event, args):
    if event == "import":
        refused.append(args[0])
        raise RuntimeError(f"import of {args[0]}")
sys.addaudithook(refuse)

def attempt(call):
    try:
        return call()
    except StoreError:
        return None

for store in stores:
    attempt(store.info); attempt(store.machine_id)
    attempt(lambda: store.observations("litellm"))
    store.observe([r.observation(), r.observation(filename="caf\\u00e9-\\udcff")])
    given = attempt(lambda: store.add_approval(r.approval()))
    attempt(store.approvals)
    attempt(lambda: store.revoke_approval(given.id if given else 1, r.NOON))
    attempt(lambda: store.prune_approvals(r.NOON))
    store.record([r.record(), r.record(decision=Decision.BLOCK)]); store.log()
    store.close()
print(refused)
"""
    done = run(code, fleet.approver_url, "postgresql://m@127.0.0.1:1/x", fleet.directory)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    assert len(fleet.server().log()) == 4


def test_only_as_many_machines_are_asked_for_as_count(fleet):
    server = fleet.server(machine="m0")
    for number in range(9):
        server.observe([observation(machine=f"m{number}")])
    for votes, count in ((0, 1), (1, 1), (3, 4), (9, 9)):
        found = fleet.machine("m0", votes=votes).observations("litellm")
        assert len(found) <= count + 1
        assert len({each.machine for each in found}) >= min(votes, 9)


def test_a_machine_always_hears_of_its_own_sight_and_of_the_first(fleet):
    fleet.any_time()
    server = fleet.server()
    for number in range(9):
        server.observe([observation(machine=f"m{number}", first_seen=NOON + (9 - number) * HOUR)])
    found = fleet.server(machine="m3", votes=1).project("litellm").observations
    assert {each.machine for each in found} == {"m3", "m8"}
    assert found[0].first_seen == NOON + HOUR
