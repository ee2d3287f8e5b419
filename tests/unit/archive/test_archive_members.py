from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
import warnings
import zipfile

import pytest

from support.builders import make_sdist, make_wheel
from support.members import read, zipped
from veln_hook.archive.members import LIMITS, check_record

INFO = "demo-1.0.dist-info/RECORD"


def tarred(path, *members, pack=gzip.compress):
    """Members are (name, content) or (name, type, link)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            if len(rest) == 2:
                info.type, info.linkname = rest
                archive.addfile(info)
            else:
                info.size = len(rest[0])
                archive.addfile(info, io.BytesIO(rest[0]))
    path.write_bytes(pack(buffer.getvalue()))
    return path


def test_a_wheel_and_its_record(tmp_path):
    found, problems = read(make_wheel(tmp_path, "demo", "1.0"))
    assert problems == set()
    members = {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in found.items()}
    assert check_record(members, found[INFO], INFO) == []
    changed = {**members, "demo.py": ("0" * 64, 1), "new.py": ("0" * 64, 1)}
    told = {(p.member, p.fatal) for p in check_record(changed, found[INFO], INFO)}
    assert told == {("demo.py", True), ("new.py", False)}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes])
def test_every_tar_under_any_name(tmp_path, pack):
    path = tarred(tmp_path / "x.whl", ("./a/b.py", b"x" * 2000), ("a/c", b""), pack=pack)
    assert read(path) == ({"a/b.py": b"x" * 2000, "a/c": b""}, set())


def test_an_sdist_and_its_tree(tmp_path):
    found, problems = read(make_sdist(tmp_path, "demo", "1.0"))
    assert problems == set()
    with tarfile.open(tmp_path / "demo-1.0.tar.gz") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.extractall(tmp_path / "tree")
    assert read(tmp_path / "tree") == (found, set())


@pytest.mark.parametrize(
    ("names", "slug", "fatal"),
    [
        (["/etc/x"], "path-traversal", True),
        (["a/../../x"], "path-traversal", True),
        (["a\\..\\x"], "path-traversal", True),
        (["C:x"], "path-traversal", True),
        (["a", "./a"], "duplicate-name", True),
        (["a.py", "A.py"], "case-clash", True),
        (["a.txt", "A.txt"], "case-clash", False),
        (["a", "a/b"], "file-and-directory", True),
        (["a/b", "a"], "file-and-directory", True),
        (["x" * 1025], "long-path", True),
        (["a/" * 70 + "b"], "depth", True),
        (["a\u202eb"], "control-character", False),
        (["a.whl"], "nested-archive", False),
    ],
)
def test_names(tmp_path, names, slug, fatal):
    assert (slug, fatal) in read(zipped(tmp_path / "z", *((n, b"") for n in names)))[1]
    assert (slug, fatal) in read(tarred(tmp_path / "t", *((n, b"") for n in names)))[1]


@pytest.mark.parametrize(
    ("member", "slug", "fatal"),
    [
        (("a/LICENSE", tarfile.SYMTYPE, "../top"), "link", False),
        (("a/b", tarfile.LNKTYPE, "top"), "link", False),
        (("a/b", tarfile.SYMTYPE, "../../x"), "link", True),
        (("setup.py", tarfile.SYMTYPE, "top"), "link", True),
        (("a", tarfile.FIFOTYPE, ""), "special-file", True),
        (("a", tarfile.CHRTYPE, ""), "special-file", True),
    ],
)
def test_what_is_no_file_in_a_tar(tmp_path, member, slug, fatal):
    assert read(tarred(tmp_path / "t", ("top", b""), member))[1] == {(slug, fatal)}


def patched(path, old, new):
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    return path


def test_a_zip_that_readers_see_differently(tmp_path):
    path = tmp_path / "z"
    two = (("a.py", b"1"), ("b.py", b"2"))
    whole = zipped(path, *two).read_bytes()
    assert read(patched(path, b"a.py", b"x.py"))[1] == {("local-mismatch", True)}
    path.write_bytes(b"#!/bin/sh\n" + whole)
    assert read(path)[1] == {("prepended-data", True)}
    path.write_bytes(whole + b"\n")
    assert read(path)[1] == {("trailing-data", False)}
    path.write_bytes(whole[:-2] + len(whole).to_bytes(2, "little") + whole)
    assert ("second-directory", True) in read(path)[1]
    path.write_bytes(tarred(tmp_path / "t", ("a", b"")).read_bytes() + whole)
    assert read(path)[1] == {("two-formats", True)}
    at = whole.rindex(b"PK\x01\x02") + 42
    path.write_bytes(whole[:at] + b"\0\0\0\0" + whole[at + 4 :])
    assert read(path)[1] == {("overlap", True)}


def test_content_that_is_not_as_declared(tmp_path):
    path = zipped(tmp_path / "z", ("a", b"content"), method=zipfile.ZIP_STORED)
    assert read(patched(path, b"content", b"c0ntent")) == ({}, {("truncated", True)})


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_tar_that_is_cut_off(tmp_path, keep):
    path = tarred(tmp_path / "t", ("a", os.urandom(9000)), ("b", os.urandom(9000)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    assert any(fatal for _, fatal in read(path)[1])


def test_bombs(tmp_path):
    limits = LIMITS._replace(ratio_free_bytes=1 << 20)
    zeros = ("a", bytes(4 << 20))
    assert read(zipped(tmp_path / "z", zeros), limits)[1] == {("ratio", True)}
    assert read(tarred(tmp_path / "t", zeros), limits)[1] == {("ratio", True)}
    few = LIMITS._replace(max_members=2)
    many = [(str(n), b"") for n in range(3)]
    assert read(zipped(tmp_path / "z", *many), few)[1] == {("too-many-members", True)}
    assert read(tarred(tmp_path / "t", *many), few)[1] == {("too-many-members", True)}


def test_links_of_a_tree(tmp_path):
    tree = tmp_path / "tree"
    (tree / ".git").mkdir(parents=True)
    (tree / ".git" / "x.py").write_bytes(b"")
    (tree / "payload.txt").write_bytes(b"code")
    (tree / "setup.py").symlink_to("payload.txt")
    assert read(tree) == ({"payload.txt": b"code", "setup.py": b"code"}, {("link", False)})
    (tree / "pkg").symlink_to(".git")
    assert ("link", True) in read(tree)[1]
