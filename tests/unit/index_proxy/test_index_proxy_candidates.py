from __future__ import annotations

import zipfile
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from support.builders import make_wheel, wheel_metadata
from veln_hook.errors import ArchiveError
from veln_hook.index import FileEntry
from veln_hook.index_proxy.bounded import Bounded
from veln_hook.index_proxy.candidates import candidate_of, projects_of, release_of, with_time
from veln_hook.index_proxy.metadata import digest
from veln_hook.index_proxy.metadata import wheel_metadata as read_metadata

if TYPE_CHECKING:
    from pathlib import Path

THEN = datetime(2024, 1, 1, tzinfo=timezone.utc)
INDEX = "https://pypi.org/simple/"


def entry(filename: str, **changes: Any) -> FileEntry:
    fields: dict[str, Any] = {
        "url": f"https://x/{filename}",
        "sha256": "",
        "upload_time": None,
        "size": None,
        "requires_python": "",
        "yanked": False,
    }
    return FileEntry(filename, **{**fields, **changes})


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("demo-1.0-py3-none-any.whl", "demo", "1.0"),
        ("demo-1.0.tar.gz", "demo", "1.0"),
        ("demo-1.0-1.tar.gz", "demo", "1.0-1"),
        ("Some.Demo-2.zip", "some-demo", "2"),
        ("other-1.0-py3-none-any.whl", "demo", "1.0"),
        ("nonsense.tar.gz", "demo", ""),
    ],
)
def test_a_file_belongs_to_its_page(filename: str, project: str, version: str) -> None:
    candidate = candidate_of(entry(filename), project=project, index=INDEX)
    assert candidate is not None
    assert (candidate.project, candidate.version, candidate.index) == (project, version, INDEX)


def test_what_nobody_installs_is_no_candidate() -> None:
    assert candidate_of(entry("demo-1.0.exe"), project="demo", index=INDEX) is None


def test_a_name_can_be_that_of_several_projects() -> None:
    assert projects_of("a_b-1.0-py3-none-any.whl") == ["a-b"]
    assert projects_of("a-b-1.0.tar.gz") == ["a-b", "a"]
    assert projects_of("demo-1.0-1.tar.gz") == ["demo-1-0", "demo"]
    assert projects_of("readme.txt") == []


def test_one_release_can_be_spelled_in_two_ways() -> None:
    one, two, odd = (
        candidate_of(entry(name), project="demo", index=INDEX)
        for name in ("demo-2.0.tar.gz", "demo-2.0.0-py3-none-any.whl", "demo-x.tar.gz")
    )
    assert one is not None
    assert two is not None
    assert odd is not None
    assert release_of(one) == release_of(two)
    assert release_of(odd) == "x"


def test_times_are_filled_in_for_the_same_bytes_only() -> None:
    name = "demo-1.0-py3-none-any.whl"
    candidate = candidate_of(entry(name, sha256="a" * 64), project="demo", index=INDEX)
    assert candidate is not None
    for sha256, time in (("a" * 64, THEN), ("", THEN), ("b" * 64, None)):
        other = entry(name, sha256=sha256, upload_time=THEN, size=3)
        filled = with_time(candidate, {name: other})
        assert filled.upload_time == time
        assert filled.size == (3 if time else None)
    assert with_time(candidate, {}) is candidate


def test_a_wheel_has_one_metadata(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "Some.Demo", "1.0")
    assert read_metadata(str(wheel), "some-demo") == wheel_metadata(wheel)
    with pytest.raises(ArchiveError, match="it has 0 METADATA"):
        read_metadata(str(wheel), "other")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("some_demo-2.0.dist-info/METADATA", "Name: x\n")
    with pytest.raises(ArchiveError, match="it has 2 METADATA"):
        read_metadata(str(wheel), "some-demo")
    (tmp_path / "no.whl").write_bytes(b"nothing")
    with pytest.raises(ArchiveError, match="can't be read"):
        read_metadata(str(tmp_path / "no.whl"), "")


def test_ends_of_lines_do_not_count() -> None:
    assert digest(b"Name: x\r\nVersion: 1\r\n\r\n") == digest(b"Name: x\nVersion: 1")
    assert digest(b"Name: x\nVersion: 1") != digest(b"Name: x\nVersion: 2")


def test_a_bounded_memory_forgets_what_was_not_asked_for() -> None:
    memory: Bounded[str, int] = Bounded(10, lambda value: value)
    memory.put("a", 4)
    memory.put("b", 4)
    assert memory.get("a") == 4
    memory.put("c", 4)
    assert (memory.get("a"), memory.get("b"), len(memory)) == (4, None, 2)
    memory.put("a", 1)
    memory.put("d", 5)
    assert memory.all() == ["c", "a", "d"]
    memory.put("big", 100)
    assert memory.all() == ["big"]
    memory.drop("big")
    memory.drop("big")
    assert len(memory) == 0
