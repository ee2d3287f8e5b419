"""Where a machine has no sandbox: what the policy's ``sandbox.builds`` makes of it.

No sandbox is had by a seccomp filter over pip, of the kind that containers run under (`support.machines`): it is
the machine that refuses, and nothing of ours stands in for it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import machines
from support.builders import make_sdist, make_tree
from support.held import OLD

if TYPE_CHECKING:
    from pathlib import Path

    from support.envs import Env, Result
    from support.index_server import IndexServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux'")


def _pip(of: Env, *args: str, **options: object) -> Result:
    """Run the environment's pip on a machine without a sandbox."""
    command = [machines.__file__, machines.BARE, str(of.python), "-m", "pip", *args]
    return of.run(*command, **options)  # type: ignore[arg-type]


@pytest.fixture
def demo(index: IndexServer, tmp_path: Path, marker: Path) -> IndexServer:
    """An index with the sdist of demo 1.0, whose build leaves a mark outside."""
    index.html_for_pip22 = True
    index.add(make_sdist(tmp_path, "demo", "1.0", marker=marker), upload_time=OLD)
    return index


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.mark.parametrize("machine", [machines.CONTAINER, machines.BARE])
def test_such_a_machine_refuses_what_it_should(machine: str) -> None:
    calls = "import ctypes; c = ctypes.CDLL(None); print(c.unshare(0x10000000), c.syscall(444, 0, 0, 1) > 0)"
    command = [sys.executable, machines.__file__, machine, sys.executable, "-c", calls]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    landlock = subprocess.run(
        [sys.executable, "-c", calls.replace("c.unshare(0x10000000)", "-1")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ("-1 False\n" if machine == machines.BARE else landlock.stdout)


def test_an_sdist_of_an_index_is_held_until_it_is_approved(
    shared: Env, demo: IndexServer, target: Path, marker: Path
) -> None:
    held = _pip(shared, "install", "-t", str(target), "demo", index=demo)
    assert held.returncode == 77, held
    assert "HOLD  demo 1.0  its build code would run unconfined, as no sandbox works here" in held.out, held
    assert 'approve  veln-hook approve demo==1.0 --reason "..."' in held.out
    assert not marker.exists()
    assert not target.exists()
    approved = shared.run_script("veln-hook", "approve", "demo==1.0", "--reason", "we know it", index=demo)
    assert approved.returncode == 0, approved
    built = _pip(shared, "install", "-t", str(target), "demo", index=demo)
    assert built.returncode == 0, built
    assert marker.exists()
    assert (target / "demo-1.0.dist-info").is_dir()


def test_it_is_no_longer_held_where_the_machine_has_a_sandbox_after_all(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.html_for_pip22 = True
    index.add(make_sdist(tmp_path, "demo", "1.0"), upload_time=OLD)
    assert _pip(shared, "install", "-t", str(target), "demo", index=index).returncode == 77
    built = shared.run_pip("install", "-t", str(target), "demo", index=index)
    assert built.returncode == 0, built


def test_a_build_requirement_is_held_with_what_needs_it(
    shared: Env, demo: IndexServer, tmp_path: Path, marker: Path
) -> None:
    target = tmp_path / "target"
    tree = make_tree(tmp_path, "needy", "1.0", build_requires=["demo"])
    held = _pip(shared, "install", "-t", str(target), str(tree), index=demo)
    assert held.returncode == 77, held
    assert "HOLD  demo 1.0  its build code would run unconfined" in held.out, held
    assert "it is needed to build another package" in held.out
    assert not marker.exists()


def test_the_users_own_directory_is_built_with_a_warning(
    shared: Env, tmp_path: Path, target: Path, marker: Path
) -> None:
    tree = make_tree(tmp_path, "demo", "1.0", marker=marker)
    built = _pip(shared, "install", "-t", str(target), str(tree))
    assert built.returncode == 0, built
    assert "its build code would run unconfined, as no sandbox works here" in built.out, built
    assert "WARN" in built.out
    assert marker.exists()


def test_a_checkout_is_built_with_a_warning(shared: Env, tmp_path: Path, target: Path, marker: Path) -> None:
    tree = make_tree(tmp_path, "demo", "1.0", marker=marker)
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *command], cwd=tree, check=True
        )
    built = _pip(shared, "install", "-t", str(target), f"git+file://{tree}#egg=demo")
    assert built.returncode == 0, built
    assert "WARN  demo  its build code would run unconfined" in built.out, built


@pytest.mark.slow
def test_require_blocks_both(shared: Env, demo: IndexServer, tmp_path: Path, marker: Path) -> None:
    target = tmp_path / "target"
    require = '[sandbox]\nbuilds = "require"\n'
    blocked = _pip(shared, "install", "-t", str(target), "demo", index=demo, policy=require)
    assert blocked.returncode == 1, blocked
    assert "BLOCK demo 1.0  its build code would run unconfined" in blocked.out, blocked
    approved = shared.run_script("veln-hook", "approve", "demo==1.0", "--reason", "we know it", index=demo)
    assert approved.returncode == 0, approved
    assert _pip(shared, "install", "-t", str(target), "demo", index=demo).returncode == 1
    sha256 = hashlib.sha256((tmp_path / "demo-1.0.tar.gz").read_bytes()).hexdigest()
    excepted = f'{require}[[exceptions]]\nsha256 = "{sha256}"\nreason = "we know it"\nexpires = 2099-01-01\n'
    passed = _pip(shared, "download", "-d", str(tmp_path / "d"), "demo", index=demo, policy=excepted)
    assert passed.returncode == 0, passed
    assert marker.exists()
    marker.unlink()
    shared.home.write_policy(require)
    tree = make_tree(tmp_path, "other", "1.0", marker=marker)
    for asked in (["install", "-t", str(target), str(tree)], ["wheel", "-w", str(target), str(tree)]):
        own = _pip(shared, *asked)
        assert own.returncode == 1, own
        assert "its build code would run unconfined" in own.out
    assert not marker.exists()


@pytest.mark.parametrize("way", ["policy", "variable"])
def test_off_builds_as_before(shared: Env, demo: IndexServer, tmp_path: Path, way: str) -> None:
    how = {"policy": '[sandbox]\nbuilds = "off"\n'} if way == "policy" else {"protected": False}
    built = _pip(shared, "install", "-t", str(tmp_path / "target"), "demo", index=demo, **how)
    assert built.returncode == 0, built
    assert "unconfined" not in built.out
    assert (tmp_path / "ran").exists()


def test_explain_tells_the_rule_and_what_was_tried(shared: Env, demo: IndexServer, target: Path) -> None:
    _pip(shared, "install", "-t", str(target), "demo", index=demo)
    log = shared.run_script("veln-hook", "log", "demo", "--json", check=True)
    found = [f for result in json.loads(log.stdout)["results"] for f in result["findings"]]
    assert [f["signal"] for f in found if f["signal"] == "unconfined-build"] == ["unconfined-build"]
    assert "namespaces: " in found[0]["evidence"]
