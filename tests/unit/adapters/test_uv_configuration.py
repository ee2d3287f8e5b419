"""Which files configure a command of uv, and what in them is refused, by file and key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from veln_hook.adapters.uv.commands import classify
from veln_hook.adapters.uv.configuration import FORBIDDEN, places, refuse_ways_around, settings
from veln_hook.adapters.uv.files import script_metadata
from veln_hook.adapters.uv.words import read_line
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from veln_hook.adapters.uv.configuration import Settings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Nobody's files count but those of a test."""
    return {"HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": str(tmp_path / "etc")}


def _read(text: str, environ: dict[str, str], cwd: Path) -> list[Settings]:
    line = classify(text.split())
    words = read_line(line)
    found = settings(line, words, environ, places(words, environ, str(cwd)))
    refuse_ways_around(found, words)
    return found


def _files(found: list[Settings]) -> list[str]:
    return [one.file.path for one in found]


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


PLAIN = "[tool.uv]\nprerelease = 'allow'\n"


def test_the_nearest_file_counts_and_those_above_it_do_not(tmp_path: Path, environ: dict[str, str]) -> None:
    _write(tmp_path / "pyproject.toml", "[tool.uv]\nhttps-proxy = 'x'\n")
    inner = _write(tmp_path / "a" / "pyproject.toml", PLAIN)
    (tmp_path / "a" / "b").mkdir()
    assert _files(_read("sync", environ, tmp_path / "a" / "b")) == [inner]


def test_one_that_says_nothing_of_uv_is_passed_by(tmp_path: Path, environ: dict[str, str]) -> None:
    _write(tmp_path / "pyproject.toml", "[tool.uv]\nhttps-proxy = 'x'\n")
    _write(tmp_path / "a" / "pyproject.toml", "[project]\nname = 'a'\n")
    with pytest.raises(UsageError, match="https-proxy"):
        _read("sync", environ, tmp_path / "a")


def test_the_root_of_a_workspace_counts_for_its_members(tmp_path: Path, environ: dict[str, str]) -> None:
    _write(tmp_path / "pyproject.toml", "[tool.uv]\nno-proxy = ['x']\n[tool.uv.workspace]\nmembers = ['a']\n")
    _write(tmp_path / "a" / "pyproject.toml", PLAIN)
    with pytest.raises(UsageError, match="no-proxy"):
        _read("sync", environ, tmp_path / "a")


def test_a_file_far_above_that_is_no_toml_is_others_business(tmp_path: Path, environ: dict[str, str]) -> None:
    _write(tmp_path / "pyproject.toml", "= nonsense")
    inner = _write(tmp_path / "a" / "pyproject.toml", PLAIN)
    assert _files(_read("sync", environ, tmp_path / "a")) == [inner]


def test_uv_toml_beside_a_pyproject(tmp_path: Path, environ: dict[str, str]) -> None:
    own = _write(tmp_path / "uv.toml", "cache-dir = 'x'\n")
    _write(tmp_path / "pyproject.toml", PLAIN)
    with pytest.raises(UsageError, match=r"uv.toml:1: cache-dir"):
        _read("sync", environ, tmp_path)
    assert os.path.exists(own)


def test_the_users_and_the_systems(tmp_path: Path, environ: dict[str, str]) -> None:
    user = _write(tmp_path / "home" / ".config" / "uv" / "uv.toml", "offline = false\n")
    system = _write(tmp_path / "etc" / "uv" / "uv.toml", "offline = true\n")
    assert _files(_read("sync", environ, tmp_path)) == [user, system]
    assert _files(_read("sync", {**environ, "UV_NO_SYSTEM_CONFIG": "1"}, tmp_path)) == [user]
    moved = _write(tmp_path / "cfg" / "uv" / "uv.toml", "offline = false\n")
    assert moved in _files(_read("sync", {**environ, "XDG_CONFIG_HOME": str(tmp_path / "cfg")}, tmp_path))


def test_tools_take_no_project(tmp_path: Path, environ: dict[str, str]) -> None:
    _write(tmp_path / "pyproject.toml", "[tool.uv]\nhttps-proxy = 'x'\n")
    assert not _read("tool install x", environ, tmp_path)
    assert not _read("tool run x", environ, tmp_path)
    with pytest.raises(UsageError):
        _read("pip install x", environ, tmp_path)


def test_one_that_is_named_stands_in_for_all(tmp_path: Path, environ: dict[str, str]) -> None:
    _write(tmp_path / "pyproject.toml", "[tool.uv]\nhttps-proxy = 'x'\n")
    named = _write(tmp_path / "a.toml", "offline = true\n")
    assert _files(_read("sync --config-file a.toml", environ, tmp_path)) == [named]
    assert _files(_read("--config-file=a.toml sync", environ, tmp_path)) == [named]
    assert _files(_read("sync", {**environ, "UV_CONFIG_FILE": named}, tmp_path)) == [named]
    assert not _read("sync --no-config", environ, tmp_path)
    assert not _read("sync", {**environ, "UV_NO_CONFIG": "true"}, tmp_path)


def test_directory_and_project(tmp_path: Path, environ: dict[str, str]) -> None:
    _write(tmp_path / "a" / "pyproject.toml", "[tool.uv]\nhttps-proxy = 'x'\n")
    for text in ("--directory a sync", "sync --project a", "--project=a/pyproject.toml sync"):
        with pytest.raises(UsageError, match="https-proxy"):
            _read(text, environ, tmp_path)
    for name in ("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"):
        with pytest.raises(UsageError, match="https-proxy"):
            _read("sync", {**environ, name: "a"}, tmp_path)


@pytest.mark.parametrize("key", FORBIDDEN)
def test_every_way_around_is_refused_with_file_and_line(
    tmp_path: Path, environ: dict[str, str], key: str
) -> None:
    path = _write(
        tmp_path / "pyproject.toml", f"[project]\nname = 'x'\n\n[tool.uv]\noffline = true\n{key} = 'x'\n"
    )
    with pytest.raises(UsageError) as caught:
        _read("sync", environ, tmp_path)
    assert str(caught.value).startswith(f"{path}:6: {key} ")


@pytest.mark.parametrize("option", ["--cache-dir", "--allow-insecure-host", "--trusted-host", "--cert"])
def test_options_that_mean_the_same(tmp_path: Path, environ: dict[str, str], option: str) -> None:
    for text in (f"pip install {option} x y", f"pip install {option}=x y", f"pip {option} x install y"):
        line = classify(text.split())
        assert line.way != "pass"
        with pytest.raises(UsageError, match=option):
            _read(text, environ, tmp_path)


def test_a_projects_own_python(tmp_path: Path, environ: dict[str, str]) -> None:
    _write(tmp_path / "uv.toml", "python-install-mirror = 'file:///here'\n")
    with pytest.raises(UsageError, match="python-install-mirror"):
        _read("sync", environ, tmp_path)
    _write(tmp_path / "uv.toml", "python-install-mirror = 'https://mirror.example'\n")
    assert len(_read("sync", environ, tmp_path)) == 1
    _write(tmp_path / "uv.toml", "")
    _write(tmp_path / "home" / ".config" / "uv" / "uv.toml", "python-install-mirror = 'file:///here'\n")
    assert len(_read("sync", environ, tmp_path)) == 1


def test_variables_that_would_start_builds_unconfined(tmp_path: Path, environ: dict[str, str]) -> None:
    _write(tmp_path / "uv.toml", "[extra-build-variables]\nx = { LD_PRELOAD = 'evil.so' }\n")
    with pytest.raises(UsageError, match=r"uv.toml:2: .*LD_PRELOAD"):
        _read("sync", environ, tmp_path)
    _write(tmp_path / "uv.toml", "[extra-build-variables]\nx = { CFLAGS = '-O2' }\n")
    assert len(_read("sync", environ, tmp_path)) == 1


@pytest.mark.parametrize("text", ["= x", "a = 1\na = 2", "\xff", "a = " + "[" * 200])
def test_what_is_not_understood_is_refused(tmp_path: Path, environ: dict[str, str], text: str) -> None:
    (tmp_path / "uv.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"uv.toml"):
        _read("sync", environ, tmp_path)


def test_a_pipe_is_no_file(tmp_path: Path, environ: dict[str, str]) -> None:
    os.mkfifo(tmp_path / "uv.toml")
    with pytest.raises(UsageError, match="no regular file"):
        _read("sync", environ, tmp_path)


# Scripts

SCRIPT = """#!/usr/bin/env python
# /// script
# dependencies = ["a"]
#
# [tool.uv]
# https-proxy = "x"
# ///
print()
"""


def test_the_metadata_of_a_script(tmp_path: Path, environ: dict[str, str]) -> None:
    file = script_metadata(SCRIPT, "s.py")
    assert file is not None
    assert file.table["dependencies"] == ["a"]
    line = classify(["run", "s.py"])
    words = read_line(line)
    found = settings(line, words, environ, places(words, environ, str(tmp_path)), file)
    with pytest.raises(UsageError, match=r"^s\.py:6: https-proxy"):
        refuse_ways_around(found, words)


def test_a_script_without_metadata_and_one_with_two() -> None:
    assert script_metadata("print()\n", "s.py") is None
    with pytest.raises(UsageError, match="twice"):
        script_metadata(SCRIPT + SCRIPT, "s.py")
    with pytest.raises(UsageError, match=r"s.py:3"):
        script_metadata("#\n# /// script\n# = x\n# ///\n", "s.py")
