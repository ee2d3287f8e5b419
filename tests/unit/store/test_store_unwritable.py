"""Read-only file systems, other users' homes, full disks: real ones, made by mounting them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys

import pytest
from store_records import approval, observation, output, record

from veln_hook.store.sqlite import SqliteStore


@functools.cache
def can_mount() -> str:
    """Why no file system can be mounted here; empty if one can."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return "needs Linux, root and unshare(1) to mount a file system"
    tried = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True, check=False
    )
    return f"this machine lets nobody mount: {tried.stderr.strip()}" if tried.returncode else ""


needs_mount = pytest.mark.skipif(bool(can_mount()), reason=can_mount())
IN_NAMESPACE = ("unshare", "-m", "--propagation", "private")

START = """
import os, subprocess, sys
from pathlib import Path
import store_records as r
from veln_hook.errors import StoreError
from veln_hook.store import open_store
place = Path(sys.argv[1])
path = place / "store.sqlite3"
def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)
def use(store):
    "Everything works for this process, on top of what was there."
    before = store.info()
    store.observe([r.observation(filename="new")])
    assert "new" in {each.filename for each in store.observations("litellm")}
    number = store.add_approval(r.approval(reason="now")).id
    assert store.approvals()[0].id == number
    store.record([r.record(reason="now", at=r.NOON + r.HOUR)])
    assert store.log()[0].reason == "now"
    assert store.revoke_approval(number, r.NOON)
    print(before.persistent, before.observations, before.approvals, len(store.log()), before.problem)
    store.close()
"""


@pytest.fixture
def place(tmp_path):
    """A directory with a store that holds one observation, one approval and one log record."""
    store = SqliteStore(tmp_path / "store.sqlite3")
    store.observe([observation()])
    store.add_approval(approval())
    store.record([record()])
    store.close()
    return tmp_path


def everything(place):
    return {each.name: each.read_bytes() for each in place.iterdir()}


READ_ONLY = """
mount("--bind", place, place)
mount("-o", "remount,bind,ro", place)
"""


@needs_mount
def test_on_a_read_only_file_system_the_file_is_read_and_the_rest_kept_in_memory(place):
    before = everything(place)
    printed = output(
        START + READ_ONLY + "use(open_store(path=path)); use(open_store(path=path))",
        place,
        before=IN_NAMESPACE,
    )
    for line in printed.splitlines():
        assert line.startswith("False 1 1 2 ")
        assert "ead-only file system" in line
    assert len(printed.splitlines()) == 2
    assert everything(place) == before


@needs_mount
def test_on_a_read_only_file_system_without_a_store_it_is_in_memory(tmp_path):
    printed = output(
        START + READ_ONLY + "use(open_store(path=path)); use(open_store(path=place / 'x' / 'y'))",
        tmp_path,
        before=IN_NAMESPACE,
    )
    assert [line[:12] for line in printed.splitlines()] == ["False 0 0 1 "] * 2
    assert everything(tmp_path) == {}


# A process that died left its last writes in the -wal: an approval, and the revocation of the old one.
DIED = """
child = os.fork()
if not child:
    store = open_store(path=path)
    store.add_approval(r.approval(reason="in the -wal"))
    assert store.revoke_approval(1, r.NOON)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert path.with_name("store.sqlite3-wal").stat().st_size
"""


@needs_mount
def test_what_a_dead_process_left_in_the_log_is_read_on_a_read_only_file_system(place):
    code = (
        START
        + DIED
        + READ_ONLY
        + """
store = open_store(path=path)
print([(each.reason, each.revoked_at is None) for each in store.approvals()])
use(store)
"""
    )
    first, second = output(code, place, before=IN_NAMESPACE).splitlines()
    assert first == "[('in the -wal', True), ('looked at it', False)]"
    assert second.startswith("False 1 2 2 ")


@needs_mount
def test_where_that_log_cannot_be_read_no_old_state_is_shown_instead(place):
    # In the database file alone, the revoked approval still stands.
    code = (
        START
        + DIED
        + """
path.with_name("store.sqlite3-shm").unlink()
"""
        + READ_ONLY
        + "use(open_store(path=path))"
    )
    assert output(code, place, before=IN_NAMESPACE).startswith("False 0 0 1 ")


@needs_mount
def test_a_damaged_file_on_a_read_only_file_system_is_left_alone(tmp_path):
    (tmp_path / "store.sqlite3").write_bytes(b"no database" * 1000)
    before = everything(tmp_path)
    printed = output(START + READ_ONLY + "use(open_store(path=path))", tmp_path, before=IN_NAMESPACE)
    assert printed.startswith("False 0 0 1 ")
    assert everything(tmp_path) == before


NOBODY = "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="needs root to become another user"
)


@pytest.fixture
def reachable(place):
    for each in (place, *place.parents):
        each.chmod(each.stat().st_mode | 0o755)
    return place


@as_root
def test_a_file_that_cannot_be_read_is_as_good_as_none(reachable):
    assert output(START + NOBODY + "use(open_store(path=path))", reachable).startswith("False 0 0 1 ")


@as_root
def test_a_home_that_cannot_be_written_or_does_not_exist(reachable):
    code = (
        START
        + NOBODY
        + """
os.environ["HOME"] = "/nonexistent"
os.environ.pop("XDG_STATE_HOME", None)
use(open_store())
use(open_store(path=place / "new" / "store.sqlite3"))
"""
    )
    printed = output(code, reachable).splitlines()
    assert [line[:12] for line in printed] == ["False 0 0 1 "] * 2
    assert "/nonexistent" in printed[0]


FULL = """
import errno
mount("-t", "tmpfs", "-o", "mode=700,size=" + sys.argv[2], "none", place)
def fill():
    with open(place / "ballast", "ab", buffering=0) as ballast:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    ballast.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
"""


@needs_mount
def test_a_disk_that_fills_up_stops_writing_and_not_reading(tmp_path):
    code = (
        START
        + FULL
        + """
store = open_store(path=path)
store.observe([r.observation()])
stored = store.add_approval(r.approval())
fill()
failures = 0
for call in (
    lambda: store.observe(r.observation(filename=f"file-{number}") for number in range(5000)),
    lambda: store.record([r.record(reason="x" * 1000)] * 1000),
):
    try:
        call()
    except StoreError as error:
        failures += "full" in str(error) and "room" in error.advice
assert failures == 2, failures
assert list(store.observations("litellm")) == [r.observation()]
assert list(store.approvals()) == [stored]
assert store.info().observations == 1 and not store.log()
(place / "ballast").unlink()
store.record([r.record()])
store.close()
store = open_store(path=path)
print(store.info().persistent, store.info().observations, store.info().approvals, len(store.log()))
store.close()
"""
    )
    assert output(code, tmp_path, "1M", before=IN_NAMESPACE) == "True 1 1 1\n"


@needs_mount
def test_a_disk_that_is_full_already_leaves_a_store_in_memory_over_what_is_there(tmp_path):
    code = (
        START
        + FULL
        + """
store = open_store(path=path)
store.observe([r.observation()])
store.close()
fill()
use(open_store(path=path))
(place / "ballast").unlink()
use(open_store(path=path))
"""
    )
    first, second = output(code, tmp_path, "256k", before=IN_NAMESPACE).splitlines()
    assert first.startswith("False 1 0 1 ")
    assert second.startswith("True 1 0 1 ")


@needs_mount
def test_on_a_disk_too_full_for_a_new_store_it_is_in_memory_and_made_later(tmp_path):
    code = (
        START
        + FULL
        + """
fill()
use(open_store(path=path))
(place / "ballast").unlink()
store = open_store(path=path)
assert not store.info().set_aside
use(store)
"""
    )
    first, second = output(code, tmp_path, "256k", before=IN_NAMESPACE).splitlines()
    assert first.startswith("False 0 0 1 ")
    assert second.startswith("True 0 0 1 ")


@needs_mount
@pytest.mark.parametrize("spare", range(0, 20, 4))
def test_whatever_room_is_left_opening_and_using_never_fail_otherwise(tmp_path, spare):
    code = (
        START
        + FULL
        + """
fill()
with open(place / "ballast", "ab") as ballast:
    ballast.truncate(os.path.getsize(place / "ballast") - 4096 * int(sys.argv[3]))
for _ in range(2):
    store = open_store(path=path)
    try:
        use(store)
    except StoreError as error:
        assert "full" in str(error) or "can't be used" in str(error), error
    store.close()
(place / "ballast").unlink()
use(open_store(path=path))
"""
    )
    assert output(code, tmp_path, "256k", spare, before=IN_NAMESPACE).splitlines()[-1].startswith("True ")
