"""Files that come to uv without an index page: its cache, its lock, URLs, directories, git."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.builders import make_tree, make_wheel
from support.gated import installed, releases, untouched, write_project
from support.held import EVIL, OLD
from support.selection import everyday

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uv_world import Uv

    from support.envs import Home
    from support.tls_index import TlsIndex

WHEEL = "demo-2.0-py3-none-any.whl"
HELD = "HOLD  demo 2.0  uploaded 12 min ago"
FIRST_SEEN = "no upload time, first seen here just now"


def _other_bytes(directory: Path, version: str = "1.0") -> Path:
    return make_wheel(directory / "other", "demo", version, {"demo.py": "VERSION = 'other'\n"})


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# uv's own cache


def test_what_lies_in_the_users_cache_is_not_used(uv: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    first, second = uv.venv(tmp_path / "first"), uv.venv(tmp_path / "second")
    uv.direct("pip", "install", "--python", first, "demo==2.0", index=demo, check=True)
    assert uv.user_cache().is_dir()
    demo.bytes_sent.clear()
    words = ("pip", "install", "--python", second, "demo==2.0")
    for offline in ((), ("--offline",)):
        result = uv.gated(*words, *offline, index=demo)
        assert result.returncode != 0, result
        assert installed(second) == {}
    assert uv.gated(*words, index=demo).returncode == 75
    assert untouched(demo)


def test_what_uv_learnt_without_us_is_asked_again(uv: Uv, tmp_path: Path, make_index) -> None:
    index = releases(make_index(cache_control="max-age=600, public"), tmp_path)
    first, second = uv.venv(tmp_path / "first"), uv.venv(tmp_path / "second")
    uv.direct("pip", "install", "--python", first, "demo", index=index, check=True)
    result = uv.gated("pip", "install", "--python", second, "demo", index=index)
    assert (result.returncode, installed(second)) == (0, {"demo": "1.0"}), result
    # Nor does what we left out stay left out where we are not.
    third = uv.venv(tmp_path / "third")
    uv.direct("pip", "install", "--python", third, "demo", index=index, check=True)
    assert installed(third) == {"demo": "2.0"}


def test_a_release_that_was_held_is_seen_once_it_is_approved(
    uv: Uv, tmp_path: Path, make_index: Callable[..., TlsIndex]
) -> None:
    """The page with the release left out must not live on in a cache, nor be revived by a 304."""
    index = releases(make_index(cache_control="max-age=0, must-revalidate"), tmp_path)
    venv = uv.venv(tmp_path / "venv")
    uv.gated("pip", "install", "--python", venv, "demo", index=index, check=True)
    again = uv.gated("pip", "install", "--python", venv, "--upgrade", "demo", index=index)
    assert (again.returncode, installed(venv)) == (0, {"demo": "1.0"}), again
    uv.veln_hook("approve", "demo==2.0", "--reason", "a fix", "-i", index.url, check=True)
    passed = uv.gated("pip", "install", "--python", venv, "--upgrade", "demo", index=index)
    assert (passed.returncode, installed(venv)) == (0, {"demo": "2.0"}), passed


def test_what_was_let_through_is_judged_again_by_another_policy(
    newest: Uv, demo: TlsIndex, tmp_path: Path
) -> None:
    first, second = newest.venv(tmp_path / "first"), newest.venv(tmp_path / "second")
    loose = newest.gated(
        "pip", "install", "--python", first, "demo", index=demo, policy='[cooling]\nmin_age = "1m"\n'
    )
    assert (loose.returncode, installed(first)) == (0, {"demo": "2.0"}), loose
    strict = newest.gated("pip", "install", "--python", second, "demo", index=demo, policy="")
    assert (strict.returncode, installed(second)) == (0, {"demo": "1.0"}), strict
    pinned = newest.gated("pip", "install", "--python", second, "demo==2.0", index=demo)
    assert (pinned.returncode, installed(second)) == (75, {"demo": "1.0"}), pinned
    offline = newest.gated("pip", "install", "--offline", "--python", second, "demo==2.0", index=demo)
    assert offline.returncode != 0, offline
    assert installed(second) == {"demo": "1.0"}, "it was taken out of the cache without a look"


# A lock that somebody edited


class Locked:
    """The lock of a project, which names demo 1.0, and other bytes under that name on another host."""

    def __init__(self, uv: Uv, index: TlsIndex, other: TlsIndex, project: Path, directory: Path) -> None:
        self.uv, self.index, self.project = uv, index, project
        self.old = directory / "wheels" / "demo-1.0-py3-none-any.whl"
        self.evil = _other_bytes(directory)
        other.add(self.evil, upload_time=OLD)
        self.elsewhere = other.file_url(self.old.name)
        uv.gated("lock", index=index, cwd=project, check=True)

    def edit(self, *changes: tuple[str, str]) -> None:
        """Replace texts in the lock; each must be there."""
        path = self.project / "uv.lock"
        text = path.read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        path.write_text(text)

    def bytes_of_the_other(self) -> list[tuple[str, str]]:
        """Return the changes that make the lock want the other bytes."""
        sizes = (f"size = {each.stat().st_size}" for each in (self.old, self.evil))
        return [(_sha256(self.old), _sha256(self.evil)), tuple(sizes)]


@pytest.fixture
def locked(newest: Uv, demo: TlsIndex, make_index, project: Path, tmp_path: Path) -> Locked:
    return Locked(newest, demo, make_index(host="127.0.0.2"), project, tmp_path)


@pytest.mark.parametrize("frozen", ["--frozen", "--locked"])
@pytest.mark.parametrize(
    "query", everyday(["", "?x=/readme.txt", "#demo-1.0.txt"], 1), ids=["plain", "query", "fragment"]
)
def test_a_lock_whose_file_lies_on_another_host(locked: Locked, frozen: str, query: str) -> None:
    url = locked.index.file_url(locked.old.name)
    locked.edit((url, f"{locked.elsewhere}{query}"), *locked.bytes_of_the_other())
    result = locked.uv.gated("sync", frozen, index=locked.index, cwd=locked.project)
    assert result.returncode in (1, 75, 77), result
    assert "demo" in result.stderr, result
    assert installed(locked.project / ".venv") == {}


def test_a_lock_with_another_hash(locked: Locked) -> None:
    locked.edit((_sha256(locked.old), "0" * 64))
    result = locked.uv.gated("sync", "--frozen", index=locked.index, cwd=locked.project)
    assert result.returncode != 0, result
    assert installed(locked.project / ".venv") == {}


# URLs


@pytest.mark.parametrize("form", ["{url}", "demo @ {url}"])
def test_a_url_of_a_file_that_the_index_lists(newest: Uv, demo: TlsIndex, tmp_path: Path, form: str) -> None:
    venv = newest.venv(tmp_path / "venv")
    words = ("pip", "install", "--python", venv)
    result = newest.gated(*words, form.format(url=demo.file_url(WHEEL)), index=demo)
    assert result.returncode == 75, result
    assert HELD in result.stderr, result
    assert installed(venv) == {}
    old = form.format(url=demo.file_url("demo-1.0-py3-none-any.whl"))
    passed = newest.gated(*words, old, index=demo)
    assert (passed.returncode, installed(venv)) == (0, {"demo": "1.0"}), passed


def test_a_url_that_no_index_lists(newest: Uv, demo: TlsIndex, make_index, tmp_path: Path) -> None:
    other = make_index(host="127.0.0.2")
    other.add(_other_bytes(tmp_path), upload_time=OLD)
    venv = newest.venv(tmp_path / "venv")
    url = other.file_url("demo-1.0-py3-none-any.whl")
    result = newest.gated("pip", "install", "--python", venv, f"demo @ {url}", index=demo)
    assert result.returncode == 75, result
    assert FIRST_SEEN in result.stderr, result
    assert installed(venv) == {}


def test_a_url_in_the_sources_of_a_project(
    newest: Uv, demo: TlsIndex, make_index, tmp_path: Path, home: Home
) -> None:
    other = make_index(host="127.0.0.2")
    other.add(_other_bytes(tmp_path), upload_time=OLD)
    url = other.file_url("demo-1.0-py3-none-any.whl")
    project = write_project(
        home.work / "proj", "demo", more=f'[tool.uv.sources]\ndemo = {{ url = "{url}" }}\n'
    )
    result = newest.gated("sync", index=demo, cwd=project)
    assert result.returncode == 75, result
    assert installed(project / ".venv") == {}


# A second index


def test_an_index_that_only_the_project_names(
    newest: Uv, demo: TlsIndex, make_index, tmp_path: Path, home: Home
) -> None:
    second = releases(make_index(host="127.0.0.2"), tmp_path, "inner")
    more = (
        f'[[tool.uv.index]]\nname = "second"\nurl = "{second.url}"\nexplicit = true\n'
        '[tool.uv.sources]\ninner = { index = "second" }\n'
    )
    project = write_project(home.work / "proj", "demo", "inner", more=more)
    result = newest.gated("sync", index=demo, cwd=project)
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0" in result.stderr, result
    assert "HOLD  inner 2.0" in result.stderr, result
    assert installed(project / ".venv") == {"demo": "1.0", "inner": "1.0"}
    assert untouched(demo)
    assert untouched(second, name="inner")


# What comes by no network at all


@pytest.mark.parametrize("form", ["path", "url", "find-links"])
def test_local_wheels_are_judged_before_they_are_installed(
    newest: Uv, demo: TlsIndex, tmp_path: Path, form: str
) -> None:
    evil = make_wheel(tmp_path / "evil", "evil", "1.0", EVIL)
    fine = make_wheel(tmp_path / "fine", "fine", "1.0")
    venv = newest.venv(tmp_path / "venv")

    def words(wheel: Path) -> list[str]:
        name = wheel.name.partition("-")[0]
        forms = {
            "path": [str(wheel)],
            "url": [f"{name} @ {wheel.as_uri()}"],
            "find-links": ["--no-index", "--find-links", str(wheel.parent), name],
        }
        return ["pip", "install", "--python", str(venv), *forms[form]]

    result = newest.gated(*words(evil), index=demo)
    assert result.returncode == 1, result
    assert "BLOCK evil 1.0" in result.stderr, result
    assert installed(venv) == {}
    passed = newest.gated(*words(fine), index=demo)
    assert (passed.returncode, installed(venv)) == (0, {"fine": "1.0"}), passed


def test_a_tree_is_judged_by_what_it_builds(newest: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", "evil", "1.0", files=EVIL)
    venv = newest.venv(tmp_path / "venv")
    result = newest.gated("pip", "install", "--python", venv, tree, index=demo)
    assert result.returncode == 1, result
    assert "BLOCK evil 1.0" in result.stderr, result


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize(
    "files",
    [EVIL, None],
    ids=["evil", "plain"],
)
def test_a_git_source(newest: Uv, demo: TlsIndex, tmp_path: Path, files: dict[str, str] | None) -> None:
    tree = make_tree(tmp_path / "tree", "repo", "1.0", files=files)
    git = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x")):
        subprocess.run([*git, *words], check=True)
    venv = newest.venv(tmp_path / "venv")
    result = newest.gated("pip", "install", "--python", venv, f"repo @ git+{tree.as_uri()}", index=demo)
    if files is None:
        assert (result.returncode, installed(venv)) == (0, {"repo": "1.0"}), result
    else:
        assert result.returncode == 1, result
        assert "BLOCK repo 1.0" in result.stderr, result
        assert installed(venv) == {}
