"""What is particular to the SQLite store: persistence, retention, speed of a question."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest
from store_records import NOON, approval, observation, output, record, scan

from veln_hook import clock, paths
from veln_hook.errors import StoreError
from veln_hook.model import Decision
from veln_hook.store import ArchiveMemory, connecting, files, open_store, schema, sqlite
from veln_hook.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "store.sqlite3"


def test_what_is_written_is_there_in_the_next_process(path):
    before = clock.now()
    store = open_store(path=path)
    machine = store.machine_id()
    stored = store.add_approval(approval())
    store.observe([observation()])
    store.record([record()])
    store.remember_archive(ArchiveMemory("a", "0.1", ()))
    store.close()
    store = open_store(path=path)
    assert store.machine_id() == machine
    assert list(store.approvals()) == [stored]
    assert list(store.observations("litellm")) == [observation()]
    assert len(store.log()) == 1
    assert len(store.archive_memories(["a"])) == 1
    info = store.info()
    assert (info.location, info.persistent, info.problem) == (str(path), True, "")
    assert before <= info.started_at <= clock.now()
    store.close()


def test_it_lies_where_paths_says(monkeypatch, tmp_path):
    for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    store = open_store()
    assert store.info().location == str(paths.store_file())
    store.close()
    assert paths.store_file().is_file()


@pytest.mark.parametrize("url", ["mysql://ada:secret@db/veln", "sqlite:///x", "nonsense", "mysql://h"])
def test_another_kind_of_url_is_refused_without_repeating_its_password(url):
    with pytest.raises(StoreError, match="no store of the kind") as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
    assert "postgresql://" in caught.value.advice


@pytest.mark.parametrize(
    "name", ["a b", "q?mode=memory", "h#x", "per%20cent", "caf\u00e9", "quo'te\"", "nl\nx"]
)
def test_any_path_is_only_a_path(tmp_path, name):
    target = tmp_path / name / "store.sqlite3"
    store = SqliteStore(target)
    store.observe([observation()])
    assert store.info().persistent
    store.close()
    assert sorted(each.name for each in target.parent.iterdir()) == ["store.sqlite3", "store.sqlite3.lock"]


def test_a_relative_path_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SqliteStore(files.Path("here.sqlite3")).close()
    assert (tmp_path / "here.sqlite3").is_file()


def test_the_write_ahead_log_is_used(path):
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_where_there_is_no_shared_memory_the_ordinary_journal_is_used(tmp_path):
    target = tmp_path / "plain.sqlite3"
    files.create(target)
    # This VFS of SQLite has no shared memory, as a network file system has none.
    connection = sqlite3.connect(files.uri(target, "vfs=unix-dotfile"), uri=True, isolation_level=None)
    assert not connecting.use_wal(connection)
    schema.create(connection, started_at=NOON)
    connection.close()
    store = SqliteStore(target)
    store.observe([observation()])
    assert len(store.observations("litellm")) == 1
    store.close()
    connection = sqlite3.connect(target)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


MOUNTS = """\
rootfs / rootfs rw 0 0
/dev/sda1 / ext4 rw 0 0
filer:/home /home nfs4 rw 0 0
tmpfs /home/ada/fast tmpfs rw 0 0
u@h: /mnt/my\\040disk fuse.sshfs rw 0 0
filer:/a /mnt/twice nfs rw 0 0
/dev/sdb1 /mnt/twice ext4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    "place, expected",
    [
        ("/var/lib", False),
        ("/home", True),
        ("/home/ada", True),
        ("/homes", False),
        ("/home/ada/fast/x", False),
        ("/mnt/my disk/x", True),
        ("/mnt/twice/x", False),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(place, expected):
    assert files.on_network(files.Path(place), MOUNTS) is expected


def test_only_the_newest_log_records_are_kept(path):
    store = SqliteStore(path, log_kept=500)
    for start in range(0, 3000, 250):
        store.record(record(at=NOON + timedelta(seconds=start + number)) for number in range(250))
    kept = store.log()
    assert [each.id for each in kept] == list(range(3000, 2500, -1))
    store.record([record(at=NOON + timedelta(days=1))] * 999)
    assert 500 <= len(store.log()) <= 1499
    store.close()


def test_only_the_newest_scans_are_kept(path):
    store = SqliteStore(path, scans_kept=10, file_scans_kept=100)
    for number in range(30):
        store.remember_scan(scan(sha256=f"{number:064x}"))
        store.remember_file_scans({f"{number}-{file}": b"" for file in range(20)}, 7)
    assert {int(each.sha256, 16) for each in store.scans("litellm")} == set(range(20, 30))
    assert set(store.file_scans((f"{n}-{file}" for n in range(30) for file in range(20)), 7)) == {
        f"{n}-{file}" for n in range(25, 30) for file in range(20)
    }
    store.close()


def test_a_scan_that_another_program_wrote_is_no_error(path):
    store = SqliteStore(path)
    store.remember_scan(scan())
    store.remember_file_scans({"a": b"1", "b": b"2"}, 7)
    with store._using(write=True) as connection:
        connection.execute("UPDATE scan SET decision = 'maybe', facts = 'text'")
        connection.execute("UPDATE file_scan SET facts = 'text' WHERE sha256 = 'a'")
        connection.execute("UPDATE meta SET value = 'x' WHERE key = 'scan_rules'")
    found = store.scan("a" * 64)
    assert (found.decision, found.facts) == (Decision.HOLD, b"")
    assert store.file_scans(["a", "b"], 7) == {"b": b"2"}
    store.remember_scan(scan())
    assert store.scan("a" * 64) == scan()
    store.close()


@pytest.mark.slow
def test_the_log_keeps_a_hundred_thousand_records():
    store = SqliteStore(":memory:")
    store.record([record(findings=())] * 101_000)
    ids = [each.id for each in store.log()]
    store.close()
    assert (len(ids), min(ids), max(ids)) == (100_000, 1001, 101_000)


@pytest.mark.parametrize(
    "query, values, plan",
    [
        (sqlite.OBSERVATIONS_OF, 1, "SEARCH observation USING PRIMARY KEY (project=?)"),
        (sqlite.LOG + sqlite.NEWEST_RECORD, 2, "USING INDEX verdict_log_by_time (at>?)"),
        (
            sqlite.LOG + sqlite.LOG_OF_PROJECT + sqlite.NEWEST_RECORD,
            3,
            "verdict_log_by_project (project=? AND at>?)",
        ),
    ],
)
def test_frequent_questions_read_only_their_answer(path, query, values, plan):
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    steps = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + query, ("1",) * values)]
    connection.close()
    assert len(steps) == 1, steps  # a second step would be a sort
    assert plan in steps[0].replace("SEARCH TABLE", "SEARCH")


def test_a_failed_write_changes_nothing_and_the_store_goes_on(path):
    store = SqliteStore(path)

    def broken():
        yield observation()
        raise RuntimeError("the caller's own")

    with pytest.raises(RuntimeError):
        store.observe(broken())
    with pytest.raises(StoreError):
        store.record([record(), record(approval_id=2**70)])
    assert list(store.log()) == []
    store.observe([observation()])
    assert store.info().observations == 1
    store.close()


def test_a_row_that_makes_no_sense_is_a_store_error(path):
    store = SqliteStore(path)
    store.record([record()])
    store.observe([observation()])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE verdict_log SET decision = 'perhaps'")
    connection.execute("UPDATE observation SET first_seen = 9000000000000000000")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="can't be understood"):
        store.log()
    with pytest.raises(StoreError, match="can't be understood"):
        store.observations("litellm")
    store.close()


def test_a_writer_that_never_ends_makes_a_store_error_and_reading_goes_on(path, monkeypatch):
    monkeypatch.setattr(connecting, "_BUSY_SECONDS", 0.2)
    store = SqliteStore(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked") as caught:
        store.observe([observation()])
    assert "again" in caught.value.advice
    assert list(store.observations("litellm")) == []
    # Another process can even open it meanwhile.
    SqliteStore(path).close()
    other.execute("ROLLBACK")
    other.close()
    store.observe([observation()])
    store.close()


def test_nothing_is_imported_once_the_package_is_loaded(tmp_path):
    # pip 26.3 forbids first imports while it installs; sooner or later everything here runs then.
    code = """
import sys
from pathlib import Path
import store_records as r
from veln_hook.store import ArchiveMemory, open_store
from veln_hook.store.overlay import OverlayStore
from veln_hook.errors import StoreError
from veln_hook.model import Decision

def refuse(event, args):
    if event == "import":
        raise RuntimeError(f"import of {args[0]}")
sys.addaudithook(refuse)

def use(store):
    store.info(); store.machine_id()
    store.observe([r.observation(), r.observation(filename="caf\\u00e9-\\udcff")])
    store.observations("litellm")
    number = store.add_approval(r.approval()).id
    store.approvals(); store.revoke_approval(number, r.NOON); store.prune_approvals(r.NOON)
    store.record([r.record()]); store.log()
    store.remember_archive(ArchiveMemory("a", "1", (r.finding(),)))
    store.archive_memories(["a"]); store.forget_archive("a"); store.close()

place = Path(sys.argv[1])
use(open_store(path=place / "new" / "store.sqlite3"))
use(open_store(path=place / "new" / "store.sqlite3"))
(place / "bad").mkdir()
(place / "bad" / "store.sqlite3").write_bytes(b"x" * 9000)
use(open_store(path=place / "bad" / "store.sqlite3"))
(place / "file").write_bytes(b"")
use(open_store(path=place / "file" / "store.sqlite3"))
use(open_store())
try:
    open_store("mysql://x")
except StoreError:
    print("done")
"""
    assert (
        output(
            "import os; os.environ['HOME'] = os.environ['XDG_STATE_HOME'] = __import__('sys').argv[1]\n"
            + code,
            tmp_path,
        )
        == "done\n"
    )
