"""Which hosts may be reached: the list, read once and strictly, and the one place that decides. Pure."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from veln_hook.errors import UsageError
from veln_hook.gate.hosts import is_address, read_host, read_port
from veln_hook.gate.refusing import index_host, not_listed, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

INDEX_HOSTS = frozenset(
    {
        "pypi.org",
        "files.pythonhosted.org",
        "test.pypi.org",
        "test-files.pythonhosted.org",
        "pypi.python.org",
    }
)
"""Hosts that serve distribution files: through a blind tunnel a command would fetch what nobody judged."""


class Allowlist:
    """Entries such as ``files.example.org``, ``*.example.org:8443``, ``192.0.2.7`` and ``[2001:db8::7]:80``.

    An entry without a port stands for the default ports, one with a port for that port alone. ``*.`` stands
    for one or more labels: ``*.example.org`` has ``a.b.example.org`` and not ``example.org``. Addresses are
    matched as addresses only; no wildcard covers one.
    """

    def __init__(self, entries: Iterable[str], ports: Iterable[int]) -> None:
        """Read the entries.

        Raises:
            UsageError: One of them is no entry.
        """
        self._exact: dict[str, set[int]] = {}
        self._below: dict[str, set[int]] = {}
        default = set(ports)
        for entry in entries:
            try:
                host, port, wildcard = _read_entry(entry)
            except ValueError as error:
                raise UsageError(
                    f"{shown(entry)} can't be allowed: {error}",
                    advice='Write a host: "files.example.org", "*.example.org:8443", "[2001:db8::7]".',
                ) from None
            table = self._below if wildcard else self._exact
            table.setdefault(host, set()).update(default if port is None else {port})

    def ports(self, host: str) -> frozenset[int]:
        """Return the ports on which a host (``hosts.read_host``) is listed; none if it isn't."""
        found = set(self._exact.get(host, ()))
        if self._below and not is_address(host):
            parent = host.partition(".")[2]
            while parent:
                found |= self._below.get(parent, set())
                parent = parent.partition(".")[2]
        return frozenset(found)


def _read_entry(entry: str) -> tuple[str, int | None, bool]:
    text, port = entry, None
    head, colon, tail = entry.rpartition(":")
    if colon and not entry.endswith("]"):
        text, port = head, read_port(tail)
    wildcard = text.startswith("*.")
    host = read_host(text[2:] if wildcard else text)
    if wildcard and is_address(host):
        raise ValueError("an address has nothing below it")
    if ":" in host and IPv6Address(host).ipv4_mapped is not None:
        raise ValueError("an IPv4 address is written as one")
    return host, port, wildcard


class Rules:
    """What is allowed; it is asked before any name is resolved."""

    def __init__(
        self,
        allow: Iterable[str],
        *,
        ports: Iterable[int],
        private: Iterable[str] = (),
        index_hosts: Iterable[str] = (),
    ) -> None:
        """Read what is allowed.

        Args:
            allow: Entries, see `Allowlist`.
            ports: Which ports an entry without one stands for.
            private: Entries whose names may have private addresses; they allow nothing by themselves.
            index_hosts: Hosts of further indexes, treated as `INDEX_HOSTS`.

        Raises:
            UsageError: An entry is none.
        """
        self._default = frozenset(ports)
        self._allow = Allowlist(allow, self._default)
        self._private = Allowlist(private, self._default)
        self._index_hosts = INDEX_HOSTS | _hosts(index_hosts)

    def check(self, host: str, port: int | None) -> None:
        """Return if a host may be reached on a port, or on any where ``port`` is ``None``.

        Raises:
            RefusedError: It may not.
        """
        if host in self._index_hosts:
            raise index_host(host, port)
        ports = self._allow.ports(host)
        if not ports or (port is not None and port not in ports):
            raise not_listed(host, port, default=port is None or port in self._default)

    def may_be_private(self, host: str, port: int) -> bool:
        """Tell whether a host that was checked may have any address: addresses themselves, and those told."""
        return is_address(host) or port in self._private.ports(host)


def _hosts(texts: Iterable[str]) -> frozenset[str]:
    try:
        return frozenset(read_host(text) for text in texts)
    except ValueError as error:
        raise UsageError(f"the host of an index can't be read: {error}") from None
