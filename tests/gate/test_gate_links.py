"""Connections to indexes: few, kept, replaced where they broke, and left where nothing comes."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from gate_interception import ok, once, read
from gate_world import SECONDS, read_all, wait_for

from veln_hook.gate.limits import Limits

LENGTH = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_connection_that_was_closed_meanwhile_is_replaced(make_gate, make_site):
    site = make_site("index.test", once(ok(b"a")), ok(b"b"))
    gate = make_gate()
    assert gate.get("index.test")[1] == b"a"
    assert gate.get("index.test")[1] == b"b"
    assert site.accepted == 2


def test_a_connection_that_is_closed_by_the_next_request_is_replaced_once(make_gate, make_site):
    site = make_site("index.test", ok(b"a"), lambda *_: False, ok(b"b"))
    gate = make_gate()
    assert gate.get("index.test")[1] == b"a"
    assert gate.get("index.test")[1] == b"b"
    assert (site.accepted, len(site.heads)) == (2, 3)


def test_an_upload_is_not_repeated(make_gate, make_site):
    site = make_site("index.test", ok(b"a"), lambda *_: False, ok(b"b"))
    gate = make_gate()
    assert gate.get("index.test")[1] == b"a"
    response, _ = gate.get("index.test", method="DELETE")
    assert response.status == 502
    assert len(site.heads) == 2


def test_a_server_that_always_closes_is_asked_twice_and_no_more(make_gate, make_site):
    site = make_site("index.test", ok(b"a"), lambda *_: False)
    gate = make_gate()
    assert gate.get("index.test")[1] == b"a"
    assert gate.get("index.test")[0].status == 502
    assert len(site.heads) == 3


def test_bytes_that_nobody_asked_for_are_no_answer(make_gate, make_site):
    # The start of a second response, which a later request would take for its own.
    sent = threading.Event()

    def answer(sock, _):
        sock.sendall(ok(b"a"))
        time.sleep(0.05)
        sock.sendall(ok(b"smuggled"))
        sent.set()

    site = make_site("index.test", answer, ok(b"b"))
    gate = make_gate()
    assert gate.get("index.test")[1] == b"a"
    assert sent.wait(SECONDS)
    wait_for(lambda: _has_seen_more(gate))
    assert gate.get("index.test")[1] == b"b"
    assert site.accepted == 2


def _has_seen_more(gate) -> bool:
    """Tell whether what nobody asked for has arrived: with the answer, or at the connection that was kept."""
    if not gate.upstream._pool._spare:
        return True
    (link,) = gate.upstream._pool._spare
    ready = bytearray(1)
    with socket.socket(fileno=socket.dup(link._sock.fileno())) as copy:
        copy.setblocking(False)
        try:
            return copy.recv_into(ready, 1, socket.MSG_PEEK) == 1
        except BlockingIOError:
            return False


def test_a_connection_with_half_of_another_answer_is_not_used_again(make_gate, make_site):
    site = make_site("index.test", ok(b"a") + b"HTTP/1.1 200 OK\r\nContent-Le", ok(b"b"))
    gate = make_gate()
    assert [gate.get("index.test")[1] for _ in range(2)] == [b"a", b"b"]
    assert site.accepted == 2


def test_a_connection_that_was_answered_before_all_was_sent_is_not_used_again(make_gate, make_site):
    site = make_site("index.test", ok(b"early"), ok(b"b"))
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(
        b"POST / HTTP/1.1\r\nHost: index.test\r\nContent-Length: 99\r\n\r\nGET /smuggled HTTP/1.1\r\n"
    )
    assert read_all(sock).endswith(b"early")
    assert gate.get("index.test")[1] == b"b"
    assert site.accepted == 2


@pytest.mark.parametrize("header", ["Connection: close", "Connection: x, Close"])
def test_a_server_that_says_close_gets_a_new_connection(make_gate, make_site, header):
    site = make_site("index.test", ok(b"a", header), ok(b"b"))
    gate = make_gate()
    assert [gate.get("index.test")[1] for _ in range(2)] == [b"a", b"b"]
    assert site.accepted == 2


def test_there_are_no_more_connections_to_a_host_than_allowed(make_gate, make_site):
    room, most, lock, together = [0], [0], threading.Lock(), threading.Barrier(3)

    def answer(sock, _):
        with lock:
            room[0] += 1
            most[0] = max(most[0], room[0])
        together.wait(SECONDS)
        with lock:
            room[0] -= 1
        sock.sendall(ok(b"x"))

    site = make_site("index.test", answer)
    gate = make_gate(limits=Limits(host_connections=3))
    got: list[bytes] = []
    threads = [threading.Thread(target=lambda: got.append(gate.get("index.test")[1])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert got == [b"x"] * 12
    assert (site.accepted, most[0]) == (3, 3)


def test_those_who_wait_get_the_room_of_a_connection_that_broke(make_gate, make_site):
    site = make_site("index.test", lambda *_: False)
    gate = make_gate(limits=Limits(host_connections=1))
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(gate.get("index.test")[0].status)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert statuses == [502] * 6
    assert site.accepted == 6


def test_whoever_waits_too_long_is_told(make_gate, make_site):
    done = threading.Event()

    def hold(sock, _):
        done.wait(SECONDS)
        sock.sendall(ok())

    site = make_site("index.test", hold)
    gate = make_gate(limits=Limits(host_connections=1, idle_seconds=0.5))
    first = threading.Thread(target=lambda: gate.get("index.test"))
    first.start()
    wait_for(lambda: site.heads)
    response, _ = gate.get("index.test")
    done.set()
    first.join(SECONDS)
    assert "too much is asked of https://index.test at once" in response.reason


def test_a_client_that_leaves_while_it_waits_takes_no_room(make_gate, make_site):
    done = threading.Event()

    def hold(sock, _):
        done.wait(SECONDS)
        sock.sendall(ok(b"x"))

    site = make_site("index.test", hold)
    gate = make_gate(limits=Limits(host_connections=1, turn_seconds=0.5))
    sock = gate.secure("index.test:443")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: index.test\r\n\r\n")
    wait_for(lambda: site.heads)
    waiting = gate.secure("index.test:443")
    waiting.sendall(b"GET / HTTP/1.1\r\nHost: index.test\r\n\r\n")
    wait_for(lambda: gate.egress.connections() == 0)  # the limit of each request has ended both
    done.set()
    assert gate.get("index.test")[1] == b"x"
    assert [host.count for host in gate.upstream._pool._hosts.values()] == [1]


def test_connections_are_closed_after_a_while(make_gate, make_site):
    ended = threading.Event()

    def answer(sock, _):
        sock.sendall(ok(b"x"))
        assert sock.recv(10) == b""
        ended.set()
        return False

    make_site("index.test", answer)
    gate = make_gate(limits=Limits(spare_seconds=0.2))
    assert gate.get("index.test")[1] == b"x"
    assert ended.wait(SECONDS)
    wait_for(lambda: not gate.upstream._pool._hosts)


def test_few_connections_are_kept(make_gate, make_site):
    gate = make_gate(limits=Limits(spare_connections=2))
    for number in range(4):
        make_site(f"index{number}.test", ok(b"x"))
        assert gate.get(f"index{number}.test")[1] == b"x"
    assert [str(link.place) for link in gate.upstream._pool._spare] == [
        "https://index2.test",
        "https://index3.test",
    ]
    assert len(gate.upstream._pool._hosts) == 2


def test_the_next_handshake_resumes_the_session(make_gate, make_site):
    site = make_site("index.test", ok(b"a", "Connection: keep-alive"), once(ok(b"b")), ok(b"c"))
    gate = make_gate()
    for expected in (b"a", b"b", b"c"):
        assert gate.get("index.test")[1] == expected
    assert site.resumed == [False, True]


@pytest.mark.parametrize(
    "start, told",
    [
        (b"", "https://index.test doesn't answer in time"),
        (b"HTTP/1.1 200 OK\r\n", "https://index.test doesn't answer in time"),
        (LENGTH.format(10).encode() + b"abc", "the answer of https://index.test didn't go on in time"),
        (CHUNKED + b"a\r\nabc", "the answer of https://index.test didn't go on in time"),
    ],
)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_server_that_stalls_is_left(make_gate, make_site, start, told, scheme):
    done = threading.Event()

    def stall(sock, _):
        sock.sendall(start)
        done.wait(SECONDS)
        return False

    make_site("index.test", stall, secure=scheme == "https")
    limits = Limits(answer_seconds=0.3, stall_seconds=0.3)
    gate = make_gate(read(url=f"{scheme}://index.test/"), limits=limits)
    response, body = gate.get("index.test")
    done.set()
    expected = told.replace("https", scheme)
    assert (response.status, body.decode().partition(": ")[2]) == (502, expected)
    wait_for(lambda: not gate.upstream._pool._hosts)


def test_a_body_that_comes_byte_by_byte_ends(make_gate, make_site):
    def drip(sock, _):
        sock.sendall(LENGTH.format(100_000).encode())
        while True:
            sock.sendall(b"x")
            time.sleep(0.01)

    make_site("index.test", drip)
    gate = make_gate(read(), limits=Limits(body_seconds=0.5))
    response, body = gate.get("index.test")
    assert (response.status, b"cut off" in body or b"in time" in body) == (502, True)


def test_a_server_that_does_not_shake_hands_is_left(make_gate, names):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        names.add("index.test", silent.getsockname())
        _, body = make_gate(read(), limits=Limits(reach_seconds=0.3)).get("index.test")
        assert body == b"UpstreamError: https://index.test doesn't answer in time"


def test_a_server_that_resets_is_told_of(make_gate, make_site):
    def reset(sock, _):
        sock.sendall(LENGTH.format(100).encode() + b"abc")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False

    make_site("index.test", reset, secure=False)
    _, body = make_gate(read(url="http://index.test/")).get("index.test")
    assert body in (
        b"AnswerCutOffError: the answer of http://index.test was cut off",
        b"UpstreamError: http://index.test closed the connection without an answer",
    )
