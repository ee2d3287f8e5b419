"""Builds of real uvs, driven without the command: each with what ``veln-hook uv`` gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from uv_builder import Builder, probes

from support import uv_versions
from support.hostile_builds import Sink
from support.index_server import IndexServer
from support.selection import everyday

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.envs import Home


@pytest.fixture(autouse=True)
def _state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is remembered of a uv away from the user's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "uv-state"))


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


@pytest.fixture
def plain_index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        yield server


@pytest.fixture
def make_builder(home: Home) -> Callable[..., Builder]:
    def make(version: str = uv_versions.NEWEST, rung: str | None = None) -> Builder:
        try:
            uv = uv_versions.uv_bin(version) / "uv"
        except uv_versions.NotHereError as error:
            pytest.skip(str(error))
        if rung is None:
            rung = next((name for name, probe in probes().items() if probe.works), "")
            if not rung:
                pytest.skip("this machine has no sandbox")
        elif rung and not (rung in probes() and probes()[rung].works):
            pytest.skip(f"{rung} doesn't work on this machine")
        return Builder(uv, home, rung)

    return make


@pytest.fixture(params=everyday(uv_versions.UVS, uv_versions.ENDS))
def builder(make_builder: Callable[..., Builder], request: pytest.FixtureRequest) -> Builder:
    return make_builder(request.param)


@pytest.fixture
def newest(make_builder: Callable[..., Builder]) -> Builder:
    return make_builder()
