"""Fixtures of tests whose client goes through the gate; a ``conftest.py`` imports them."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import pytest

from support import cache
from support.authorities import TestAuthority
from support.gated import releases
from support.pythons import newest_pair
from support.tls_index import TlsIndex

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """What the user trusts, and no one else."""
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def contexts(authority: TestAuthority) -> Callable[[str], ssl.SSLContext]:
    """What a server speaks TLS with, by its name; made once."""
    return functools.cache(authority.server_context)


@pytest.fixture
def make_index(contexts: Callable[[str], ssl.SSLContext]) -> Iterator[Callable[..., TlsIndex]]:
    """Start indexes that live as long as the test: ``make_index(tls=True, host="127.0.0.1", name="", ...)``."""
    with contextlib.ExitStack() as stack:

        def make(*, tls: bool = True, host: str = "127.0.0.1", name: str = "", **options: Any) -> TlsIndex:
            context = contexts(name or host) if tls else None
            return stack.enter_context(TlsIndex(context, host=host, name=name, **options))

        yield make


@pytest.fixture
def index(make_index: Callable[..., TlsIndex]) -> TlsIndex:
    """An empty index behind TLS."""
    return make_index()


@pytest.fixture
def demo(index: TlsIndex, tmp_path: Path) -> TlsIndex:
    """The index with an old release of demo, and a young one."""
    return releases(index, tmp_path / "wheels")


@pytest.fixture(scope="session")
def hook() -> Path:
    """The installed ``veln-hook`` with its extra."""
    return cache.gated_venv(newest_pair()) / "bin" / "veln-hook"
