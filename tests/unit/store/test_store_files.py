"""Who may read and write the store, and what is refused."""

from __future__ import annotations

import os
import stat
import sys

import pytest
from store_records import approval, observation, output

from veln_hook.errors import StoreError
from veln_hook.store import files, open_store
from veln_hook.store.sqlite import SqliteStore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX")
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="needs root to become another user"
)
NOBODY = 65534


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a" / "b" / "store.sqlite3"


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o177])
def test_every_file_is_the_owners_alone_whatever_the_umask(path, umask):
    path.parent.parent.mkdir()
    before = os.umask(umask)
    try:
        store = SqliteStore(path)
        store.observe([observation()])
    finally:
        os.umask(before)
    found = {each.name: mode(each) for each in path.parent.iterdir()}
    names = ["store.sqlite3", "store.sqlite3-shm", "store.sqlite3-wal", "store.sqlite3.lock"]
    assert found == dict.fromkeys(names, 0o600)
    assert mode(path.parent) == 0o700
    store.close()


def test_a_directory_that_was_there_keeps_its_mode(path):
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o755)
    SqliteStore(path).close()
    assert mode(path.parent) == 0o755


def refused(path, words):
    before = path.lstat()
    with pytest.raises(StoreError, match=words) as caught:
        open_store(path=path)
    assert not isinstance(caught.value, files.UnwritableError)
    assert str(path) in str(caught.value)
    assert path.lstat() == before
    return caught.value


@pytest.mark.parametrize("target", ["real.sqlite3", "absent"])
def test_a_link_is_refused(path, target):
    SqliteStore(path.with_name("real.sqlite3")).close()
    path.symlink_to(path.with_name(target))
    refused(path, "symbolic link")


def test_something_that_is_no_file_is_refused(path):
    path.mkdir(parents=True)
    refused(path, "not a regular file")


@pytest.mark.parametrize("bits", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(path, bits):
    SqliteStore(path).close()
    path.chmod(bits)
    assert "chmod go-w" in refused(path, f"written by other users.*{bits:04o}").advice


def test_others_may_be_allowed_to_read(path):
    SqliteStore(path).close()
    path.chmod(0o644)
    open_store(path=path).close()


@pytest.mark.parametrize("ending", files.SIDECARS)
def test_a_planted_journal_is_refused(path, ending):
    SqliteStore(path).close()
    planted = files.sidecar(path, ending)
    planted.write_bytes(b"")
    planted.chmod(0o666)
    refused_beside = pytest.raises(StoreError, match="written by other users")
    with refused_beside:
        open_store(path=path)


@pytest.mark.parametrize("bits, made", [(0o777, True), (0o777, False), (0o1777, False)])
def test_a_directory_that_everybody_can_write_is_refused(path, bits, made):
    if made:
        SqliteStore(path).close()
    else:
        path.parent.mkdir(parents=True)
    path.parent.chmod(bits)
    with pytest.raises(StoreError, match="written by other users"):
        open_store(path=path)


@as_root
def test_a_file_of_another_user_is_refused_but_roots_is_only_read(path, tmp_path):
    store = SqliteStore(path)
    store.add_approval(approval())
    store.close()
    for each in (tmp_path, *tmp_path.parents):
        if mode(each) & 0o005 != 0o005:
            each.chmod(mode(each) | 0o755)
    path.parent.chmod(0o755)
    path.parent.parent.chmod(0o755)
    path.chmod(0o644)
    code = """
import os, sys
from pathlib import Path
from veln_hook.store import open_store
from veln_hook.errors import StoreError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    store = open_store(path=Path(sys.argv[1]))
except StoreError as error:
    print(error)
else:
    print(len(store.approvals()), store.info().persistent, store.info().problem)
    store.close()
"""
    assert output(code, path).startswith("1 False ")
    os.chown(path, 12345, 12345)
    assert "belongs to another user (uid 12345)" in output(code, path)
    # Root may: it also follows the pip configuration of a user whose HOME it runs in.
    open_store(path=path).close()


@as_root
def test_what_root_makes_in_a_users_home_is_that_users(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    path = home / ".local" / "state" / "veln-hook" / "store.sqlite3"
    store = SqliteStore(path)
    store.observe([observation()])
    made = [*list(path.parents)[:3], *path.parent.iterdir()]
    assert len(made) == 7
    assert {each.stat().st_uid for each in made} == {NOBODY}
    store.close()


def test_the_lock_is_shared_by_users_and_alone_for_makers(tmp_path):
    one, two = files.StoreLock(tmp_path / "lock"), files.StoreLock(tmp_path / "lock")
    try:
        assert one.shared()
        assert two.shared(0)
        assert not two.exclusive(0.02)
        assert one.shared(0)
        two.release()
        two.release()
        assert one.exclusive(0)
        two = files.StoreLock(tmp_path / "lock")
        assert not two.shared(0.02)
        one.release()
        assert not one.shared(0)
        assert two.shared(0)
    finally:
        one.release()
        two.release()
