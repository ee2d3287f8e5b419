"""Tests here ask a gate for what indexes serve, without any installer between."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from proxy_world import Gate

from support.gated_fixtures import authority, contexts, demo, index, make_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.authorities import TestAuthority
    from support.tls_index import TlsIndex
    from veln_hook.policy.settings import Policy

__all__ = ["authority", "contexts", "demo", "index", "make_index"]


@pytest.fixture
def make_gate(authority: TestAuthority, tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    """Start gates that live as long as the test; they share a store: ``make_gate(index, policy=None, ...)``."""
    (tmp_path / "gate").mkdir(mode=0o700)
    with contextlib.ExitStack() as stack:

        def make(*indexes: TlsIndex, policy: Policy | None = None, **options: Any) -> Gate:
            options.setdefault("indexes", [index.url for index in indexes])
            return stack.enter_context(Gate(authority, tmp_path / "gate", policy, **options))

        yield make


@pytest.fixture
def gate(make_gate: Callable[..., Gate], demo: TlsIndex) -> Gate:
    """A gate before the index that has an old and a young release of demo."""
    return make_gate(demo)
