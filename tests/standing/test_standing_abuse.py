"""Clients and indexes that mean ill, or just go away: nobody else notices, and nothing unjudged is handed on."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from http.client import HTTPException

import pytest
from standing_world import JSON, connect

from support.builders import make_wheel
from support.gated import releases
from support.held import OLD
from support.tls_index import Fault
from support.waiting import SECONDS, until

WHEEL_1 = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def big(index, tmp_path):
    """An index with a wheel of some megabytes, besides demo."""
    index.add(make_wheel(tmp_path, "big", "1.0", {"big.bin": os.urandom(8_000_000)}), upload_time=OLD)
    return releases(index, tmp_path)


def test_one_client_can_t_take_all_connections(make_gate, demo):
    gate = make_gate(demo, workers=1, options=("--client-connections", "8"))
    taken = [connect(gate) for _ in range(8)]
    until(lambda: gate.figures()["connections"] == 8)
    with connect(gate) as ninth:
        assert not ninth.recv(1)  # closed at once
    assert gate.figures()["turned_away_total"] == 1
    with gate.client(source="127.0.0.7") as other:
        assert other.get(f"{demo.url}demo/")[0] == 200
    taken.pop().close()
    until(lambda: gate.figures()["connections"] == 7)
    with gate.client() as client:
        assert client.get(f"{demo.url}demo/")[0] == 200
    for sock in taken:
        sock.close()
    until(lambda: gate.figures()["connections"] == 0, "what has ended still counts")


def test_clients_that_vanish_leave_nothing(make_gate, big):
    gate = make_gate(big)
    path = big.file_url("big-1.0-py3-none-any.whl")
    for number in range(30):
        with gate.client() as client:
            connection = client.open(path)
            connection.request("GET", path[path.index("/files") :])
            if number % 3:  # some see the head before they go, or a part of the body
                response = connection.getresponse()
                assert response.status == 200
                response.read(number * 1000)
                response.close()
            reset = struct.pack("ii", 1, 0)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    until(lambda: gate.figures()["connections"] == 0, "connections are left")
    figures = gate.figures()
    assert figures["requests_running"] == 0
    assert figures["scans_running"] == 0
    assert figures["spool_bytes"] <= 2 * len(big.files["big-1.0-py3-none-any.whl"].content)
    assert gate.get(path)[2] == big.files["big-1.0-py3-none-any.whl"].content


def test_half_a_request_keeps_nobody_waiting(make_gate, demo):
    gate = make_gate(demo, workers=1)
    halves = [connect(gate) for _ in range(50)]
    for number, sock in enumerate(halves):
        sock.sendall(b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org"[: number % 40])
    tunnels = []
    for _ in range(20):
        client = gate.client()
        tunnels.append(client)
        sock = connect(gate)
        halves.append(sock)
        head = "".join(f"{name}: {value}\r\n" for name, value in client.headers.items())
        sock.sendall(f"CONNECT {demo.host}:443 HTTP/1.1\r\nHost: {demo.host}:443\r\n{head}\r\n".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")  # the start of a hello
    assert gate.page(demo) == [WHEEL_1]
    for sock in halves:
        sock.close()


def test_a_client_that_doesn_t_read_takes_no_memory(make_gate, big):
    gate = make_gate(big, workers=1)
    path = big.file_url("big-1.0-py3-none-any.whl")
    assert gate.get(path)[0] == 200
    before = _resident(gate)
    clients = []
    for _ in range(40):
        client = gate.client()
        response = client.ask(path)
        assert response.status == 200
        clients.append(client)
    assert gate.page(big) == [WHEEL_1]
    # The kernel's buffers have what they have; of the 320 MB only a piece each is in the process.
    assert _resident(gate) - before < 80e6
    for client in clients:
        client.connection.close()


def _resident(gate):
    return sum(value for key, value in gate.figures().items() if key.startswith("resident_bytes"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(promised=-100),
        Fault(promised=100),
        Fault(reset_after=100),
        Fault(body=b"other bytes"),
        Fault(headers=(("Content-Encoding", "gzip"),)),
        Fault(headers=(("Transfer-Encoding", "chunked"),)),
    ],
)
def test_an_index_that_lies_about_a_file(make_gate, demo, fault):
    gate = make_gate(demo)
    assert gate.page(demo) == [WHEEL_1]
    demo.faults[f"/files/{WHEEL_1}"] = fault
    for _ in range(4):
        status, _, body = gate.get(demo.file_url(WHEEL_1))
        assert status in (403, 502)
        assert json.loads(body)["title"].startswith("veln-hook")
    demo.faults.clear()
    assert gate.get(demo.file_url(WHEEL_1))[2] == demo.files[WHEEL_1].content  # it is nobody's fault for ever
    assert gate.figures()["requests_running"] == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(promised=-10),
        Fault(promised=10),
        Fault(reset_after=10),
        Fault(body=b"<html>"),
        Fault(body=b"{}"),
        Fault(headers=(("Content-Type", "text/html"),)),
    ],
)
def test_an_index_that_lies_about_a_page(make_gate, demo, fault):
    gate = make_gate(demo)
    demo.faults["/simple/demo/"] = fault
    for _ in range(4):
        status, _, body = gate.get(f"{demo.url}demo/", accept=JSON)
        assert status in (403, 451, 502)
        assert b"demo-2.0" not in body
    demo.faults.clear()
    assert gate.page(demo) == [WHEEL_1]


def test_an_index_that_stalls_keeps_only_those_waiting_who_ask_it(make_gate, make_index, demo, tmp_path):
    slow = releases(make_index(host="127.0.0.2"), tmp_path / "slow", name="slow")
    name = "slow-1.0-py3-none-any.whl"
    slow.faults[f"/files/{name}"] = Fault(stall_after=100)
    slow.faults["/simple/slow/"] = Fault(stall_after=100)
    gate = make_gate(demo, slow, workers=1)
    got: list[tuple[int, bytes]] = []

    def ask(url: str) -> None:
        try:
            status, _, body = gate.get(url)
        except (OSError, HTTPException):
            return
        got.append((status, body))

    # More than there are connections to one host, so that some wait for their turn.
    urls = [f"{slow.url}slow/", slow.file_url(name)] * 30
    threads = [threading.Thread(target=ask, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    until(lambda: gate.figures()["requests_running"] == len(urls))
    for _ in range(5):
        assert gate.page(demo) == [WHEEL_1]
        assert gate.get(demo.file_url(WHEEL_1))[0] == 200
    assert got == []
    assert gate.ask_status("/healthz")[0] == 200
    slow.closing.set()
    slow.faults.clear()
    for thread in threads:
        thread.join()
    assert len(got) == len(urls)
    content = slow.files[name].content
    assert all(status == 502 or body == content or b"slow-1.0" in body for status, body in got)
    assert not any(b"slow-2.0" in body for status, body in got if status == 200)


def test_what_is_no_index_and_not_allowed_is_reached_by_nobody(make_gate, make_index, demo, tmp_path):
    other = releases(make_index(host="127.0.0.2"), tmp_path / "other", name="other")
    gate = make_gate(demo)
    for url in (f"{other.url}other/", other.file_url("other-1.0-py3-none-any.whl"), f"{other.url[:-7]}else"):
        assert gate.get(url)[0] == 403
    assert not other.requests
    gate.wait_for("refused", client="127.0.0.1")


def test_hosts_of_the_command_line_and_of_the_policy_pass(make_gate, make_index, demo, home):
    elsewhere = make_index(host="127.0.0.2")
    home.write_policy('[sandbox]\nallow_hosts = ["127.0.0.3"]\n')
    also = make_index(host="127.0.0.3")
    port = elsewhere.url.split(":")[2].partition("/")[0]
    gate = make_gate(demo, options=("--allow", f"127.0.0.2:{port}"))
    assert gate.get(f"{elsewhere.url[:-7]}else")[0] == 404
    assert gate.get(f"{also.url[:-7]}else")[0] == 403  # allowed on the usual ports alone
    gate.reload(f'[sandbox]\nallow_hosts = ["127.0.0.3:{also.url.split(":")[2].partition("/")[0]}"]\n')
    gate.wait_for("policy-taken")
    assert gate.get(f"{also.url[:-7]}else")[0] == 404
    assert elsewhere.requests
    assert also.requests


def test_the_listener_of_figures_stands_nonsense(make_gate, demo):
    gate = make_gate(demo, workers=1)
    host, _, port = gate.status.rpartition(":")
    open_ones = []
    for data in (
        b"",
        b"GET",
        b"\x16\x03\x01",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"A" * 100_000,
        b"GET / HTTP/9\r\n\r\n",
    ):
        sock = socket.create_connection((host, int(port)), SECONDS)
        open_ones.append(sock)
        with contextlib.suppress(OSError):
            sock.sendall(data)
    open_ones += [socket.create_connection((host, int(port)), SECONDS) for _ in range(60)]
    assert gate.page(demo) == [WHEEL_1]
    for sock in open_ones:
        sock.close()
    assert until(lambda: _answers(gate))


def _answers(gate):
    try:
        return gate.ask_status("/healthz")[0] == 200
    except (OSError, HTTPException):
        return False


def test_what_clients_say_can_t_forge_the_log(make_gate, demo):
    gate = make_gate(demo)
    with gate.client() as client:
        client.open(demo.url)
        status = client.get(f"{demo.url}x%0a%7b%22event%22%3a%22stopped%22%7d/")[0]
    assert status in (403, 404, 451)
    assert not gate.told("stopped")
    assert all(line.startswith("{") and line.endswith("}\n") for line in gate.lines)
