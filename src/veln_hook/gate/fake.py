"""Addresses that stand for names, for programs that look up a name and connect to what they get."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network

from veln_hook.gate.route import FAKE_NETWORK

MAX_NAMES = 1 << 16
"""With a wildcard in the list a command can ask for any number of names."""


class FakeAddresses:
    """A stable address of ``route.FAKE_NETWORK`` for each name that was asked for."""

    def __init__(self) -> None:
        self._first = int(IPv4Network(FAKE_NETWORK).network_address) + 1
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def address(self, name: str) -> IPv4Address | None:
        """Return the address of a name, always the same; ``None`` once `MAX_NAMES` names have one."""
        number = self._numbers.get(name)
        if number is None:
            number = len(self._names)
            if number >= MAX_NAMES:
                return None
            self._numbers[name] = number
            self._names.append(name)
        return IPv4Address(self._first + number)

    def name(self, address: str) -> str | None:
        """Return the name an address was given out for; ``None`` for every other text."""
        try:
            number = int(IPv4Address(address)) - self._first
        except AddressValueError:
            return None
        return self._names[number] if 0 <= number < len(self._names) else None
