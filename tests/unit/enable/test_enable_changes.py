from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from veln_hook.enable.changes import Change, Record
from veln_hook.errors import EnableError

if TYPE_CHECKING:
    from pathlib import Path


def tree(place: Path) -> dict[str, object]:
    """Return what is in a directory: bytes, modes and times of files."""
    found: dict[str, object] = {}
    for directory, names, files in os.walk(place):
        found.update((os.path.join(directory, name), "directory") for name in names)
        for name in files:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                status = os.stat(path)
                found[path] = file.read(), status.st_mode, status.st_mtime_ns
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "place"
    made.mkdir()
    (made / "theirs.py").write_bytes(b"# theirs\r\n# \xff")
    os.utime(made / "theirs.py", (1, 1))
    cache = made / "__pycache__"
    cache.mkdir()
    (cache / "theirs.cpython-313.pyc").write_bytes(b"compiled")
    os.utime(cache / "theirs.cpython-313.pyc", (2, 2))
    return made


def record(place: Path) -> Record:
    return Record(str(place / "deep" / "er" / "record.json"))


def changes(place: Path, text: str = "new") -> list[Change]:
    return [
        Change(str(place / "new.py"), f"# {text}\n"),
        Change(str(place / "theirs.py"), f"\n# {text}\n", adds=True),
        Change(str(place / "bin" / "command"), "#!/bin/sh\n", mode=0o755),
    ]


def test_what_is_made_is_taken_back_to_the_byte(place: Path) -> None:
    before = tree(place)
    record(place).apply(changes(place))
    assert (place / "theirs.py").read_bytes() == b"# theirs\r\n# \xff\n# new\n"
    assert os.access(place / "bin" / "command", os.X_OK)
    (place / "__pycache__" / "new.cpython-313.pyc").write_bytes(b"x")
    (place / "__pycache__" / "theirs.cpython-313.pyc").write_bytes(b"other")
    steps = record(place).undo()
    assert [step.verb for step in steps] == ["remove", "restore", "remove"]
    after = tree(place)
    after.pop(str(place / "deep"), None)  # made for the record, which was the caller's to name
    assert after == before


def test_twice_is_once(place: Path) -> None:
    before = tree(place)
    record(place).apply(changes(place))
    made = tree(place)
    assert list(record(place).plan(changes(place))) == []
    record(place).apply(changes(place))
    assert tree(place) == made
    record(place).apply(changes(place, "newer"))
    assert (place / "theirs.py").read_bytes() == b"# theirs\r\n# \xff\n# newer\n"
    assert (place / "new.py").read_text() == "# newer\n"
    record(place).undo()
    assert {path: what for path, what in tree(place).items() if "deep" not in path} == before


def test_a_plan_tells_and_does_nothing(place: Path) -> None:
    before = tree(place)
    assert [step.verb for step in record(place).plan(changes(place))] == ["create", "add to", "create"]
    assert tree(place) == before


def test_a_file_of_somebody_else_s_is_not_written_over(place: Path) -> None:
    (place / "new.py").write_text("mine\n")
    with pytest.raises(EnableError, match="isn't veln-hook's"):
        record(place).apply(changes(place))
    assert (place / "new.py").read_text() == "mine\n"


def test_what_was_changed_since_is_left_and_told(place: Path) -> None:
    record(place).apply(changes(place))
    (place / "new.py").write_text("mine now\n")
    (place / "theirs.py").write_text("without the block\n")
    steps = record(place).undo()
    assert [(step.verb, step.detail) for step in steps] == [
        ("remove", ""),
        ("leave", "our block is gone"),
        ("leave", "it was changed since"),
    ]
    assert (place / "new.py").read_text() == "mine now\n"
    assert (place / "theirs.py").read_text() == "without the block\n"


def test_lines_that_others_added_since_stay(place: Path) -> None:
    record(place).apply(changes(place))
    with open(place / "theirs.py", "ab") as file:
        file.write(b"# later\n")
    record(place).undo()
    assert (place / "theirs.py").read_bytes() == b"# theirs\r\n# \xff# later\n"


def test_a_link_stays_one(place: Path, tmp_path: Path) -> None:
    real = tmp_path / "etc.py"
    (place / "theirs.py").rename(real)
    (place / "theirs.py").symlink_to(real)
    record(place).apply(changes(place))
    assert (place / "theirs.py").is_symlink()
    assert b"# new" in real.read_bytes()
    record(place).undo()
    assert (place / "theirs.py").is_symlink()
    assert real.read_bytes() == b"# theirs\r\n# \xff"


def test_an_interrupted_one_is_taken_back_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(place)
    made = record(place)
    replace = os.replace

    def failing(old: str, new: str) -> None:
        if new.endswith("theirs.py"):
            raise OSError("no space")
        replace(old, new)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="no space"):
        made.apply(changes(place))
    monkeypatch.undo()
    record(place).undo()
    assert not (place / "new.py").exists()
    assert (place / "theirs.py").read_bytes() == before[str(place / "theirs.py")][0]  # type: ignore[index]


@pytest.mark.parametrize("content", ["", "{}", '{"schema": 2}', "[]", "\udcff"])
def test_a_record_that_cannot_be_read_is_an_error(place: Path, content: str) -> None:
    path = place / "record.json"
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(EnableError, match=r"record\.json"):
        Record(str(path))


def test_the_record_is_json(place: Path) -> None:
    record(place).apply(changes(place))
    told = json.loads((place / "deep/er/record.json").read_text())
    assert [each["path"] for each in told["files"]] == [change.path for change in changes(place)]
