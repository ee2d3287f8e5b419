"""What the tests of the sandbox ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confined import LINUX, Box, probes
from run_commands import Command

from support.selection import EVERYDAY_RUNGS, everyday

if TYPE_CHECKING:
    from pathlib import Path

    from veln_hook.sandbox.interface import Rung


@pytest.fixture(
    params=everyday(LINUX, [rung for rung in LINUX if rung.value in EVERYDAY_RUNGS]),
    ids=lambda rung: rung.value,
)
def rung(request: pytest.FixtureRequest) -> Rung:
    # That a rung works wherever it can is what test_ladder demands.
    probe = probes().get(request.param)
    if probe is None or not probe.works:
        pytest.skip(f"not on this machine: {probe.reason if probe else 'no Linux'}")
    return request.param


@pytest.fixture
def box(rung: Rung, tmp_path: Path) -> Box:
    work = tmp_path / "work"
    work.mkdir()
    return Box(rung, work)


@pytest.fixture
def command(rung: Rung, tmp_path: Path) -> Command:
    return Command(rung, tmp_path)
