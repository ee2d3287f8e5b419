"""Which indexes poetry, pdm, pipx and others are told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from veln_hook.adapters.installers.indexes import PYPI, sources_for
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from veln_hook.adapters.uv.sources import Sources


def _sources(cwd: Path, *command: str, **environ: str) -> Sources:
    users = {"HOME": str(cwd / "home"), **environ}
    return sources_for(command or ("tool",), users, str(cwd), indexes=["https://told/simple"])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_variables_and_what_is_told(tmp_path: Path) -> None:
    found = _sources(
        tmp_path,
        PIP_INDEX_URL="https://u:p@a/",
        PIP_EXTRA_INDEX_URL="https://b/ https://c/",
        UV_INDEX="n=https://d/",
        PDM_PYPI_URL="https://e/",
        POETRY_REPOSITORIES_OWN_URL="https://f/",
        PIP_FIND_LINKS="https://l/ /local",
    )
    assert list(found.indexes)[:2] == [PYPI, "https://told/simple"]
    assert {url.rpartition("@")[2].strip("/").rpartition("/")[2] for url in list(found.indexes)[2:]} == set(
        "abcdef"
    )
    assert list(found.pages) == ["https://l/"]


def test_the_command_line(tmp_path: Path) -> None:
    found = _sources(
        tmp_path,
        "pipx",
        "install",
        "-i",
        "https://a/",
        "--pip-args=--extra-index-url https://b/ -f https://l/",
        "https://h/x-1.0.tar.gz",
        "git+https://g/r",
    )
    assert {"https://a/", "https://b/"} <= set(found.indexes)
    assert list(found.pages) == ["https://l/"]
    assert list(found.files) == ["https://h/x-1.0.tar.gz"]
    assert list(found.git) == ["https://g/r"]


def test_pips_configuration(tmp_path: Path) -> None:
    _write(tmp_path / "home" / ".config" / "pip" / "pip.conf", "[global]\nindex-url = https://a/\n")
    _write(tmp_path / "venv" / "pip.conf", "[install]\nextra-index-url =\n  https://b/\n  https://c/\n")
    _write(tmp_path / "own.conf", "no section\n")
    found = _sources(tmp_path, VIRTUAL_ENV=str(tmp_path / "venv"), PIP_CONFIG_FILE=str(tmp_path / "own.conf"))
    assert {"https://a/", "https://b/", "https://c/"} <= set(found.indexes)


PROJECT = """
[project]
name = "p"
dependencies = ["a @ https://h/a.zip"]
[tool.poetry.dependencies]
b = { url = "https://h/b.zip" }
[tool.poetry.group.dev.dependencies]
c = [{ url = "https://h/c.zip" }]
[[tool.poetry.source]]
name = "s"
url = "https://poetry/simple"
[[tool.pdm.source]]
url = "https://${WHO}:x@pdm/simple"
[[tool.pdm.source]]
url = "https://pdm/links"
type = "find_links"
"""


def test_a_project_and_its_lock(tmp_path: Path) -> None:
    root = tmp_path / "root"
    _write(root / "pyproject.toml", PROJECT)
    _write(root / "poetry.lock", '[package.source]\ntype = "legacy"\nurl = "https://locked/simple"\n')
    _write(root / "pdm.lock", '{url = "https://h/d-1.0.tar.gz", hash = "sha256:00"}\n')
    _write(root / "below" / "x", "")
    for cwd in (root, root / "below"):
        found = _sources(cwd, WHO="me")
        assert {"https://poetry/simple", "https://me:x@pdm/simple", "https://locked/simple"} <= set(
            found.indexes
        )
        assert list(found.pages) == ["https://pdm/links"]
        assert {url[10] for url in found.files} == set("abcd")


def test_a_pipfile(tmp_path: Path) -> None:
    _write(tmp_path / "Pipfile", '[[source]]\nurl = "https://a/simple"\nverify_ssl = true\nname = "a"\n')
    assert "https://a/simple" in _sources(tmp_path).indexes


def test_a_project_that_is_not_understood(tmp_path: Path) -> None:
    _write(tmp_path / "pyproject.toml", "= nonsense")
    with pytest.raises(UsageError, match="pyproject"):
        _sources(tmp_path)


def test_odd_entries_are_no_ones_index(tmp_path: Path) -> None:
    _write(
        tmp_path / "pyproject.toml",
        "[tool.poetry]\nsource = [{ url = 1 }, { name = 'x' }]\n[tool.pdm]\nsource = 'x'\n[tool.poetry.group]\nx = 1\n",
    )
    assert list(_sources(tmp_path).indexes) == [PYPI, "https://told/simple"]
