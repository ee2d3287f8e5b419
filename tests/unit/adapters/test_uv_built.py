"""What a step of uv's builds made is taken from where uv takes it, whatever the step left there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from veln_hook.adapters.uv.build_step import Step
from veln_hook.adapters.uv.built import Made
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = "demo-1.0-py3-none-any.whl"


class Place:
    """A directory for a wheel, and the file in which the step calls it by its name."""

    def __init__(self, root: Path) -> None:
        self.result = root / "result"
        self.result.mkdir()
        self.outcome = root / "build_wheel.txt"
        self.step = Step("build_wheel", str(self.outcome), str(self.result))

    def make(self, name: str = WHEEL, content: bytes = b"made") -> Path:
        (self.result / name).write_bytes(content)
        return self.result / name

    def calls_it(self, name: str) -> None:
        self.outcome.write_text(name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_was_made_is_a_file_that_only_we_have_written(place: Place) -> None:
    made = Made(place.step)
    wheel = place.make()
    place.calls_it(WHEEL)
    with wheel.open("r+b") as kept:
        assert made.wheels() == [str(wheel)]
        kept.write(b"other bytes")
    assert wheel.read_bytes() == b"made"
    assert os.listdir(place.result) == [WHEEL]


def test_a_second_name_of_the_same_file_writes_to_nothing(place: Place, tmp_path: Path) -> None:
    made = Made(place.step)
    os.link(place.make(), tmp_path / "second")
    place.calls_it(WHEEL)
    made.wheels()
    (tmp_path / "second").write_bytes(b"other bytes")
    assert (place.result / WHEEL).read_bytes() == b"made"


def test_all_that_is_new_is_looked_at_and_what_was_there_is_not(place: Place) -> None:
    place.make("old-1.0-py3-none-any.whl")
    changed = place.make("changed-1.0-py3-none-any.whl")
    made = Made(place.step)
    changed.unlink()
    for name in (changed.name, "another-1.0-py3-none-any.whl", WHEEL, "notes.txt"):
        place.make(name, b"new")
    place.calls_it(WHEEL)
    found = [os.path.basename(path) for path in made.wheels()]
    assert found == [WHEEL, "another-1.0-py3-none-any.whl", changed.name]
    made.remove()
    assert sorted(os.listdir(place.result)) == ["notes.txt", "old-1.0-py3-none-any.whl"]


def test_one_that_lay_there_before_is_looked_at_where_uv_would_take_it(place: Place) -> None:
    place.make()
    made = Made(place.step)
    place.calls_it(WHEEL)
    assert [os.path.basename(path) for path in made.wheels()] == [WHEEL]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../demo-1.0-py3-none-any.whl",
        f"/tmp/{WHEEL}",
        f"x/{WHEEL}",
        f"{WHEEL}\n",
        f"{WHEEL}\0",
        "demo.zip",
    ],
)
def test_a_name_that_leads_elsewhere_is_none(place: Place, name: str) -> None:
    made = Made(place.step)
    place.make()
    place.calls_it(name)
    with pytest.raises(ArchiveError, match="no name of one"):
        made.wheels()


def test_a_wheel_that_is_not_there(place: Place) -> None:
    made = Made(place.step)
    place.calls_it(WHEEL)
    with pytest.raises(ArchiveError, match="it made no demo"):
        made.wheels()


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_wheel_that_is_no_file(place: Place, tmp_path: Path, kind: str) -> None:
    made = Made(place.step)
    path = place.result / WHEEL
    if kind == "link":
        (tmp_path / "elsewhere").write_bytes(b"x")
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    place.calls_it(WHEEL)
    with pytest.raises((ArchiveError, OSError)):
        made.wheels()
    assert kind != "link" or (tmp_path / "elsewhere").read_bytes() == b"x"


def test_an_outcome_that_is_no_file(place: Place) -> None:
    made = Made(place.step)
    place.make()
    os.mkfifo(place.outcome)
    with pytest.raises(ArchiveError):
        made.wheels()


def test_a_directory_that_was_exchanged(place: Place, tmp_path: Path) -> None:
    made = Made(place.step)
    place.make()
    place.calls_it(WHEEL)
    place.result.rename(tmp_path / "moved")
    place.result.symlink_to(tmp_path / "moved")
    with pytest.raises(ArchiveError, match="another one by now"):
        made.wheels()


def test_more_than_a_build_makes(place: Place) -> None:
    made = Made(place.step)
    for number in range(21):
        place.make(f"demo-{number}-py3-none-any.whl")
    place.calls_it("demo-0-py3-none-any.whl")
    with pytest.raises(ArchiveError, match="it made 21 wheels"):
        made.wheels()
