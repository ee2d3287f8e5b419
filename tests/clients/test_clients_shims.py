"""poetry, pdm and pipx called by their names: a shim of ours leads them through the gate, and the rest past it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support import cache
from support.gated import installed, releases, untouched, write_project
from support.held import OLD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Result
    from support.gated import User
    from support.tls_index import TlsIndex

HELD = "HOLD  demo 2.0  uploaded 12 min ago"


@pytest.fixture
def by_name(user: User, client: Callable[[str], Path], tmp_path: Path) -> Callable[..., Result]:
    """Run a client by its name, a shim of which comes first on ``PATH``."""
    shims = tmp_path / "shims"

    def run(name: str, *words: str, cwd: Path, direct: bool = False, **env: str) -> Result:
        program = client(name)
        user.veln_hook("shims", "install", "--dir", shims, "--tool", name, check=True)
        path = os.pathsep.join(map(str, (shims, program.parent, user.environ()["PATH"])))
        certificates = {"REQUESTS_CA_BUNDLE": str(user.ca_file), "PIP_CERT": str(user.ca_file)}
        command = [program if direct else shims / name, *words]
        return user.run(command, cwd=cwd, env={"PATH": path, **certificates, **env}, timeout=300)

    return run


def test_poetry(by_name, user: User, demo: TlsIndex) -> None:
    source = f'[[tool.poetry.source]]\nname = "own"\nurl = "{demo.url}"\npriority = "primary"\n'
    project = write_project(
        user.home.work / "proj", "demo", more=f"{source}[tool.poetry]\npackage-mode = false\n"
    )
    env = {"POETRY_VIRTUALENVS_IN_PROJECT": "1", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    result = by_name("poetry", "install", "--no-interaction", cwd=project, **env)
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    assert installed(project / ".venv").get("demo") == "1.0"
    assert untouched(demo)
    # What it runs doesn't have the gate about it.
    result = by_name("poetry", "run", "env", cwd=project, **env)
    assert result.returncode == 0, result
    assert "PROXY" not in result.stdout.upper()


def test_pdm(by_name, user: User, demo: TlsIndex) -> None:
    source = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{demo.url}"\n'
    project = write_project(
        user.home.work / "proj", "demo==2.0", more=f"{source}[tool.pdm]\ndistribution = false\n"
    )
    result = by_name("pdm", "install", cwd=project, PDM_CHECK_UPDATE="false")
    assert result.returncode == 75, result
    assert HELD in result.stderr, result
    assert installed(project / ".venv") == {}
    assert untouched(demo)


def test_pipx(by_name, user: User, index: TlsIndex, tmp_path: Path) -> None:
    releases(index, tmp_path, entry_points="[console_scripts]\ndemo = demo:main\n")
    index.add(cache.pip_wheel("26.3"), upload_time=OLD)  # pipx brings its own up to date first
    env = {"PIP_INDEX_URL": index.url, "PIP_NO_INDEX": ""}
    result = by_name("pipx", "install", "demo", cwd=user.home.work, **env)
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    assert installed(user.home.path / ".local/share/pipx/venvs/demo")["demo"] == "1.0"
    assert untouched(index)


@pytest.mark.parametrize(
    ("name", "words"),
    [("poetry", ["--version"]), ("poetry", ["about"]), ("pdm", ["config"]), ("pipx", ["environment"])],
    ids=str,
)
def test_what_passes_is_as_if_we_were_not_there(by_name, user: User, name: str, words: list[str]) -> None:
    through, direct = (by_name(name, *words, cwd=user.home.work, direct=direct) for direct in (False, True))
    assert (through.returncode, through.stdout) == (direct.returncode, direct.stdout)
    assert through.returncode == 0
