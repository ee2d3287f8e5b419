"""Programs that know no proxy: they look names up, get addresses that stand for them, and connect."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, ip_network

import pytest
from gate_world import SECONDS, echo, keep, query, read_all, read_exactly, respond, wait_for
from test_gate_tunnel import ALERT, talk

from support.tls import client_hello

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Lookup:
    """A client of DNS."""

    def __init__(self, world, how: str) -> None:
        self._stream = how == "tcp"
        if self._stream:
            self._sock = world.handed("connection dns resolver")
        else:
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sock.connect(world.listen("dns"))
            self._sock.settimeout(SECONDS)

    def ask(self, message: bytes) -> bytes:
        if not self._stream:
            self._sock.send(message)
            return self._sock.recv(4096)
        self._sock.sendall(len(message).to_bytes(2, "big") + message)
        size = int.from_bytes(read_exactly(self._sock, 2), "big")
        return read_exactly(self._sock, size)

    def code(self, name: str, kind: int = 1) -> tuple[int, int]:
        """Return the response code and the number of answers."""
        reply = self.ask(query(name, kind))
        return reply[3] & 15, struct.unpack("!H", reply[6:8])[0]

    def address(self, name: str) -> str:
        reply = self.ask(query(name))
        assert reply[:2] == query(name)[:2]
        assert (reply[3] & 15, reply[6:8]) == (0, b"\0\1")
        return socket.inet_ntoa(reply[-4:])

    def close(self) -> None:
        self._sock.close()


@pytest.fixture(params=["udp", "tcp"])
def lookup(request):
    made = []

    def make(world):
        made.append(Lookup(world, request.param))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def name_of():
    """Return a name's fake address, asked over UDP."""

    def ask(world, name: str) -> str:
        one = Lookup(world, "udp")
        try:
            return one.address(name)
        finally:
            one.close()

    return ask


def test_allowed_names_have_stable_fake_addresses(make_world, lookup, names):
    one = lookup(make_world("allowed.test", "*.wild.test:8443", "*.wild.test"))
    first, second = one.address("allowed.test"), one.address("a.b.wild.test")
    assert first != second
    assert one.address("ALLOWED.test.") == first
    assert IPv4Address(first) in ip_network("198.18.0.0/15")
    assert names.asked == []


def test_other_names_do_not_exist_and_are_told(make_world, lookup):
    world = make_world("allowed.test", "*.wild.test", "pypi.org")
    one = lookup(world)
    for name in ("evil.test", "x.allowed.test", "wild.test", "pypi.org", "allowed.test.evil.test"):
        assert one.code(name) == one.code(name, 28) == (3, 0)
    assert world.refused() == [
        (name, None)
        for name in ("evil.test", "x.allowed.test", "wild.test", "pypi.org", "allowed.test.evil.test")
    ]
    assert {row.count for row in world.egress.refusals()} == {2}


@pytest.mark.parametrize("kind", [28, 65, 16, 15, 33, 255])
def test_an_allowed_name_has_nothing_but_an_ipv4_address(make_world, lookup, kind):
    world = make_world("allowed.test")
    assert lookup(world).code("allowed.test", kind) == (0, 0)
    assert world.egress.refusals() == ()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0\7\1\0\0\1",
        query("allowed.test")[:-1],
        query("allowed.test")[:20],
        query("allowed.test").replace(b"\0\1\0\0\0\0\0\0", b"\0\2\0\0\0\0\0\0", 1),
        b"\0\7\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1",
        b"\0\7\1\0\0\1\0\0\0\0\0\0" + b"\x3f" + b"a" * 63 + b"\x3f" + b"a" * 63 * 4,
        query("evil.test").replace(b"\4evil\4test", b"\x09evil.test"),
    ],
    ids=range(8),
)
def test_malformed_questions_have_no_address(make_world, message):
    world = make_world("allowed.test", "evil.test.test")
    one = Lookup(world, "udp")
    one._sock.send(message)
    # The answer to the next question shows that the first one is done with, answered or not.
    one._sock.send(query("allowed.test", number=99))
    replies = [one._sock.recv(4096)]
    while replies[-1][:2] != b"\0\x63":
        replies.append(one._sock.recv(4096))
    assert all(reply[3] & 15 and reply[6:8] == b"\0\0" for reply in replies[:-1])
    one.close()


def test_an_answer_is_not_answered(make_world):
    one = Lookup(make_world("allowed.test"), "udp")
    answer = bytearray(query("allowed.test"))
    answer[2] |= 0x80
    one._sock.send(bytes(answer))
    one._sock.send(query("allowed.test", number=99))
    assert one._sock.recv(4096)[:2] == b"\0\x63"
    one.close()


def connect_fake(world, address: str, port: int) -> socket.socket:
    """Connect to a fake address, as a supervisor hands it over."""
    return world.handed(f"connection tcp {address} {port} a program")


def test_tls_reaches_the_host_behind_the_address(make_world, serve_tls, authority, name_of):
    serve_tls("allowed.test")
    world = make_world("allowed.test")
    sock = connect_fake(world, name_of(world, "allowed.test"), 443)
    assert talk(authority, sock) == ("allowed.test", b"hello")
    wait_for(world.egress.reached)
    assert world.egress.reached() == (("allowed.test", 443, "a program", 1),)


@pytest.mark.parametrize("name", ["exfiltr.test", None])
def test_tls_for_another_host_does_not(make_world, serve, name_of, name):
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test")
    sock = connect_fake(world, name_of(world, "allowed.test"), 443)
    sock.sendall(client_hello(name))
    assert read_all(sock) == ALERT
    assert world.refused() == [(name or "allowed.test", 443)]
    assert server.received == b""


def test_http_reaches_the_host_behind_the_address_and_no_other(make_world, serve, name_of):
    server = serve(respond(OK), "allowed.test")
    world = make_world("allowed.test")
    address = name_of(world, "allowed.test")
    for host, status in (("allowed.test", b"200"), ("evil.test", b"403"), (address, b"403")):
        sock = connect_fake(world, address, 80)
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert read_all(sock).split()[1] == status
    assert server.accepted == 1


def test_a_port_that_is_not_listed_is_refused(make_world, serve, name_of):
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test:8443")
    address = name_of(world, "allowed.test")
    assert b" 403 veln-hook: allowed.test:80 is not " in read_all(connect_fake(world, address, 80))
    assert read_all(connect_fake(world, address, 443)) == ALERT
    with pytest.raises(ConnectionResetError):
        connect_fake(world, address, 22).recv(1)
    assert world.refused() == [("allowed.test", 80), ("allowed.test", 443), ("allowed.test", 22)]
    assert server.accepted == 0


def test_a_listed_port_passes_other_protocols(make_world, serve, name_of):
    serve(echo, "allowed.test")
    world = make_world("allowed.test:8443")
    sock = connect_fake(world, name_of(world, "allowed.test"), 8443)
    sock.sendall(b"plain")
    assert read_exactly(sock, 5) == b"plain"


@pytest.mark.parametrize(
    "address", ["198.18.9.9", "198.18.0.0", "198.17.255.255", "127.0.0.1", "0x7f.1", "", "x"]
)
def test_an_address_that_stands_for_no_name_is_refused(make_world, name_of, address):
    world = make_world("allowed.test")
    assert name_of(world, "allowed.test") == "198.18.0.1"
    sock = world.handed(f"connection tcp {address} 8443 a program")
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    assert world.egress.refusals() == ((address, 8443, "a program", 1),)


def test_a_listener_serves_what_came_to_its_addresses(make_world):
    world = make_world("allowed.test")
    # 127.0.0.1 is what every loopback has; 198.18.0.0/15 exists in the network of a command only.
    address, port = world.listen("tcp")
    with pytest.raises(ConnectionResetError):
        world.connect((address, port)).recv(1)
    assert world.egress.refusals() == (("127.0.0.1", port, "python", 1),)


def test_names_without_an_answer_reset_the_connection(make_world, name_of):
    world = make_world("unknown.test")
    address = name_of(world, "unknown.test")
    with pytest.raises(ConnectionResetError):
        connect_fake(world, address, 443).recv(1)
    sock = connect_fake(world, address, 80)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n")
    assert b" 502 veln-hook: unknown.test:80 is allowed, but " in read_all(sock)
    assert world.egress.refusals() == ()
