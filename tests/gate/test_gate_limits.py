"""What a command that means ill, or a dead peer, can hold on to: each limit is short here, and ends something."""

from __future__ import annotations

import resource
import socket
import threading

import pytest
from gate_world import SECONDS, World, keep, query, read_all, respond, wait_for

from support.tls import client_hello
from veln_hook.gate.limits import Limits, fitting_connections

SHORT = {"head_seconds": 0.3, "hello_seconds": 0.3, "linger_seconds": 0.3, "who_seconds": 0.3}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def drip(sock: socket.socket, data: bytes) -> None:
    """Send byte by byte for as long as the other side takes it."""
    for at in range(len(data)):
        try:
            sock.sendall(data[at : at + 1])
        except ConnectionError:
            return
        try:
            sock.settimeout(0.02)
            if not sock.recv(1):
                return
        except socket.timeout:
            continue
        except ConnectionError:
            return
    raise AssertionError("all of it was taken")


def test_a_head_that_comes_slowly_does_not_get_to_its_end(names):
    with World("allowed.test", names=names, limits=Limits(**SHORT)) as world:
        drip(world.proxy(), b"GET http://allowed.test/ HTTP/1.1\r\n" + b"x: y\r\n" * 500)


def test_a_hello_that_comes_slowly_does_not_get_to_its_end(names, serve):
    server = serve(keep, "allowed.test")
    with World("allowed.test", names=names, limits=Limits(**SHORT)) as world:
        _, _, sock = world.tunnel("allowed.test:443")
        drip(sock, b"\x16\x03\x01\x20\x00\x01\x00\x1f\xfc" + bytes(5000))
        assert server.received == b""


def test_a_question_that_comes_slowly_does_not_get_to_its_end(names):
    with World("allowed.test", names=names, limits=Limits(**SHORT)) as world:
        drip(world.handed("connection dns x"), b"\xff\xff" + bytes(5000))


def test_a_client_that_says_nothing_is_left(names):
    with World("allowed.test", names=names, limits=Limits(**SHORT)) as world:
        assert read_all(world.proxy()) == b""


def test_a_connection_in_which_nothing_happens_ends(names, serve):
    serve(keep, "allowed.test")
    with World("allowed.test:8443", names=names, limits=Limits(idle_seconds=0.3)) as world:
        _, _, sock = world.tunnel("allowed.test:8443")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_a_connection_in_which_something_happens_goes_on(names, serve):
    server = serve(keep, "allowed.test")
    with World("allowed.test:8443", names=names, limits=Limits(idle_seconds=2)) as world:
        _, _, sock = world.tunnel("allowed.test:8443")
        watch_seconds = 0
        while watch_seconds < 3:  # longer than it may be idle
            sock.sendall(b"x")
            threading.Event().wait(0.25)
            watch_seconds += 0.25
        wait_for(lambda: len(server.received) == 12)


def test_a_server_that_does_not_answer_ends_the_request(names, serve):
    serve(keep, "allowed.test")
    with World("allowed.test", names=names, limits=Limits(idle_seconds=0.3)) as world:
        assert world.request("GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n") == ""


def test_an_address_that_does_not_answer_is_given_up(names):
    # A full backlog: the kernel drops what else wants to connect.
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        names.add("allowed.test", full.getsockname())
        with World("allowed.test", names=names, limits=Limits(connect_seconds=0.3)) as world:
            status, body, _ = world.tunnel("allowed.test:443")
            assert (status, body) == (
                502, "veln-hook: allowed.test:443 is allowed, but it doesn't answer in time\n",
            )  # fmt: skip


@pytest.mark.parametrize("giant", ["x" * 70000, "x: y\r\n" * 12000, "x: " + "y" * 70000])
def test_a_giant_head_is_refused(make_world, giant):
    told = make_world("allowed.test").request(f"GET http://allowed.test/ HTTP/1.1\r\n{giant}")
    assert told.split()[1] in ("400", "431")


def test_a_giant_hello_is_refused(make_world, serve):
    server = serve(keep, "allowed.test")
    world = make_world("allowed.test")
    _, _, sock = world.tunnel("allowed.test:443")
    sock.sendall(
        b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16380) + (b"\x16\x03\x01\x40\x00" + bytes(16384)) * 4
    )
    assert read_all(sock).startswith(b"\x15\x03\x03\x00\x02\x02\x31")
    assert server.received == b""


def test_there_are_no_more_connections_than_allowed(names, serve):
    server = serve(keep, "allowed.test")
    with World("allowed.test:8443", names=names, limits=Limits(connections=3)) as world:
        tunnels = [world.tunnel("allowed.test:8443") for _ in range(3)]
        waiting = world.proxy()
        waiting.sendall(b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        # What is handed over one by one can't wait in a backlog.
        assert read_all(world.handed("connection proxy x")) == b""
        wait_for(lambda: server.accepted == 3)
        assert world.egress.refusals() == ()
        tunnels[0][2].close()
        assert b" 403 " in read_all(waiting)


def test_connections_leave_descriptors_for_others(monkeypatch):
    for soft, expected in ((1024, 384), (256, 16), (1 << 20, 1000), (resource.RLIM_INFINITY, 1000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert fitting_connections(Limits()) == expected
    assert fitting_connections(Limits(connections=7)) == 7
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    assert fitting_connections(Limits(), 3) == 256


def flood(world: World, count: int) -> None:
    """Open that many connections that do nothing, then some that do, and see that those are served."""
    place = world.listen("proxy")
    idle: list[socket.socket] = []
    try:
        for _ in range(count):
            sock = socket.socket()
            idle.append(sock)
            sock.setblocking(False)
            sock.connect_ex(place)
        told = 0
        for sock in idle[:50]:  # the oldest ones have their turn
            sock.settimeout(SECONDS)
            sock.sendall(b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n")
            told += b" 403 " in read_all(sock)
        assert told == 50
    finally:
        for sock in idle:
            sock.close()
    wait_for(lambda: world.tunnel("evil.test:443")[0] == 403)
    assert world.egress.faults() == ()


def test_a_few_hundred_idle_connections_keep_nobody_up(make_world):
    flood(make_world("allowed.test", limits=Limits(connections=100)), 300)


@pytest.mark.slow
def test_ten_thousand_connections_keep_nobody_up(make_world):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 12000:
        pytest.skip(f"this process may have {hard} file descriptors only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (12000, hard))
    try:
        flood(make_world("allowed.test", limits=Limits(connections=1000)), 10000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_nothing_is_let_through_and_later_it_goes_on(make_world, serve):
    serve(respond(OK), "allowed.test")
    world = make_world("allowed.test")
    place = world.listen("proxy")
    request = b"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\n\r\n"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_connection(place, SECONDS) as accepted, socket.socket() as waiting:
        wait_for(lambda: len(world.egress._running.server._tasks) == 1)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
        try:
            waiting.settimeout(SECONDS)
            waiting.connect(place)  # into the backlog: it can't be accepted
            waiting.sendall(request)
            accepted.sendall(request)
            assert b"Too many open files" in read_all(accepted)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert read_all(waiting).endswith(b"ok")


def test_a_flood_of_questions_fills_no_memory(make_world):
    world = make_world("allowed.test")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(world.listen("dns"))
        sock.settimeout(SECONDS)
        for number in range(1200):
            sock.send(query(f"x{number}.evil.test"))
            sock.recv(512)
    rows = world.egress.refusals()
    assert len(rows) == 1001
    assert rows[-1] == ("...", None, "", 200)


def test_clients_that_vanish_leave_nothing(names, serve):
    serve(keep, "allowed.test")
    with World("allowed.test", names=names) as world:
        world.proxy().close()
        for _ in range(30):
            sock = world.tunnel("allowed.test:443")[2]
            sock.sendall(client_hello("allowed.test")[:100])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
        wait_for(lambda: not world.egress._running.server._tasks)
