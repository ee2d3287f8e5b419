"""What every store does: in a file, in memory, over a file it can't write, shared through PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_records import HOUR, NOON, approval, finding, observation, record, scan

from veln_hook.errors import StoreError
from veln_hook.model import Decision
from veln_hook.store import ArchiveMemory, StoreInfo, connecting, postgres_schema, schema
from veln_hook.store.overlay import OverlayStore
from veln_hook.store.sqlite import SqliteStore


@pytest.fixture(params=["file", "memory", "overlay", "bare overlay", "postgres"])
def store(request, tmp_path):
    path = tmp_path / "store.sqlite3"
    if request.param == "postgres":
        fleet = request.getfixturevalue("fleet")
        fleet.any_time()
        made = fleet.machine("one", url=fleet.approver_url, votes=100)
    elif request.param == "file":
        made = SqliteStore(path)
    elif request.param == "memory":
        made = SqliteStore(":memory:")
    elif request.param == "overlay":
        SqliteStore(path).close()
        made = OverlayStore(str(path), "read-only", connecting.to_read(path))
    else:
        made = OverlayStore(str(path), "read-only")
    yield made
    made.close()


def test_a_new_store_is_empty(store):
    info = store.info()
    newest = postgres_schema.SCHEMA_VERSION if "postgresql:" in info.location else schema.SCHEMA_VERSION
    assert (info.observations, info.approvals, info.set_aside, info.schema) == (0, 0, "", newest)
    assert info.persistent == (not isinstance(store, OverlayStore) and info.location != ":memory:")
    assert list(store.observations("litellm")) == []
    assert list(store.approvals()) == []
    assert list(store.log()) == []
    assert list(store.archive_memories(["a" * 64])) == []


def test_the_machine_id_is_opaque_and_stays(store):
    assert len(store.machine_id()) == 32
    assert store.machine_id() == store.machine_id()


def test_an_observation_is_kept_whole_and_found_by_its_project_only(store):
    mine, other = observation(), observation(project="requests", filename="requests-2.tar.gz")
    store.observe([mine, other])
    assert list(store.observations("litellm")) == [mine]
    assert list(store.observations("requests")) == [other]
    assert store.info().observations == 2


def test_every_observed_project_is_known(store):
    assert store.projects() == frozenset()
    store.observe([observation(), observation(project="requests", filename="requests-2.tar.gz")])
    store.observe([observation(machine="another")])
    assert store.projects() == {"litellm", "requests"}


@pytest.mark.parametrize("field", ["machine", "index", "filename", "sha256"])
def test_files_that_differ_in_one_part_of_the_key_are_remembered_apart(store, field):
    store.observe([observation(), observation(**{field: "other"})])
    assert len(store.observations("litellm")) == 2


def test_a_known_observation_keeps_its_first_time(store):
    store.observe([observation()])
    store.observe([observation(first_seen=NOON + HOUR)])
    assert [each.first_seen for each in store.observations("litellm")] == [NOON]
    assert store.info().observations == 1


def test_a_time_in_the_future_of_the_new_one_is_replaced(store):
    store.observe([observation(first_seen=NOON + timedelta(days=3650))])
    store.observe([observation()])
    assert [each.first_seen for each in store.observations("litellm")] == [NOON]
    assert store.info().observations == 1


def test_the_same_file_twice_in_one_call_counts_once(store):
    store.observe(observation(first_seen=NOON + hours * HOUR) for hours in (2, 0, 1))
    assert [each.first_seen for each in store.observations("litellm")] == [NOON]


def test_observations_come_the_oldest_first(store):
    times = [NOON + hours * HOUR for hours in (3, 1, 2)]
    store.observe([observation(filename=f"f{number}", first_seen=time) for number, time in enumerate(times)])
    assert [each.first_seen for each in store.observations("litellm")] == sorted(times)


def test_nothing_to_observe_or_record_is_fine(store):
    store.observe([])
    store.record([])


def test_an_approval_gets_a_number_and_is_kept_whole(store):
    given_approval = approval(expires_at=NOON + HOUR, revoked_at=NOON)
    stored = store.add_approval(given_approval)
    assert stored == replace(given_approval, id=stored.id, shared=stored.shared, login=stored.login)
    assert bool(stored.login) is stored.shared
    assert stored.id > 0
    assert list(store.approvals()) == [stored]
    assert store.info().approvals == 1


@pytest.mark.parametrize("claimed", [False, True])
def test_whether_an_approval_is_a_shared_one_is_the_stores_to_say(store, claimed):
    shared = "postgresql:" in store.info().location
    assert store.add_approval(approval(shared=claimed)).shared == shared
    assert store.approvals()[0].shared == shared


def test_approvals_come_the_newest_first_and_by_project(store):
    old, new = store.add_approval(approval()), store.add_approval(approval(created_at=NOON + HOUR))
    other = store.add_approval(approval(project="requests", created_at=NOON - HOUR))
    assert list(store.approvals("litellm")) == [new, old]
    assert list(store.approvals()) == [new, old, other]
    assert list(store.approvals("absent")) == []


def test_an_approval_is_revoked_once(store):
    stored = store.add_approval(approval())
    assert store.revoke_approval(stored.id, NOON + HOUR)
    assert not store.revoke_approval(stored.id, NOON + 2 * HOUR)
    assert store.approvals()[0].revoked_at == NOON + HOUR


@pytest.mark.parametrize("number", [0, -1, 999, 2**63 - 1, 2**63, 10**40])
def test_an_approval_that_is_not_there_is_not_revoked(store, number):
    assert store.revoke_approval(number, NOON) is False


def test_pruning_drops_exactly_what_is_no_longer_active(store):
    kept = [
        store.add_approval(approval()),
        store.add_approval(approval(expires_at=NOON + HOUR)),
        store.add_approval(approval(revoked_at=NOON + HOUR)),
    ]
    store.add_approval(approval(expires_at=NOON))
    store.add_approval(approval(revoked_at=NOON, expires_at=NOON))
    assert store.prune_approvals(NOON) == 2
    assert sorted(each.id for each in store.approvals()) == [each.id for each in kept]
    assert store.prune_approvals(NOON) == 0


def test_the_number_of_a_deleted_approval_never_comes_back(store):
    gone = store.add_approval(approval(revoked_at=NOON))
    store.prune_approvals(NOON)
    assert store.add_approval(approval()).id > gone.id


def test_a_log_record_is_kept_whole(store):
    written = record(
        approval_id=7, author="ada", findings=(finding(), finding(path="x/\udcff.py", line=3, new=True))
    )
    store.record([written])
    (read,) = store.log()
    assert read == replace(written, id=read.id)
    assert read.id > 0


@pytest.mark.parametrize("decision", list(Decision))
def test_every_decision_can_be_logged(store, decision):
    store.record([record(decision=decision, opens_at=None)])
    assert store.log()[0].decision is decision


def test_the_log_comes_the_newest_first_and_can_be_narrowed(store):
    store.record(
        record(at=NOON + hours * HOUR, project=name) for hours, name in enumerate(["a", "b", "a", "b"])
    )

    def hours(**narrowed):
        return [(each.at - NOON) // HOUR for each in store.log(**narrowed)]

    assert hours() == [3, 2, 1, 0]
    assert hours(project="a") == [2, 0]
    assert hours(since=NOON + HOUR) == [3, 2, 1]
    assert hours(project="b", since=NOON + 2 * HOUR) == [3]
    assert hours(limit=2) == [3, 2]
    assert hours(limit=0) == []
    assert hours(project="a", limit=1) == [2]


def test_records_of_one_instant_come_the_last_written_first(store):
    store.record([record(reason="first"), record(reason="second")])
    store.record([record(reason="third")])
    assert [each.reason for each in store.log()] == ["third", "second", "first"]


def test_an_archive_is_remembered_replaced_and_forgotten(store):
    first = ArchiveMemory("a" * 64, "0.1", (finding(),))
    second = ArchiveMemory("a" * 64, "0.2", ())
    other = ArchiveMemory("b" * 64, "0.1", ())
    store.remember_archive(first)
    assert list(store.archive_memories(["a" * 64])) == [first]
    store.remember_archive(second)
    store.remember_archive(other)
    found = store.archive_memories(["b" * 64, "c" * 64, "a" * 64, "a" * 64])
    assert sorted(found, key=lambda each: each.sha256) == [second, other]
    store.forget_archive("a" * 64)
    store.forget_archive("absent")
    assert list(store.archive_memories(["a" * 64, "b" * 64])) == [other]


def test_a_scan_is_kept_whole_replaced_and_found_by_its_project(store):
    mine = scan()
    bare = scan(sha256="b" * 64, index="", uploaded_at=None, facts=b"", scanned_at=NOON + HOUR)
    other = scan(sha256="c" * 64, project="requests", decision=Decision.BLOCK)
    for each in (mine, bare, other):
        store.remember_scan(each)
    assert [store.scan(letter * 64) for letter in "abcd"] == [mine, bare, other, None]
    assert list(store.scans("litellm")) == [bare, replace(mine, facts=b"")]
    again = replace(mine, decision=Decision.HOLD, facts=b"more")
    store.remember_scan(again)
    assert store.scan("a" * 64) == again
    assert len(store.scans("litellm")) == 2
    assert list(store.scans("absent")) == []


def test_scans_by_older_rules_go_and_by_newer_ones_stay(store):
    store.remember_scan(scan(rules=7))
    store.remember_file_scans({"f": b"old"}, 7)
    store.remember_scan(scan(sha256="b" * 64, rules=8))
    assert store.scan("a" * 64) is None
    assert store.file_scans(["f"], 7) == {}
    store.remember_scan(scan(sha256="c" * 64, rules=7))
    assert store.scan("b" * 64).rules == 8
    assert store.scan("c" * 64).rules == 7


def test_file_scans_are_kept_by_their_rules(store):
    store.remember_file_scans({}, 7)
    names = [f"{number:064x}" for number in range(1200)]
    store.remember_file_scans({name: name.encode() for name in names}, 7)
    store.remember_file_scans({names[0]: b"new"}, 7)
    found = store.file_scans([*names, "absent", names[0]], 7)
    assert found == {**{name: name.encode() for name in names}, names[0]: b"new"}
    assert store.file_scans(names[:2], 8) == {}
    assert store.file_scans([], 7) == {}


def test_a_name_that_utf8_cannot_hold_costs_nothing_but_its_spelling(store):
    store.observe([observation(project="caf\u00e9", filename="x-\udcff.whl")])
    assert [each.filename for each in store.observations("caf\u00e9")] == ["x-\\udcff.whl"]
    store.record([record(reason="\udcff", project="\udcff")])
    assert len(store.log(project="\udcff")) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.info(),
        lambda store: store.machine_id(),
        lambda store: store.observations("a"),
        lambda store: store.observe([observation()]),
        lambda store: store.approvals(),
        lambda store: store.add_approval(approval()),
        lambda store: store.revoke_approval(1, NOON),
        lambda store: store.prune_approvals(NOON),
        lambda store: store.record([record()]),
        lambda store: store.log(),
        lambda store: store.remember_archive(ArchiveMemory("a", "1", ())),
        lambda store: store.archive_memories(["a"]),
        lambda store: store.forget_archive("a"),
        lambda store: store.remember_scan(scan()),
        lambda store: store.scan("a"),
        lambda store: store.scans("a"),
        lambda store: store.remember_file_scans({"a": b""}, 7),
        lambda store: store.file_scans(["a"], 7),
    ],
)
def test_a_closed_store_says_so_and_closing_twice_is_harmless(store, call):
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        call(store)


def test_threads_may_share_a_store(store):
    def work(name):
        for number in range(30):
            store.observe([observation(project=name, filename=f"{name}-{number}")])
            store.record([record(project=name)])

    threads = [threading.Thread(target=work, args=(f"p{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.info().observations == 180
    assert len(store.log()) == 180


seen = st.builds(
    observation,
    project=st.sampled_from(["p", "q"]),
    machine=st.sampled_from(["m", "n"]),
    filename=st.sampled_from(["f", "g"]),
    sha256=st.sampled_from(["", "a"]),
    first_seen=st.integers(0, 20).map(lambda hours: NOON + hours * HOUR),
)


@given(st.lists(st.lists(seen, max_size=6), max_size=4))
def test_any_history_leaves_the_earliest_time_of_each_file(batches):
    earliest = {}
    store = SqliteStore(":memory:")
    try:
        for batch in batches:
            store.observe(batch)
            for each in batch:
                key = each._replace(first_seen=NOON)
                earliest[key] = min(each.first_seen, earliest.get(key, each.first_seen))
        found = [each for project in "pq" for each in store.observations(project)]
        assert {each._replace(first_seen=NOON): each.first_seen for each in found} == earliest
        assert store.info().observations == len(found) == len(earliest)
    finally:
        store.close()


# -- what only an overlay can do -------------------------------------------------------------------------------


@pytest.fixture
def filled(tmp_path):
    path = tmp_path / "store.sqlite3"
    store = SqliteStore(path)
    store.observe([observation(), observation(filename="later", first_seen=NOON + 5 * HOUR)])
    store.add_approval(approval())
    store.add_approval(approval(expires_at=NOON))
    store.record([record(reason="in the file")])
    store.remember_archive(ArchiveMemory("a", "0.1", ()))
    store.remember_archive(ArchiveMemory("b", "0.1", ()))
    store.remember_scan(scan())
    store.remember_file_scans({"f": b"1", "g": b"2"}, 7)
    store.close()
    return path


def test_an_overlay_reads_the_file_and_adds_to_it_without_touching_it(filled):
    before = filled.read_bytes()
    store = OverlayStore(str(filled), "the disk is read-only", connecting.to_read(filled))
    try:
        store.observe([observation(filename="new"), observation(filename="later", first_seen=NOON)])
        assert {each.filename: each.first_seen for each in store.observations("litellm")} == {
            "litellm-1.82.6-py3-none-any.whl": NOON,
            "new": NOON,
            "later": NOON,
        }
        added = store.add_approval(approval(created_at=NOON + HOUR))
        assert added.id == 3
        assert [each.id for each in store.approvals("litellm")] == [3, 2, 1]
        assert store.revoke_approval(1, NOON + HOUR)
        assert not store.revoke_approval(1, NOON + HOUR)
        assert store.prune_approvals(NOON) == 1
        assert [(each.id, each.revoked_at) for each in store.approvals()] == [(3, None), (1, NOON + HOUR)]
        assert store.prune_approvals(NOON + HOUR) == 1
        store.record([record(reason="in memory")])
        assert [(each.id, each.reason) for each in store.log()] == [(2, "in memory"), (1, "in the file")]
        store.remember_archive(ArchiveMemory("a", "0.2", ()))
        store.forget_archive("b")
        assert list(store.archive_memories(["a", "b"])) == [ArchiveMemory("a", "0.2", ())]
        held = scan(decision=Decision.HOLD, scanned_at=NOON + HOUR)
        assert store.scan("a" * 64) == scan()
        store.remember_scan(held)
        store.remember_scan(scan(sha256="b" * 64))
        assert store.scan("a" * 64) == held
        assert [each.decision.word for each in store.scans("litellm")] == ["hold", "allow"]
        store.remember_file_scans({"f": b"3"}, 7)
        assert store.file_scans(["f", "g"], 7) == {"f": b"3", "g": b"2"}
        info = store.info()
        assert isinstance(info, StoreInfo)
        assert (info.persistent, info.problem, info.approvals) == (False, "the disk is read-only", 1)
        assert info.location == str(filled)
    finally:
        store.close()
    assert filled.read_bytes() == before
    again = SqliteStore(filled)
    assert again.info().observations == 2
    assert len(again.log()) == 1
    again.close()


def test_an_overlay_has_the_machine_id_and_the_age_of_its_file(filled):
    store = SqliteStore(filled)
    machine, begun = store.machine_id(), store.info().started_at
    store.close()
    overlay = OverlayStore(str(filled), "", connecting.to_read(filled))
    assert (overlay.machine_id(), overlay.info().started_at) == (machine, begun)
    overlay.close()
