"""CONNECT: allowed hosts are reached over TLS untouched, and TLS for another host is not."""

from __future__ import annotations

import contextlib
import socket
import ssl

import pytest
from gate_world import SECONDS, echo, keep, read_all, read_exactly, read_to_reset, wait_for

from support.tls import client_hello

ALERT = b"\x15\x03\x03\x00\x02\x02\x31"


def talk(authority, sock, name="allowed.test"):
    """Speak TLS over a connection; return the certificate's name and what came back."""
    with authority.client_context().wrap_socket(sock, server_hostname=name) as secure:
        secure.sendall(b"hello")
        return secure.getpeercert()["subjectAltName"][0][1], secure.recv(100)


def test_an_allowed_host_is_reached_over_tls_with_its_own_certificate(make_world, serve_tls, authority):
    serve_tls("allowed.test")
    world = make_world("allowed.test")
    status, _, sock = world.tunnel("allowed.test:443")
    assert status == 200
    assert talk(authority, sock) == ("allowed.test", b"hello")
    wait_for(world.egress.reached)
    assert world.egress.reached() == (("allowed.test", 443, "python", 1),)
    assert world.egress.refusals() == ()


def test_what_passes_is_not_changed(make_world, serve, names):
    server = serve(echo, "allowed.test")
    world = make_world("allowed.test")
    hello = client_hello("allowed.test")
    data = hello + bytes(range(256)) * 4000
    _, _, sock = world.tunnel("allowed.test:443")
    sock.sendall(hello)
    got = b""
    while len(got) < len(hello):  # the echo is a strange ServerHello, and no HelloRetryRequest
        got += sock.recv(65536)
    sock.sendall(data[len(hello) :])
    sock.shutdown(socket.SHUT_WR)
    assert got + read_all(sock) == data
    assert server.received == data


def test_a_hello_that_comes_together_with_connect_is_read(make_world, serve):
    server = serve(echo, "allowed.test")
    world = make_world("allowed.test")
    hello = client_hello("allowed.test")
    sock = world.proxy()
    sock.sendall(b"CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n" + hello)
    wait_for(lambda: server.received == hello)


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_hello_in_many_records_and_packets_is_read(make_world, serve, size):
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test")
    message = client_hello("allowed.test")[5:]
    records = b"".join(
        b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
        for part in (message[at : at + size] for at in range(0, len(message), size))
    )
    _, _, sock = world.tunnel("allowed.test:443")
    for at in range(0, len(records), 97):
        sock.sendall(records[at : at + 97])
    wait_for(lambda: server.received == records)


def test_a_retried_hello_of_the_same_host_passes(make_world, serve_tls, authority):
    # The client offers X25519 first, which this server doesn't know: it sends a HelloRetryRequest.
    server = serve_tls("allowed.test", prepare=lambda context: context.set_ecdh_curve("secp384r1"))
    world = make_world("allowed.test")
    _, _, sock = world.tunnel("allowed.test:443")
    assert talk(authority, sock) == ("allowed.test", b"hello")
    assert server.received == b"hello"


@pytest.fixture
def retry_request(authority):
    """Return what a server that has no key share in common with a client really answers its hello."""

    def answer(hello: bytes) -> bytes:
        context = authority.server_context("allowed.test")
        context.set_ecdh_curve("secp384r1")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(hello)
        with contextlib.suppress(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
        return outgoing.read()

    return answer


WARNING = b"\x15\x03\x03\x00\x02\x01\x70"


@pytest.mark.parametrize("between", [(b"", b""), (b"", b"\x14\x03\x03\x00\x01\x01"), (WARNING * 2, b"")])
@pytest.mark.parametrize("polite", [False, True])
def test_a_retried_hello_of_another_host_does_not_pass(make_world, serve, retry_request, between, polite):
    warned, early = between
    first = client_hello("allowed.test")
    second = early + first.replace(b"allowed.test", b"exfiltr.test")
    retry = retry_request(first)
    assert retry.startswith(b"\x16\x03\x03")
    retry = warned + retry

    def ask_again(server, sock):
        while len(server.received) < len(first) and (more := sock.recv(65536)):
            server.received += more
        sock.sendall(retry)
        keep(server, sock)

    server = serve(ask_again, "allowed.test")
    world = make_world("allowed.test")
    _, _, sock = world.tunnel("allowed.test:443")
    sock.sendall(first if polite else first + second)
    assert read_exactly(sock, len(retry)) == retry
    if polite:
        sock.sendall(second)
    assert read_all(sock) == ALERT
    assert world.refused() == [("exfiltr.test", 443)]
    assert server.received == first


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x15\x03\x03\x00\x02\x02\x28", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03", b"\x16"],
)
def test_whatever_else_a_server_answers_is_handed_on(make_world, serve, answer):
    def refuse(server, sock):
        sock.recv(65536)
        sock.sendall(answer)

    serve(refuse, "allowed.test")
    world = make_world("allowed.test")
    _, _, sock = world.tunnel("allowed.test:443")
    sock.sendall(client_hello("allowed.test"))
    sock.shutdown(socket.SHUT_WR)
    assert read_all(sock) == answer
    assert world.egress.refusals() == ()


def test_a_server_hello_in_pieces_is_not_handed_on(make_world, serve):
    pieces = b"\x16\x03\x03\x00\x01\x02" + b"\x16\x03\x03\x00\x50" + bytes(80)
    server = serve(
        lambda server, sock: (sock.recv(65536), sock.sendall(pieces), keep(server, sock)), "allowed.test"
    )
    world = make_world("allowed.test")
    _, _, sock = world.tunnel("allowed.test:443")
    sock.sendall(client_hello("allowed.test"))
    assert read_all(sock) == ALERT
    assert world.refused() == [("allowed.test", 443)]
    assert server.received == b""


def with_extension(hello: bytes, kind: int, data: bytes) -> bytes:
    """Return the hello with one more extension at its end."""
    extra = kind.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data
    body = hello[9:]
    at = 34 + 1 + body[34]
    at += 2 + int.from_bytes(body[at : at + 2], "big")
    at += 1 + body[at]
    size = int.from_bytes(body[at : at + 2], "big") + len(extra)
    body = body[:at] + size.to_bytes(2, "big") + body[at + 2 :] + extra
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


FRONTS = {
    "another name": (lambda: client_hello("exfiltr.test"), "exfiltr.test"),
    "a name below": (lambda: client_hello("x.allowed.test"), "x.allowed.test"),
    "a name with a dot": (
        lambda: client_hello("allowed.test.x").replace(b"test.x", b"test.\0"),
        "allowed.test.?",
    ),
    "no name": (lambda: client_hello(None), "allowed.test"),
    "an encrypted hello": (
        lambda: with_extension(client_hello("allowed.test"), 0xFE0D, b"\0" * 40),
        "allowed.test",
    ),
    "an encrypted name": (
        lambda: with_extension(client_hello("allowed.test"), 0xFFCE, b"\0" * 40),
        "allowed.test",
    ),
    "two names": (
        lambda: with_extension(client_hello("allowed.test"), 0, b"\0\x0f\0\0\x0cexfiltr.test"),
        "allowed.test",
    ),
    "http": (lambda: b"POST / HTTP/1.1\r\nHost: exfiltr.test\r\n\r\nsecret", "allowed.test"),
    "ssh": (lambda: b"SSH-2.0-OpenSSH_9.2p1\r\n", "allowed.test"),
    "sslv2": (lambda: b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(40), "allowed.test"),
    "a server hello": (lambda: b"\x16\x03\x01\x00\x30\x02\x00\x00\x2c" + bytes(44), "allowed.test"),
    "an empty record": (lambda: b"\x16\x03\x01\x00\x00" + client_hello("allowed.test"), "allowed.test"),
}


@pytest.mark.parametrize("front", FRONTS)
def test_tls_for_something_else_is_not_handed_on(make_world, serve, front):
    make, refused = FRONTS[front]
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test")
    status, _, sock = world.tunnel("allowed.test:443")
    assert status == 200
    sock.sendall(make())
    assert read_all(sock) == ALERT
    assert world.egress.refusals() == ((refused, 443, "python", 1),)
    wait_for(lambda: server.accepted == 1)
    assert server.received == b""


def test_the_case_of_a_server_name_does_not_matter(make_world, serve):
    server = serve(keep, "allowed.test")
    world = make_world("Allowed.TEST")
    _, _, sock = world.tunnel("ALLOWED.test.:443")
    hello = client_hello("allowed.test").replace(b"allowed.test", b"ALLOWED.TEST")
    sock.sendall(hello)
    wait_for(lambda: server.received == hello)


def test_a_listed_address_is_reached_without_a_server_name(make_world, serve_tls, authority):
    server = serve_tls("127.0.0.1")
    world = make_world(f"127.0.0.1:{server.place[1]}")
    status, _, sock = world.tunnel(f"127.0.0.1:{server.place[1]}")
    assert status == 200
    assert talk(authority, sock, "127.0.0.1") == ("127.0.0.1", b"hello")


def test_a_listed_address_is_no_way_to_a_name(make_world, serve):
    server = serve(keep)
    world = make_world(f"127.0.0.1:{server.place[1]}")
    _, _, sock = world.tunnel(f"127.0.0.1:{server.place[1]}")
    sock.sendall(client_hello("exfiltr.test"))
    assert read_all(sock) == ALERT
    assert world.refused() == [("exfiltr.test", server.place[1])]
    assert server.received == b""


def test_an_ipv6_address_is_reached(make_world):
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with listener:
        port = listener.getsockname()[1]
        world = make_world(f"[::1]:{port}")
        status, _, sock = world.tunnel(f"[0:0::1]:{port}")
        assert status == 200
        sock.sendall(b"plain")
        far, _ = listener.accept()
        with far:
            far.settimeout(SECONDS)
            assert read_exactly(far, 5) == b"plain"
    wait_for(world.egress.reached)
    assert world.reached() == [("::1", port)]


def test_on_a_listed_port_other_protocols_pass(make_world, serve):
    def greet(server, sock):
        sock.sendall(b"220 hello\r\n")
        echo(server, sock)

    serve(greet, "allowed.test")
    world = make_world("allowed.test:2525", private=("allowed.test:2525",))
    _, greeting, sock = world.tunnel("allowed.test:2525")  # it may have come together with the head
    while len(greeting) < 11:
        greeting += sock.recv(11).decode()
    assert greeting == "220 hello\r\n"
    sock.sendall(b"EHLO\r\n")
    sock.shutdown(socket.SHUT_WR)
    assert read_all(sock) == b"EHLO\r\n"


def test_tls_is_looked_at_on_other_ports_too(make_world, serve):
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test:8443")
    _, _, sock = world.tunnel("allowed.test:8443")
    sock.sendall(client_hello("exfiltr.test"))
    assert read_all(sock) == ALERT
    assert world.refused() == [("exfiltr.test", 8443)]
    assert server.received == b""


def test_each_direction_ends_by_itself(make_world, serve):
    def late(server, sock):
        keep(server, sock)
        sock.sendall(b"answer after the end")

    server = serve(late, "allowed.test")
    world = make_world("allowed.test:8443")
    _, _, sock = world.tunnel("allowed.test:8443")
    sock.sendall(b"question")
    sock.shutdown(socket.SHUT_WR)
    assert read_all(sock) == b"answer after the end"
    assert server.received == b"question"


def test_a_broken_server_is_no_end_that_could_be_believed(make_world, serve):
    def breaking(server, sock):
        sock.recv(100)
        sock.sendall(b"half of i")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    serve(breaking, "allowed.test")
    world = make_world("allowed.test:8443")
    _, _, sock = world.tunnel("allowed.test:8443")
    sock.sendall(b"go")
    read_to_reset(sock)


def test_an_allowed_host_that_does_not_answer_is_said_to_be_allowed(make_world, names):
    with socket.create_server(("127.0.0.1", 0)) as free:
        names.add("allowed.test", free.getsockname()[:2])
    world = make_world("allowed.test", "unknown.test")
    status, body, _ = world.tunnel("allowed.test:443")
    assert (status, body) == (
        502,
        "veln-hook: allowed.test:443 is allowed, but can't be reached: Connection refused\n",
    )
    status, body, _ = world.tunnel("unknown.test:443")
    assert (status, body) == (502, "veln-hook: unknown.test:443 is allowed, but its name doesn't resolve\n")
    assert world.egress.refusals() == world.egress.reached() == ()


def test_the_second_address_is_tried(make_world, serve, names):
    server = serve(keep)
    with socket.create_server(("127.0.0.1", 0)) as free:
        names.add("allowed.test", free.getsockname()[:2], server.place)
    assert make_world("allowed.test").tunnel("allowed.test:443")[0] == 200
    assert names.asked == ["allowed.test"]
