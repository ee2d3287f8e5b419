"""What a responder can answer: bytes, parts of files, problems, and what an index said."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from gate_interception import ok, read_response, read_to_break
from gate_world import read_all, wait_for

TEXT = [
    (b"Content-Type", b"text/plain"),
    (b"Content-Length", b"9"),
    (b"Transfer-Encoding", b"chunked"),
    (b"Connection", b"close"),
]


async def answer_text(exchange):
    await exchange.respond(200, TEXT, b"four", reason="Fine")


@pytest.mark.parametrize("method, body", [("GET", b"four"), ("HEAD", b"")])
def test_bytes_are_framed_by_their_length(make_gate, method, body):
    gate = make_gate(answer_text)
    client = gate.http("index.test")
    for _ in range(2):
        client.request(method, "/")
        response = client.getresponse()
        assert (response.status, response.reason, response.read()) == (200, "Fine", body)
        assert response.getheaders() == [("Content-Type", "text/plain"), ("content-length", "4")]
    assert gate.egress.reached() == (("index.test", 443, "", 1),)


@pytest.mark.parametrize("status", [204, 304])
def test_what_has_no_body_gets_none(make_gate, status):
    gate = make_gate(lambda exchange: exchange.respond(status, [(b"etag", b"x")], b"no body"))
    client = gate.http("index.test")
    for _ in range(2):
        client.request("GET", "/")
        response = client.getresponse()
        assert (response.status, response.getheaders(), response.read()) == (status, [("etag", "x")], b"")


@pytest.mark.parametrize("size", [0, 1, 100_000, 262_144, 5_000_000])
def test_bodies_of_all_sizes_arrive(make_gate, size):
    data = bytes(range(256)) * (size // 256 + 1)
    _, body = make_gate(lambda exchange: exchange.respond(200, [], data[:size])).get("index.test")
    assert body == data[:size]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4096)
    with path.open("rb") as file:
        yield file


@pytest.mark.parametrize(
    "start, length", [(0, 1 << 20), (5, 10), (1_000_000, 48_576), (7, 0), (100, 300_000)]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_part_of_a_file_is_served(make_gate, file, start, length, method):
    gate = make_gate(lambda exchange: exchange.respond_file(206, [(b"x", b"y")], file, start, length))
    response, body = gate.get("index.test", method=method)
    assert (response.status, response.headers["Content-Length"], response.headers["x"]) == (
        206,
        str(length),
        "y",
    )
    assert body == ((bytes(range(256)) * 4096)[start : start + length] if method == "GET" else b"")
    assert file.tell() == 0


def test_a_file_that_is_shorter_than_said_is_cut_off_and_a_fault(make_gate, file):
    gate = make_gate(lambda exchange: exchange.respond_file(200, [], file, 1_000_000, 100_000), faults=1)
    sock = gate.secure("index.test:443", strict=True)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: index.test\r\n\r\n")
    read_to_break(sock)


def test_a_file_is_served_to_many_at_once(make_gate, file):
    gate = make_gate(lambda exchange: exchange.respond_file(200, [], file, int(exchange.path[1:]), 1000))
    clients = [gate.http("index.test") for _ in range(20)]
    for number, client in enumerate(clients):
        client.request("GET", f"/{number}")
    for number, client in enumerate(clients):
        assert client.getresponse().read() == (bytes(range(256)) * 5)[number : number + 1000]


def test_a_problem_names_itself_in_the_reason_and_the_body(make_gate):
    gate = make_gate(lambda exchange: exchange.refuse(451, "veln-hook: held", "a-1.0 is 2 days old, \u00e9"))
    client = gate.http("index.test")
    for _ in range(2):
        client.request("GET", "/")
        response = client.getresponse()
        assert (response.status, response.reason) == (451, "veln-hook: held")
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["cache-control"] == "no-store"
        assert json.loads(response.read()) == {
            "title": "veln-hook: held", "status": 451, "detail": "a-1.0 is 2 days old, \u00e9",
        }  # fmt: skip


def test_a_long_reason_is_cut(make_gate):
    response, body = make_gate(lambda exchange: exchange.refuse(403, "x" * 1000, "")).get("index.test")
    assert response.reason == "x" * 197 + "..."
    assert json.loads(body)["title"] == "x" * 1000


def test_an_exchange_is_answered_once(make_gate):
    async def twice(exchange):
        assert not exchange.answered
        await exchange.respond(200, [], b"first")
        assert exchange.answered
        with pytest.raises(RuntimeError):
            await exchange.respond(200, [], b"second")
        with pytest.raises(RuntimeError):
            await exchange.refuse(403, "x", "y")

    gate = make_gate(twice)
    assert gate.get("index.test")[1] == b"first"


def test_an_answer_can_be_looked_at_and_then_forwarded(make_gate, make_site):
    site = make_site("index.test", ok(b"body", "ETag: x", "Connection: x-own", "X-Own: y"))

    async def look(exchange):
        answer = await exchange.fetch(headers=[(b"accept", b"text/html")])
        assert (answer.status, answer.reason, answer.length) == (200, b"OK", 4)
        assert answer.header(b"ETag") == b"x"
        assert answer.header(b"none") is None
        await exchange.forward(answer)

    response, body = make_gate(look).get("index.test", If_None_Match="x")
    assert (response.headers["ETag"], response.headers["X-Own"], body) == ("x", None, b"body")
    assert site.heads[0].split("\r\n") == ["GET / HTTP/1.1", "host: index.test", "accept: text/html"]


def test_several_headers_of_one_name_are_one_list(make_gate):
    async def tell(exchange):
        await exchange.respond(200, [], repr([exchange.header(b"X"), exchange.header(b"y")]).encode())

    gate = make_gate(tell)
    sock = gate.secure("index.test:443")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: index.test\r\nx: a\r\nX: b\r\n\r\n")
    assert read_response(sock)[1] == b"[b'a, b', None]"


def test_what_nobody_has_read_gives_its_connection_back(make_gate, make_site):
    make_site("index.test", ok(bytes(10_000_000)))

    async def forget(exchange):
        await exchange.fetch()
        await exchange.respond(200, [], b"done")

    gate = make_gate(forget)
    for _ in range(20):  # more than there may be connections
        assert gate.get("index.test")[1] == b"done"
    wait_for(lambda: not gate.upstream._pool._hosts)


def test_a_shared_answer_outlives_the_exchange_that_asked_for_it(make_gate, make_site):
    site = make_site("index.test", ok(b"shared" * 100_000))
    shared: list[Any] = []

    async def read_it(exchange, begun, wanted):
        async with await exchange.fetch() as answer:
            begun.set()
            await wanted.wait()
            return await answer.read(10_000_000)

    async def share(exchange):
        if not shared:
            begun, wanted = asyncio.Event(), asyncio.Event()
            shared.extend((asyncio.ensure_future(read_it(exchange, begun, wanted)), wanted))
            await begun.wait()
            await exchange.respond(200, [], b"started")
        else:
            shared[1].set()
            await exchange.respond(200, [], await asyncio.shield(shared[0]))

    gate = make_gate(share)
    assert gate.get("index.test")[1] == b"started"
    assert gate.get("index.test")[1] == b"shared" * 100_000
    assert site.accepted == 1


def test_a_client_that_left_its_upload_is_no_fault(make_gate, make_site):
    def wait(sock, _):
        sock.recv(10)
        return False

    make_site("index.test", wait)
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(b"POST / HTTP/1.1\r\nHost: index.test\r\nContent-Length: 100\r\n\r\nsome")
    wait_for(lambda: gate.responder.seen)
    sock.close()
    wait_for(lambda: gate.egress.connections() == 0)
    wait_for(lambda: not gate.upstream._pool._hosts)


def test_an_early_answer_to_an_upload_arrives(make_gate, make_site):
    def refuse(sock, _):
        if not site.bodies[-1]:
            sock.recv(100)
        sock.sendall(ok(b"too big", "Connection: close", status="413 No"))
        return False

    site = make_site("index.test", refuse)
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(b"POST / HTTP/1.1\r\nHost: index.test\r\nContent-Length: 1000000\r\n\r\nsome")
    told = read_all(sock)
    assert told.startswith(b"HTTP/1.1 413 No\r\n")
    assert told.endswith(b"too big")
