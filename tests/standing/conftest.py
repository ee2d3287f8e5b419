"""Tests here start ``veln-hook gate`` as a process of its own, before a real index and real clients."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
from standing_world import StandingGate

from support.gated_fixtures import authority, contexts, demo, index, make_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.authorities import TestAuthority
    from support.envs import Home

__all__ = ["authority", "contexts", "demo", "index", "make_index"]

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*"]
pytest.importorskip("h11")
pytest.importorskip("cryptography")


@pytest.fixture
def make_gate(home: Home, authority: TestAuthority) -> Iterator[Callable[..., StandingGate]]:
    """Start gates that live as long as the test: ``make_gate(index, ...)``, keywords as of `StandingGate`."""
    with contextlib.ExitStack() as stack:

        def make(*indexes: Any, **options: Any) -> StandingGate:
            return stack.enter_context(StandingGate(home, authority.file, *indexes, **options))

        yield make
