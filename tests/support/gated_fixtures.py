"""Fixtures of tests whose client goes through the gate; a ``conftest.py`` imports them."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from support import cache
from support.gated import releases
from support.pythons import newest_pair
from support.tls_index import TlsIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """What the user trusts, and no one else."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def make_index(authority: trustme.CA) -> Iterator[Callable[..., TlsIndex]]:
    """Start indexes that live as long as the test: ``make_index(tls=True, host="127.0.0.1", ...)``."""
    with contextlib.ExitStack() as stack:

        def make(*, tls: bool = True, host: str = "127.0.0.1", **options: Any) -> TlsIndex:
            context = None
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                authority.issue_cert(host).configure_cert(context)
            return stack.enter_context(TlsIndex(context, host=host, **options))

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
