"""DNS: any bytes have an answer that a resolver can read, and none of them an address that isn't allowed."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, ip_network

from hypothesis import example, given
from hypothesis import strategies as st

from veln_hook.gate import dns
from veln_hook.gate.allow import Rules
from veln_hook.gate.fake import MAX_NAMES, FakeAddresses
from veln_hook.gate.route import FAKE_NETWORK

RULES = Rules(["allowed.test", "*.wild.test"], ports=(443,))


def check(name: str) -> None:
    RULES.check(name, None)


def question(name: bytes, kind: int = 1, network: int = 1) -> bytes:
    labels = b"".join(bytes((len(label),)) + label for label in name.split(b".") if label)
    return (
        struct.pack("!HHHHHH", 0xABCD, 0x0100, 1, 0, 0, 0)
        + labels
        + b"\0"
        + struct.pack("!HH", kind, network)
    )


def test_an_answer():
    fakes = FakeAddresses()
    asked = question(b"ALLOWED.test")
    reply = dns.answer(asked, check, fakes)
    assert reply.refused is None
    assert reply.data[:12] == struct.pack("!HHHHHH", 0xABCD, 0x8580, 1, 1, 0, 0)
    assert reply.data[12:] == asked[12:] + bytes.fromhex("c00c 0001 0001 0000003c 0004 c6120001")
    assert fakes.name("198.18.0.1") == "allowed.test"


def test_other_networks_than_the_internet_have_no_addresses():
    assert dns.answer(question(b"allowed.test", network=3), check, FakeAddresses()).data[6:8] == b"\0\0"


@given(st.binary(max_size=600))
@example(question(b"allowed.test"))
@example(question(b"evil.test") + b"\0\0\x29\x10\0\0\0\0\0\0\0")
@example(b"\0\0\0\0\0\1\0\0\0\0\0\0" + b"\xc0\x0c" * 300)
def test_any_bytes(message):
    check_reply(message)


@given(
    flags=st.integers(0, 0xFFFF),
    counts=st.tuples(*[st.integers(0, 2)] * 4),
    labels=st.lists(st.binary(max_size=70), max_size=6),
    end=st.binary(max_size=12),
)
def test_bytes_in_the_form_of_messages(flags, counts, labels, end):
    name = b"".join(bytes((min(len(label), 255),)) + label for label in labels)
    check_reply(struct.pack("!HHHHHH", 1, flags, *counts) + name + end)


def check_reply(message: bytes) -> None:
    fakes = FakeAddresses()
    data, refused = dns.answer(message, check, fakes)
    if refused is not None:
        assert str(refused).isprintable()
    if not data:
        return
    number, flags, questions, answers, authorities, others = struct.unpack_from("!HHHHHH", data)
    assert number == int.from_bytes(message[:2], "big")
    assert flags & 0x8000
    assert (authorities, others) == (0, 0)
    assert questions in (0, 1)
    if answers:
        assert (flags & 15, answers, refused) == (0, 1, None)
        name = fakes.name(str(IPv4Address(data[-4:])))
        assert name is not None
        check(name)
    assert len(data) <= len(message) + 16


def test_every_fake_address_lies_in_its_network_and_there_is_an_end():
    fakes = FakeAddresses()
    addresses = [fakes.address(f"n{number}.test") for number in range(MAX_NAMES)]
    assert len(set(addresses)) == MAX_NAMES
    assert {address in ip_network(FAKE_NETWORK) for address in (addresses[0], addresses[-1])} == {True}
    assert fakes.address("one.more.test") is None
    assert fakes.address("n7.test") == addresses[7]
    assert fakes.name(str(addresses[-1])) == f"n{MAX_NAMES - 1}.test"
    assert dns.answer(question(b"x.wild.test"), check, fakes).data[6:8] == b"\0\0"


def test_texts_that_are_no_fake_address():
    fakes = FakeAddresses()
    fakes.address("a.test")
    for text in (
        "198.18.0.0",
        "198.18.0.2",
        "::ffff:198.18.0.1",
        "198.18.1",
        "3323068417",
        "",
        "a.test",
        "198.18.0.1 ",
    ):
        assert fakes.name(text) is None
