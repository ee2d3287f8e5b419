"""Sdists that people really install build inside, on each rung, and come out as they do outside."""

from __future__ import annotations

import subprocess
import zipfile
from typing import TYPE_CHECKING

import pip_rungs
import pytest

from support import machines
from support.builders import make_sdist

if TYPE_CHECKING:
    from pathlib import Path

    from support.envs import Env

pytestmark = [pytest.mark.online, pytest.mark.slow]

POLICY = """
[cooling]
min_age = "0"
[decisions]
high = "warn"
medium = "allow"
[sandbox]
builds = "{builds}"
"""

RELEASES = {
    "six": "setup.py without a backend",
    "docopt": "setup.py without a backend, and without a project file",
    "idna": "flit",
    "markupsafe": "setuptools with a C extension",
    "psutil": "setuptools with a C extension that asks the compiler",
    "pyyaml": "a backend of its own, with Cython",
    "tqdm": "setuptools-scm",
    "jsonschema": "hatchling with hatch-vcs",
}


MESON = {
    "pyproject.toml": '[build-system]\nrequires = ["meson-python", "ninja"]\nbuild-backend = "mesonpy"\n',
    "meson.build": """
project('native', 'c', version: '1.0')
python = import('python').find_installation()
python.extension_module('native', 'native.c', install: true)
""",
    "native.c": """
#define PY_SSIZE_T_CLEAN
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "native", 0, -1, 0};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&definition); }
""",
}


SCM = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools", "setuptools-scm"]
build-backend = "setuptools.build_meta"
[project]
name = "versioned"
dynamic = ["version"]
[tool.setuptools]
py-modules = ["versioned"]
[tool.setuptools_scm]
""",
    "versioned.py": "",
}


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    if not machines.rung():
        pytest.skip("this machine has no sandbox")


def _built(env: Env, what: str, place: Path, rung: str = "") -> dict[str, bytes]:
    """Build a wheel on a rung, or unconfined; return what is in it."""
    path = "/" in what
    result = env.run(
        *(pip_rungs.pip_on(rung) if rung else ("-m", "pip")),
        *("wheel", "-w", str(place), "--no-deps", "--no-cache-dir"),
        *("--no-binary", ":none:" if path else what, what),
        policy=POLICY.format(builds="require" if rung else "off"),
        online=True,
        timeout=900,
    )
    assert result.returncode == 0, result
    with zipfile.ZipFile(next(place.glob("*.whl"))) as archive:
        return {member: archive.read(member) for member in archive.namelist()}


def _compare(env: Env, what: str, tmp_path: Path) -> bytes:
    """Assert that each rung of this machine builds what is built outside; return its metadata."""
    outside = _built(env, what, tmp_path / "outside")
    (metadata,) = (data for member, data in outside.items() if member.endswith(".dist-info/METADATA"))
    for rung in pip_rungs.working():
        inside = _built(env, what, tmp_path / rung, rung)
        assert sorted(inside) == sorted(outside), rung
        for member, data in inside.items():
            # Compilers write the directory they ran in into what they make, and RECORD has hashes of that.
            if not member.endswith((".so", ".dist-info/RECORD")):
                assert data == outside[member], (rung, member)
    return metadata


@pytest.mark.parametrize("name", RELEASES)
def test_it_builds_with_identical_metadata(shared_env: Env, tmp_path: Path, name: str) -> None:
    _compare(shared_env, name, tmp_path)


def test_meson_builds_with_identical_metadata(shared_env: Env, tmp_path: Path) -> None:
    pyproject = MESON["pyproject.toml"]
    files = {name: text for name, text in MESON.items() if name != "pyproject.toml"}
    sdist = make_sdist(tmp_path, "native", "1.0", pyproject=pyproject, files=files)
    _compare(shared_env, str(sdist), tmp_path)


def test_a_version_that_git_tells_is_the_same(shared_env: Env, tmp_path: Path) -> None:
    """setuptools-scm asks git in the user's own repository, and in a checkout of pip's."""
    tree = tmp_path / "versioned"
    tree.mkdir()
    for name, text in SCM.items():
        (tree / name).write_text(text)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"], ["tag", "v4.5.6"]):
        subprocess.run([*git, *command], cwd=tree, check=True)
    for what in (str(tree), f"git+file://{tree}"):
        place = tmp_path / ("own" if what == str(tree) else "checkout")
        assert b"\nVersion: 4.5.6\n" in _compare(shared_env, what, place)


def test_a_build_that_needs_a_host_fails_with_a_line_that_names_it(shared_env: Env, tmp_path: Path) -> None:
    """The sdist of siphash24 1.9 lacks a library's source, which meson clones from GitHub."""
    result = shared_env.run_pip(
        *("wheel", "-w", str(tmp_path / "w"), "--no-deps", "--no-binary", "siphash24", "siphash24==1.9"),
        policy=POLICY.format(builds="require"),
        online=True,
        timeout=600,
    )
    assert result.returncode == 1, result
    lines = [line for line in result.out.splitlines() if "veln-hook: the build of siphash24 1.9" in line]
    assert len(lines) == 1, result
    assert "tried to reach github.com" in lines[0]
    assert lines[0].endswith('allow it with sandbox.allow_hosts = ["github.com"] in the policy')
