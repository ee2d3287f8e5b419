"""Tests here run real uvs; those that ask for ``uv`` run once for each selected version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from uv_world import Target, Uv

from support import uv_versions
from support.gated import write_project
from support.gated_fixtures import authority, contexts, demo, hook, index, make_index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.authorities import TestAuthority
    from support.envs import Home

__all__ = ["authority", "contexts", "demo", "hook", "index", "make_index"]


@pytest.fixture
def make_uv(home: Home, hook: Path, authority: TestAuthority) -> Callable[..., Uv]:
    """Give the uv of a version."""

    def make(version: str) -> Uv:
        try:
            return Uv(version, uv_versions.uv_bin(version), hook, home, authority.file)
        except uv_versions.NotHereError as error:
            pytest.skip(str(error))

    return make


@pytest.fixture(params=uv_versions.selected_uvs())
def uv(request: pytest.FixtureRequest, make_uv: Callable[..., Uv]) -> Uv:
    """The oldest and the newest; each version with ``VELN_HOOK_FULL``."""
    return make_uv(request.param)


@pytest.fixture(params=uv_versions.UVS if uv_versions.full() else [uv_versions.NEWEST])
def newest(request: pytest.FixtureRequest, make_uv: Callable[..., Uv]) -> Uv:
    """The newest; all with ``VELN_HOOK_FULL``."""
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
