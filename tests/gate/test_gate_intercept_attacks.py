"""What a client of the gate, or a stranger beside it, could try; nothing of it reaches an index or the responder."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gate_interception import ok, read_response, read_to_break
from gate_world import SECONDS, read_all, wait_for

from support.tls import client_hello
from veln_hook.gate.authority import Authority
from veln_hook.gate.limits import Limits

GET = b"GET / HTTP/1.1\r\nHost: index.test\r\n"
ALERT = b"\x15\x03\x03\x00\x02\x02\x31"


def test_tls_for_another_host_than_connect_named_is_refused(make_gate, make_site):
    site = make_site("index.test", ok())
    gate = make_gate()
    with pytest.raises(ssl.SSLError, match=r"(?i)access.denied"):
        gate.secure("index.test:443", name="second.test")
    wait_for(gate.egress.refusals)
    assert gate.refused() == [("second.test", 443)]
    assert gate.responder.seen == []
    assert site.accepted == 0


def test_tls_that_names_no_host_is_refused(make_gate):
    gate = make_gate()
    sock = gate.tunnel("index.test:443")
    sock.sendall(client_hello(None))
    assert read_all(sock) == ALERT
    wait_for(gate.egress.refusals)
    assert gate.refused() == [("index.test", 443)]


def test_the_name_of_a_covered_host_is_read_in_any_case(make_gate, make_site):
    make_site("index.test", ok(b"found"))
    gate = make_gate()
    sock = gate.secure("Index.Test:443")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: INDEX.test\r\n\r\n")
    assert read_response(sock)[1] == b"found"


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: index.test\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x00" * 3]
)
def test_what_is_no_tls_is_refused_on_port_443(make_gate, data):
    gate = make_gate()
    sock = gate.tunnel("index.test:443")
    sock.sendall(data)
    assert read_all(sock) == ALERT
    wait_for(gate.egress.refusals)
    assert gate.refused() == [("index.test", 443)]
    assert gate.responder.seen == []


@pytest.mark.parametrize(
    "host", [b"second.test", b"index.test:8443", b"index.test@second.test", b"index.test, x"]
)
def test_a_request_for_another_host_is_refused_in_tls(make_gate, make_site, host):
    site = make_site("index.test", ok())
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert read_all(sock).startswith(b"HTTP/1.1 403 ")
    wait_for(gate.egress.refusals)
    assert gate.responder.seen == []
    assert site.accepted == 0


@pytest.mark.parametrize(
    "target",
    [
        b"https://second.test/",
        b"http://index.test/",
        b"https://index.test:8443/",
        b"https://u:p@index.test/",
        b"x:y",
    ],
)
def test_an_absolute_url_of_another_place_is_refused_in_tls(make_gate, make_site, target):
    site = make_site("index.test", ok())
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: index.test\r\n\r\n")
    assert read_all(sock).startswith(b"HTTP/1.1 403 ")
    assert gate.responder.seen == []
    assert site.accepted == 0


@pytest.mark.parametrize("how", ["absolute", "tunnel"])
def test_plain_http_does_not_get_to_port_443(make_gate, make_site, how):
    site = make_site("index.test", ok())
    gate = make_gate()
    if how == "absolute":
        sock = gate.connect()
        sock.sendall(
            f"GET http://index.test:443/ HTTP/1.1\r\nHost: index.test:443\r\n{gate.credentials}\r\n".encode()
        )
        assert read_all(sock).startswith(b"HTTP/1.1 403 ")
    else:
        sock = gate.tunnel("index.test:443")
        sock.sendall(b"GET http://index.test:443/ HTTP/1.1\r\nHost: index.test:443\r\n\r\n")
        assert read_all(sock) == ALERT
    assert (gate.responder.seen, site.accepted) == ([], 0)
    assert gate.refused() == [("index.test", 443)]


def test_connect_in_tls_opens_nothing(make_gate, make_site):
    site = make_site("second.test", ok())
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(b"CONNECT second.test:443 HTTP/1.1\r\nHost: second.test:443\r\n\r\n")
    assert read_all(sock).startswith(b"HTTP/1.1 403 ")
    assert (gate.responder.seen, site.accepted) == ([], 0)


def test_the_second_request_of_a_connection_is_checked_like_the_first(make_gate, make_site):
    site = make_site("index.test", ok())
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(GET + b"\r\n")
    read_response(sock)
    sock.sendall(b"GET /second HTTP/1.1\r\nHost: second.test\r\n\r\n")
    assert read_all(sock).startswith(b"HTTP/1.1 403 ")
    assert len(gate.responder.seen) == len(site.heads) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: +4\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Host: second.test\r\n",
        b" folded: yes\r\n",
    ],
)
def test_a_request_with_two_readings_is_refused(make_gate, make_site, head):
    site = make_site("index.test", ok())
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(
        b"POST / HTTP/1.1\r\nHost: index.test\r\n"
        + head
        + b"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: index.test\r\n\r\n"
    )
    assert read_all(sock).split()[1] in (b"400", b"403", b"501")
    assert all("smuggled" not in head for head in site.heads)
    assert not [exchange for exchange in gate.responder.seen if "smuggled" in exchange.url]


def test_a_body_is_no_request_of_its_own(make_gate, make_site):
    inner = b"GET /smuggled HTTP/1.1\r\nHost: index.test\r\n\r\n"
    site = make_site("index.test", ok())
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(
        b"GET /outer HTTP/1.1\r\nHost: index.test\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner
    )
    read_response(sock)
    assert [exchange.path for exchange in gate.responder.seen] == ["/outer"]
    assert site.heads[0].startswith("GET /outer ")


def test_connection_options_do_not_take_the_length_away(make_gate, make_site):
    site = make_site("index.test", ok())
    gate = make_gate()
    sock = gate.secure("index.test:443")
    sock.sendall(
        b"POST / HTTP/1.1\r\nHost: index.test\r\nContent-Length: 3\r\nConnection: content-length, x\r\nX: y\r\n\r\nabc"
    )
    read_response(sock)
    assert "content-length: 3" in site.heads[0].lower()
    assert "x: y" not in site.heads[0].lower()


@pytest.mark.parametrize("giant", [b"x" * 70000, b"x: y\r\n" * 12000, b"x: " + b"y" * 70000])
def test_a_giant_head_is_refused(make_gate, giant):
    gate = make_gate()
    sock = gate.secure("index.test:443")
    with contextlib.suppress(OSError):
        sock.sendall(GET + giant)
    assert read_all(sock).split()[1] in (b"400", b"431")
    assert gate.responder.seen == []


def test_slow_clients_do_not_get_to_their_end(make_gate):
    limits = Limits(head_seconds=0.3, hello_seconds=0.3, linger_seconds=0.3)
    gate = make_gate(limits=limits)
    slow = gate.tunnel("index.test:443")
    slow.sendall(client_hello("index.test")[:50])
    assert read_all(slow) == b""
    slower = gate.secure("index.test:443")
    slower.sendall(b"GET / HT")
    assert slower.recv(100) == b""
    assert gate.responder.seen == []


@pytest.mark.parametrize("sends", [False, True])
def test_a_refused_client_that_does_not_leave_is_left(make_gate, sends):
    gate = make_gate(limits=Limits(linger_seconds=0.3))
    sock = gate.secure("index.test:443")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: second.test\r\n\r\n")
    wait_for(gate.egress.refusals)
    if sends:
        drip(sock)
    wait_for(lambda: gate.egress.connections() == 0)


def drip(sock) -> None:
    """Send for as long as it is taken."""
    deadline = time.monotonic() + SECONDS
    with contextlib.suppress(OSError):
        while time.monotonic() < deadline:
            sock.sendall(b"x")
            time.sleep(0.01)
    assert time.monotonic() < deadline


def test_a_client_that_does_not_read_is_left(make_gate):
    gate = make_gate(
        lambda exchange: exchange.respond(200, [], bytes(50_000_000)), limits=Limits(idle_seconds=0.3)
    )
    sock = gate.secure("index.test:443")
    sock.sendall(GET + b"\r\n")
    wait_for(lambda: gate.responder.seen and gate.egress.connections() == 0)


def test_clients_that_vanish_leave_nothing(make_gate, make_site):
    make_site("index.test", ok(bytes(20_000_000)))
    gate = make_gate()
    for _ in range(20):
        sock = gate.secure("index.test:443")
        sock.sendall(GET + b"\r\n")
        sock.recv(1)
        sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: a reset
        sock.close()
    wait_for(lambda: gate.egress.connections() == 0)
    wait_for(lambda: not gate.upstream._pool._hosts)


@pytest.mark.parametrize("trusting", ["nobody", "another"])
def test_a_client_that_does_not_trust_the_gate_is_told_of(make_gate, make_site, issuer, trusting):
    site = make_site("index.test", ok())
    gate = make_gate()
    another = Authority()
    context = (
        ssl.create_default_context(cadata=another.certificate.decode())
        if trusting == "another"
        else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(gate.tunnel("index.test:443"), server_hostname="index.test")
    wait_for(gate.egress.refusals)
    assert gate.interceptor.distrusted() == (("index.test", 443, "", 1),)
    assert gate.refused() == [("index.test", 443)]
    assert (gate.responder.seen, site.accepted) == ([], 0)


def test_a_client_that_just_leaves_when_it_has_seen_the_certificate_is_told_of(make_gate):
    gate = make_gate()
    sock = gate.tunnel("index.test:443")
    sock.sendall(client_hello("index.test"))
    assert sock.recv(10)
    sock.close()
    wait_for(gate.interceptor.distrusted)
    assert gate.interceptor.distrusted() == (("index.test", 443, "", 1),)


def test_an_old_protocol_is_refused_and_not_told_of_as_distrust(make_gate):
    gate = make_gate()
    hello = bytearray(client_hello("index.test"))
    at = hello.index(b"\x00\x2b")  # supported_versions
    hello[at : at + 2] = b"\xfa\xfa"
    hello[9:11] = b"\x03\x02"  # TLS 1.1
    sock = gate.tunnel("index.test:443")
    sock.sendall(hello)
    assert read_all(sock).startswith(b"\x15\x03")
    wait_for(gate.egress.refusals)
    assert gate.interceptor.distrusted() == ()


def test_a_reason_of_the_responder_cannot_end_its_line(make_gate):
    async def refuse(exchange):
        await exchange.refuse(
            403, "held\r\nX-Injected: 1\r\n\r\n<html>\u2028\x00", 'say "no"\r\n\u2028\x1b[2J'
        )

    response, body = make_gate(refuse).get("index.test")
    assert (response.status, response.reason) == (403, "held??X-Injected: 1????<html>??")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Injected"] is None
    assert body == (
        b'{"title": "held\\r\\nX-Injected: 1\\r\\n\\r\\n<html>\\u2028\\u0000", "status": 403,'
        b' "detail": "say \\"no\\"\\r\\n\\u2028\\u001b[2J"}'
    )


@pytest.mark.parametrize("header", [(b"x", b"a\r\nb: c"), (b"x\r\ny", b"a"), (b"x y", b"a"), (b"x", b"\0")])
def test_a_header_that_is_none_is_a_fault_and_not_sent(make_gate, header):
    gate = make_gate(lambda exchange: exchange.respond(200, [header], b"body"), faults=1)
    response, body = gate.get("index.test")
    assert (response.status, response.reason) == (403, "veln-hook failed to judge this request")
    assert b"body" not in body


def test_a_response_with_a_second_one_in_its_reason_stays_one(make_gate, make_site):
    make_site("index.test", b"HTTP/1.1 200 OK\rHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    response, _ = make_gate().get("index.test")
    assert response.status in (200, 502)
    assert "\r" not in response.reason


async def _raise(_exchange):
    raise ValueError("a mistake")


async def _say_nothing(_exchange):
    return


async def _raise_within(exchange):
    await exchange._begin(200, [(b"content-length", b"10")], b"")
    raise ValueError("a mistake")


@pytest.mark.parametrize("function", [_raise, _say_nothing])
def test_a_mistake_of_ours_refuses_and_is_kept(make_gate, function):
    gate = make_gate(function, faults=1)
    response, body = gate.get("index.test")
    assert (response.status, response.reason) == (403, "veln-hook failed to judge this request")
    assert b'"status": 403' in body
    wait_for(gate.egress.faults)
    (fault,) = gate.egress.faults()
    assert (
        "ValueError: a mistake" in fault
        or "UnansweredError: GET https://index.test/ was not answered" in fault
    )


def test_a_mistake_within_a_response_cuts_it_off(make_gate):
    gate = make_gate(_raise_within, faults=1)
    sock = gate.secure("index.test:443", strict=True)
    sock.sendall(GET + b"\r\n")
    read_to_break(sock)
    wait_for(gate.egress.faults)


SCAN = r"""
import os, ssl, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args) if event in ("open", "os.mkdir") else None)
from veln_hook.gate.authority import Authority
before = len(opened)
authority = Authority()
written = []
really = os.write
os.write = lambda descriptor, data: (written.append((os.readlink(f"/proc/self/fd/{descriptor}"), bytes(data))), really(descriptor, data))[1]
for host in ("index.test", "127.0.0.1"):
    authority.context(host)
os.write = really
from cryptography.hazmat.primitives import serialization
secret = authority._key.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
pem = authority._key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
places = {place for place, _ in written}
assert all(place.startswith("/memfd:") for place in places), places
assert not any(secret in data or pem in data or pem.split(b"\n")[1] in data for _, data in written)
print([args[0] for args in opened[before:] if not str(args[0]).endswith((".py", ".pyc", ".so"))])
"""


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there are no files in memory here")
def test_no_key_is_written_to_a_disk():
    path = os.pathsep.join(
        [str(Path(__file__).parents[2] / "src"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    )
    told = subprocess.run(
        [sys.executable, "-c", SCAN],
        check=True, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, "PYTHONPATH": path},
    ).stdout  # fmt: skip
    assert told == "[]\n"


def test_the_certificate_of_another_host_is_never_served(make_gate):
    # Whatever a client does, what it gets is for the host of its CONNECT.
    gate = make_gate()
    for host in ("index.test", "second.test"):
        context = gate.client_context()
        with context.wrap_socket(gate.tunnel(f"{host}:443"), server_hostname=host) as sock:
            assert sock.getpeercert()["subjectAltName"] == (("DNS", host),)
