"""ClientHellos: what a real one says, and that no bytes say something else than one thing."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.tls import client_hello
from veln_hook.gate.hello import Hello, HelloError, is_retry, parse_hello, read_hello

RECORD = client_hello("files.example.org")
MESSAGE = RECORD[5:]


class Bytes:
    """A source that ends."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def exactly(self, count: int) -> bytes:
        if len(self.data) < count:
            raise EOFError
        part, self.data = self.data[:count], self.data[count:]
        return part


def read(data: bytes, **options: bool) -> tuple[bytes, Hello]:
    return asyncio.run(read_hello(Bytes(data), **options))


def test_a_real_hello():
    assert read(RECORD + b"\x17\x03\x03\x00\x01x") == (RECORD, Hello("files.example.org", hidden=False))
    assert read(client_hello(None))[1] == Hello(None, hidden=False)


def test_a_hello_without_extensions_names_nobody():
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\0\x2f" + b"\1\0"
    assert parse_hello(b"\1" + len(body).to_bytes(3, "big") + body) == Hello(None, hidden=False)


@given(st.integers(0, len(MESSAGE) - 1))
def test_a_part_of_a_hello_is_none(size):
    with pytest.raises(HelloError):
        parse_hello(MESSAGE[:size])


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40))
def test_the_size_of_records_does_not_matter(sizes):
    records, rest = b"", MESSAGE
    for size in sizes:
        part, rest = rest[:size], rest[size:]
        if part:
            records += b"\x16\x03\x03" + len(part).to_bytes(2, "big") + part
    if rest:
        records += b"\x16\x03\x03" + len(rest).to_bytes(2, "big") + rest
    assert read(records + b"more") == (records, Hello("files.example.org", hidden=False))


@given(st.binary(max_size=600))
@example(b"")
@example(RECORD)
def test_any_bytes_are_a_hello_or_an_error(data):
    with contextlib.suppress(HelloError, EOFError):
        raw, _ = read(data)
        assert data.startswith(raw)
    with contextlib.suppress(HelloError):
        parse_hello(data)


@given(st.data())
def test_a_changed_hello_names_the_same_host_or_shows_the_change(data):
    """Whatever bytes are changed: the name that is read stands in the message, in a server name extension."""
    message = bytearray(MESSAGE)
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        hello = parse_hello(bytes(message))
    except HelloError:
        return
    if hello.name is not None:
        name = hello.name.encode("latin-1")
        frame = b"\0\0" + (len(name) + 5).to_bytes(2, "big") + (len(name) + 3).to_bytes(2, "big") + b"\0"
        assert frame + len(name).to_bytes(2, "big") + name in message


@pytest.mark.parametrize(
    "change",
    [
        lambda record: b"\x17" + record[1:],
        lambda record: b"\x16\x02" + record[2:],
        lambda record: record[:5] + b"\x02" + record[6:],
        lambda record: record[:3] + b"\0\0" + record,
        lambda record: record[:3] + b"\xff\xff" + record[5:],
        lambda record: b"\x14\x03\x03\0\1\1" + record,
        lambda record: record[:3] + (len(record) - 4).to_bytes(2, "big") + record[5:] + b"x",
    ],
)
def test_records_that_hold_no_hello(change):
    with pytest.raises(HelloError):
        read(change(RECORD))


def test_before_a_second_hello_there_may_be_early_data():
    early = b"\x14\x03\x03\0\1\1" + b"\x17\x03\x03\0\5hello"
    assert read(early + RECORD, again=True) == (early + RECORD, Hello("files.example.org", hidden=False))
    with pytest.raises(HelloError):
        read(RECORD[:3] + b"\0\4" + MESSAGE[:4] + early + RECORD, again=True)
    with pytest.raises(HelloError, match="too long"):
        read((b"\x17\x03\x03\x40\x00" + bytes(1 << 14)) * 5, again=True)


RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def test_a_retry_request_is_told_by_its_random():
    head = b"\x16\x03\x03\x00\x58\x02\x00\x00\x54\x03\x03"
    assert is_retry(head + RETRY)
    assert not is_retry(head + bytes(32))
    assert not is_retry(b"\x15\x03\x03\x00\x02\x02\x28")
    assert not is_retry(b"220 hello")
    assert not is_retry(b"")
    for start in (head, head + RETRY[:-1], b"\x16\x03\x03\x00\x01\x02\x16\x03\x03" + bytes(60)):
        with pytest.raises(HelloError):
            is_retry(start)
