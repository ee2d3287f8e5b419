from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.builders import make_wheel
from veln_hook.archive import WheelContents, wheel, wheel_contents
from veln_hook.errors import ArchiveError


def zipped(path, *members, compression=zipfile.ZIP_STORED):
    """Write a zip of (name, content) pairs, names exactly as they are given and as often."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        warnings.simplefilter("ignore")  # about names that stand twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=compression)
    return str(path)


def commands(tmp_path, text, member="demo-1.0.dist-info/entry_points.txt"):
    return wheel_contents(zipped(tmp_path / "x.whl", (member, text))).commands


# names


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
    monkeypatch.setattr(wheel, "MAX_MEMBERS", 10)
    assert len(wheel_contents(zipped(tmp_path / "x.whl", *((str(n), "") for n in range(10)))).members) == 10
    with pytest.raises(ArchiveError, match="11 members, the limit is 10"):
        wheel_contents(zipped(tmp_path / "x.whl", *((str(n), "") for n in range(11))))


# commands


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
    with pytest.raises(ArchiveError, match="entry points are larger than 1048576 bytes"):
        wheel_contents(path)


@pytest.mark.parametrize(
    ("member", "text", "message"),
    [
        ("demo-1.0.data/purelib/x{}-1.dist-info/RECORD", "ab\n" * 2_500_000, "more than 400000 lines"),
        ("demo-1.0.data/purelib/x{}-1.dist-info/RECORD", ("a" * 100_000 + "\n") * 80, "lists of files are larger than"),
        ("demo-1.0.data/purelib/x{}-1.dist-info/RECORD", "".join(f"{n}.py\n" for n in range(10_001)), "more than 10000 files that it claims"),
        ("x{}.egg-info/installed-files.txt", "ab\x0b" * 500_000, "more than 400000 lines"),
        ("x{}-1.dist-info/entry_points.txt", "[console_scripts]\n" + "b = m:f\n" * 60_000, "entry points are larger than"),
        ("x{}-1.dist-info/entry_points.txt", "[console_scripts]\n" + "".join(f"{n} = m:f\n" for n in range(10_001)), "more than 10000 commands"),
        ("x{}-1.dist-info/entry_points.txt", "[console_scripts]\n" + " ".join(map(str, range(20_000))) + "=m:f", "more than 10000 commands"),
    ],
)  # fmt: skip
def test_limits_hold_for_all_metadata_of_a_wheel_together(tmp_path, member, text, message):
    members = [(member.format(n), text) for n in range(5)]
    path = zipped(tmp_path / "x.whl", *members, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ArchiveError, match=message):
        wheel_contents(path)


def test_many_metadata_files(tmp_path):
    members = [(f"p{n}.dist-info/entry_points.txt", "") for n in range(101)]
    assert wheel_contents(zipped(tmp_path / "x.whl", *members[:100])).commands == ()
    with pytest.raises(ArchiveError, match="more than 100 files of metadata"):
        wheel_contents(zipped(tmp_path / "x.whl", *members))


def test_a_wheel_of_many_members_is_read(tmp_path):
    names = [f"demo/{n:05}.py" for n in range(20_000)]
    record = "".join(f"{name},sha256=x,0\n" for name in names)
    path = zipped(tmp_path / "x.whl", *((n, "") for n in names), ("demo-1.0.dist-info/RECORD", record))
    assert wheel_contents(path).claims == ()


# claims


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


# damage


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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
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
