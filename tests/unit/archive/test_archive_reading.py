from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
import time
import warnings
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.builders import make_sdist, make_wheel
from veln_hook.archive import (
    WheelContents,
    describe_archive,
    describe_tree,
    hash_file,
    reading,
    wheel_contents,
)
from veln_hook.errors import ArchiveError
from veln_hook.model import ArchiveKind, Candidate, Origin, Source

CANDIDATE = Candidate("demo", "1.0", "demo-1.0-py3-none-any.whl", "https://x/", Source.INDEX)


def zipped(path, *members, compression=zipfile.ZIP_STORED):
    """Write a zip of (name, content) pairs, names exactly as they are given and as often."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        warnings.simplefilter("ignore")  # about names that stand twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=compression)
    return str(path)


def commands(tmp_path, text, member="demo-1.0.dist-info/entry_points.txt"):
    return wheel_contents(zipped(tmp_path / "x.whl", (member, text))).commands


# hash_file


def test_a_hash_is_of_the_bytes(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"x" * (3 << 20))
    assert hash_file(str(file)) == (hashlib.sha256(b"x" * (3 << 20)).hexdigest(), 3 << 20)


@pytest.mark.parametrize("read", [hash_file, wheel_contents])
@pytest.mark.parametrize("kind", ["pipe", "device", "directory", "missing", "loop"])
def test_what_is_no_file_is_an_error_at_once(tmp_path, read, kind):
    path = tmp_path / "x.whl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = "/dev/zero"
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    started = time.perf_counter()
    with pytest.raises(ArchiveError):
        read(str(path))
    assert time.perf_counter() - started < 5


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


# wheel_contents: names


def test_members_are_named_as_the_directory_spells_them(tmp_path):
    names = ["a.py", "B/../c.py", "d\\e.py", "a.py", "/etc/x", "ünï.py"]
    assert wheel_contents(zipped(tmp_path / "x.whl", *((n, "") for n in names))) == WheelContents(
        tuple(names)
    )


def test_a_name_ends_at_a_nul_for_us_as_for_pip(tmp_path):
    path = tmp_path / "x.whl"
    zipped(path, ("pip/__init__.pyXjunk", ""))
    path.write_bytes(path.read_bytes().replace(b".pyXjunk", b".py\0junk"))
    assert wheel_contents(str(path)).members == ("pip/__init__.py",)


def test_more_members_than_any_wheel_has(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_MEMBERS", 10)
    assert len(wheel_contents(zipped(tmp_path / "x.whl", *((str(n), "") for n in range(10)))).members) == 10
    with pytest.raises(ArchiveError, match="11 members, the limit is 10"):
        wheel_contents(zipped(tmp_path / "x.whl", *((str(n), "") for n in range(11))))


# wheel_contents: commands


def test_commands_are_those_of_both_script_sections(tmp_path):
    text = "# c\n[console_scripts]\n a = m:f\nb=m:f [extra]\n\n[other]\nc = m:f\n[gui_scripts]\nd = m:f\n# e = m:f"
    assert {"a", "b", "d"} <= set(commands(tmp_path, text))
    assert {"c", "e"}.isdisjoint(commands(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("x ../bin/pip = m:f", "../bin/pip"),
        ("a=/../pip = m:f", "a=/../pip"),
        ("a:b/../pip = m:f", "a:b/../pip"),
        ("pip", "pip"),
    ],
)
def test_every_reading_of_a_line_counts(tmp_path, line, name):
    assert name in commands(tmp_path, f"[console_scripts]\n{line}\n")


@pytest.mark.parametrize("line", ["[x = m:f [a] z", "[pip = m:f", "[console_scripts] ; z"])
def test_a_line_that_is_a_section_to_one_reader_only_is_an_error(tmp_path, line):
    with pytest.raises(ArchiveError, match="no section and no entry"):
        commands(tmp_path, f"[console_scripts]\n{line}\npip = m:f\n")


@pytest.mark.parametrize(
    "member",
    [
        "demo-1.0.dist-info/./entry_points.txt",
        "./demo-1.0.dist-info/entry_points.txt",
        "x/../demo-1.0.dist-info/entry_points.txt",
        "demo-1.0.dist-info\\entry_points.txt",
        "DEMO-1.0.DIST-INFO/ENTRY_POINTS.TXT",
        "demo-1.0.data/purelib/other-1.dist-info/entry_points.txt",
        "demo-1.0.data/data/lib/python3.9/site-packages/other-1.dist-info/entry_points.txt",
        "other.egg-info/entry_points.txt",
    ],
)
def test_entry_points_are_read_wherever_pip_will_find_them(tmp_path, member):
    assert commands(tmp_path, "[console_scripts]\npip = m:f\n", member) == ("pip",)


def test_entry_points_of_a_vendored_project_are_none(tmp_path):
    assert (
        commands(tmp_path, "[console_scripts]\npip = m:f\n", "x/_vendor/pip-1.dist-info/entry_points.txt")
        == ()
    )


def test_scripts_that_an_uninstall_deletes_are_commands(tmp_path):
    # pip's iter_distutils_script_names
    assert commands(tmp_path, "", "demo-1.0.dist-info/scripts/pip") == ("pip",)


def test_entry_points_of_two_entries_are_read_once_and_are_the_last(tmp_path):
    name = "demo-1.0.dist-info/entry_points.txt"
    path = zipped(
        tmp_path / "x.whl", (name, "[console_scripts]\nfirst = m:f"), (name, "[console_scripts]\nlast = m:f")
    )
    assert wheel_contents(path).commands == ("last",)


def test_a_bomb_of_entry_points(tmp_path):
    member = ("demo-1.0.dist-info/entry_points.txt", b"a" * (200 << 20))
    path = zipped(tmp_path / "x.whl", member, compression=zipfile.ZIP_DEFLATED)
    started = time.perf_counter()
    with pytest.raises(ArchiveError, match="larger than 1048576 bytes"):
        wheel_contents(path)
    assert time.perf_counter() - started < 5


def test_many_metadata_files(tmp_path):
    members = [(f"p{n}.dist-info/entry_points.txt", "") for n in range(101)]
    assert wheel_contents(zipped(tmp_path / "x.whl", *members[:100])).commands == ()
    with pytest.raises(ArchiveError, match="more than 100 files of metadata"):
        wheel_contents(zipped(tmp_path / "x.whl", *members))


def test_a_wheel_of_many_members_is_read_quickly(tmp_path):
    names = [f"demo/{n:05}.py" for n in range(20_000)]
    record = "".join(f"{name},sha256=x,0\n" for name in names)
    path = zipped(tmp_path / "x.whl", *((n, "") for n in names), ("demo-1.0.dist-info/RECORD", record))
    started = time.perf_counter()
    assert wheel_contents(path).claims == ()
    assert time.perf_counter() - started < 5


# wheel_contents: claims


def test_an_honest_record_claims_nothing_more(tmp_path):
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo.py": "", "a/b.py": ""}, data={"scripts": {"x": ""}})
    assert wheel_contents(str(wheel)).claims == ()


@pytest.mark.parametrize(
    ("member", "text", "claims"),
    [
        ("demo-1.0.dist-info/RECORD", 'pip/x.py,,\n"veln_hook/a,b.py",,\n\n../../../bin/pip,,\n', ("pip/x.py", "veln_hook/a,b.py", "../../../bin/pip")),
        ("demo-1.0.data/platlib/requests-9.dist-info/RECORD", "pip/x.py,,\n", ("pip/x.py",)),
        ("demo.egg-info/installed-files.txt", "../pip/x.py\n", ("demo.egg-info/../pip/x.py",)),
        ("demo.egg-info/top_level.txt", "veln_hook\n", ("veln_hook",)),
        ("demo-1.0.dist-info/top_level.txt", "veln_hook\n", ()),  # pip reads it of an egg-info only
    ],
)  # fmt: skip
def test_what_an_uninstall_would_delete_is_claimed(tmp_path, member, text, claims):
    assert wheel_contents(zipped(tmp_path / "x.whl", (member, text))).claims == claims


# wheel_contents: damage


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x05\x06" + b"\0" * 17, b"not a zip", b"\x1f\x8b" + b"\0" * 30]
)
def test_what_is_no_zip_is_an_archive_error(tmp_path, content):
    path = tmp_path / "x.whl"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"x\.whl is no readable wheel"):
        wheel_contents(str(path))


def patched(path, offset, form, value):
    """Overwrite a field of the first entry of the central directory."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, data.index(b"PK\x01\x02") + offset, value)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("offset", "form", "value"),
    [(8, "<H", 1), (10, "<H", 99), (10, "<H", 14), (42, "<I", 7), (28, "<H", 60_000), (24, "<I", 0)],
    ids=["encrypted", "unknown method", "no lzma", "wrong place", "name too long", "wrong size"],
)
def test_entry_points_that_can_not_be_read_are_an_archive_error(tmp_path, offset, form, value):
    path = tmp_path / "x.whl"
    zipped(path, ("demo-1.0.dist-info/entry_points.txt", "[console_scripts]\npip = m:f\n"))
    patched(path, offset, form, value)
    try:
        commands = wheel_contents(str(path)).commands
    except ArchiveError:
        return
    assert commands == ("pip",)  # read all the same, so nothing is hidden


def _whole() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("demo-1.0.dist-info/entry_points.txt", "[console_scripts]\nx = m:f\n")
        archive.writestr("demo-1.0.dist-info/RECORD", "a,,\n")
    return buffer.getvalue()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_damage_is_any_other_error(tmp_path, data):
    content = bytearray(_whole())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.whl"
    path.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    with contextlib.suppress(ArchiveError):
        wheel_contents(str(path))
