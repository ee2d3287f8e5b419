"""Where a machine has no sandbox: what the policy's ``sandbox.builds`` makes of it.

No sandbox is had by a seccomp filter over pip, of the kind that containers run under: it refuses namespaces,
Landlock and further filters. So it is the machine that refuses, and nothing of ours stands in for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist, make_tree
from support.held import OLD

if TYPE_CHECKING:
    from pathlib import Path

    from support.envs import Env, Result
    from support.index_server import IndexServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux'")

WALL_LESS = """
import ctypes, os, struct, sys

NUMBERS = {  # unshare, mount, setns, seccomp, landlock_create_ruleset; clone; clone3
    "x86_64": ((272, 165, 308, 317, 444), 56, 435),
    "aarch64": ((97, 40, 268, 277, 444), 220, 435),
}
refused, clone, clone3 = NUMBERS[os.uname().machine]
LOAD, EQUAL, ANY, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
EPERM, ENOSYS = 1, 38
NEW = 0x7E020000  # CLONE_NEW* of clone(2)
program = [(LOAD, 0, 0, 0)]
for number in refused:
    program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ERROR | EPERM)]
program += [(EQUAL, 0, 1, clone3), (RETURN, 0, 0, ERROR | ENOSYS)]
program += [(EQUAL, 0, 3, clone), (LOAD, 0, 0, 16), (ANY, 0, 1, NEW), (RETURN, 0, 0, ERROR | EPERM)]
program += [(RETURN, 0, 0, ALLOW)]
code = b"".join(struct.pack("HBBI", *line) for line in program)
buffer = ctypes.create_string_buffer(code)
fprog = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
long = ctypes.c_ulong
assert libc.prctl(38, long(1), long(0), long(0), long(0)) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, long(2), fprog, long(0), long(0)) == 0, ctypes.get_errno()  # PR_SET_SECCOMP, filter
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture
def no_wall(tmp_path: Path) -> Path:
    """A script that runs Python on a machine without any of the mechanisms."""
    script = tmp_path / "no_wall.py"
    script.write_text(WALL_LESS)
    return script


def _pip(env: Env, no_wall: Path, *args: str, **options: object) -> Result:
    return env.run(str(no_wall), "-m", "pip", *args, **options)  # type: ignore[arg-type]


@pytest.fixture
def demo(index: IndexServer, tmp_path: Path, marker: Path) -> IndexServer:
    """An index with the sdist of demo 1.0, whose build leaves a mark outside."""
    index.html_for_pip22 = True
    index.add(make_sdist(tmp_path, "demo", "1.0", marker=marker), upload_time=OLD)
    return index


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "ran"


def test_the_filter_refuses_what_it_should(no_wall: Path) -> None:
    tried = [
        sys.executable,
        str(no_wall),
        "-c",
        "import ctypes; print(ctypes.CDLL(None).unshare(0x10000000), ctypes.CDLL(None).syscall(444, 0, 0, 1))",
    ]
    done = subprocess.run(tried, capture_output=True, text=True, check=True)
    assert done.stdout == "-1 -1\n"


def test_an_sdist_of_an_index_is_held_until_it_is_approved(
    shared: Env, no_wall: Path, demo: IndexServer, target: Path, marker: Path
) -> None:
    held = _pip(shared, no_wall, "install", "-t", str(target), "demo", index=demo)
    assert held.returncode == 77, held
    assert "HOLD  demo 1.0  its build code would run unconfined, as no sandbox works here" in held.out, held
    assert 'approve  veln-hook approve demo==1.0 --reason "..."' in held.out
    assert not marker.exists()
    assert not target.exists()
    approved = shared.run_script("veln-hook", "approve", "demo==1.0", "--reason", "we know it", index=demo)
    assert approved.returncode == 0, approved
    built = _pip(shared, no_wall, "install", "-t", str(target), "demo", index=demo)
    assert built.returncode == 0, built
    assert marker.exists()
    assert (target / "demo-1.0.dist-info").is_dir()


def test_it_is_no_longer_held_where_the_machine_has_a_sandbox_after_all(
    shared: Env, no_wall: Path, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.html_for_pip22 = True
    index.add(make_sdist(tmp_path, "demo", "1.0"), upload_time=OLD)
    assert _pip(shared, no_wall, "install", "-t", str(target), "demo", index=index).returncode == 77
    built = shared.run_pip("install", "-t", str(target), "demo", index=index)
    assert built.returncode == 0, built


def test_a_build_requirement_is_held_with_what_needs_it(
    shared: Env, no_wall: Path, demo: IndexServer, tmp_path: Path, marker: Path
) -> None:
    target = tmp_path / "target"
    tree = make_tree(tmp_path, "needy", "1.0", build_requires=["demo"])
    held = _pip(shared, no_wall, "install", "-t", str(target), str(tree), index=demo)
    assert held.returncode == 77, held
    assert "HOLD  demo 1.0  its build code would run unconfined" in held.out, held
    assert "it is needed to build another package" in held.out
    assert not marker.exists()


def test_the_users_own_directory_is_built_with_a_warning(
    shared: Env, no_wall: Path, tmp_path: Path, target: Path, marker: Path
) -> None:
    tree = make_tree(tmp_path, "demo", "1.0", marker=marker)
    built = _pip(shared, no_wall, "install", "-t", str(target), str(tree))
    assert built.returncode == 0, built
    assert "its build code would run unconfined, as no sandbox works here" in built.out, built
    assert "WARN" in built.out
    assert marker.exists()


def test_a_checkout_is_built_with_a_warning(
    shared: Env, no_wall: Path, tmp_path: Path, target: Path, marker: Path
) -> None:
    tree = make_tree(tmp_path, "demo", "1.0", marker=marker)
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *command], cwd=tree, check=True
        )
    built = _pip(shared, no_wall, "install", "-t", str(target), f"git+file://{tree}#egg=demo")
    assert built.returncode == 0, built
    assert "WARN  demo  its build code would run unconfined" in built.out, built


def test_require_blocks_both(
    shared: Env, no_wall: Path, demo: IndexServer, tmp_path: Path, marker: Path
) -> None:
    target = tmp_path / "target"
    require = '[sandbox]\nbuilds = "require"\n'
    blocked = _pip(shared, no_wall, "install", "-t", str(target), "demo", index=demo, policy=require)
    assert blocked.returncode == 1, blocked
    assert "BLOCK demo 1.0  its build code would run unconfined" in blocked.out, blocked
    approved = shared.run_script("veln-hook", "approve", "demo==1.0", "--reason", "we know it", index=demo)
    assert approved.returncode == 0, approved
    assert _pip(shared, no_wall, "install", "-t", str(target), "demo", index=demo).returncode == 1
    tree = make_tree(tmp_path, "other", "1.0", marker=marker)
    for asked in (["install", "-t", str(target), str(tree)], ["wheel", "-w", str(target), str(tree)]):
        own = _pip(shared, no_wall, *asked)
        assert own.returncode == 1, own
        assert "its build code would run unconfined" in own.out
    assert not marker.exists()


@pytest.mark.parametrize("way", ["policy", "variable"])
def test_off_builds_as_before(
    shared: Env, no_wall: Path, demo: IndexServer, tmp_path: Path, way: str
) -> None:
    how = {"policy": '[sandbox]\nbuilds = "off"\n'} if way == "policy" else {"protected": False}
    built = _pip(shared, no_wall, "install", "-t", str(tmp_path / "target"), "demo", index=demo, **how)
    assert built.returncode == 0, built
    assert "unconfined" not in built.out
    assert (tmp_path / "ran").exists()


def test_explain_tells_the_rule_and_what_was_tried(
    shared: Env, no_wall: Path, demo: IndexServer, target: Path
) -> None:
    _pip(shared, no_wall, "install", "-t", str(target), "demo", index=demo)
    log = shared.run_script("veln-hook", "log", "demo", "--json", check=True)
    found = [f for result in json.loads(log.stdout)["results"] for f in result["findings"]]
    assert [f["signal"] for f in found if f["signal"] == "unconfined-build"] == ["unconfined-build"]
    assert "namespaces: " in found[0]["evidence"]
