"""Tools that make environments of their own, in an image: what they install is judged, without a step of theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from support import cache, uv_versions
from support.builders import make_sdist
from support.pythons import find_python, newest_pair

if TYPE_CHECKING:
    from pathlib import Path

    from machine import Image

    from support.envs import Result

pytestmark = pytest.mark.slow

OLD = timedelta(days=365)
PYTHON = str(find_python(newest_pair().python))
BACKEND = '[build-system]\nrequires = ["demo==2.0"]\nbuild-backend = "none"\n'


def tool(name: str, *requirements: str) -> str:
    """Return a tool's program, in an environment that is older than the image."""
    try:
        return str(uv_versions.client_venv(name, list(requirements)) / "bin" / name)
    except uv_versions.NotHereError as error:
        pytest.skip(str(error))


def is_held(result: Result) -> None:
    assert result.returncode != 0, result
    assert "HOLD  demo 2.0" in result.out, result


@pytest.fixture(scope="module")
def newest_pip(image: Image) -> str:
    """An environment of the image with a pip that knows ways of isolating builds."""
    image.index.add(cache.pip_wheel("26.3"), upload_time=OLD)
    assert image.run(PYTHON, "-m", "venv", "/tmp/newest").returncode == 0
    done = image.run("/tmp/newest/bin/pip", "install", "--quiet", "pip==26.3")
    assert done.returncode == 0, done
    return "/tmp/newest/bin/python"


def test_pip_for_another_interpreter(image: Image) -> None:
    assert image.run(PYTHON, "-m", "venv", "--without-pip", "/tmp/without").returncode == 0
    words = ("--python", "/tmp/without/bin/python", "install", "demo==2.0")
    is_held(image.run(PYTHON, "-m", "pip", *words))
    assert image.run(PYTHON, "-m", "pip", *words[:-1], "demo").returncode == 0


@pytest.mark.parametrize("way", ["", "venv-isolation", "inprocess-build-deps"])
def test_build_requirements(image: Image, newest_pip: str, tmp_path: Path, way: str) -> None:
    sdist = make_sdist(tmp_path, "needs", "1.0", pyproject=BACKEND)
    image.index.add(sdist, upload_time=OLD)
    feature = ("--use-feature", way) if way else ()
    is_held(image.run(newest_pip, "-m", "pip", "install", *feature, "--target", "/tmp/needs", "needs"))


@pytest.mark.online
@pytest.mark.parametrize("backend", ["pip", "uv"])
def test_pipx(image: Image, newest_pip: str, backend: str) -> None:
    assert newest_pip, "pipx brings its own pip up to date first"
    pipx = tool("pipx", "pipx==1.18.4")
    words = ("install", "--python", PYTHON, "demo==2.0")
    result = image.run(pipx, *words, env={"PIPX_DEFAULT_BACKEND": backend, "UV_INDEX_URL": image.index.url})
    if backend == "pip":
        is_held(result)
    assert result.returncode != 0, result
    assert not [each for each in image.index.downloads if "demo-2.0" in each]


@pytest.mark.online
def test_tox(image: Image) -> None:
    tox = tool("tox", "tox>=4")
    ini = (
        "[tox]\nskipsdist = true\n[testenv]\npass_env = PIP_*\ndeps = demo==2.0\ncommands = python -c pass\n"
    )
    image.run("sh", "-c", 'mkdir -p /tmp/toxed && printf %s "$1" > /tmp/toxed/tox.ini', "sh", ini)
    is_held(image.run(tox, "-v", "-e", "py", cwd="/tmp/toxed"))


@pytest.mark.online
@pytest.mark.parametrize("command", ["install", "lock"])
def test_pipenv(image: Image, command: str) -> None:
    pipenv = tool("pipenv", "pipenv")
    pipfile = f'[[source]]\nurl = "{image.index.url}"\nverify_ssl = false\nname = "here"\n[packages]\ndemo = "==2.0"\n'
    place = f"/tmp/pipenv-{command}"
    image.run("sh", "-c", f'mkdir -p {place} && printf %s "$1" > {place}/Pipfile', "sh", pipfile)
    result = image.run(pipenv, "--python", PYTHON, command, cwd=place, env={"PIPENV_VENV_IN_PROJECT": "1"})
    is_held(result)
