"""Ways past the list: each is really tried, and what counts is what resolver and servers have seen."""

from __future__ import annotations

import socket

import pytest
from gate_world import keep, query, read_all, respond, wait_for

from support.tls import client_hello

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

CONFUSED = [
    "allowed.test@evil.test:443",
    "evil.test:443@allowed.test:443",
    "allowed.test:x@evil.test:443",
    "evil.test\t.allowed.test:443",
    "evil.test#.allowed.test:443",
    "evil.test?.allowed.test:443",
    "evil.test/.allowed.test:443",
    "evil.test\\.allowed.test:443",
    "evil.test%00.allowed.test:443",
    "evil.test%2eallowed.test:443",
    "evil.test\x00.allowed.test:443",
    "allowed.test:443/evil",
    "allowed.test:443?x",
    "allowed.test:443:443",
    "allowed.test:+443",
    "allowed.test:0443443",
    "allowed.test:65979",
    "allowed.test:0",
    "allowed.test:",
    "allowed.test",
    "allowed.test..:443",
    ".allowed.test:443",
    "*.allowed.test:443",
    "-allowed.test:443",
    "\uff41llowed.test:443".encode().decode("latin-1"),
    "allowed\u3002test:443".encode().decode("latin-1"),
    "ällowed.test:443",
    "x" * 64 + ".allowed.test:443",
    "x." * 130 + "allowed.test:443",
    "notallowed.test:443",
    "allowed.test.evil.test:443",
    "evil.test:443",
    "https://allowed.test:443",
    "//allowed.test:443",
    "[allowed.test]:443",
    "127.0.0.1:443",
    "127.0.0.1.:443",
    "0x7f.1:443",
    "0x7f000001:443",
    "2130706433:443",
    "017700000001:443",
    "0177.0.0.1:443",
    "127.1:443",
    "127.0.0.01:443",
    "0:443",
    "[::1]:443",
    "[::ffff:127.0.0.1]:443",
    "[::ffff:7f00:1]:443",
    "[64:ff9b::7f00:1]:443",
    "[fe80::1%25lo]:443",
    "[fe80::1%lo]:443",
    "::1:443",
    "169.254.169.254:443",
    "localhost:443",
]


@pytest.mark.parametrize("target", CONFUSED, ids=ascii)
def test_a_host_that_is_not_listed_in_its_one_spelling_is_refused_and_never_resolved(
    make_world, names, target
):
    for name in ("allowed.test", "evil.test", "localhost"):
        names.add(name, ("127.0.0.1", 9))
    world = make_world("allowed.test", "*.allowed.test")
    for lines in (f"Host: {target}\r\n", "Host: allowed.test:443\r\n"):
        told = world.request(f"CONNECT {target} HTTP/1.1\r\n{lines}\r\n")
        assert told.split()[1] in ("400", "403")
        # Even for an allowed prefix nothing was looked up.
        assert names.asked == []
    assert world.egress.reached() == ()


@pytest.mark.parametrize("target", CONFUSED, ids=ascii)
def test_the_same_in_a_url(make_world, names, target):
    for name in ("allowed.test", "evil.test", "localhost"):
        names.add(name, ("127.0.0.1", 9))
    world = make_world("allowed.test", "*.allowed.test")
    target = target.replace("443", "80")
    for host in (target, "allowed.test"):
        told = world.request(f"GET http://{target}/ HTTP/1.1\r\nHost: {host}\r\n\r\n")
        if target in (
            "allowed.test",
            "allowed.test:80/evil",
            "allowed.test:80?x",
        ):  # in a URL these are right
            continue
        assert told.split()[1] in ("400", "403")
        assert names.asked == []


@pytest.mark.parametrize(
    "header",
    [
        "Host: evil.test",
        "Host: evil.test:80",
        "Host: allowed.test:81",
        "Host: allowed.test, evil.test",
        "Host: user@allowed.test",
        "Host: allowed.test/",
        "Host: ",
        "Host: allowed.test\r\nHost: evil.test",
        "Host: allowed.test\r\nHost: allowed.test",
        "Host : evil.test",
        " Host: evil.test",
        "X: 1\r\n Host: evil.test",
        "X: 1",
    ],
)
def test_a_request_with_another_host_in_its_header_reaches_nobody(make_world, serve, names, header):
    server = serve(respond(OK), "allowed.test", "evil.test")
    world = make_world("allowed.test")
    told = world.request(f"GET http://allowed.test/ HTTP/1.1\r\n{header}\r\nConnection: close\r\n\r\n")
    assert told.split()[1] in ("400", "403")
    assert (server.accepted, names.asked) == (0, [])


SMUGGLED = "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 9\r\n\r\n",
        "Content-Length: 0, 9\r\n\r\n",
        "Content-Length: +9\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 0x9\r\n\r\n",
        "Content-Length : 9\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        "X: y\nTransfer-Encoding: chunked\x00\r\n\r\n",
    ],
)
def test_a_request_with_two_framings_is_not_forwarded(make_world, serve, framing):
    server = serve(keep, "allowed.test", "evil.test")
    world = make_world("allowed.test")
    told = world.request(f"POST http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n{framing}{SMUGGLED}")
    assert told.split()[1] in ("400", "501")
    assert told.count("HTTP/1.1 ") == 1
    assert server.received == b""


@pytest.mark.parametrize(
    "chunk",
    [
        "5;\nx\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "-5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "5 5\r\nhello\r\n",
        "g\r\nhello\r\n",
    ],
)
def test_chunks_that_can_be_read_in_two_ways_end_the_connection(make_world, serve, chunk):
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test")
    told = world.request(
        "POST http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"{chunk}{SMUGGLED}"
    )
    assert told.split()[1] == "400"
    assert b"evil.test" not in server.received
    assert world.egress.refusals() == ()


def test_a_second_request_is_judged_by_itself(make_world, serve, names):
    server = serve(respond(OK), "allowed.test", "evil.test")
    world = make_world("allowed.test")
    told = world.request(f"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n{SMUGGLED}")
    assert [part.split()[0] for part in told.split("HTTP/1.1 ")[1:]] == ["200", "403"]
    assert (server.accepted, names.asked) == (1, ["allowed.test"])


def test_what_a_server_sends_too_much_is_no_response(make_world, serve):
    serve(respond(OK + b"HTTP/1.1 200 Smuggled\r\nContent-Length: 0\r\n\r\n"), "allowed.test")
    world = make_world("allowed.test")
    request = "GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n"
    told = world.request(f"{request}\r\n{request}Connection: close\r\n\r\n")
    assert told.count("HTTP/1.1 200 OK") == 2
    assert "Smuggled" not in told


def test_connect_with_a_body_is_refused(make_world, serve):
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test")
    for framing in ("Content-Length: 5", "Transfer-Encoding: chunked"):
        told = world.request(
            f"CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n{framing}\r\n\r\n5\r\nhello"
        )
        assert told.split()[1] == "400"
    assert server.accepted == 0


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1\r\nHost: allowed.test",
        "OPTIONS * HTTP/1.1\r\nHost: allowed.test",
        "GET https://allowed.test/ HTTP/1.1\r\nHost: allowed.test",
        "GET ftp://allowed.test/ HTTP/1.1\r\nHost: allowed.test",
        "GET http:allowed.test/ HTTP/1.1\r\nHost: allowed.test",
        "GET http:///allowed.test/ HTTP/1.1\r\nHost: allowed.test",
        "GET http://allowed.test:443/ HTTP/1.1\r\nHost: allowed.test:443",
        "GET http://allowed.test/#x HTTP/1.1\r\nHost: allowed.test",
        "GET allowed.test HTTP/1.1\r\nHost: allowed.test",
        "PRI * HTTP/2.0\r\n\r\nSM",
        "\x16\x03\x01\x00\x05hello\r\n",
        "\x05\x01\x00",
    ],
)
def test_what_is_no_request_to_a_proxy_is_refused(make_world, serve, names, line):
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test")
    assert world.request(f"{line}\r\n\r\n").split()[1] in ("400", "403")
    assert (server.accepted, names.asked) == (0, [])


PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.251",
    "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "2002:7f00:1::1", "2001::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1",
    "ff02::1", "2001:db8::1", "100::1", "5f00::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_to_a_private_address_is_refused(make_world, names, address):
    names.add("rebound.test", (address, 443))
    world = make_world("rebound.test")
    status, body, _ = world.tunnel("rebound.test:443")
    assert status == 403
    assert "its address is private" in body
    assert world.refused() == [("rebound.test", 443)]
    assert world.egress.reached() == ()


def test_a_private_address_among_public_ones_is_left_out(make_world, serve, names):
    server = serve(keep)
    # 192.0.2.0/24 and 127.0.0.0/8 are both not public, so that nothing is left here.
    names.add("mixed.test", server.place, ("192.0.2.1", 443))
    world = make_world("mixed.test")
    assert world.tunnel("mixed.test:443")[0] == 403
    assert server.accepted == 0


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(make_world, serve, names):
    server = serve(keep, "allowed.test")
    evil = serve(keep)
    world = make_world("allowed.test")
    real = names.__class__.__call__

    class Rebinding(type(names)):
        def __call__(self, host, port, *, type):  # noqa: A002
            answer = real(self, host, port, type=type)
            self.add(host, evil.place)
            return answer

    names.__class__ = Rebinding
    assert world.tunnel("allowed.test:443")[0] == 200
    assert names.asked == ["allowed.test"]
    wait_for(lambda: server.accepted == 1)
    assert evil.accepted == 0


def test_a_private_name_must_be_listed_for_that(make_world, serve):
    server = serve(keep, "inside.test")
    assert make_world(private=("inside.test",)).tunnel("inside.test:443")[0] == 403
    assert make_world("inside.test", private=("inside.test:80",)).tunnel("inside.test:443")[0] == 403
    assert server.accepted == 0
    assert make_world("inside.test", private=("inside.test",)).tunnel("inside.test:443")[0] == 200


@pytest.mark.parametrize("host", ["pypi.org", "files.pythonhosted.org", "test.pypi.org", "index.corp.test"])
@pytest.mark.parametrize("allowed", ["itself", "wildcard"])
def test_an_index_is_never_reached_through_a_tunnel(make_world, serve, names, host, allowed):
    server = serve(keep, host)
    entry = host if allowed == "itself" else "*." + host.partition(".")[2]
    options = {"index_hosts": ("index.corp.test",), "private": (entry, f"{entry}:8443")}
    world = make_world(entry, f"{entry}:8443", **options)
    for port in (443, 8443, 80):
        status, body, _ = world.tunnel(f"{host}:{port}")
        assert status == 403
        assert body.startswith(f"veln-hook: {host} is a package index")
    assert " 403 " in world.request(f"GET http://{host}/simple/ HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert (server.accepted, names.asked) == (0, [])


def test_an_index_is_not_reached_by_its_name_in_tls(make_world, serve):
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test", "pypi.org")
    _, _, sock = world.tunnel("allowed.test:443")
    sock.sendall(client_hello("pypi.org"))
    assert read_all(sock).startswith(b"\x15\x03")
    assert server.received == b""


def test_refused_names_are_never_looked_up_whoever_asks(make_world, names):
    world = make_world("allowed.test")
    leak = "c2vjcmv0.exfiltration.evil.test"
    world.tunnel(f"{leak}:443")
    world.request(f"GET http://{leak}/ HTTP/1.1\r\nHost: {leak}\r\n\r\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(world.listen("dns"))
        sock.settimeout(30)
        sock.send(query(leak))
        assert sock.recv(512)[3] & 15 == 3
    assert names.asked == []
    assert world.egress.refusals() == ((leak, 443, "python", 1), (leak, 80, "python", 1), (leak, None, "", 1))


def test_the_gate_listens_nowhere(make_world):
    """No port of the host leads into the gate: every listening socket of this process is one that was there."""
    before = listening_ports()
    world = make_world("allowed.test")
    assert listening_ports() == before
    place = world.listen("proxy")
    # What was handed over is still where it was made: in the command's network, if that is another one.
    wait_for(lambda: listening_ports() == before | {place[1]})


def listening_ports() -> set[int]:
    """Return the TCP ports at which this process' own sockets listen."""
    import os

    inodes = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            inodes.add(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(table):
            continue
        with open(table) as file:
            for line in list(file)[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                    ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
