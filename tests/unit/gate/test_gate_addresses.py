"""Which addresses are public, how attempts are counted, and what is said when the extra is missing."""

from __future__ import annotations

import threading
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veln_hook.errors import UsageError
from veln_hook.gate import extra
from veln_hook.gate.attempts import MAX_ROWS, Attempts
from veln_hook.gate.resolve import is_public


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "151.101.0.223", "172.15.0.1", "172.32.0.1", "2606:4700::1", "2a04:4e42::223"],
)
def test_public_addresses(address):
    assert is_public(address)


@given(st.ip_addresses())
def test_no_address_that_python_calls_private_is_public(address):
    text = str(address)
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(text)
    if address.is_reserved or address.is_unspecified:
        assert not is_public(text)


@given(st.ip_addresses(v=4))
def test_no_wrapping_of_an_ipv4_address_is_public(address):
    four = int(address)
    for prefix in ("::ffff:0:0", "::", "64:ff9b::", "64:ff9b:1::", "::ffff:0:0:0"):
        assert not is_public(str(IPv6Address(int(IPv6Address(prefix)) | four)))
    assert not is_public(str(IPv6Address(0x2002 << 112 | four << 80)))
    assert not is_public(str(IPv6Address(0x20010000 << 96 | (four ^ 0xFFFFFFFF))))


def test_every_address_of_a_private_network_is_private():
    for first, last in (
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("224.0.0.0", "255.255.255.255"),
    ):
        assert not is_public(first)
        assert not is_public(last)
        assert not is_public(str(IPv4Address((int(IPv4Address(first)) + int(IPv4Address(last))) // 2)))


def test_attempts_are_counted_in_order_of_appearance():
    attempts = Attempts()
    for host, port in (("b.test", 443), ("a.test", None), ("b.test", 443)):
        attempts.add(host, port, "p")
    assert attempts.rows() == (("b.test", 443, "p", 2), ("a.test", None, "p", 1))
    assert attempts.rows()[0].count == 2


def test_attempts_from_many_threads_are_all_counted_and_bounded():
    attempts = Attempts()

    def add(thread: int) -> None:
        for number in range(500):
            attempts.add(f"{thread}.{number}.test", 443, "p")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = attempts.rows()
    assert len(rows) == MAX_ROWS + 1
    assert rows[-1].host == "..."
    assert sum(row.count for row in rows) == 2000


def test_hosts_of_strangers_are_shown_in_one_line():
    attempts = Attempts()
    attempts.add("a\x1b[2J\nb\u202e" + "x" * 1000, 443, "p\0")
    ((host, _, process, _),) = attempts.rows()
    assert host.startswith("a?[2J?b?xxx")
    assert (len(host), process) == (253, "p?")


def test_a_missing_extra_is_said_with_the_command_that_adds_it(monkeypatch):
    extra.require()
    extra.require("guarding uv")
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    for purpose, told in (
        (None, "reaching an allowed host needs the gate, and h11 is not installed"),
        ("guarding uv", "guarding uv needs the gate, and h11 and cryptography are not installed"),
    ):
        with pytest.raises(UsageError) as error:
            extra.require(purpose)
        assert (str(error.value), error.value.advice) == (
            told, "Run: python -m pip install 'veln-hook[gate]'",
        )  # fmt: skip


def test_an_allowed_host_needs_no_cryptography(monkeypatch):
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "cryptography" else object())
    extra.require()
    with pytest.raises(UsageError, match="cryptography is not installed"):
        extra.require("guarding uv")
