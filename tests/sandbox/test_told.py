"""What a confined command tried to reach is told afterwards, by name or address, whatever port it was."""

from __future__ import annotations

import os

import pytest

from veln_hook.sandbox.interface import Rung

TRIES = """
import socket, sys
def tried(function, *arguments):
    try: function(*arguments)
    except OSError: pass
tried(socket.getaddrinfo, "name.example", 80)
held = []
for address in ("203.0.113.7", 443), ("203.0.113.8", 8080), ("127.0.0.1", 1):
    s = socket.socket()
    s.settimeout(5)
    held.append(s)
    tried(s.connect, address)
    tried(s.send, b"x")
    tried(s.recv, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM) if sys.argv[1] == "datagrams" else None
if s:
    tried(s.sendto, b"x", ("192.0.2.1", 999))
sys.stdin.read()
"""


def told(box, *arguments: str) -> set[tuple[str, object]]:
    box.python(TRIES, *arguments)
    return {(refusal.host, refusal.port) for refusal in box.report.refusals}


def test_names_and_addresses_are_told(box):
    if box.rung is Rung.BUBBLEWRAP:
        pytest.skip("it has no rights with which to see them")
    expected = {("name.example", None), ("203.0.113.7", 443), ("203.0.113.8", 8080)}
    got = told(box, "")
    if box.rung is not Rung.NAMESPACES:
        expected.add(("127.0.0.1", 1))
    assert got == expected
    assert {refusal.process for refusal in box.report.refusals} <= {"", os.path.basename("python"), "python3"}


def test_datagrams_are_told_where_they_can_be_sent(box):
    if box.rung is not Rung.NAMESPACES:
        pytest.skip("no datagrams, or no rights with which to see them")
    assert ("192.0.2.1", 999) in told(box, "datagrams")


def test_connections_inside_are_nobodys_business(box):
    code = (
        "import socket\n"
        "server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen()\n"
        "client = socket.create_connection(server.getsockname()); server.accept()[0].send(b'hello')\n"
        "print(client.recv(5).decode())"
    )
    assert box.python(code) == "hello"
    assert box.report.refusals == ()
