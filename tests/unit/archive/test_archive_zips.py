"""What zips have that few archives use, and what none does that is honest."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib

import pytest

from support.members import read, zipped
from support.streams import OneWay
from veln_hook.archive.limits import MAX_PER_SLUG
from veln_hook.archive.members import LIMITS, iter_members
from veln_hook.errors import ArchiveError

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def patched(path, *changes):
    """Write bytes at places: ``(magic, number of the header, offset in it, new bytes)``."""
    data = bytearray(path.read_bytes())
    for magic, number, offset, new in changes:
        place = -1
        for _ in range(number + 1):
            place = data.index(magic, place + 1)
        data[place + offset : place + offset + len(new)] = new
    path.write_bytes(bytes(data))
    return path


def short(value):
    return struct.pack("<H", value)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_every_method_that_pip_reads(tmp_path, method):
    members = {"a/b.py": b"x = 1\n" * 500, "empty": b""}
    assert read(zipped(tmp_path / "z", *members.items(), method=method)) == (members, set())


def test_a_method_that_pip_cannot_read(tmp_path):
    path = patched(zipped(tmp_path / "z", ("a", b"x")), (LOCAL, 0, 8, short(93)), (CENTRAL, 0, 10, short(93)))
    assert read(path) == ({}, {("unreadable", True)})


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_content_that_is_longer_or_shorter_than_declared(tmp_path, method):
    for size in (999, 1001):
        path = zipped(tmp_path / "z", ("a", b"x" * 1000), method=method)
        wrong = struct.pack("<I", size)
        assert any(
            fatal for _, fatal in read(patched(path, (LOCAL, 0, 22, wrong), (CENTRAL, 0, 24, wrong)))[1]
        )


def test_sizes_that_follow_the_data(tmp_path):
    stream = OneWay()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", b"1" * 300)
        archive.writestr("b.py", b"2" * 300)
    path = tmp_path / "z"
    path.write_bytes(stream.data)
    assert read(path) == ({"a.py": b"1" * 300, "b.py": b"2" * 300}, set())


@pytest.mark.parametrize("stream", [False, True])
def test_zip64_members(tmp_path, stream):
    buffer = OneWay() if stream else io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a", "b"):
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                file.write(name.encode() * 50)
    path = tmp_path / "z"
    path.write_bytes(buffer.data if stream else buffer.getvalue())
    assert read(path) == ({"a": b"a" * 50, "b": b"b" * 50}, set())


def with_wide_end(path, *, narrow=None, shift=0, missing=False):
    """Give a zip the directory's end of zip64, and an old end that names nothing, or else ``narrow``."""
    data = path.read_bytes()
    place = data.rindex(END)
    count, length, offset = struct.unpack_from("<H2I", data, place + 10)
    wide = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, place + shift, 1)
    unknown = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    end = struct.pack("<4s4H2IH", END, 0, 0, *(narrow or unknown), 0)
    path.write_bytes(data[:place] + (b"X" if missing else b"P") + wide[1:] + locator + end)
    return path


def test_a_zip64_end(tmp_path):
    path = zipped(tmp_path / "z", ("a", b"x"))
    whole = path.read_bytes()
    assert read(with_wide_end(path)) == ({"a": b"x"}, set())
    for change in ({"narrow": (1, 1, 46, 7)}, {"narrow": (9, 9, 47, 32)}, {"shift": 1}, {"missing": True}):
        path.write_bytes(whole)
        found, problems = read(with_wide_end(path, **change))
        assert not found
        assert any(fatal for _, fatal in problems), change


@pytest.mark.parametrize("flag", [0x01, 0x41, 0x2000])
def test_what_is_encrypted(tmp_path, flag):
    path = patched(
        zipped(tmp_path / "z", ("a", b"x")), (LOCAL, 0, 6, short(flag)), (CENTRAL, 0, 8, short(flag))
    )
    assert read(path) == ({}, {("encrypted", True)})


def test_what_is_encrypted_to_one_reader_only(tmp_path):
    path = patched(zipped(tmp_path / "z", ("a", b"x")), (LOCAL, 0, 6, short(1)))
    assert read(path) == ({}, {("local-mismatch", True)})


def with_gap(path, gap):
    """Put bytes between the members and the directory."""
    data = path.read_bytes()
    place = data.index(CENTRAL)
    end = data.rindex(END)
    path.write_bytes(
        data[:place]
        + gap
        + data[place:end]
        + data[end : end + 16]
        + struct.pack("<I", place + len(gap))
        + data[end + 20 :]
    )
    return path


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (b"x" * 7, {("gap", False)}),
        (b"x" * 16, set()),  # as long as a data descriptor
        (b"x" * 3 + LOCAL + b"x" * 40, {("hidden-entry", True)}),
        (b"x" * ((1 << 20) - 2) + LOCAL + b"x", {("hidden-entry", True)}),  # across what is read at once
    ],
)
def test_bytes_that_belong_to_no_member(tmp_path, gap, expected):
    assert read(with_gap(zipped(tmp_path / "z", ("a", b"x")), gap))[1] == expected


def test_a_member_that_the_directory_does_not_have(tmp_path):
    path = zipped(tmp_path / "z", ("a.py", b"1"), ("b.py", b"2"))
    data = path.read_bytes()
    entry, end = data.rindex(CENTRAL), data.rindex(END)
    first = data.index(CENTRAL)
    counts = struct.pack("<2HI", 1, 1, entry - first)
    path.write_bytes(data[:entry] + data[end : end + 8] + counts + data[end + 16 :])
    assert read(path) == ({}, {("hidden-entry", True)})


def test_a_directory_with_fewer_entries_than_declared(tmp_path):
    path = zipped(tmp_path / "z", ("a", b"x"))
    assert read(patched(path, (END, 0, 8, short(2) + short(2)))) == ({}, {("truncated", True)})


def test_an_end_whose_comment_is_cut_off(tmp_path):
    path = zipped(tmp_path / "z", ("a", b"x"))
    assert ("trailing-data", False) in read(patched(path, (END, 0, 20, short(9))))[1]


def test_a_name_that_ends_at_a_null_byte(tmp_path):
    path = zipped(tmp_path / "z", ("a.pyX.txt", b"x"))
    path.write_bytes(path.read_bytes().replace(b"a.pyX.txt", b"a.py\0.txt"))
    assert read(path) == ({}, {("null-byte", True)})


def test_names_that_are_not_marked_as_utf8(tmp_path):
    path = zipped(tmp_path / "z", ("n\u00e4me", b"x"))
    assert read(path) == ({"n\u00e4me": b"x"}, set())
    patched(path, (LOCAL, 0, 6, short(0)), (CENTRAL, 0, 8, short(0)))
    assert read(path) == ({"n\u251c\u00f1me": b"x"}, {("name-not-utf8", False)})


def test_names_that_are_marked_as_utf8_and_are_not(tmp_path):
    path = zipped(tmp_path / "z", ("n\u00e4me", b"x"))
    path.write_bytes(path.read_bytes().replace("\u00e4".encode(), b"\xff\xfe"))
    assert read(path) == ({}, {("name-not-utf8", True)})


@pytest.mark.parametrize(("other", "expected"), [(b"a.py", set()), (b"b.py", {("local-mismatch", True)})])
def test_a_unicode_path_in_an_extra_field(tmp_path, other, expected):
    info = zipfile.ZipInfo("a.py")
    info.extra = struct.pack("<2HBI", 0x7075, 5 + len(other), 1, zlib.crc32(b"a.py")) + other
    assert read(zipped(tmp_path / "z", (info, b"x")))[1] == expected


def linked(name, target):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target


@pytest.mark.parametrize(
    ("target", "fatal"),
    [(b"b", False), (b"../b", False), (b"../../b", True), (b"/etc/x", True), (b"x" * 5000, True)],
)
def test_symbolic_links(tmp_path, target, fatal):
    assert read(zipped(tmp_path / "z", ("b", b"x"), linked("a/link", target)))[1] == {("link", fatal)}


@pytest.mark.parametrize(
    ("kind", "slug"),
    [
        (stat.S_IFIFO, "special-file"),
        (stat.S_IFCHR, "special-file"),
        (stat.S_IFSOCK, "special-file"),
        (stat.S_IFDIR, "file-and-directory"),
    ],
)
def test_members_that_are_no_files(tmp_path, kind, slug):
    info = zipfile.ZipInfo("a")
    info.external_attr = (kind | 0o666) << 16
    assert read(zipped(tmp_path / "z", (info, b"")))[1] == {(slug, True)}


def test_directories(tmp_path):
    assert read(zipped(tmp_path / "z", ("a/", b""), ("a/b", b"x"), ("a/", b""))) == ({"a/b": b"x"}, set())
    path = patched(
        zipped(tmp_path / "y", ("ab", b"x"), method=zipfile.ZIP_STORED),
        (LOCAL, 0, 30, b"a/"),
        (CENTRAL, 0, 46, b"a/"),
    )
    assert read(path) == ({}, {("file-and-directory", True)})


def test_executables_are_those_that_pip_makes(tmp_path):
    made = []
    for name, mode in (("a", 0o100755), ("b", 0o100644), ("c", 0o755)):
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        made.append((info, b""))
    members = iter_members(str(zipped(tmp_path / "z", *made)), problems=[])
    assert [member.executable for member in members] == [True, False, False]


def test_members_that_share_bytes(tmp_path):
    path = zipped(tmp_path / "z", ("a", b"x" * 100), ("b", b"y" * 100), method=zipfile.ZIP_STORED)
    longer = struct.pack("<2I", 150, 150)
    assert read(patched(path, (LOCAL, 0, 18, longer), (CENTRAL, 0, 20, longer)))[1] == {("overlap", True)}
    path = zipped(tmp_path / "y", ("a", b"x" * 100), method=zipfile.ZIP_STORED)
    assert read(patched(path, (LOCAL, 0, 18, longer), (CENTRAL, 0, 20, longer)))[1] == {("overlap", True)}


def test_an_sdist_that_is_a_zip(tmp_path):
    members = {"demo-1.0/setup.py": b"import setuptools\n", "demo-1.0/PKG-INFO": b"Name: demo\n"}
    assert read(zipped(tmp_path / "demo-1.0.zip", ("demo-1.0/", b""), *members.items())) == (members, set())


def test_an_empty_zip(tmp_path):
    assert read(zipped(tmp_path / "z")) == ({}, set())


def test_what_is_read_is_counted(tmp_path):
    path = zipped(tmp_path / "z", ("a", b"x" * 1000), ("b", b"y" * 1000))
    problems = []
    members = iter_members(str(path), problems=problems, limits=LIMITS._replace(max_total_bytes=2500))
    member = next(members)
    assert member.read(1000) == member.read(1000)
    with pytest.raises(ArchiveError, match="the limit is 999"):
        member.read(999)
    assert problems == []
    with pytest.raises(ArchiveError, match="more than 2500 bytes"):
        member.read(1000)
    assert list(members) == []
    assert [(problem.slug, problem.fatal) for problem in problems] == [("size", True)]


def test_no_more_problems_of_a_kind_than_anybody_reads(tmp_path):
    names = [(f"{number}.whl", b"") for number in range(MAX_PER_SLUG + 50)]
    problems = []
    assert (
        len(list(iter_members(str(zipped(tmp_path / "z", *names)), problems=problems))) == MAX_PER_SLUG + 50
    )
    assert len(problems) == MAX_PER_SLUG
