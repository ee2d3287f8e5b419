"""Many clients at once, slow ones and such that vanish, before an index that resets, lies and stalls."""

from __future__ import annotations

import collections
import hashlib
import resource
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from gate_interception import read_response
from gate_world import SECONDS, wait_for

from veln_hook.gate.limits import Limits

BODY = hashlib.sha256(b"seed").digest() * 20_000
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)


def unreliable():
    """Return an answer that is what it should be nine times of ten."""
    turn, lock = [0], threading.Lock()

    def answer(sock, _):
        with lock:
            turn[0] += 1
            kind = turn[0] % 40
        if kind == 7:  # a reset before the answer
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return False
        if kind == 17:  # a lie about the length
            sock.sendall(WHOLE + BODY[:1000])
            return False
        if kind == 27:  # a stall
            sock.sendall(WHOLE + BODY[:1000])
            time.sleep(2)
            return False
        if kind == 37:  # no HTTP
            sock.sendall(b"\0" * 100)
            return False
        sock.sendall(WHOLE)
        sock.sendall(BODY)
        return True

    return answer


def fetch(gate, number: int) -> str:
    """Ask as a client of one kind or another does; return how it ended."""
    sock = gate.secure("index.test:443", strict=True)
    sock.sendall(b"GET /%d HTTP/1.1\r\nHost: index.test\r\n\r\n" % number)
    if number % 7 == 0:
        sock.close()
        return "vanished"
    if number % 10 == 0:
        time.sleep(0.5)
    try:
        head, body = read_response(sock)
    except (EOFError, ConnectionError, ssl.SSLError):
        return "cut off"
    finally:
        sock.close()
    if head.split()[1] == "502":
        return "refused"
    assert body == BODY
    return "whole"


def load(make_gate, make_site, clients: int, rounds: int) -> None:
    site = make_site("index.test", unreliable())
    gate = make_gate(limits=Limits(stall_seconds=1, answer_seconds=SECONDS))
    with ThreadPoolExecutor(clients) as pool:
        told = collections.Counter(pool.map(lambda number: fetch(gate, number), range(clients * rounds)))
    assert told["whole"] > clients * rounds // 2
    assert told["vanished"] == len(range(0, clients * rounds, 7))
    assert told["refused"] + told["cut off"] > 0
    wait_for(lambda: gate.egress.connections() == 0)
    wait_for(lambda: all(host.count == len(host.idle) for host in gate.upstream._pool._hosts.values()))
    assert sum(host.count for host in gate.upstream._pool._hosts.values()) <= 16
    assert site.accepted < clients * rounds
    assert gate.egress.refusals() == ()


def test_some_clients_at_once_each_get_what_is_theirs(make_gate, make_site):
    load(make_gate, make_site, clients=40, rounds=3)


@pytest.mark.slow
def test_hundreds_of_clients_at_once_each_get_what_is_theirs(make_gate, make_site):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f"this process may have {hard} file descriptors only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    try:
        load(make_gate, make_site, clients=300, rounds=5)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
