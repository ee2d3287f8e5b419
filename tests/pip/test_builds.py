"""Builds run in the sandbox: what a hostile one tries comes to nothing, and an honest one doesn't notice."""

from __future__ import annotations

import json
import subprocess
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from support import machines
from support.builders import LEGACY, make_sdist, make_tree
from support.held import OLD
from support.hostile_builds import (
    LET_THROUGH,
    PASSWORD,
    PYPROJECT,
    SECRETS,
    Sink,
    attack_code,
    backend_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.envs import Env, Pair
    from support.index_server import IndexServer


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    if not machines.rung():
        pytest.skip("this machine has no sandbox")


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


def _told(lines: int) -> int:
    """Return how many lines tell of hosts: none with bubblewrap, where nobody hears which names are asked for."""
    return 0 if machines.rung() == "bubblewrap" else lines


def assert_learned_nothing(done: dict[str, Any]) -> None:
    """Assert that one attempt came to nothing; writing into a place of its own is no harm."""
    assert [name for name in done["did"] if not name.startswith("write")] == [], done
    assert "secret" not in done
    assert not set(SECRETS) & set(done["environ"]), done
    assert not [value for value in done["environ"].values() if PASSWORD in value]


def test_a_hostile_backend_reaches_nothing_and_learns_nothing(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path, sink: Sink
) -> None:
    index.html_for_pip22 = True
    secret = shared.home.path / ".netrc"
    secret.write_text("machine example.org login me password hunter2\n")
    outside = [tmp_path / "outside", shared.home.path / ".profile", shared.home.tmp / "planted"]
    files = backend_files(sink, outside, secret)
    index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files=files), upload_time=OLD)
    result = shared.run_pip(
        "install",
        "-t",
        str(target),
        "demo",
        index=index,
        policy=LET_THROUGH,
        env=SECRETS,
    )
    assert result.returncode == 0, result
    assert sink.received == []
    assert not [path for path in outside if path.exists()]
    seen = json.loads((target / "seen.json").read_text())
    assert len(seen) >= 2, "the backend is loaded for its requirements, the metadata and the wheel"
    for done in seen:
        assert_learned_nothing(done)
    line = "veln-hook: the build of demo 1.0 tried to reach attacker.example"
    assert result.out.count(line) == _told(1), result
    assert "allow_hosts" not in result.out, "it was not needed, so nobody is invited to allow it"


def _contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_wheel_built_inside_is_the_one_built_outside(
    shared: Env, index: IndexServer, tmp_path: Path
) -> None:
    index.html_for_pip22 = True
    index.add(make_sdist(tmp_path, "demo", "1.0"), upload_time=OLD)
    built = {}
    for way in ("auto", "off"):
        policy = f'[sandbox]\nbuilds = "{way}"\n'
        place = tmp_path / way
        result = shared.run_pip(
            "wheel", "--no-cache-dir", "-w", str(place), "demo", index=index, policy=policy
        )
        assert result.returncode == 0, result
        built[way] = _contents(place / "demo-1.0-py3-none-any.whl")
    assert built["auto"] == built["off"]


def test_what_a_build_requirement_tried_is_told(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.html_for_pip22 = True
    code = "import urllib.request\ntry:\n    urllib.request.urlopen('http://attacker.example/', timeout=5)\nexcept OSError:\n    pass\n"
    files = {"hostile.py": code + "from _test_backend import *\n"}
    index.add(make_sdist(tmp_path, "helper", "1.0", pyproject=PYPROJECT, files=files), upload_time=OLD)
    index.add(make_sdist(tmp_path, "demo", "1.0", build_requires=["helper"]), upload_time=OLD)
    result = shared.run_pip("install", "-q", "-t", str(target), "demo", index=index, policy=LET_THROUGH)
    assert result.returncode == 0, result
    line = "veln-hook: the build of helper 1.0 tried to reach attacker.example"
    assert result.out.count(line) == _told(1), result


@pytest.mark.parametrize("isolation", [True, False])
def test_an_editable_of_the_users_own(env: Env, tmp_path: Path, isolation: bool) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    how = [] if isolation else ["--no-build-isolation"]
    result = env.run_pip("install", *how, "-e", str(tree))
    assert result.returncode == 0, result
    where = env.run("-c", "import demo; print(demo.__file__)", check=True)
    assert where.stdout.strip() == str(tree / "demo.py")


def _git(tree: Path, *command: str) -> str:
    words = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *command]
    return subprocess.run(words, cwd=tree, check=True, capture_output=True, text=True).stdout


ASKS_GIT = """
import subprocess
commit = subprocess.run(["git", "describe", "--always", "--abbrev=40"], capture_output=True, text=True)
assert commit.returncode == 0, commit
open("demo.py", "w").write("COMMIT = %r\\n" % commit.stdout.strip())
from _test_backend import *
"""


def _repository(tmp_path: Path) -> Path:
    """Return a project in a subdirectory of a repository, whose backend asks git."""
    tree = make_tree(
        tmp_path / "repository",
        "demo",
        "1.0",
        pyproject=PYPROJECT,
        files={"hostile.py": ASKS_GIT, "demo.py": ""},
    )
    _git(tree.parent, "init", "-q")
    _git(tree.parent, "add", ".")
    _git(tree.parent, "commit", "-q", "-m", "x")
    return tree


def test_a_build_in_a_subdirectory_of_the_users_repository_asks_git(
    shared: Env, tmp_path: Path, target: Path
) -> None:
    tree = _repository(tmp_path)
    result = shared.run_pip("install", "-t", str(target), str(tree), policy=LET_THROUGH)
    assert result.returncode == 0, result
    assert _git(tree, "rev-parse", "HEAD").strip() in (target / "demo.py").read_text()


def test_a_checkout_is_built_where_it_is(shared: Env, tmp_path: Path, target: Path) -> None:
    tree = _repository(tmp_path)
    url = f"git+file://{tree.parent}#egg=demo&subdirectory={tree.name}"
    result = shared.run_pip("install", "-t", str(target), url, policy=LET_THROUGH)
    assert result.returncode == 0, result
    assert _git(tree, "rev-parse", "HEAD").strip() in (target / "demo.py").read_text()


def test_a_checkout_cant_have_a_directory_of_the_users_built(
    shared: Env, tmp_path: Path, target: Path
) -> None:
    mine = make_tree(tmp_path / "mine", "demo", "1.0")
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "part").symlink_to(mine)
    _git(repository, "init", "-q")
    _git(repository, "add", ".")
    _git(repository, "commit", "-q", "-m", "x")
    before = sorted(mine.rglob("*"))
    url = f"git+file://{repository}#egg=demo&subdirectory=part"
    result = shared.run_pip("install", "-t", str(target), url)
    assert result.returncode == 77, result
    assert "outside of the tree" in result.out, result
    assert "Traceback" not in result.out
    assert sorted(mine.rglob("*")) == before


def test_a_home_directory_is_no_source(shared: Env, tmp_path: Path, target: Path) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    for path in tree.iterdir():
        path.rename(shared.home.path / path.name)
    result = shared.run_pip("install", "-t", str(target), str(shared.home.path))
    assert result.returncode == 77, result
    assert "move the source into a directory of its own" in result.out, result


@pytest.mark.parametrize("binary", [True, False])
def test_a_legacy_sdist(
    make_env: Callable[..., Env], pair: Pair, index: IndexServer, tmp_path: Path, binary: bool
) -> None:
    """Old pips run ``setup.py`` themselves: ``bdist_wheel``, or ``install`` where no wheel is wanted."""
    index.html_for_pip22 = True
    env = make_env(pair, setuptools=True)
    index.add(make_sdist(tmp_path, "demo", "1.0", setup_py=LEGACY), upload_time=OLD)
    how = [] if binary else ["--no-binary", ":all:"]
    result = env.run_pip("install", "--no-build-isolation", *how, "demo", index=index)
    assert result.returncode == 0, result
    assert env.installed()["demo"] == "1.0"
    assert env.run("-c", "import demo; print(demo.VERSION)", check=True).stdout == "1.0\n"
    assert env.run_pip("uninstall", "-y", "demo").returncode == 0
    assert env.run("-c", "import demo").returncode == 1


@pytest.mark.slow
def test_a_legacy_editable(make_env: Callable[..., Env], pair: Pair, tmp_path: Path) -> None:
    """Pips up to 25.2 run ``setup.py develop`` where setuptools is in the environment."""
    env = make_env(pair, setuptools=True)
    tree = make_tree(tmp_path, "demo", "1.0", setup_py=LEGACY)
    result = env.run_pip("install", "--no-build-isolation", "-e", str(tree))
    assert result.returncode == 0, result
    where = env.run("-c", "import demo; print(demo.__file__)", check=True)
    assert where.stdout.strip() == str(tree / "demo.py")
    assert env.run_pip("uninstall", "-y", "demo").returncode == 0


def test_a_hostile_setup_py_reaches_nothing_and_learns_nothing(
    make_env: Callable[..., Env], pair: Pair, index: IndexServer, tmp_path: Path, sink: Sink
) -> None:
    index.html_for_pip22 = True
    env = make_env(pair, setuptools=True)
    secret = env.home.path / ".netrc"
    secret.write_text("machine example.org login me password hunter2\n")
    outside = [tmp_path / "outside", env.home.path / ".profile"]
    setup_py = attack_code(sink, outside, secret) + LEGACY
    # Not into site-packages: what it saw is in what it prints.
    setup_py += (
        "print('SEEN', open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'seen.json')).read())\n"
    )
    index.add(make_sdist(tmp_path, "demo", "1.0", setup_py=setup_py), upload_time=OLD)
    command = ["install", "-v", "--no-build-isolation", "--no-binary", ":all:", "demo"]
    result = env.run_pip(*command, index=index, policy=LET_THROUGH, env=SECRETS)
    assert result.returncode == 0, result
    assert env.installed()["demo"] == "1.0"
    assert sink.received == []
    assert not [path for path in outside if path.exists()]
    assert "SEEN [" in result.out
    assert PASSWORD not in result.out
    for value in SECRETS.values():
        assert value not in result.out
    assert ("veln-hook: the build of demo 1.0 tried to reach attacker.example" in result.out) == _told(1)


@pytest.mark.parametrize("feature", ["inprocess-build-deps", "venv-isolation"])
def test_other_ways_of_isolating_builds(
    shared_env: Env, index: IndexServer, tmp_path: Path, target: Path, feature: str
) -> None:
    """pip 26 has them; with both, a build requirement that is an sdist is built in the sandbox, too."""
    imports = (
        "import helper, subprocess\nassert helper.VERSION == '1.0'\nsubprocess.run(['true'], check=True)\n"
    )
    files = {"hostile.py": imports + "from _test_backend import *\n", "demo.py": ""}
    pyproject = PYPROJECT.replace("requires = []", 'requires = ["helper"]')
    index.add(make_sdist(tmp_path, "helper", "1.0"), upload_time=OLD)
    index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=pyproject, files=files), upload_time=OLD)
    command = ["install", "-t", str(target), "--use-feature", feature, "demo"]
    result = shared_env.run_pip(*command, index=index, policy=LET_THROUGH)
    assert result.returncode == 0, result
    assert (target / "demo-1.0.dist-info").is_dir()


def test_the_environment_of_a_project_in_its_own_directory_stays_as_it_is(
    make_env: Callable[..., Env], tmp_path: Path
) -> None:
    """With ``.venv`` in a source tree, the build could else rewrite the pip that started it."""
    if machines.rung() not in ("namespaces", "bubblewrap"):
        pytest.skip("without a mount namespace, what lies in a writable directory is writable")
    env = make_env()
    tree = make_tree(
        tmp_path / "project", "demo", "1.0", pyproject=PYPROJECT, files={"hostile.py": "", "demo.py": ""}
    )
    venv = tree / ".venv"
    env.prefix.rename(venv)
    planted = venv / "planted"
    (tree / "hostile.py").write_text(
        f"try:\n    open({str(planted)!r}, 'w')\nexcept OSError:\n    pass\nfrom _test_backend import *\n"
    )
    moved = type(env)(venv, env.pair, env.home)
    result = moved.run_pip("install", str(tree), policy=LET_THROUGH)
    venv.rename(env.prefix)
    assert result.returncode == 0, result
    assert not (env.prefix / "planted").exists()
