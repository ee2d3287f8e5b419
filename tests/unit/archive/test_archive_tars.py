"""What tars have that few archives use, and trees; and what no honest one has."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import socket
import sys
import tarfile

import pytest

from veln_hook.archive.members import LIMITS, iter_members
from veln_hook.errors import ArchiveError

END = bytes(1024)


def read(path, limits=LIMITS):
    """Return (contents by name, {(slug, fatal)})."""
    problems, found = [], {}
    for member in iter_members(str(path), problems=problems, limits=limits):
        try:
            found[member.name] = member.read(1 << 30)
            assert member.head(3) == found[member.name][:3]
        except ArchiveError:
            assert problems[-1].fatal
    return found, {(problem.slug, problem.fatal) for problem in problems}


def member(name, content=b"", *, kind=tarfile.REGTYPE, form=tarfile.PAX_FORMAT, size=None, **headers):
    """Return the blocks of one member."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content) if size is None else size
    info.pax_headers = headers
    return info.tobuf(form) + content + bytes(-len(content) % 512)


def written(path, *parts, pack=gzip.compress):
    path.write_bytes(pack(b"".join(parts)))
    return path


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format(tmp_path, form):
    long = "d" * 90 + "/" + "e" * 90
    path = written(tmp_path / "t", member(long, b"x", form=form), member("a", b"y" * 600, form=form), END)
    assert read(path) == ({long: b"x", "a": b"y" * 600}, set())


def test_headers_of_pax_that_are_honest(tmp_path):
    plain = member("short", b"x", comment="n\u00e4" * 2000)
    renamed = member("short", b"y", path="n\u00e4me/" + "x" * 200)
    assert read(written(tmp_path / "t", plain, renamed, END)) == (
        {"short": b"x", "n\u00e4me/" + "x" * 200: b"y"},
        set(),
    )


def test_headers_of_pax_that_are_huge(tmp_path):
    path = written(tmp_path / "t", member("a", comment="x" * (2 << 20)), END)
    assert read(path) == ({}, {("header", True)})
    # None of it is there: what is declared is not even asked for.
    assert read(written(tmp_path / "t", member("a", kind=tarfile.XHDTYPE, size=6 << 30))) == (
        {},
        {("header", True)},
    )


def test_a_global_header_names_nothing_twice(tmp_path):
    head = tarfile.TarInfo.create_pax_global_header({"comment": "0123456789abcdef"})
    assert read(written(tmp_path / "t", head, member("a", b"x"), END)) == ({"a": b"x"}, set())
    head = tarfile.TarInfo.create_pax_global_header({"path": "same"})
    assert ("duplicate-name", True) in read(written(tmp_path / "t", head, member("a"), member("b"), END))[1]


def test_numbers_that_take_quadratic_time(tmp_path):
    path = written(tmp_path / "t", member("a", comment="1" * 5000), END)
    assert read(path) == ({}, {("header", True)})


def long_name(name, kind=tarfile.GNUTYPE_LONGNAME):
    return member("././@LongLink", name.encode() + b"\0", kind=kind, form=tarfile.GNU_FORMAT)


def test_long_names_one_after_the_other(tmp_path):
    found, problems = read(
        written(tmp_path / "t", long_name("first"), long_name("second"), member("a", b"x"), END)
    )
    assert list(found.values()) == [b"x"]
    assert problems == set()
    endless = [long_name("x" * 1000)] * 5000
    limits = LIMITS._replace(ratio_free_bytes=1 << 30)
    found, problems = read(written(tmp_path / "t", *endless, member("a"), END), limits)
    assert found == {}
    # tarfile reads them in a recursion, which ends by its own limit or by ours.
    assert problems in ({("header", True)}, {("unreadable", True)})


def test_a_long_name_with_nothing_after_it(tmp_path):
    found, problems = read(written(tmp_path / "t", long_name("x" * 200), END))
    assert found == {}
    assert any(fatal for _, fatal in problems)


def sparse(size, extents, content):
    text = "".join(
        f"{number}\n" for number in (len(extents), *(n for extent in extents for n in extent))
    ).encode()
    headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "holes",
        "GNU.sparse.realsize": str(size),
    }
    return member("GNUSparseFile.0/holes", text + bytes(-len(text) % 512) + content, **headers)


def test_a_file_with_holes(tmp_path):
    blocks = sparse(4096, [(1024, 10)], b"0123456789".ljust(512, b"\0"))
    found, problems = read(written(tmp_path / "t", blocks, member("next", b"x"), END))
    assert found == {"holes": bytes(1024) + b"0123456789" + bytes(4096 - 1034), "next": b"x"}
    assert problems == {("sparse", False)}


def test_holes_that_are_a_bomb(tmp_path):
    assert read(written(tmp_path / "t", sparse(1 << 40, [(0, 1)], b"x" * 512), END)) == ({}, {("size", True)})
    assert read(written(tmp_path / "t", sparse(1 << 30, [(0, 1)], b"x" * 512), END)) == (
        {},
        {("ratio", True)},
    )


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_streams_one_after_the_other(tmp_path, pack):
    path = tmp_path / "t"
    first, second = member("a", b"x" * 700), member("b", b"y")
    path.write_bytes(pack(first[:600]) + pack(first[600:]) + bytes(9) + pack(second + END) + bytes(20))
    assert read(path) == ({"a": b"x" * 700, "b": b"y"}, set())
    path.write_bytes(pack(first + END) + b"garbage")
    assert read(path) == ({"a": b"x" * 700}, {("trailing-data", False)})


def test_another_tar_after_the_end(tmp_path):
    found, problems = read(written(tmp_path / "t", member("a", b"x"), END, member("b", b"y"), END))
    assert found == {"a": b"x"}
    assert problems == {("trailing-data", False)}
    path = tmp_path / "t"
    path.write_bytes(gzip.compress(member("a", b"x") + END) + gzip.compress(member("b", b"y") + END))
    assert read(path) == (found, problems)


def test_a_damaged_header_in_the_midst(tmp_path):
    damaged = bytearray(member("b", b"y"))
    damaged[0] ^= 1
    found, problems = read(written(tmp_path / "t", member("a", b"x"), bytes(damaged), member("c"), END))
    assert found == {"a": b"x"}
    assert problems == {("unreadable", True)}


def test_a_tar_without_the_mark_of_its_end(tmp_path):
    assert read(written(tmp_path / "t", member("a", b"x"))) == ({"a": b"x"}, {("truncated", False)})


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tarfile of 3.10 goes back in it, so it is held")
def test_an_empty_tar(tmp_path):
    assert read(written(tmp_path / "t", END, pack=bytes)) == ({}, set())
    assert read(written(tmp_path / "t", END)) == ({}, set())


@pytest.mark.parametrize("number", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"-0000000001\0", b"99999999999\0"])
def test_sizes_that_are_none(tmp_path, number):
    block = bytearray(member("a", b"x"))
    block[124:136] = number
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    found, problems = read(written(tmp_path / "t", member("first"), bytes(block), END))
    assert found == {"first": b""}
    assert any(fatal for _, fatal in problems)


@pytest.mark.parametrize("kind", [b"Z", b"V"])
def test_kinds_that_not_every_reader_knows(tmp_path, kind):
    assert read(written(tmp_path / "t", member("a", b"x", kind=kind), END)) == ({}, {("special-file", True)})


def test_names_that_are_not_utf8(tmp_path):
    block = bytearray(member("nXme", b"x"))
    block[1] = 0xFF
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    assert read(written(tmp_path / "t", bytes(block), END)) == (
        {"n\udcffme": b"x"},
        {("name-not-utf8", False)},
    )


def test_what_is_read_late_or_twice(tmp_path):
    path = written(tmp_path / "t", member("a", b"xyz"), member("b", b"123"), END)
    problems = []
    members = iter_members(str(path), problems=problems)
    first = next(members)
    assert (first.head(1), first.head(2), first.read(3), first.head(1)) == (b"x", b"xy", b"xyz", b"x")
    second = next(members)
    assert first.read(3) == b"xyz"
    third = list(members)
    assert third == []
    with pytest.raises(ArchiveError):
        second.read(3)


def test_what_is_compressed_in_a_way_this_python_cannot_read(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(600))
    assert all(fatal for _, fatal in read(path)[1])
    assert read(path)[1]


# Trees


def test_pipes_and_sockets_of_a_tree_keep_nobody_waiting(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_bytes(b"x")
    os.mkfifo(tmp_path / "setup.py")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        assert read(tmp_path) == ({"a.py": b"x"}, {("special-file", False)})


@pytest.mark.parametrize("becomes", ["pipe", "link", "longer", "shorter", "nothing"])
def test_a_file_of_a_tree_that_changes_meanwhile(tmp_path, becomes):
    path = tmp_path / "tree" / "a.py"
    path.parent.mkdir()
    path.write_bytes(b"xyz")
    problems = []
    for one in iter_members(str(path.parent), problems=problems):
        path.unlink()
        if becomes == "pipe":
            os.mkfifo(path)
        elif becomes == "link":
            path.symlink_to("/etc/passwd")
        elif becomes != "nothing":
            path.write_bytes({"longer": b"xyz1", "shorter": b"x"}[becomes])
        with pytest.raises(ArchiveError):
            one.read(100)
    assert [problem.fatal for problem in problems] == [True]


def test_directories_of_tools_are_passed_over(tmp_path):
    for name in (
        ".git/hooks/x.py",
        ".tox/x.py",
        "node_modules/x.js",
        "src/node_modules/y.js",
        "src/.hg/x",
        "a.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert set(read(tmp_path)[0]) == {"src/node_modules/y.js", "a.py"}


def test_links_of_a_tree_that_lead_out(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "code").write_bytes(b"")
    for name, target, expected in (
        ("data.txt", "../outside/code", ("link", False)),
        ("code.py", "../outside/code", ("link", True)),
        ("package", "../outside", ("link", True)),
        ("gone.py", "../absent", ("link", False)),
    ):
        tree = tmp_path / f"tree-{name}"
        tree.mkdir()
        (tree / name).symlink_to(target)
        assert read(tree) == ({}, {expected}), name


def test_a_file_with_other_names_is_no_member_twice(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("one", "two"):
            archive.add(tmp_path / "a", name)
    path = written(tmp_path / "t", buffer.getvalue())
    assert read(path) == ({"one": b"x", "two": b"x"}, set())
