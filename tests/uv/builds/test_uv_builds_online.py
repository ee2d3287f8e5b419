"""Projects that people really build with uv are built inside, on each rung."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from uv_builder import Builder, probes

from support import uv_versions
from veln_hook.model import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


pytestmark = [pytest.mark.online, pytest.mark.slow]

RELEASES = {
    "six": "setup.py without a backend",
    "docopt": "setup.py without a backend, and without a project file",
    "markupsafe": "setuptools with a C extension",
    "psutil": "setuptools with a C extension that asks the compiler",
}
"""None has requirements; their sdists are built by setuptools, which is taken as a wheel."""

SCM = """
[build-system]
requires = ["setuptools>=64", "setuptools-scm>=8"]
build-backend = "setuptools.build_meta"
[project]
name = "scmdemo"
dynamic = ["version"]
[tool.setuptools_scm]
"""


def _strongest() -> str:
    return next((name for name, probe in probes().items() if probe.works), "none")


@pytest.mark.parametrize("rung", ["namespaces", "bubblewrap", "netns-supervisor", "supervisor"])
def test_sdists_of_the_index(make_builder: Callable[[str, str], Builder], rung: str) -> None:
    builder = make_builder(uv_versions.NEWEST, rung)
    sources = [word for name in RELEASES for word in ("--no-binary", name)]
    ran = builder.install(*sources, *RELEASES, online=True)
    assert ran.returncode == 0, ran
    assert (ran.lines, ran.status) == ((), ExitStatus.OK), ran
    use = "import docopt, markupsafe._speedups, psutil, six; assert psutil.cpu_count() > 0"
    subprocess.run([builder.target / "bin/python", "-c", use], check=True)


@pytest.mark.parametrize("version", uv_versions.UVS)
def test_a_project_that_asks_git_for_its_version(
    make_builder: Callable[[str, str], Builder], tmp_path: Path, version: str
) -> None:
    builder = make_builder(version, _strongest())
    tree = tmp_path / "scmdemo"
    (tree / "src/scmdemo").mkdir(parents=True)
    (tree / "src/scmdemo/__init__.py").touch()
    (tree / "pyproject.toml").write_text(SCM)
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"], ["tag", "v3.2.1"]):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words], cwd=tree, check=True
        )
    for source in ([tree], ["-e", tree], [f"scmdemo @ git+file://{tree}"]):
        ran = builder.install("--reinstall", *source, online=True)
        assert ran.returncode == 0, ran
        assert "scmdemo==3.2.1" in ran.out, ran
    ran = builder.run("build", "--python", builder.python, tree, online=True)
    assert ran.returncode == 0, ran
    assert (tree / "dist/scmdemo-3.2.1-py3-none-any.whl").exists()
    ran = builder.run("sync", "--python", builder.python, cwd=tree, online=True)
    assert ran.returncode == 0, ran
    assert (tree / ".venv").exists()
