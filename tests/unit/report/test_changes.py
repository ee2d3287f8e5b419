"""What is new in an archive: paired files, marked lines, cuts that leave no finding out."""

from __future__ import annotations

import hashlib
import time

from veln_hook.archive.texts import Entry
from veln_hook.model import Confidence, Decision, Finding, Ruling, Severity
from veln_hook.report.changes import MAX_ALL_LINES, MAX_FILES, MAX_LINES, compare


def entry(content):
    data = content.encode() if isinstance(content, str) else content
    text = content if isinstance(content, str) else None
    return Entry(len(data), hashlib.sha256(data).hexdigest(), text)


def files(**contents):
    return {
        name.replace("__", "/").replace("_py", ".py"): entry(content) for name, content in contents.items()
    }


def ruling(path, line=None, decision=Decision.HOLD):
    finding = Finding("decoded-execution", Severity.HIGH, Confidence.HIGH, "it does", path=path, line=line)
    return Ruling(finding, decision, "rule", "default")


def lines_of(change):
    return [(line.mark, line.number, line.text) for line in change.lines]


def test_lines_are_marked_with_their_numbers_and_findings():
    old, new = files(a_py="x\ny\nz\n"), files(a_py="x\nevil\nz\n")
    (change,) = compare(new, old, [ruling("a.py", 2)]).files
    assert (change.state, change.note) == ("changed", "")
    assert lines_of(change) == [(" ", 1, "x"), ("-", None, "y"), ("+", 2, "evil"), (" ", 3, "z")]
    assert [bool(line.rulings) for line in change.lines] == [False, False, True, False]


def test_files_of_different_roots_and_versions_are_paired():
    old = {"acme-1.0/a.py": entry("x\n"), "acme-1.0/PKG-INFO": entry("Name: acme\nVersion: 1.0\n")}
    new = {"acme-2.0/a.py": entry("x\n"), "acme-2.0/PKG-INFO": entry("Name: acme\nVersion: 2.0\n")}
    assert [change.path for change in compare(new, old, []).files] == ["acme-2.0/PKG-INFO"]
    old = {
        "a.py": entry("x\n"),
        "acme-1.0.dist-info/METADATA": entry("Name: a\n"),
        "acme-1.0.dist-info/RECORD": entry("1"),
    }
    new = {
        "a.py": entry("x\n"),
        "acme-2.0.dist-info/METADATA": entry("Name: a\n"),
        "acme-2.0.dist-info/RECORD": entry("2"),
    }
    assert compare(new, old, []).files == ()


def test_new_removed_and_binary_files_are_listed():
    old, new = files(gone_py="x\n", so=b"\0old"), files(fresh_py="y\n", so=b"\0new")
    found = {change.path: change for change in compare(new, old, []).files}
    assert {path: change.state for path, change in found.items()} == {
        "fresh.py": "new", "gone.py": "removed", "so": "changed",
    }  # fmt: skip
    assert lines_of(found["fresh.py"]) == [("+", 1, "y")]
    assert "not text" in found["so"].note


def test_files_with_findings_come_first_and_unchanged_ones_are_shown_too():
    old = files(a_py="1\n", b_py="1\n", z_py="same\n")
    new = files(a_py="2\n", b_py="2\n", z_py="same\n")
    found = compare(new, old, [ruling("z.py", 1, Decision.WARN), ruling("b.py", 1), ruling("", None)])
    assert [change.path for change in found.files] == ["b.py", "z.py", "a.py"]
    assert found.files[1].state == "unchanged"
    assert len(found.placeless) == 1


def test_what_is_long_is_cut_but_not_where_a_finding_is():
    text = "".join(f"line {number}\n" for number in range(1, 5001))
    for old in (None, files(a_py="before\n")):
        (change,) = [
            one for one in compare(files(a_py=text), old, [ruling("a.py", 4000)]).files if one.path == "a.py"
        ]
        assert len(change.lines) < MAX_LINES + 50
        assert [line.number for line in change.lines if line.rulings] == [4000]
        assert "changed lines are not shown" in change.note
        assert any(line.mark == "@" for line in change.lines)


def test_a_hostile_pair_takes_no_day():
    old = "".join(f"{'ab'[number % 2]}{number % 50}\n" for number in range(40_000))
    new = "".join(f"{'ba'[number % 2]}{number % 49}\n" for number in range(40_000))
    began = time.monotonic()
    (change,) = compare(files(a_py=new), files(a_py=old), [ruling("a.py", 39_000)]).files
    assert time.monotonic() - began < 10
    assert "too long to be compared" in change.note
    assert any(line.rulings for line in change.lines)


def test_changes_of_the_metadata_are_told():
    def info(*fields):
        return {
            "acme.py": entry("x"),
            "acme.dist-info/METADATA": entry(
                "\n".join(["Name: acme", *fields]) + "\n\nRequires-Dist: prose\n"
            ),
        }

    old, new = (
        info("Version: 1", "Requires-Dist: a", "Requires-Dist: b"),
        info("Version: 2", "Requires-Dist: a", "Requires-Dist: c"),
    )
    assert compare(new, old, []).metadata == (("-", "Requires-Dist: b"), ("+", "Requires-Dist: c"))
    assert compare(new, None, []).metadata == ()


def test_however_many_files_there_are_the_ones_with_findings_are_shown():
    text = "".join(f"line {number}\n" for number in range(200))
    new = {f"acme/{number:05}.py": entry(text) for number in range(5_000)}
    found = compare(new, None, [ruling("acme/04999.py", 100)])
    assert (found.files[0].path, bool(found.files[0].lines)) == ("acme/04999.py", True)
    assert (len(found.files), found.more) == (MAX_FILES, 3_000)
    assert sum(len(change.lines) for change in found.files) < MAX_ALL_LINES + 500
    assert "too many in all" in found.files[-1].note
