"""Builds on each rung that this machine has, and on machines that allow less: in a container without namespaces."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING

import pip_rungs
import pytest

from support import machines
from support.builders import LEGACY, make_sdist, make_tree
from support.held import OLD
from support.hostile_builds import LET_THROUGH, PASSWORD, PYPROJECT, SECRETS, Sink, backend_files
from support.selection import EVERYDAY_RUNGS, everyday

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env, Pair, Result
    from support.index_server import IndexServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux'")
REQUIRE = f'{LET_THROUGH}[sandbox]\nbuilds = "require"\n'
"""Without a sandbox, the test fails."""
TOLD = "veln-hook: the build of demo 1.0 tried to reach attacker.example"
RUNGS = ("namespaces", "bubblewrap", "netns-supervisor", "supervisor")


def _in_a_container(of: Env, *args: str, **options: object) -> Result:
    command = [machines.__file__, machines.CONTAINER, str(of.python), "-m", "pip", *args]
    return of.run(*command, policy=REQUIRE, **options)  # type: ignore[arg-type]


def _on(rung: str, of: Env, *args: str, **options: object) -> Result:
    if rung not in pip_rungs.working():
        pytest.skip(f"this machine has no {rung}")
    return of.run(*pip_rungs.pip_on(rung), *args, policy=REQUIRE, **options)  # type: ignore[arg-type]


def _attacked(run: Callable[..., Result], of: Env, index: IndexServer, tmp_path: Path) -> Result:
    """Have a hostile backend built by ``run``, and assert that nothing came of what it tried."""
    index.html_for_pip22 = True
    target = tmp_path / "target"
    secret = of.home.path / ".netrc"
    secret.write_text(f"machine example.org login me password {PASSWORD}\n")
    outside = [tmp_path / "outside", of.home.path / ".profile", of.home.tmp / "planted"]
    sink = Sink()
    try:
        files = backend_files(sink, outside, secret)
        index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files=files), upload_time=OLD)
        result = run(of, "install", "-t", str(target), "demo", index=index, env=SECRETS)
    finally:
        sink.close()
    assert result.returncode == 0, result
    assert sink.received == []
    assert not [path for path in outside if path.exists()]
    seen = json.loads((target / "seen.json").read_text())
    assert len(seen) >= 2, "the backend is loaded for its requirements, the metadata and the wheel"
    for done in seen:
        assert [name for name in done["did"] if not name.startswith("write")] == [], done
        assert "secret" not in done
        assert not set(SECRETS) & set(done["environ"]), done
        assert not [value for value in done["environ"].values() if PASSWORD in value]
    return result


def test_a_hostile_backend_in_a_container(shared: Env, index: IndexServer, tmp_path: Path) -> None:
    result = _attacked(_in_a_container, shared, index, tmp_path)
    assert TOLD in result.out, result


@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
def test_a_hostile_backend_on_each_rung(
    shared_env: Env, index: IndexServer, tmp_path: Path, rung: str
) -> None:
    result = _attacked(partial(_on, rung), shared_env, index, tmp_path)
    assert (TOLD in result.out) is (rung != "bubblewrap"), result


@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
def test_a_build_that_needs_a_host_fails_and_is_told_the_setting(
    shared_env: Env, index: IndexServer, tmp_path: Path, rung: str
) -> None:
    files = {"hostile.py": "import urllib.request\nurllib.request.urlopen('http://attacker.example/')\n"}
    index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files=files), upload_time=OLD)
    result = _on(rung, shared_env, "install", "-t", str(tmp_path / "target"), "demo", index=index)
    assert result.returncode == 1, result
    (line,) = [line for line in result.out.splitlines() if "veln-hook: the build of demo 1.0" in line]
    if rung == "bubblewrap":  # nobody hears there which names are asked for
        assert line.endswith("allow that host with sandbox.allow_hosts in the policy")
    else:
        assert TOLD in line
        assert line.endswith('allow it with sandbox.allow_hosts = ["attacker.example"] in the policy')


def test_an_editable_of_the_users_own(env: Env, tmp_path: Path) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    result = _in_a_container(env, "install", "-e", str(tree))
    assert result.returncode == 0, result
    where = env.run("-c", "import demo; print(demo.__file__)", check=True)
    assert where.stdout.strip() == str(tree / "demo.py")


@pytest.mark.parametrize("editable", [True, False])
def test_setup_py(make_env: Callable[..., Env], pair: Pair, tmp_path: Path, editable: bool) -> None:
    env = make_env(pair, setuptools=True)
    tree = make_tree(tmp_path, "demo", "1.0", setup_py=LEGACY)
    how = ["-e"] if editable else ["--no-binary", ":all:"]
    result = _in_a_container(env, "install", "--no-build-isolation", *how, str(tree))
    assert result.returncode == 0, result
    assert env.run("-c", "import demo; print(demo.VERSION)", check=True).stdout == "1.0\n"
    assert env.run_pip("uninstall", "-y", "demo").returncode == 0
