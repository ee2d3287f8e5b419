"""Zips, directories and files that a stranger may have made."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
import zipfile

import pytest

from support.feeds import RECORDS, record, zip_of
from veln_hook.errors import FeedError
from veln_hook.feed import sources
from veln_hook.feed.sources import raw_records


def read(path):
    return list(raw_records(str(path)))


def test_a_zip_a_directory_and_a_file_give_the_same(tmp_path):
    made = zip_of(
        tmp_path / "all.zip", [json.loads(path.read_bytes()) for path in sorted(RECORDS.glob("*.json"))]
    )
    ids = [json.loads(raw.data)["id"] for raw in read(made)]
    assert ids == [json.loads(raw.data)["id"] for raw in read(RECORDS)]
    assert len(ids) == 10
    (one,) = read(RECORDS / "MAL-2026-2144.json")
    assert json.loads(one.data)["id"] == "MAL-2026-2144"


def test_a_directory_is_read_below_too_and_its_links_are_not_followed(tmp_path):
    inner = tmp_path / "in" / "pypi" / "demo"
    inner.mkdir(parents=True)
    (inner / "MAL-1.json").write_text("{}")
    (inner / "README.md").write_text("no record")
    os.mkfifo(inner / "pipe.json")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "MAL-2.json").write_text("{}")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    found = {raw.name: raw.problem for raw in read(tmp_path / "in")}
    assert set(found) == {"pypi/demo/MAL-1.json", "pypi/demo/pipe.json"}
    assert found["pypi/demo/MAL-1.json"] == ""
    assert "no regular file" in found["pypi/demo/pipe.json"]


def test_a_pipe_is_no_feed(tmp_path):
    os.mkfifo(tmp_path / "feed.zip")
    with pytest.raises(FeedError, match="no regular file"):
        read(tmp_path / "feed.zip")


@pytest.mark.parametrize("name", ["absent.zip", "absent/dir.json"])
def test_what_is_not_there_is_told(tmp_path, name):
    with pytest.raises(FeedError, match="can't be read"):
        read(tmp_path / name)


def test_a_record_that_unpacks_to_more_than_any_is_no_record(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("MAL-1.json", b" " * (200 << 20))
        archive.writestr("MAL-2.json", json.dumps(record()))
    tracemalloc.start()
    bomb, honest = read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "larger than" in bomb.problem
    assert honest.problem == ""
    assert peak < 10 * sources.MAX_RECORD_BYTES


def test_a_zip_that_lies_about_sizes_is_told(tmp_path):
    path = zip_of(tmp_path / "all.zip", [record()])
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, central + 24, 5)  # the size after unpacking, in the directory
    path.write_bytes(data)
    (one,) = read(path)
    assert one.problem or len(one.data) <= 5


def test_all_of_it_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_TOTAL_BYTES", 1000)
    path = zip_of(tmp_path / "all.zip", [record(f"MAL-{number}") for number in range(20)])
    with pytest.raises(FeedError, match="more than any feed"):
        read(path)


def test_so_is_the_number_of_records_before_anything_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_RECORDS", 10)
    path = zip_of(tmp_path / "all.zip", [record(f"MAL-{number}") for number in range(20)])
    with pytest.raises(FeedError, match="has 20 members"):
        read(path)


def test_and_the_size_of_the_zip(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 100)
    path = zip_of(tmp_path / "all.zip", [record()])
    with pytest.raises(FeedError, match="larger than 100 bytes"):
        read(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_not_tried(tmp_path, method):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("MAL-1.json", "{}" * 100)
    (one,) = read(path)
    assert "packed in another way" in one.problem


def test_names_are_never_paths(tmp_path):
    path = tmp_path / "all.zip"
    names = ["../../evil.json", "/etc/evil.json", "a\\..\\b.json", "nul\x1b[2J.json", "dir.json/"]
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "{}" if not name.endswith("/") else "")
    before = sorted(tmp_path.rglob("*"))
    assert len(read(path)) == 4
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "evil.json").exists()


@pytest.mark.parametrize("cut", [10, 200, -1, -30])
def test_a_cut_zip_is_no_feed(tmp_path, cut):
    path = zip_of(tmp_path / "all.zip", [record(f"MAL-{number}") for number in range(5)])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(FeedError, match="no sound zip"):
        read(path)


def test_a_flipped_byte_costs_one_record(tmp_path):
    path = zip_of(
        tmp_path / "all.zip", [record(f"MAL-{number}", summary=os.urandom(300).hex()) for number in range(5)]
    )
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x03\x04", 10) + 100] ^= 0xFF
    path.write_bytes(data)
    assert [bool(raw.problem) for raw in read(path)].count(True) == 1


def test_what_is_no_zip_is_one_record(tmp_path):
    (tmp_path / "page.html").write_text("<html>log in first</html>")
    (one,) = read(tmp_path / "page.html")
    assert one.data.startswith(b"<html>")
