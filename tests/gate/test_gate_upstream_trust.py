"""Whom the gate asks in its clients' place: who can prove who he is, and with whose credentials."""

from __future__ import annotations

import ssl
from datetime import timedelta

import pytest
from gate_interception import Site, ok, read

from support.authorities import TestAuthority


def test_a_server_that_nobody_vouches_for_is_not_asked(make_gate, make_site, tmp_path):
    site = make_site("index.test", ok())
    another = TestAuthority(tmp_path, "another")
    _, body = make_gate(read(), trust=another.client_context()).get("index.test")
    assert b"the certificate of https://index.test isn't trusted: " in body
    assert site.heads == []


def test_a_server_with_the_certificate_of_another_is_not_asked(make_gate, names, issuer):
    site = Site(issuer.server_context("second.test"), ok())
    try:
        names.add("index.test", site.place)
        _, body = make_gate(read()).get("index.test")
        assert b"isn't trusted: Hostname mismatch" in body
        assert site.heads == []
    finally:
        site.close()


def test_a_server_with_an_expired_certificate_is_not_asked(make_gate, names, issuer):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issuer.chain("index.test", life=timedelta(hours=-1)))
    site = Site(context, ok())
    try:
        names.add("index.test", site.place)
        _, body = make_gate(read()).get("index.test")
        assert b"isn't trusted: certificate has expired" in body
        assert site.heads == []
    finally:
        site.close()


def test_what_speaks_no_tls_is_told_of(make_gate, serve):
    serve(lambda _, sock: sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n"), "index.test")
    response, body = make_gate(read()).get("index.test")
    assert response.status == 502
    assert b"https://index.test" in body


def test_credentials_go_to_their_own_origin_only(make_gate, make_site):
    own, other = make_site("index.test", ok()), make_site("second.test", ok())

    async def ask(exchange):
        for url in (
            "https://index.test/b",
            "https://index.test:443/c#frag",
            "https://second.test/d",
            "https://index.test:8443/e",
        ):
            async with await exchange.fetch(url=url) as answer:
                await answer.read(10)
        given = [(b"authorization", b"Basic eDp5"), (b"cookie", b"a=b"), (b"accept", b"x/y")]
        async with await exchange.fetch(url="https://second.test/f", headers=given) as answer:
            await answer.read(10)
        await exchange.forward()

    make_gate(ask).get("index.test", "/a", Authorization="Basic eDp5", Cookie="a=b")
    told = {head.split()[1]: "Basic eDp5" in head and "a=b" in head for head in own.heads + other.heads}
    assert told == {"/a": True, "/b": True, "/c": True, "/d": False, "/e": False, "/f": False}
    assert not [head for head in other.heads if "eDp5" in head or "a=b" in head]
    assert "accept: x/y" in other.heads[1]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://index.test/",
        "https://u:p@index.test/",
        "https://index.test:0/",
        "/a",
        "https://127.1/",
        "https:///a",
        "",
    ],
)
def test_a_url_that_can_be_read_in_two_ways_is_not_asked_for(make_gate, make_site, url):
    site = make_site("index.test", ok())
    _, body = make_gate(read(url=url)).get("index.test")
    assert body.startswith(b"UpstreamError: ")
    assert site.heads == []


@pytest.mark.parametrize(
    "url, path",
    [
        ("https://index.test/a b", "/a%20b"),
        ("https://index.test/\r\nX: y", "/%0D%0AX:%20y"),
        ("https://index.test/\u00e9%2f?x=[]", "/%C3%A9%2f?x=[]"),
        ("https://index.test?x", "/?x"),
    ],
)
def test_a_url_cannot_leave_its_line(make_gate, make_site, url, path):
    site = make_site("index.test", ok())
    assert make_gate(read(url=url)).get("index.test")[0].status == 200
    assert site.heads[0].split("\r\n") == [
        f"GET {path} HTTP/1.1",
        "host: index.test",
        "Accept-Encoding: identity",
    ]


def test_other_headers_and_methods_can_be_sent(make_gate, make_site):
    site = make_site("index.test", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
    given = [(b"x", b"y"), (b"Host", b"second.test"), (b"Connection", b"close"), (b"Content-Length", b"9")]
    assert make_gate(read(method="HEAD", headers=given)).get("index.test")[1] == b""
    assert site.heads[0].split("\r\n") == ["HEAD / HTTP/1.1", "host: index.test", "x: y"]
