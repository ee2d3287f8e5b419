"""veln_hook.paths; tests/pip has a test_paths.py already."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from veln_hook import paths


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_package_directory_holds_this_package():
    assert (paths.PACKAGE_DIR / "paths.py").samefile(paths.__file__)


def test_a_variable_can_not_move_the_administrators_file(monkeypatch, tmp_path):
    before = paths.system_policy()
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path))
    assert paths.system_policy() == before
    assert before.is_absolute()


def test_places_of_the_user(tmp_path, monkeypatch):
    assert paths.user_policy() == tmp_path / ".config/veln-hook/policy.toml"
    assert paths.store_file() == tmp_path / ".local/state/veln-hook/store.sqlite3"
    assert paths.carried_dir().is_relative_to(tmp_path / ".cache/veln-hook")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    assert paths.user_policy() == tmp_path / "elsewhere/veln-hook/policy.toml"


def test_an_environments_policy_lies_in_its_prefix(tmp_path):
    assert paths.environment_policy(str(tmp_path)) == tmp_path / "veln-hook.toml"


def test_the_nearest_project_file_counts(tmp_path):
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    assert paths.project_policy(inner) == tmp_path / "pyproject.toml"
    (tmp_path / "a/pyproject.toml").symlink_to("nowhere")  # there, whether or not it can be read
    assert paths.project_policy(inner) == tmp_path / "a/pyproject.toml"


def test_a_working_directory_that_is_gone_has_no_project(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert paths.project_policy() is None
    os.chdir(tmp_path)


def test_every_policy_file_outside_projects_is_protected():
    assert set(paths.policy_files()) == {
        paths.system_policy(),
        paths.user_policy(),
        paths.environment_policy(),
    }
    assert all(isinstance(path, Path) and path.is_absolute() for path in paths.policy_files())


def test_asking_for_a_place_makes_nothing(tmp_path):
    paths.policy_files()
    paths.store_file()
    paths.carried_dir()
    assert list(tmp_path.iterdir()) == []
