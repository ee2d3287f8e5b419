"""Tests here run poetry, pdm and pipx through the gate, each as its users have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import clients, uv_versions
from support.gated import User
from support.gated_fixtures import authority, contexts, demo, hook, make_index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.authorities import TestAuthority
    from support.envs import Home
    from support.tls_index import TlsIndex

__all__ = ["authority", "contexts", "demo", "hook", "make_index"]


@pytest.fixture
def index(make_index: Callable[..., TlsIndex]) -> TlsIndex:
    """An empty index behind TLS, called by name: not every pip asks an address for its certificate."""
    return make_index(name="localhost")


@pytest.fixture
def user(home: Home, hook: Path, authority: TestAuthority) -> User:
    """Somebody who has told every client of the company's own CA."""
    return User(home, hook, authority.file)


@pytest.fixture
def client() -> Callable[[str], Path]:
    """Give a client's program, or skip the test where it can't be had."""

    def find(name: str) -> Path:
        try:
            return clients.client(name)
        except uv_versions.NotHereError as error:
            pytest.skip(str(error))

    return find
