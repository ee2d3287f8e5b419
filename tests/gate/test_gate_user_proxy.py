"""The proxy that the user's own environment names is gone through."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl

import pytest
from gate_interception import Site, ok, read, read_response
from gate_world import SECONDS

from veln_hook.gate.proxies import Proxies


class UserProxy(Site):
    """A proxy that answers CONNECT by connecting to a place, and plain requests by itself."""

    def __init__(self, place, *, status: str = "200 OK", secure: ssl.SSLContext | None = None) -> None:
        self._place, self._status = place, status
        super().__init__(secure, self._answer)

    def _answer(self, sock, head):
        if not head.startswith("CONNECT"):
            sock.sendall(ok(b"by the proxy", status=self._status))
            return True
        sock.sendall(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
        if not self._status.startswith("200"):
            return False
        with socket.create_connection(self._place, SECONDS) as server, contextlib.suppress(OSError):
            pass_on(sock, server)
        return False


def pass_on(client, server) -> None:
    """Pass on what either says until one ends; in one thread, as two may not use a connection of TLS at once."""
    others = {client: server, server: client}
    while True:
        decrypted = isinstance(client, ssl.SSLSocket) and client.pending()
        ready = [client] if decrypted else select.select([client, server], [], [], SECONDS)[0]
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            others[source].sendall(data)
        if not ready:
            return


@pytest.fixture
def make_proxy():
    made = []

    def make(*arguments, **options):
        made.append(UserProxy(*arguments, **options))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


def test_the_users_proxy_is_gone_through_with_its_credentials(make_gate, make_site, make_proxy):
    site = make_site("index.test", ok(b"a"), ok(b"b"))
    proxy = make_proxy(site.place)
    host, port = proxy.place
    environment = {"https_proxy": f"http://me:p%40ss@{host}:{port}", "HTTP_PROXY": f"{host}:{port}"}
    gate = make_gate(proxies=Proxies.from_environment(environment))
    assert [gate.get("index.test")[1] for _ in range(2)] == [b"a", b"b"]
    assert [head.split("\r\n") for head in proxy.heads] == [
        ["CONNECT index.test:443 HTTP/1.1", "host: index.test:443", "proxy-authorization: Basic bWU6cEBzcw=="]
    ]
    assert not [head for head in site.heads if "bWU6" in head]
    with gate.connect() as sock:
        sock.sendall(
            f"GET http://index.test:81/a HTTP/1.1\r\nHost: index.test:81\r\n{gate.credentials}\r\n".encode()
        )
        assert read_response(sock)[1] == b"by the proxy"
    assert proxy.heads[1].split("\r\n") == ["GET http://index.test:81/a HTTP/1.1", "host: index.test:81"]


def test_a_proxy_of_tls_is_gone_through(make_gate, make_site, make_proxy, names, issuer):
    site = make_site("index.test", ok(b"a"))
    proxy = make_proxy(site.place, secure=issuer.server_context("proxy.test"))
    names.add("proxy.test", proxy.place)
    gate = make_gate(proxies=Proxies.from_environment({"ALL_PROXY": "https://proxy.test:3128"}))
    assert gate.get("index.test")[1] == b"a"


def test_hosts_of_no_proxy_are_asked_directly(make_gate, make_site, make_proxy):
    site = make_site("index.test", ok(b"a"))
    proxy = make_proxy(site.place)
    host, port = proxy.place
    environment = {"HTTPS_PROXY": f"http://{host}:{port}", "NO_PROXY": "example.org, .test"}
    assert make_gate(proxies=Proxies.from_environment(environment)).get("index.test")[1] == b"a"
    assert proxy.heads == []


@pytest.mark.parametrize("status", ["407 Who are you", "403 No", "302 Elsewhere"])
def test_a_proxy_that_refuses_is_told_of(make_gate, make_site, make_proxy, status):
    site = make_site("index.test", ok(b"a"))
    proxy = make_proxy(site.place, status=status)
    host, port = proxy.place
    environment = {"HTTPS_PROXY": f"http://secret:word@{host}:{port}"}
    _, body = make_gate(read(), proxies=Proxies.from_environment(environment)).get("index.test")
    assert body == f"UpstreamError: the proxy of HTTPS_PROXY answers {status} for index.test:443".encode()
    assert site.heads == []


def test_a_proxy_that_wants_other_credentials_for_a_plain_request_is_told_of(make_gate, make_proxy):
    proxy = make_proxy(None, status="407 Who are you")
    host, port = proxy.place
    environment = {"HTTP_PROXY": f"http://{host}:{port}"}
    gate = make_gate(read(url="http://index.test/"), proxies=Proxies.from_environment(environment))
    assert gate.get("index.test")[1] == b"UpstreamError: the proxy of HTTP_PROXY wants other credentials"


def test_a_proxy_that_is_not_there_is_told_of(make_gate):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    environment = {"HTTPS_PROXY": f"http://secret:word@127.0.0.1:{port}"}
    _, body = make_gate(read(), proxies=Proxies.from_environment(environment)).get("index.test")
    assert body.startswith(b"UpstreamError: the proxy of HTTPS_PROXY can't be reached: ")
    assert b"secret" not in body


def test_what_a_proxy_says_before_tls_begins_is_no_tls(make_gate, make_site, make_proxy):
    site = make_site("index.test", ok(b"a"))
    proxy = make_proxy(site.place, status="200 OK\r\n\r\nHTTP/1.1 200 OK")
    host, port = proxy.place
    environment = {"HTTPS_PROXY": f"http://{host}:{port}"}
    response, _ = make_gate(read(), proxies=Proxies.from_environment(environment)).get("index.test")
    assert response.status == 502
