"""Builds on machines that allow less than this one: in a container without namespaces."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from support import machines
from support.builders import LEGACY, make_sdist, make_tree
from support.held import OLD
from support.hostile_builds import LET_THROUGH, PASSWORD, PYPROJECT, SECRETS, Sink, backend_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env, Pair, Result
    from support.index_server import IndexServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux'")
REQUIRE = f'{LET_THROUGH}[sandbox]\nbuilds = "require"\n'
"""Without a sandbox, the test fails."""


def _pip(of: Env, *args: str, **options: object) -> Result:
    command = [machines.__file__, machines.CONTAINER, str(of.python), "-m", "pip", *args]
    return of.run(*command, policy=REQUIRE, **options)  # type: ignore[arg-type]


def test_a_hostile_backend_reaches_nothing_and_learns_nothing(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.html_for_pip22 = True
    secret = shared.home.path / ".netrc"
    secret.write_text(f"machine example.org login me password {PASSWORD}\n")
    outside = [tmp_path / "outside", shared.home.path / ".profile", shared.home.tmp / "planted"]
    sink = Sink()
    try:
        files = backend_files(sink, outside, secret)
        index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files=files), upload_time=OLD)
        result = _pip(shared, "install", "-t", str(target), "demo", index=index, env=SECRETS)
    finally:
        sink.close()
    assert result.returncode == 0, result
    assert sink.received == []
    assert not [path for path in outside if path.exists()]
    for done in json.loads((target / "seen.json").read_text()):
        assert [name for name in done["did"] if name != "write home"] == [], done
        assert not set(SECRETS) & set(done["environ"]), done
    assert "veln-hook: the build of demo 1.0 tried to reach attacker.example" in result.out, result


def test_an_editable_of_the_users_own(env: Env, tmp_path: Path) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    result = _pip(env, "install", "-e", str(tree))
    assert result.returncode == 0, result
    where = env.run("-c", "import demo; print(demo.__file__)", check=True)
    assert where.stdout.strip() == str(tree / "demo.py")


@pytest.mark.parametrize("editable", [True, False])
def test_setup_py(make_env: Callable[..., Env], pair: Pair, tmp_path: Path, editable: bool) -> None:
    env = make_env(pair, setuptools=True)
    tree = make_tree(tmp_path, "demo", "1.0", setup_py=LEGACY)
    how = ["-e"] if editable else ["--no-binary", ":all:"]
    result = _pip(env, "install", "--no-build-isolation", *how, str(tree))
    assert result.returncode == 0, result
    assert env.run("-c", "import demo; print(demo.VERSION)", check=True).stdout == "1.0\n"
    assert env.run_pip("uninstall", "-y", "demo").returncode == 0
