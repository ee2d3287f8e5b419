"""poetry, pdm, pipx and pip-tools, each stopped on a young release through the gate with its own real client."""

from __future__ import annotations

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

    Client = Callable[[str], Path]

HELD = "HOLD  demo 2.0  uploaded 12 min ago"


def _gated(user: User, *command: str | Path, cwd: Path | None = None, **env: str) -> Result:
    certificates = {"REQUESTS_CA_BUNDLE": str(user.ca_file), "PIP_CERT": str(user.ca_file)}
    return user.veln_hook("run", "--gate", "--", *command, cwd=cwd, env={**certificates, **env}, timeout=300)


def _held(result: Result, index: TlsIndex) -> None:
    assert result.returncode == 75, result
    assert HELD in result.stderr, result
    assert untouched(index)


# poetry

_POETRY = '[[tool.poetry.source]]\nname = "own"\nurl = "{url}"\npriority = "primary"\n[tool.poetry]\npackage-mode = false\n'
_IN_PROJECT = {
    "POETRY_VIRTUALENVS_IN_PROJECT": "1",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}


def _poetry(user: User, client: Client, project: Path, *words: str, gate: bool = True) -> Result:
    command = [client("poetry"), "--no-interaction", *words]
    if gate:
        return _gated(user, *command, cwd=project, **_IN_PROJECT)
    env = {**_IN_PROJECT, "REQUESTS_CA_BUNDLE": str(user.ca_file)}
    return user.run(command, cwd=project, env=env, check=True)


@pytest.mark.slow
def test_poetry_install(user: User, client: Client, demo: TlsIndex) -> None:
    project = write_project(user.home.work / "proj", "demo", more=_POETRY.format(url=demo.url))
    result = _poetry(user, client, project, "install", "--no-root")
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    assert installed(project / ".venv").get("demo") == "1.0"
    assert untouched(demo)


@pytest.mark.slow
def test_poetry_refuses_a_young_pin(user: User, client: Client, demo: TlsIndex) -> None:
    project = write_project(user.home.work / "proj", "demo==2.0", more=_POETRY.format(url=demo.url))
    _held(_poetry(user, client, project, "install", "--no-root"), demo)
    assert "demo" not in installed(project / ".venv")


@pytest.mark.slow
def test_poetry_with_a_lock_that_names_a_young_file(user: User, client: Client, demo: TlsIndex) -> None:
    project = write_project(user.home.work / "proj", "demo", more=_POETRY.format(url=demo.url))
    _poetry(user, client, project, "lock", gate=False)
    assert 'version = "2.0"' in (project / "poetry.lock").read_text()
    demo.bytes_sent.clear()
    user.run(["rm", "-rf", user.home.path / ".cache"])
    _held(_poetry(user, client, project, "install", "--no-root"), demo)
    assert "demo" not in installed(project / ".venv")


@pytest.mark.slow
def test_poetry_add(user: User, client: Client, demo: TlsIndex) -> None:
    project = write_project(user.home.work / "proj", more=_POETRY.format(url=demo.url))
    result = _poetry(user, client, project, "add", "demo")
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    assert installed(project / ".venv").get("demo") == "1.0"
    _held(_poetry(user, client, project, "add", "demo==2.0"), demo)
    assert installed(project / ".venv").get("demo") == "1.0"


# pdm

_PDM = '[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n[tool.pdm]\ndistribution = false\n'
_NO_CHECK = {"PDM_CHECK_UPDATE": "false"}


@pytest.mark.slow
def test_pdm_install(user: User, client: Client, demo: TlsIndex) -> None:
    project = write_project(user.home.work / "proj", "demo", more=_PDM.format(url=demo.url))
    result = _gated(user, client("pdm"), "install", cwd=project, **_NO_CHECK)
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    assert installed(project / ".venv") == {"demo": "1.0"}
    assert untouched(demo)


@pytest.mark.slow
def test_pdm_refuses_a_young_pin(user: User, client: Client, demo: TlsIndex) -> None:
    project = write_project(user.home.work / "proj", "demo==2.0", more=_PDM.format(url=demo.url))
    _held(_gated(user, client("pdm"), "install", cwd=project, **_NO_CHECK), demo)
    assert installed(project / ".venv") == {}


@pytest.mark.slow
def test_pdm_with_a_lock_that_names_a_young_file(user: User, client: Client, demo: TlsIndex) -> None:
    project = write_project(user.home.work / "proj", "demo", more=_PDM.format(url=demo.url))
    environ = {**_NO_CHECK, "REQUESTS_CA_BUNDLE": str(user.ca_file)}
    user.run([client("pdm"), "lock"], cwd=project, env=environ, check=True)
    assert 'version = "2.0"' in (project / "pdm.lock").read_text()
    demo.bytes_sent.clear()
    user.run(["rm", "-rf", user.home.path / ".cache"])
    _held(_gated(user, client("pdm"), "sync", cwd=project, **_NO_CHECK), demo)
    assert installed(project / ".venv") == {}


# pipx


def _pipx(user: User, client: Client, index: TlsIndex, *words: str) -> Result:
    # pip, because pipx brings its own up to date first.
    index.add(cache.pip_wheel("26.3"), upload_time=OLD)
    return _gated(user, client("pipx"), *words, PIP_INDEX_URL=index.url, PIP_NO_INDEX="")


def _app(user: User) -> dict[str, str]:
    return installed(user.home.path / ".local/share/pipx/venvs/demo")


@pytest.fixture
def app(index: TlsIndex, tmp_path: Path) -> TlsIndex:
    return releases(index, tmp_path, entry_points="[console_scripts]\ndemo = demo:main\n")


def test_pipx_install(user: User, client: Client, app: TlsIndex) -> None:
    result = _pipx(user, client, app, "install", "demo")
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    assert _app(user)["demo"] == "1.0"
    assert untouched(app)


@pytest.mark.slow
def test_pipx_refuses_a_young_pin(user: User, client: Client, app: TlsIndex) -> None:
    _held(_pipx(user, client, app, "install", "demo==2.0"), app)
    assert "demo" not in _app(user)


# pip-tools


@pytest.mark.slow
def test_pip_compile(user: User, client: Client, demo: TlsIndex) -> None:
    """A pip that has no hook of ours is stopped by the gate, too."""
    program = client("pip-tools").with_name("pip-compile")
    wanted = user.home.work / "in.txt"
    for text, status in (("demo\n", 0), ("demo==2.0\n", 75)):
        wanted.write_text(text)
        result = _gated(user, program, "-o", "out.txt", wanted, PIP_INDEX_URL=demo.url, PIP_NO_INDEX="")
        assert result.returncode == status, result
        assert HELD in result.stderr, result
        assert "demo==1.0" in (user.home.work / "out.txt").read_text()
    assert untouched(demo)


# Whatever else


def test_a_client_that_ignores_our_certificates_fails_closed(
    user: User, client: Client, demo: TlsIndex
) -> None:
    """It is named, too, so that its user knows whom to ask."""
    code = (
        "import ssl, urllib.request\n"
        "context = ssl.create_default_context(cafile={ca!r})\n"
        "urllib.request.urlopen({url!r}, context=context)\n"
    ).format(ca=str(user.ca_file), url=demo.file_url("demo-2.0-py3-none-any.whl"))
    python = client("pipx").parent / "python"
    result = _gated(user, python, "-c", code)
    assert result.returncode != 0, result
    assert "CERTIFICATE_VERIFY_FAILED" in result.stderr, result
    assert untouched(demo)


def test_what_it_ends_with_is_passed_on(user: User, client: Client) -> None:
    python = client("pipx").parent / "python"
    assert _gated(user, python, "-c", "import sys; sys.exit(7)").returncode == 7
