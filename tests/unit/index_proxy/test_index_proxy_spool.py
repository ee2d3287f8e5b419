from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

import pytest

from veln_hook.index_proxy.spool import Spool, Spooled, SpoolError, TooLongError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(str(tmp_path), file_bytes=100, total_bytes=150) as made:
        yield made
    assert list(tmp_path.iterdir()) == []


def put(spool: Spool, data: bytes) -> Spooled:
    with spool.writer(".whl") as writer:
        writer.write(data[:3])
        writer.write(data[3:])
        return writer.done()


def test_a_file_is_whole_private_and_known_by_its_hash(spool: Spool) -> None:
    spooled = put(spool, b"some bytes")
    assert (spooled.sha256, spooled.size) == (hashlib.sha256(b"some bytes").hexdigest(), 10)
    with spooled.opened() as file:
        assert file.read() == b"some bytes"
    assert stat.S_IMODE(os.stat(spooled.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(spooled.path)).st_mode) == 0o700


def test_what_isnt_whole_is_deleted(spool: Spool, tmp_path: Path) -> None:
    with spool.writer() as writer:
        writer.write(b"x" * 90)
    assert list(tmp_path.rglob("*")) == [*tmp_path.iterdir()]
    put(spool, b"y" * 90)  # there is room again


def test_no_file_is_too_long(spool: Spool) -> None:
    with spool.writer() as writer:
        writer.write(b"x" * 60)
        with pytest.raises(TooLongError):
            writer.write(b"x" * 41)


def test_what_nobody_uses_makes_room(spool: Spool) -> None:
    first, second = put(spool, b"1" * 70), put(spool, b"2" * 70)
    with spool.using(first):
        third = put(spool, b"3" * 70)
        assert (first.gone, second.gone) == (False, True)
        with spool.using(third), pytest.raises(TooLongError, match="no room"):
            put(spool, b"4" * 70)
    with pytest.raises(SpoolError):
        second.opened()


def test_who_writes_to_a_judged_file_is_noticed(spool: Spool) -> None:
    spooled = put(spool, b"some bytes")
    with open(spooled.path, "r+b") as file:
        file.write(b"SOME")
    with pytest.raises(SpoolError, match="changed since"):
        spooled.opened()


def test_after_its_end_it_keeps_nothing(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    with spool.writer() as writer:
        spool.close()
        with pytest.raises(SpoolError, match="closing"):
            writer.write(b"x")
    with pytest.raises(SpoolError, match="closing"):
        spool.writer()
    spool.close()


def test_where_nothing_can_be_kept_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="can't be kept"):
        Spool(str(tmp_path / "nowhere")).writer()
