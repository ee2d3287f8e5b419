"""Tests here run real uvs; those that ask for ``uv`` run once for each selected version."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from uv_world import Target, Uv

from support import uv_versions
from support.gated import write_project
from support.gated_fixtures import authority, contexts, demo, hook, index, make_index
from support.selection import everyday

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.authorities import TestAuthority
    from support.envs import Home

__all__ = ["authority", "contexts", "demo", "hook", "index", "make_index"]


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is kept how the uvs build, which each home would find out anew (``adapters.uv.build_trial``)."""
    return tmp_path_factory.mktemp("tried") / "uv-builds.json"


@pytest.fixture
def make_uv(home: Home, hook: Path, authority: TestAuthority, tried: Path) -> Iterator[Callable[..., Uv]]:
    """Give the uv of a version."""
    state = home.path / ".local/state/veln-hook" / tried.name
    if tried.exists():
        state.parent.mkdir(mode=0o700, parents=True)
        shutil.copy(tried, state)

    def make(version: str) -> Uv:
        try:
            return Uv(version, uv_versions.uv_bin(version), hook, home, authority.file)
        except uv_versions.NotHereError as error:
            pytest.skip(str(error))

    yield make
    if state.exists() and not (tried.exists() and tried.stat().st_size >= state.stat().st_size):
        shutil.copy(state, tried)


_HERE = Path(__file__).parent
_OF_THE_OLDEST = ("test_pip_", "test_lock_and", "test_a_lock_that", "test_add", "test_run_with_a_young")
"""Tests of ``test_uv_commands`` that everyday runs have with the oldest uv, too; of other modules none."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the rest of those to full runs."""
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        is_chosen = item.path.stem == "test_uv_commands" and item.name.startswith(_OF_THE_OLDEST)
        if _HERE in item.path.parents and params.get("uv") == uv_versions.ENDS[0] and not is_chosen:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=everyday(uv_versions.UVS, uv_versions.ENDS))
def uv(request: pytest.FixtureRequest, make_uv: Callable[..., Uv]) -> Uv:
    """The oldest and the newest; each version in a full run."""
    return make_uv(request.param)


@pytest.fixture(params=everyday(uv_versions.UVS, [uv_versions.NEWEST]))
def newest(request: pytest.FixtureRequest, make_uv: Callable[..., Uv]) -> Uv:
    """The newest; all in a full run."""
    return make_uv(request.param)


@pytest.fixture
def target(newest: Uv, tmp_path: Path) -> Target:
    """A virtualenv, and the newest uv."""
    return Target(newest, tmp_path / "venv")


@pytest.fixture
def targets(uv: Uv, tmp_path: Path) -> Target:
    """The same with the oldest uv, too."""
    return Target(uv, tmp_path / "venv")


@pytest.fixture
def project(home: Home) -> Path:
    """A project that needs demo, in whatever release."""
    return write_project(home.work / "proj", "demo")
