"""How indexes are asked, and that half an answer is never believed."""

from __future__ import annotations

import pytest
from gate_interception import abruptly, ok, once, read, read_to_break

from veln_hook.gate.stream import CutOffError
from veln_hook.gate.upstream import AnswerCutOffError, TooBigError, UpstreamError

LENGTH = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer, body",
    [
        (ok(b"whole"), b"whole"),
        (ok(b""), b""),
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok(b"late"), b"late"),
        (once(b"HTTP/1.1 200 OK\r\n\r\nto the end"), b"to the end"),
        (once(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold"), b"old"),
        (ok(b"exactly") + b"and more", b"exactly"),
        (b"HTTP/1.1 204 No\r\nContent-Length: 10\r\n\r\n", b""),
        (b"HTTP/1.1 304 No\r\nContent-Length: 10\r\n\r\n", b""),
    ],
)
@pytest.mark.parametrize("secure", [True, False])
def test_a_body_has_the_length_that_its_framing_says(make_gate, make_site, answer, body, secure):
    make_site("index.test", answer, secure=secure)
    gate = make_gate(read(url=f"{'https' if secure else 'http'}://index.test/x"))
    response, got = gate.get("index.test")
    assert (response.status, got) == (200, body)
    assert gate.get("index.test")[1] == body  # whatever is left over is no part of the next answer


@pytest.mark.parametrize(
    "answer",
    [
        once(LENGTH.format(10).encode() + b"short"),
        abruptly(LENGTH.format(10).encode() + b"short"),
        once(CHUNKED + b"5\r\nab"),
        once(CHUNKED + b"2\r\nab\r\n"),
        abruptly(CHUNKED + b"2\r\nab\r\n"),
        ok(b"") and once(CHUNKED + b"zz\r\nab\r\n0\r\n\r\n"),
        once(CHUNKED + b"2\r\nabX\r\n0\r\n\r\n"),
        once(CHUNKED + b"-2\r\nab\r\n0\r\n\r\n"),
        once(CHUNKED + b"2;" + b"x" * 100_000),
        abruptly(b"HTTP/1.1 200 OK\r\n\r\nnobody has said that it is the end"),
    ],
)
def test_half_a_body_is_never_taken_as_a_whole_one(make_gate, make_site, answer):
    make_site("index.test", answer)
    response, body = make_gate(read()).get("index.test")
    assert response.status == 502
    assert body == b"AnswerCutOffError: the answer of https://index.test was cut off"


@pytest.mark.parametrize(
    "answer, told",
    [
        (once(b""), "closed the connection without an answer"),
        (abruptly(b""), "closed the connection without an answer"),
        (once(b"HTTP/1.1 200"), "can't be read"),
        (once(b"SSH-2.0-x\r\n\r\n"), "can't be read"),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"), "can't be read"),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nabcde"), "can't be read"),
        (
            once(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "two lengths",
        ),
        (once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), "can't be read"),
        (once(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000), "can't be read"),
        (once(b"HTTP/1.1 101 Up\r\nUpgrade: x\r\n\r\n"), "can't be read"),
        (once(b"HTTP/1.1 102 Wait\r\n\r\n" * 20), "never comes to its answer"),
        (once(b"HTTP/1.1 200 OK\r\n: x\r\n\r\n"), "can't be read"),
    ],
)
def test_an_answer_that_is_none_is_an_error(make_gate, make_site, answer, told):
    make_site("index.test", answer)
    response, body = make_gate(read()).get("index.test")
    assert (response.status, told in body.decode()) == (502, True), body


def test_an_error_that_nobody_catches_becomes_502(make_gate, make_site):
    make_site("index.test", once(b""))
    response, body = make_gate().get("index.test")
    assert (response.status, response.reason) == (
        502, "veln-hook: https://index.test closed the connection without an answer",
    )  # fmt: skip
    assert response.headers["Content-Type"] == "application/problem+json"
    assert b"without an answer" in body


def test_a_name_that_does_not_resolve_becomes_502(make_gate):
    response, _ = make_gate().get("index.test")
    assert response.status == 502
    assert "its name doesn't resolve" in response.reason


@pytest.mark.parametrize("answer", [once(LENGTH.format(10).encode() + b"short"), once(CHUNKED + b"5\r\nab")])
def test_a_client_sees_that_a_forwarded_answer_was_cut_off(make_gate, make_site, answer):
    make_site("index.test", answer)
    sock = make_gate().secure("index.test:443", strict=True)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: index.test\r\n\r\n")
    read_to_break(sock)


def test_head_has_no_body_and_keeps_its_length(make_gate, make_site):
    site = make_site("index.test", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nAccept-Ranges: bytes\r\n\r\n")
    gate = make_gate()
    client = gate.http("index.test")
    for _ in range(2):
        client.request("HEAD", "/a.whl")
        response = client.getresponse()
        assert (response.read(), response.headers["Content-Length"]) == (b"", "1000")
    assert site.accepted == 1


def test_a_range_and_its_answer_pass(make_gate, make_site):
    site = make_site("index.test", ok(b"cde", "Content-Range: bytes 2-4/9", status="206 Partial Content"))
    response, body = make_gate().get("index.test", "/a.whl", Range="bytes=2-4")
    assert (response.status, response.headers["Content-Range"], body) == (206, "bytes 2-4/9", b"cde")
    assert "Range: bytes=2-4" in site.heads[0]


def test_a_long_body_passes_in_both_framings(make_gate, make_site):
    data = bytes(range(256)) * 20_000
    chunked = CHUNKED + b"".join(
        b"%x\r\n" % len(part) + part + b"\r\n"
        for part in (data[at : at + 70_001] for at in range(0, len(data), 70_001))
    )
    make_site("index.test", ok(data), chunked + b"0\r\n\r\n")
    gate = make_gate()
    client = gate.http("index.test")
    for _ in range(2):
        client.request("GET", "/")
        assert client.getresponse().read() == data


def test_a_body_that_is_too_long_is_not_read_to_its_end(make_gate, make_site):
    make_site(
        "index.test", ok(bytes(2000)), CHUNKED + b"7d0\r\n" + bytes(2000) + b"\r\n0\r\n\r\n", ok(bytes(1000))
    )
    gate = make_gate(read(limit=1000))
    for _ in range(2):
        response, body = gate.get("index.test")
        assert (response.status, body) == (
            502, b"TooBigError: the answer of https://index.test/ is longer than 1000 bytes",
        )  # fmt: skip
    assert gate.get("index.test")[0].status == 200


def test_errors_are_of_one_family():
    assert issubclass(AnswerCutOffError, UpstreamError)
    assert issubclass(AnswerCutOffError, CutOffError)
    assert issubclass(TooBigError, UpstreamError)
