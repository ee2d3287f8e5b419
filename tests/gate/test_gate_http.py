"""Plain HTTP requests: forwarded one at a time, to the host that they name and no other."""

from __future__ import annotations

import socket
import urllib.request
from http.server import BaseHTTPRequestHandler

import pytest
from gate_world import keep, read_all, read_head, read_to_reset, respond, wait_for

OK = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok"
GET = "GET http://allowed.test/a?b=c HTTP/1.1\r\nHost: allowed.test\r\n"


@pytest.fixture
def allowed(make_world):
    return make_world("allowed.test")


def headers(head: bytes | str) -> list[str]:
    text = head if isinstance(head, str) else head.decode("latin-1")
    return [line.lower() for line in text.partition("\r\n\r\n")[0].split("\r\n")[1:]]


def test_a_request_is_forwarded_in_origin_form(allowed, serve):
    server = serve(respond(OK), "allowed.test")
    told = allowed.request(GET + "Accept: */*\r\nConnection: close\r\n\r\n")
    assert told.startswith("HTTP/1.1 200 Fine\r\n")
    assert told.endswith("\r\n\r\nok")
    assert server.received.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert headers(server.received) == [
        "host: allowed.test",
        "accept: */*",
        "via: 1.1 veln-hook",
        "connection: close",
    ]
    assert b"\r\nAccept: */*\r\n" in server.received  # some servers take the case of names seriously
    wait_for(allowed.egress.reached)
    assert allowed.egress.reached() == (("allowed.test", 80, "python", 1),)


def test_what_is_meant_for_the_proxy_is_not_forwarded(allowed, serve):
    server = serve(respond(OK), "allowed.test")
    allowed.request(
        GET
        + "Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nX-Own: 1\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: close, x-own, Upgrade, HTTP2-Settings\r\n\r\n"
    )
    assert headers(server.received) == ["host: allowed.test", "via: 1.1 veln-hook", "connection: close"]


@pytest.mark.parametrize("url", ["http://allowed.test", "http://allowed.test/", "HTTP://ALLOWED.test:80/"])
def test_spellings_of_one_url(allowed, serve, url):
    server = serve(respond(OK), "allowed.test")
    assert " 200 " in allowed.request(
        f"GET {url} HTTP/1.1\r\nHost: allowed.test:80\r\nConnection: close\r\n\r\n"
    )
    assert server.received.startswith(b"GET / HTTP/1.1\r\nhost: allowed.test\r\n")


def test_several_requests_of_one_connection_each_have_their_own_to_the_server(allowed, serve):
    server = serve(respond(OK), "allowed.test")
    with allowed.proxy() as sock:
        for _ in range(3):
            sock.sendall(f"{GET}\r\n".encode())
            head, body = read_head(sock)
            while len(body) < 2:
                body += sock.recv(10).decode()
            assert (head.split()[1], body) == ("200", "ok")
    assert server.accepted == 3
    wait_for(lambda: allowed.egress.reached() == (("allowed.test", 80, "python", 3),))


def test_pipelined_requests_are_answered_in_their_order(make_world, serve):
    serve(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"), "one.wild.test")
    serve(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"), "two.wild.test")
    world = make_world("*.wild.test")
    told = world.request(
        "GET http://one.wild.test/ HTTP/1.1\r\nHost: one.wild.test\r\n\r\n"
        "GET http://two.wild.test/ HTTP/1.1\r\nHost: two.wild.test\r\nConnection: close\r\n\r\n"
    )
    assert told.index("\r\n\r\none") < told.index("\r\n\r\ntwo")
    wait_for(lambda: len(world.reached()) == 2)
    assert world.reached() == [("one.wild.test", 80), ("two.wild.test", 80)]


class Echo(BaseHTTPRequestHandler):
    """Answers a POST with its body."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        if self.headers["Transfer-Encoding"] == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def echo_http(server, sock):
    Echo(sock, ("", 0), server)


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_pass_in_both_directions(allowed, serve, chunked):
    serve(echo_http, "allowed.test")
    host, port = allowed.listen("proxy")
    data = bytes(range(256)) * 20000
    request = urllib.request.Request(
        "http://allowed.test/", data=iter([data[:70000], data[70000:]]) if chunked else data, method="POST"
    )
    if chunked:
        request.add_unredirected_header("Transfer-Encoding", "chunked")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://{host}:{port}"}))
    with opener.open(request, timeout=30) as answer:
        assert answer.read() == data


def test_a_client_that_waits_for_100_continue_gets_it(allowed, serve):
    serve(echo_http, "allowed.test")
    with allowed.proxy() as sock:
        sock.sendall(
            b"POST http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 4\r\n"
            b"Connection: close\r\nExpect: 100-continue\r\n\r\n"
        )
        head, rest = read_head(sock)
        assert (head, rest) == ("HTTP/1.1 100 Continue", "")
        sock.sendall(b"body")
        assert read_all(sock).endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_response_that_ends_with_its_connection_passes(allowed, serve, version):
    serve(respond(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100000), "allowed.test")
    told = allowed.request(GET.replace("1.1", version) + "Connection: close\r\n\r\n")
    assert told.count("x") == 100000
    assert ("transfer-encoding: chunked" in headers(told)) == (version == "1.1")


@pytest.mark.parametrize(
    ("method", "response"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_responses_without_a_body_pass(allowed, serve, method, response):
    serve(respond(response), "allowed.test")
    told = allowed.request(GET.replace("GET", method) + "Connection: close\r\n\r\n")
    assert told.split()[1] == response.rpartition(b"HTTP/1.1 ")[2].split()[0].decode()
    assert told.endswith("\r\n\r\n")


def test_an_answer_before_the_end_of_the_request_arrives(allowed, serve):
    def early(server, sock):
        sock.recv(100)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        keep(server, sock)

    serve(early, "allowed.test")
    with allowed.proxy() as sock:
        sock.sendall(
            b"POST http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 9999\r\n\r\nsome"
        )
        assert read_all(sock).endswith(b"\r\n\r\nbig")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20000,
    ],
)
def test_a_response_that_can_not_be_read_is_a_502(allowed, serve, response):
    serve(respond(response), "allowed.test")
    assert allowed.request(f"{GET}\r\n").split()[1] == "502"


def test_a_response_that_is_cut_off_does_not_end_well(allowed, serve):
    serve(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), "allowed.test")
    with allowed.proxy() as sock:
        sock.sendall(f"{GET}\r\n".encode())
        read_head(sock)
        read_to_reset(sock)


def test_a_refusal_names_host_and_setting_in_one_line(allowed, names):
    told = allowed.request("GET http://evil.test:8080/x HTTP/1.1\r\nHost: evil.test:8080\r\n\r\n")
    line = (
        "veln-hook: evil.test:8080 is not allowed; sandbox.allow_hosts in the policy or --allow evil.test:8080"
        " would allow it"
    )
    assert told.startswith(f"HTTP/1.1 403 {line}\r\n")
    assert told.endswith(f"\r\n\r\n{line}\n")
    assert allowed.egress.refusals() == (("evil.test", 8080, "python", 1),)
    assert names.asked == []


def test_a_refused_request_may_still_be_sending(allowed):
    with allowed.proxy() as sock:
        sock.sendall(b"POST http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 300000\r\n\r\n")
        sock.sendall(b"x" * 300000)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).startswith(b"HTTP/1.1 403 ")


def test_refusals_and_processes_are_counted(make_world):
    world = make_world("allowed.test")
    for name in ("a.test", "b.test", "a.test"):
        world.tunnel(f"{name}:443")
    sock = world.handed("connection proxy a name with spaces")
    sock.sendall(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n")
    assert b" 403 " in read_all(sock)
    assert world.egress.refusals() == (
        ("a.test", 443, "python", 2),
        ("b.test", 443, "python", 1),
        ("a.test", 443, "a name with spaces", 1),
    )
    assert len(world.asked_for) == 3


def test_a_process_that_nobody_names_is_empty(make_world):
    world = make_world(processes=None)
    world.tunnel("a.test:443")
    assert world.egress.refusals() == (("a.test", 443, "", 1),)


def test_a_tunnel_to_port_80_is_read_as_http(make_world, serve):
    server = serve(respond(OK), "allowed.test")
    world = make_world("allowed.test")
    _, _, sock = world.tunnel("allowed.test:80")
    sock.sendall(b"GET /x HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\n\r\n")
    assert read_all(sock).endswith(b"\r\n\r\nok")
    assert server.received.startswith(b"GET /x HTTP/1.1\r\nhost: allowed.test\r\n")


@pytest.mark.parametrize(
    "request_text",
    [
        "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
        "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n",
        "GET http://evil.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n",
        "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n",
    ],
)
def test_a_tunnel_to_port_80_is_for_its_host_only(make_world, serve, request_text):
    server = serve(respond(OK), "allowed.test", "evil.test")
    world = make_world("allowed.test")
    _, _, sock = world.tunnel("allowed.test:80")
    sock.sendall(request_text.encode())
    assert b" 403 " in read_all(sock)
    assert server.accepted == 0
    assert [host for host, _ in world.refused()] in (["evil.test"], ["evil.test:443"])


def test_a_client_that_ends_without_a_request_is_no_error(allowed):
    with allowed.proxy() as sock:
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    assert allowed.egress.refusals() == ()
