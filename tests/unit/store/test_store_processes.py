"""Several processes on one file: nothing lost, nobody told that the database is locked."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from store_records import environment

from veln_hook.store import open_store
from veln_hook.store.files import StoreLock

WORKER = """
import sys, time
from pathlib import Path
import store_records as r
from veln_hook.store import ArchiveMemory, open_store
name, path, cycles, start, reopen = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
time.sleep(max(0, start - time.time()))
store = open_store(path=path)
for cycle in range(cycles):
    # Half of the files are seen by everybody, each with another time; the earliest must win.
    shared = r.observation(project="shared", filename=f"f{cycle}", first_seen=r.NOON + int(name) * r.HOUR)
    store.observe([shared, r.observation(project=name, filename=f"{name}-{cycle}")])
    store.record([r.record(project=name, reason=str(cycle))])
    number = store.add_approval(r.approval(project=name, reason=str(cycle))).id
    if cycle % 2:
        assert store.revoke_approval(number, r.NOON)
    assert any(each.id == number for each in store.approvals(name))
    store.remember_archive(ArchiveMemory(f"{name}-{cycle}", "1", (r.finding(),)))
    if reopen and cycle % reopen == 0:
        store.close()
        store = open_store(path=path)
assert store.info().persistent
store.close()
"""


def race(path, workers, cycles, reopen):
    start = time.time() + 1
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORKER, *map(str, (name, path, cycles, start, reopen))],
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in range(workers)
    ]
    errors = [each.communicate(timeout=300)[1] for each in running]
    assert errors == [""] * workers
    store = open_store(path=path)
    info = store.info()
    assert info.observations == workers * cycles + cycles
    assert info.approvals == workers * cycles
    assert info.set_aside == ""
    shared = store.observations("shared")
    assert len(shared) == cycles
    assert len({each.first_seen for each in shared}) == 1
    for name in map(str, range(workers)):
        assert {each.filename for each in store.observations(name)} == {
            f"{name}-{cycle}" for cycle in range(cycles)
        }
        assert [each.reason for each in store.log(project=name)] == [
            str(cycle) for cycle in reversed(range(cycles))
        ]
        approvals = store.approvals(name)
        assert {each.reason for each in approvals} == set(map(str, range(cycles)))
        assert all((each.revoked_at is not None) == int(each.reason) % 2 for each in approvals)
        assert len(store.archive_memories(f"{name}-{cycle}" for cycle in range(cycles))) == cycles
    assert len({each.id for each in store.approvals()}) == workers * cycles
    store.close()
    return path


@pytest.mark.parametrize("reopen", [0, 1])
def test_four_processes_lose_nothing(tmp_path, reopen):
    race(tmp_path / "new" / "store.sqlite3", 4, 15, reopen)
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == [
        "store.sqlite3",
        "store.sqlite3.lock",
    ]


def test_a_store_that_another_makes_meanwhile_and_keeps_open_is_used(tmp_path):
    open_store(path=tmp_path / "made.sqlite3").close()
    path = tmp_path / "store.sqlite3"
    other = StoreLock(path.with_name("store.sqlite3.lock"))
    assert other.shared()
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(open_store, path=path)
        # By now it has found nothing, and waits to be alone, which it will never be.
        time.sleep(0.3)
        (tmp_path / "made.sqlite3").rename(path)
        store = opening.result()
    assert store.info().persistent
    store.close()
    other.release()


@pytest.mark.slow
@pytest.mark.parametrize("reopen", [0, 1, 10])
def test_eight_processes_lose_nothing_in_two_hundred_cycles(tmp_path, reopen):
    race(tmp_path / "store.sqlite3", 8, 200, reopen)


@pytest.mark.slow
def test_a_process_that_is_killed_in_the_middle_costs_nothing_but_its_last_write(tmp_path):
    path = tmp_path / "store.sqlite3"
    open_store(path=path).close()
    for round_ in range(15):
        command = [sys.executable, "-c", WORKER, str(round_), str(path), "100000", "0", "7"]
        with subprocess.Popen(command, env=environment()) as victim:
            time.sleep(0.3 + round_ * 0.02)
            victim.kill()
        store = open_store(path=path)
        info = store.info()
        counted = sum(len(store.observations(str(number))) for number in range(round_ + 1))
        assert info.persistent
        assert info.set_aside == ""
        assert info.observations == counted + len(store.observations("shared"))
        store.close()


@pytest.mark.slow
def test_a_big_store_answers(tmp_path):
    path = tmp_path / "store.sqlite3"
    code = """
import sys
from pathlib import Path
import store_records as r
from veln_hook.store import open_store
store = open_store(path=Path(sys.argv[1]))
for project in range(300):
    store.observe(r.observation(project=f"p{project}", filename=f"p{project}-{n}", sha256=f"{n:064x}") for n in range(3000))
store.close()
"""
    subprocess.run([sys.executable, "-c", code, str(path)], env=environment(), check=True)
    store = open_store(path=path)
    assert store.info().observations == 900_000
    assert len(store.observations("p150")) == 3000
    store.close()
