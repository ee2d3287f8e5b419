"""TLS ends in the gate: requests of real clients reach the responder, and the indexes that it asks."""

from __future__ import annotations

import socket
import ssl

import pytest
from gate_interception import ok, read_response
from gate_world import SECONDS, query, read_all, wait_for

from veln_hook.gate.hosts import Target


def test_a_request_reaches_the_index_as_it_was_sent(make_gate, make_site):
    site = make_site("index.test", ok(b"page", "ETag: x", "X-Own: 1"))
    gate = make_gate()
    response, body = gate.get(
        "index.test",
        "/simple/a/?b=c%20d",
        Accept="x/y",
        Accept_Encoding="gzip, zstd",
        Authorization="Basic eDp5",
    )
    assert (response.status, response.reason, body) == (200, "OK", b"page")
    assert (response.headers["ETag"], response.headers["X-Own"]) == ("x", "1")
    assert site.heads[0].split("\r\n") == [
        "GET /simple/a/?b=c%20d HTTP/1.1",
        "host: index.test",
        "Accept: x/y",
        "Accept-Encoding: gzip, zstd",
        "Authorization: Basic eDp5",
    ]
    (exchange,) = gate.responder.seen
    assert exchange.url == "https://index.test/simple/a/?b=c%20d"
    assert (exchange.method, exchange.target, exchange.secure) == ("GET", Target("index.test", 443), True)
    assert exchange.header(b"Authorization") == b"Basic eDp5"
    assert gate.egress.reached() == (("index.test", 443, "", 1),)
    assert gate.egress.refusals() == ()


def test_the_client_sees_a_certificate_of_the_gate(make_gate, make_site):
    make_site("index.test", ok())
    sock = make_gate().secure("index.test:443")
    certificate = sock.getpeercert()
    assert certificate["subjectAltName"] == (("DNS", "index.test"),)
    assert dict(certificate["issuer"][0])["commonName"].startswith("veln-hook gate ")
    assert sock.selected_alpn_protocol() is None


def test_http_2_is_not_offered(make_gate, make_site):
    make_site("index.test", ok())
    gate = make_gate()
    context = gate.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(gate.tunnel("index.test:443"), server_hostname="index.test") as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_address_needs_no_name_in_tls(make_gate, make_site, names, host):
    names.add(host, ("127.0.0.1", 1))
    gate = make_gate(lambda exchange: exchange.respond(200, [], exchange.url.encode()))
    sock = gate.secure(f"{host}:8443")
    kind, address = sock.getpeercert()["subjectAltName"][0]
    assert (kind, address) in (("IP Address", "127.0.0.1"), ("IP Address", "0:0:0:0:0:0:0:1"))
    sock.sendall(f"GET /x HTTP/1.1\r\nHost: {host}:8443\r\n\r\n".encode())
    assert read_response(sock)[1] == f"https://{host}:8443/x".encode()


def test_connections_are_used_for_several_requests_on_both_sides(make_gate, make_site):
    site = make_site("index.test", ok(b"one"), ok(b"two"), ok(b"three"))
    client = make_gate().http("index.test")
    for expected in (b"one", b"two", b"three"):
        client.request("GET", "/")
        assert client.getresponse().read() == expected
    assert site.accepted == 1


def test_pipelined_requests_are_answered_in_their_order(make_gate, make_site):
    make_site("index.test", lambda sock, head: sock.sendall(ok(head.split()[1].encode())))
    sock = make_gate().secure("index.test:443")
    sock.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: index.test\r\n\r\n" % number for number in range(20)))
    data = b""
    while data.count(b"\r\n\r\n/") < 20:
        data += sock.recv(65536)
    at = [data.index(b"\r\n\r\n/%d" % number) for number in range(20)]
    assert at == sorted(at)


def test_bytes_that_come_with_connect_are_read(make_gate, make_site):
    make_site("index.test", ok(b"here"))
    gate = make_gate()
    sock = gate.connect()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = gate.client_context().wrap_bio(incoming, outgoing, server_hostname="index.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    sock.sendall(
        f"CONNECT index.test:443 HTTP/1.1\r\nHost: index.test:443\r\n{gate.credentials}\r\n".encode()
        + outgoing.read()
    )
    data = b""
    while b"\x16\x03\x03" not in data:
        data += sock.recv(65536)
    assert data.startswith(b"HTTP/1.1 200 ")


def test_another_port_than_443_can_be_tls_and_plain(make_gate, make_site):
    make_site("index.test", ok(b"secure"))
    gate = make_gate()
    client = gate.http("index.test", 8443)
    client.request("GET", "/")
    assert client.getresponse().read() == b"secure"
    make_site("index.test", ok(b"plain"), secure=False)
    sock = gate.tunnel("index.test:8080")
    sock.sendall(b"GET /a HTTP/1.1\r\nHost: index.test:8080\r\n\r\n")
    assert read_response(sock)[1] == b"plain"
    assert [exchange.url for exchange in gate.responder.seen] == [
        "https://index.test:8443/",
        "http://index.test:8080/a",
    ]


def test_a_plain_request_to_the_proxy_reaches_the_responder_without_the_password(make_gate, make_site):
    site = make_site("index.test", ok(b"plain"), secure=False)
    gate = make_gate()
    with gate.connect() as sock:
        for path in ("/simple/a/", "/simple/b/"):
            sock.sendall(
                f"GET http://index.test:8080{path} HTTP/1.1\r\nHost: index.test:8080\r\n{gate.credentials}\r\n".encode()
            )
            assert read_response(sock)[1] == b"plain"
    assert [head.split("\r\n") for head in site.heads] == [
        ["GET /simple/a/ HTTP/1.1", "host: index.test:8080"],
        ["GET /simple/b/ HTTP/1.1", "host: index.test:8080"],
    ]
    assert [exchange.url for exchange in gate.responder.seen] == [
        "http://index.test:8080/simple/a/",
        "http://index.test:8080/simple/b/",
    ]
    assert gate.responder.seen[0].header(b"proxy-authorization") is None
    assert not gate.responder.seen[0].secure
    wait_for(lambda: gate.egress.reached() == (("index.test", 8080, "", 2),))


def test_what_is_not_covered_goes_by_the_list(make_gate, make_site):
    make_site("other.test", ok(b"other"), secure=False)
    gate = make_gate(allow=("other.test",))
    with gate.connect() as sock:
        sock.sendall(
            f"GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n{gate.credentials}\r\n".encode()
        )
        assert read_response(sock)[1] == b"other"
    with gate.connect() as sock:
        sock.sendall(
            f"GET http://other2.test/ HTTP/1.1\r\nHost: other2.test\r\n{gate.credentials}\r\n".encode()
        )
        assert b" 403 " in read_all(sock)
    assert gate.responder.seen == []
    assert gate.refused() == [("other2.test", 80)]


def test_an_absolute_url_of_the_same_host_is_read_in_tls(make_gate, make_site):
    site = make_site("index.test", ok())
    sock = make_gate().secure("index.test:443")
    sock.sendall(b"GET https://index.test/a?b HTTP/1.1\r\nHost: index.test\r\n\r\n")
    assert read_response(sock)[0].startswith("HTTP/1.1 200 ")
    assert site.heads[0].startswith("GET /a?b HTTP/1.1\r\n")


def test_a_client_of_http_1_0_is_served(make_gate, make_site):
    make_site("index.test", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    sock = make_gate().secure("index.test:443")
    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
    told = read_all(sock)
    assert b"chunked" not in told
    assert told.endswith(b"\r\n\r\nabc")


def test_uploads_pass_with_a_length_and_without(make_gate, make_site):
    def take(sock, head):
        size = 300_000
        body = site.bodies[-1]
        # What is left of the last chunk looks like another request, of which nothing more comes.
        while len(body) < size and (more := sock.recv(65536)):
            body += more
        site.bodies[-1] = body
        sock.sendall(ok(b"taken"))

    site = make_site("index.test", take)
    data = bytes(range(256)) * 1200
    client = make_gate().http("index.test")
    client.request("POST", "/", body=data[:300_000])
    assert client.getresponse().read() == b"taken"
    assert site.bodies[0] == data[:300_000]
    assert "content-length: 300000" in site.heads[0].lower()
    client.request("POST", "/", body=iter([data[:150_000], data[150_000:300_000]]), encode_chunked=True)
    assert client.getresponse().read() == b"taken"
    assert "transfer-encoding: chunked" in site.heads[1].lower()


def test_a_body_is_asked_for_where_the_client_waits(make_gate):
    gate = make_gate(_echo)
    sock = gate.secure("index.test:443")
    sock.sendall(b"POST / HTTP/1.1\r\nHost: index.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(1000)
    assert data.startswith(b"HTTP/1.1 100 ")
    sock.sendall(b"body")
    assert read_response(sock)[1] == b"body"


async def _echo(exchange):
    await exchange.respond(200, [], await exchange.body(10))


def test_a_body_that_is_too_long_is_refused(make_gate):
    gate = make_gate(_echo)
    sock = gate.secure("index.test:443")
    sock.sendall(b"POST / HTTP/1.1\r\nHost: index.test\r\nContent-Length: 11\r\n\r\n" + b"x" * 11)
    assert b" 400 veln-hook: the body is longer than 10 bytes" in read_all(sock)


def test_an_answer_before_the_body_was_read_ends_the_connection(make_gate):
    gate = make_gate(lambda exchange: exchange.refuse(403, "no", "no uploads"))
    sock = gate.secure("index.test:443")
    sock.sendall(b"POST / HTTP/1.1\r\nHost: index.test\r\nContent-Length: 1000\r\n\r\n" + b"x" * 10)
    assert b" 403 no" in read_all(sock)


def test_a_transparent_client_is_served_by_the_name_it_looked_up(make_gate, make_site):
    # As in the sandbox, where a fake address stands for each name.
    make_site("index.test", ok(b"found"))
    gate = make_gate()
    route = socket.socket(fileno=gate.egress.open_route())
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
            names.bind(("127.0.0.1", 0))
            place = names.getsockname()
            socket.send_fds(route, [b"listener dns 53"], [names.fileno()])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.connect(place)
                client.settimeout(SECONDS)
                client.send(query("index.test"))
                address = socket.inet_ntoa(client.recv(512)[-4:])
        for port, secure in ((443, True), (80, False)):
            if not secure:
                make_site("index.test", ok(b"plainly"), secure=False)
            with socket.create_server(("127.0.0.1", 0)) as listener:
                near = socket.create_connection(listener.getsockname(), SECONDS)
                far, _ = listener.accept()
            socket.send_fds(route, [f"connection tcp {address} {port} uv".encode()], [far.fileno()])
            far.close()
            with near:
                sock = (
                    gate.client_context().wrap_socket(near, server_hostname="index.test") if secure else near
                )
                with sock:
                    sock.sendall(b"GET / HTTP/1.1\r\nHost: index.test\r\n\r\n")
                    assert read_response(sock)[1] == (b"found" if secure else b"plainly")
    finally:
        route.close()
    wait_for(lambda: len(gate.egress.reached()) == 2)
    assert gate.egress.reached() == (("index.test", 443, "uv", 1), ("index.test", 80, "uv", 1))
