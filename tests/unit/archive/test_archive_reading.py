from __future__ import annotations

import hashlib
import os

import pytest

from support.builders import make_sdist, make_wheel
from veln_hook.archive import (
    describe_archive,
    describe_tree,
    hash_file,
    wheel_contents,
)
from veln_hook.errors import ArchiveError
from veln_hook.model import ArchiveKind, Candidate, Origin, Source

CANDIDATE = Candidate("demo", "1.0", "demo-1.0-py3-none-any.whl", "https://x/", Source.INDEX)


# hash_file


def test_a_hash_is_of_the_bytes(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"x" * (3 << 20))
    assert hash_file(str(file)) == (hashlib.sha256(b"x" * (3 << 20)).hexdigest(), 3 << 20)


@pytest.mark.parametrize("read", [hash_file, wheel_contents])
@pytest.mark.parametrize("kind", ["pipe", "device", "directory", "missing", "loop"])
def test_what_is_no_file_is_an_error_and_keeps_nobody_waiting(tmp_path, read, kind):
    path = tmp_path / "x.whl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = "/dev/zero"
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    with pytest.raises(ArchiveError):
        read(str(path))


# describe_archive


def test_an_archive_is_described_by_its_name_and_its_bytes(tmp_path):
    wheel = make_wheel(tmp_path, "My.Demo", "1.0")
    archive = describe_archive(str(wheel), origin=Origin.FETCHED)
    assert (archive.project, archive.version, archive.kind) == ("my-demo", "1.0", ArchiveKind.WHEEL)
    assert archive.path == str(wheel)
    assert archive.size == wheel.stat().st_size
    assert archive.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert archive.candidate is None


def test_an_sdist_is_one(tmp_path):
    archive = describe_archive(str(make_sdist(tmp_path, "demo", "2.0")), origin=Origin.FETCHED)
    assert (archive.project, archive.version, archive.kind) == ("demo", "2.0", ArchiveKind.SDIST)


@pytest.mark.parametrize("chosen", ["demo-1.0.tar.gz", "demo-1.0.zip", "pip-99-py3-none-any.whl", "download"])
def test_a_servers_name_for_the_file_makes_no_sdist_of_a_wheel(tmp_path, chosen):
    # pip names its download after Content-Disposition, and installs it as the wheel that the link names.
    path = make_wheel(tmp_path, "demo", "1.0").rename(tmp_path / chosen)
    archive = describe_archive(str(path), origin=Origin.FETCHED, candidate=CANDIDATE)
    assert (archive.kind, archive.filename) == (ArchiveKind.WHEEL, CANDIDATE.filename)
    assert (archive.project, archive.version) == ("demo", "1.0")


@pytest.mark.parametrize(
    "spelled", ["x/demo-1.0-py3-none-any.whl", "demo-1%2E0-py3-none-any.whl", "a%2Fdemo-1.0-py3-none-any.whl"]
)
def test_a_files_name_is_what_pip_makes_of_its_url(tmp_path, spelled):
    # Else changed bytes under a known name would have no history.
    path = make_wheel(tmp_path, "demo", "1.0")
    archive = describe_archive(
        str(path), origin=Origin.FETCHED, candidate=CANDIDATE._replace(filename=spelled)
    )
    assert archive.filename == "demo-1.0-py3-none-any.whl"


def test_where_the_url_tells_nothing_the_path_counts(tmp_path):
    path = make_wheel(tmp_path, "demo", "1.0")
    candidate = CANDIDATE._replace(project="", version="", filename="download", source=Source.DIRECT_URL)
    archive = describe_archive(str(path), origin=Origin.FETCHED, candidate=candidate)
    assert (archive.project, archive.version, archive.kind) == ("demo", "1.0", ArchiveKind.WHEEL)


def test_a_wheel_built_here_is_a_wheel_though_its_source_was_an_sdist(tmp_path):
    path = make_wheel(tmp_path, "demo", "1.0")
    source = CANDIDATE._replace(filename="demo-1.0.tar.gz")
    archive = describe_archive(str(path), origin=Origin.CACHED_BUILD, candidate=source)
    assert (archive.kind, archive.filename) == (ArchiveKind.WHEEL, path.name)


def test_the_requirements_project_wins_over_the_names(tmp_path):
    path = tmp_path / "main.zip"
    path.write_bytes(b"PK")
    candidate = CANDIDATE._replace(filename="main.zip", version="")
    archive = describe_archive(str(path), origin=Origin.FETCHED, candidate=candidate)
    assert (archive.project, archive.version, archive.kind) == ("demo", "", ArchiveKind.SDIST)


def test_a_tree_has_no_hash_and_no_size(tmp_path):
    tree = describe_tree(str(tmp_path), candidate=CANDIDATE)
    assert (tree.kind, tree.origin) == (ArchiveKind.DIRECTORY, Origin.TREE)
    assert (tree.sha256, tree.size, tree.filename) == ("", None, tmp_path.name)
    assert (tree.project, tree.version) == ("demo", "1.0")
