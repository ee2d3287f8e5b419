"""A listener of the gate: who knows the password gets in, and nobody else learns anything."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import pytest
from gate_interception import AUTHORITY, PASSWORD, ok, read_response
from gate_world import SECONDS, Names, read_all, read_head, respond, wait_for

from veln_hook.gate.egress import Egress
from veln_hook.gate.limits import Limits


def basic(user: str, password: str) -> str:
    return f"Proxy-Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}\r\n"


WRONG = [
    "",
    basic("user", "wrong"),
    basic(PASSWORD, ""),
    basic("user", PASSWORD[:-1]),
    basic("user", PASSWORD + " "),
    basic("user", PASSWORD) * 2,
    basic("user", PASSWORD).replace("Basic", "Bearer"),
    f"Proxy-Authorization: Basic {PASSWORD}\r\n",
    "Proxy-Authorization: Basic\r\n",
    "Proxy-Authorization: Basic \xff\xfe\r\n",
    "Proxy-Authorization: Digest x\r\n",
    basic("user", PASSWORD).replace("Proxy-", ""),
]
TOLD = (
    b"HTTP/1.1 407 this proxy needs a password\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 28\r\n"
    b'connection: close\r\nproxy-authenticate: Basic realm="proxy"\r\n\r\nthis proxy needs a password\n'
)


@pytest.mark.parametrize("line", WRONG)
@pytest.mark.parametrize(
    "request_line",
    ["CONNECT index.test:443", "GET http://index.test/", "CONNECT other.test:443", "GET /", "CONNECT x"],
)
def test_without_the_password_everything_is_told_the_same(make_gate, make_site, line, request_line):
    site = make_site("index.test", ok())
    gate = make_gate()
    sock = gate.connect()
    sock.sendall(f"{request_line} HTTP/1.1\r\nHost: index.test\r\n{line}\r\n".encode("latin-1"))
    assert read_all(sock) == TOLD
    assert (gate.responder.seen, gate.egress.refusals(), gate.egress.reached(), site.accepted) == (
        [],
        (),
        (),
        0,
    )


@pytest.mark.parametrize(
    "data", [b"nonsense\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\n: x\r\n\r\n"]
)
def test_what_is_no_request_is_told_nothing(make_gate, data):
    sock = make_gate().connect()
    sock.sendall(data)
    assert read_all(sock) == b""


def test_every_request_has_to_bring_it(make_gate, make_site):
    site = make_site("index.test", ok(b"x"), secure=False)
    gate = make_gate()
    sock = gate.connect()
    sock.sendall(f"GET http://index.test/1 HTTP/1.1\r\nHost: index.test\r\n{gate.credentials}\r\n".encode())
    assert read_response(sock)[1] == b"x"
    sock.sendall(b"GET http://index.test/2 HTTP/1.1\r\nHost: index.test\r\n\r\n")
    assert read_all(sock).startswith(b"HTTP/1.1 407 ")
    assert len(site.heads) == 1


def test_any_user_may_bring_it(make_gate, make_site):
    make_site("index.test", ok(b"x"), secure=False)
    gate = make_gate()
    for user in ("", "veln", "a:b"):
        line = basic(user, PASSWORD).replace("Basic", "basic")
        sock = gate.connect()
        sock.sendall(f"GET http://index.test/1 HTTP/1.1\r\nHost: index.test\r\n{line}\r\n".encode())
        # A user name can't have a colon (RFC 7617), so what follows the first is the password.
        assert read_head(sock)[0].split()[1] == ("407" if ":" in user else "200")


def test_urllib_gets_in_by_the_proxys_url(make_gate, make_site):
    make_site("index.test", ok(b"plain"), secure=False)
    gate = make_gate()
    handler = urllib.request.ProxyHandler({"http": gate.url})
    with urllib.request.build_opener(handler).open("http://index.test/", timeout=SECONDS) as response:
        assert response.read() == b"plain"
    wrong = urllib.request.ProxyHandler({"http": gate.url.replace("correct", "wrong")})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.build_opener(wrong).open("http://index.test/", timeout=SECONDS)
    error.value.close()
    assert error.value.code == 407


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("how", ["--proxy-basic", "--proxy-anyauth"])
def test_curl_gets_in_also_where_it_asks_first(make_gate, make_site, tmp_path, how):
    make_site("index.test", ok(b"secure"))
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.certificate)
    gate = make_gate()
    told = subprocess.run(
        ["curl", "-sS", how, "--proxy", gate.url, "--cacert", tmp_path / "ca.pem", "https://index.test/"],
        check=True, capture_output=True, timeout=SECONDS,
    ).stdout  # fmt: skip
    assert told == b"secure"


def test_without_a_password_whoever_connects_is_served(serve):
    names = Names()
    server = serve(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    names.add("allowed.test", server.place)
    with Egress(["allowed.test"], private=["allowed.test"], resolver=names) as egress:
        port = egress.listen(password=None)
        with socket.create_connection(("127.0.0.1", port), SECONDS) as sock:
            sock.sendall(
                b"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\n\r\n"
            )
            assert read_all(sock).endswith(b"ok")


def test_a_password_cannot_be_empty():
    with Egress([]) as egress, pytest.raises(ValueError, match="empty"):
        egress.listen(password="")


def test_a_place_that_is_taken_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as taken, Egress([]) as egress, pytest.raises(OSError):
        egress.listen(port=taken.getsockname()[1], password="x")


def test_a_closed_gate_does_not_listen():
    egress = Egress([])
    egress.close()
    with pytest.raises(ValueError, match="closed"):
        egress.listen(password="x")


def test_processes_can_share_a_port():
    with Egress([]) as one, Egress([]) as two:
        port = one.listen(password="x", shared=True)
        assert two.listen(port=port, password="x", shared=True) == port


def test_ipv6_is_listened_at_too(make_gate):
    gate = make_gate()
    port = gate.egress.listen("::1", password="x")
    with socket.create_connection(("::1", port), SECONDS) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 407 ")


def reachable(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_listening_stops_and_what_has_begun_goes_on(make_gate, make_site):
    make_site("index.test", ok(b"x"))
    gate = make_gate()
    sock = gate.secure("index.test:443")
    gate.egress.stop_listening()
    wait_for(lambda: not reachable(gate.port))
    assert gate.egress.connections() == 1
    sock.sendall(b"GET / HTTP/1.1\r\nHost: index.test\r\n\r\n")
    assert read_response(sock)[1] == b"x"


def test_strangers_cannot_hold_it_for_long(make_gate):
    gate = make_gate(limits=Limits(head_seconds=0.3, connections=4))
    held = [gate.connect() for _ in range(20)]
    for sock in held:
        assert read_all(sock) == b""


def test_the_gate_closes_what_it_listened_at(make_gate):
    gate = make_gate()
    sock = gate.connect()
    gate.egress.close()
    assert read_all(sock) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gate.port), SECONDS)
