from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from gate_interception import Gate, Site
from gate_world import Authority, Names, Server, World, serving

from support.authorities import TestAuthority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made by the openssl command, which is not installed")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def make_world(names) -> Iterator[Callable[..., World]]:
    """Make worlds that live as long as the test; arguments as of `World`."""
    with contextlib.ExitStack() as stack:

        def make(*allow: str, **options: Any) -> World:
            return stack.enter_context(World(*allow, names=names, **options))

        yield make


@pytest.fixture
def serve(names) -> Iterator[Callable[..., Server]]:
    """Start servers: ``serve(function, "name", ...)`` lets these names lead to it."""
    with contextlib.ExitStack() as stack:

        def start(function: Callable[[Server, Any], None], *hosts: str) -> Server:
            server = stack.enter_context(serving(function))
            for host in hosts:
                names.add(host, server.place)
            return server

        yield start


@pytest.fixture
def serve_tls(serve, authority) -> Callable[..., Server]:
    """Start a server of TLS that echoes: ``serve_tls("name", prepare=...)``; ``names`` has the SNI of each."""

    def start(name: str, prepare: Callable[[Any], None] = lambda _: None) -> Server:
        context = authority.server_context(name)
        prepare(context)

        def speak(server: Server, sock: Any) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as secure:
                while data := secure.recv(65536):
                    server.received += data
                    secure.sendall(data)

        return serve(speak, name)

    return start


@pytest.fixture(scope="session")
def issuer(tmp_path_factory) -> TestAuthority:
    """Return who vouches for the servers behind a gate that intercepts."""
    return TestAuthority(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def make_gate(issuer, names) -> Iterator[Callable[..., Gate]]:
    """Make gates that intercept, and live as long as the test; arguments as of `Gate`."""
    with contextlib.ExitStack() as stack:

        def make(*arguments: Any, trust: Any = None, **options: Any) -> Gate:
            return stack.enter_context(Gate(trust or issuer.client_context(), names, *arguments, **options))

        yield make


@pytest.fixture
def make_site(issuer, names) -> Iterator[Callable[..., Site]]:
    """Start servers: ``make_site("name", answer, ...)``, of TLS unless ``secure=False``; see `Site`."""
    sites: list[Site] = []

    def make(host: str, *answers: Any, secure: bool = True) -> Site:
        site = Site(issuer.server_context(host) if secure else None, *answers)
        sites.append(site)
        names.add(host, site.place)
        return site

    yield make
    for site in sites:
        site.close()
