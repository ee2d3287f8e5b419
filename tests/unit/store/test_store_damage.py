"""Damaged files are moved aside, by one process only, and never deleted."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time

import pytest
from store_records import NOON, approval, environment, observation, record

from veln_hook.errors import StoreError
from veln_hook.store import ArchiveMemory, connecting, files, open_store
from veln_hook.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite3"


def fill(path, rows=300):
    store = SqliteStore(path)
    store.observe(observation(filename=f"file-{number}", sha256=f"{number:064x}") for number in range(rows))
    store.add_approval(approval())
    store.record([record()] * rows)
    store.close()


def aside(path):
    return sorted(each for each in path.parent.glob("*.corrupt-*") if not each.name.endswith(files.SIDECARS))


def not_a_database(path):
    path.write_bytes(b"this is a shopping list\n" * 400)
    path.chmod(0o600)


def truncated(path):
    fill(path)
    os.truncate(path, 3000)


def broken_schema(path):
    fill(path)
    content = bytearray(path.read_bytes())
    content[100:110] = b"\xff" * 10
    path.write_bytes(content)


def somebody_elses(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.commit()
    connection.close()
    path.chmod(0o600)


def without_a_table(path):
    fill(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE approval")
    connection.close()


def with_another_column(path):
    fill(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"index_url TEXT NOT NULL", b"index_xxx TEXT NOT NULL"))


def without_a_number(path):
    fill(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = 'noon' WHERE key = 'started_at'")
    connection.commit()
    connection.close()


def without_a_row(path):
    fill(path)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM meta WHERE key = 'machine'")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        not_a_database,
        truncated,
        broken_schema,
        somebody_elses,
        without_a_table,
        without_a_row,
        without_a_number,
        with_another_column,
    ],
)
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(path, damage):
    damage(path)
    content = path.read_bytes()
    store = open_store(path=path)
    info = store.info()
    (moved,) = aside(path)
    assert moved.read_bytes() == content
    assert info.set_aside == str(moved)
    assert (info.persistent, info.observations, info.approvals) == (True, 0, 0)
    assert list(store.approvals()) == []
    store.observe([observation()])
    store.close()
    again = open_store(path=path)
    assert again.info().set_aside == str(moved)
    assert again.info().observations == 1
    moved.unlink()
    assert again.info().set_aside == ""
    again.close()
    assert aside(path) == []


def test_a_log_that_lost_its_database_is_not_taken_for_the_new_ones(path):
    code = """
import os, sys
from pathlib import Path
import store_records as r
from veln_hook.store import open_store
store = open_store(path=Path(sys.argv[1]))
store.add_approval(r.approval())
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code, str(path)], env=environment(), check=True)
    assert files.has_content(files.sidecar(path, "-wal"))
    path.unlink()
    store = open_store(path=path)
    assert list(store.approvals()) == []
    assert len(list(path.parent.glob("*.corrupt-*-wal"))) == 1
    store.close()


def test_damage_that_shows_in_use_fails_that_call_and_not_the_next_run(path):
    fill(path, 2000)
    content = bytearray(path.read_bytes())
    for start in range(4096 * 12, len(content) - 4096, 4096):
        content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)
    store = open_store(path=path)
    assert store.info().set_aside == ""  # opening reads two pages
    with pytest.raises(StoreError, match="damaged") as caught:
        store.observations("litellm")
    assert "moved aside" in caught.value.advice
    (moved,) = aside(path)
    assert moved.read_bytes() == bytes(content)
    # The very same object goes on with the new file, and so does the next process.
    assert list(store.observations("litellm")) == []
    store.observe([observation()])
    store.close()
    store = open_store(path=path)
    assert (store.info().set_aside, store.info().observations) == (str(moved), 1)
    store.close()


def test_a_damaged_file_in_use_elsewhere_is_not_pulled_away(path, monkeypatch):
    monkeypatch.setattr(connecting, "_ALONE_SECONDS", 0.2)
    fill(path)
    user = SqliteStore(path)
    not_a_database(path)
    content = path.read_bytes()
    store = open_store(path=path)
    info = store.info()
    assert (info.persistent, info.observations) == (False, 0)
    assert "another process still uses it" in info.problem
    store.observe([observation()])
    store.close()
    assert path.read_bytes() == content
    assert aside(path) == []
    user.close()


RACER = """
import sys, time
from pathlib import Path
import store_records as r
from veln_hook.store import open_store
number, path, start = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
time.sleep(max(0, start - time.time()))
store = open_store(path=path)
store.observe([r.observation(filename=number)])
store.add_approval(r.approval(reason=number))
assert store.info().persistent, store.info()
store.close()
"""


@pytest.mark.parametrize("damage", [not_a_database, truncated, broken_schema])
def test_processes_that_meet_a_damaged_file_at_once_move_it_once(path, damage):
    damage(path)
    start = time.time() + 1
    racers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", RACER, str(number), str(path), str(start)],
            env=environment(),
        )
        for number in range(6)
    ]
    assert [racer.wait(60) for racer in racers] == [0] * 6
    store = open_store(path=path)
    assert len(aside(path)) == 1
    assert {each.filename for each in store.observations("litellm")} == set("012345")
    assert {each.reason for each in store.approvals()} == set("012345")
    store.close()


def ask_everything(store):
    """Ask and write all there is; return how many calls the store could not answer."""
    failures = 0
    calls = (
        store.info,
        store.machine_id,
        lambda: store.observations("litellm"),
        store.approvals,
        store.log,
        lambda: store.archive_memories(["a"]),
        lambda: store.observe([observation(filename="new")]),
        lambda: store.record([record()]),
        lambda: store.add_approval(approval()),
        lambda: store.revoke_approval(1, NOON),
        lambda: store.prune_approvals(NOON),
        lambda: store.remember_archive(ArchiveMemory("a", "1", ())),
        lambda: store.forget_archive("a"),
    )
    for call in calls:
        try:
            call()
        except StoreError:
            failures += 1
    return failures


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happened_to_the_bytes_only_store_errors_leave(path, seed):
    fill(path, 60)
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    # Half of the seeds aim at the first pages, where the header and the schema are.
    reach = len(content) if seed % 2 else 8192
    for _ in range(chance.choice([1, 5, 50, 500])):
        content[chance.randrange(reach)] = chance.randrange(256)
    if seed % 5 == 0:
        del content[chance.randrange(len(content)) :]
    path.write_bytes(content)
    for _ in range(3):
        try:
            store = open_store(path=path)
        except StoreError as error:
            if "newer" not in str(error):  # else the bytes of the version were hit
                raise
            return
        ask_everything(store)
        store.close()
