"""Hosts and authorities in one spelling; everything that two programs could read differently is an error.

Pure. A host is a DNS name in lower case without the final dot, or an address as ``ipaddress`` writes it
(IPv6 without brackets). Names are ASCII: an internationalised one is given as its A-labels (RFC 5890).
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

HTTPS_PORT = 443
HTTP_PORT = 80

_MAX_NAME = 253  # RFC 1035 section 2.3.4: 255 octets on the wire
_MAX_PORT = 65535
_NAME = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*", re.ASCII
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_IPV6 = re.compile(r"[0-9a-f:.]+", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


class Target(NamedTuple):
    """Where a connection is to go."""

    host: str
    """In the spelling of this module."""
    port: int
    """1 to 65535."""

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


def is_address(host: str) -> bool:
    """Tell whether a host in the spelling of this module is an address; no name ends in a number."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def bracketed(host: str) -> str:
    """Return the host as it stands before a port (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def read_host(text: str) -> str:
    """Read a name or an address, IPv6 in brackets.

    Raises:
        ValueError: It is neither, or is a spelling that resolvers read as an address: ``127.1``,
            ``0x7f.0.0.1``, ``2130706433`` (the "ends in a number" rule of the URL standard).
    """
    if text.startswith("[") and text.endswith("]"):
        return _read_ipv6(text[1:-1].lower())
    name = text.lower() if text.isascii() else text
    if _NUMBER.fullmatch(name.rstrip(".").rpartition(".")[2]):
        return _read_ipv4(name)
    name = name.removesuffix(".")
    if len(name) > _MAX_NAME or _NAME.fullmatch(name) is None:
        raise ValueError("not a host name")
    return name


def _read_ipv4(text: str) -> str:
    try:
        address = str(IPv4Address(text))
    except AddressValueError:
        address = ""
    if address != text:  # leading zeros are octal to some and decimal to others
        raise ValueError("not an IPv4 address in its one spelling")
    return address


def _read_ipv6(text: str) -> str:
    if _IPV6.fullmatch(text) is None:
        raise ValueError("not an IPv6 address")
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        raise ValueError("not an IPv6 address") from None


def read_authority(text: str, default_port: int | None = None) -> Target:
    """Read ``host:port``; the port may be missing only where there is a default.

    Raises:
        ValueError: It is something else, such as one with userinfo.
    """
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        if default_port is None:
            raise ValueError("the port is missing")
        return Target(read_host(text), default_port)
    return Target(read_host(host), read_port(port))


def read_port(text: str) -> int:
    """Read a TCP port.

    Raises:
        ValueError: It is none from 1 to 65535.
    """
    port = int(text) if _PORT.fullmatch(text) else 0
    if not 1 <= port <= _MAX_PORT:
        raise ValueError("not a port")
    return port


def read_http_url(text: str) -> tuple[Target, str]:
    """Read the absolute form of a request's target (RFC 9112 section 3.2.2).

    Returns:
        The target, and the origin form of the rest: path and query, starting with ``/``.

    Raises:
        ValueError: It is no ``http`` URL, or its authority is no plain host and port.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() != "http" or "#" in rest:
        raise ValueError("not an http URL")
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    target = read_authority(rest[:end], HTTP_PORT)
    path = rest[end:]
    return target, path if path.startswith("/") else f"/{path}"
