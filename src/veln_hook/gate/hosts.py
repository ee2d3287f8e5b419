"""Hosts and authorities in one spelling; everything that two programs could read differently is an error.

Pure. A host is a DNS name in lower case without the final dot, or an address as ``ipaddress`` writes it
(IPv6 without brackets). Names are ASCII: an internationalised one is given as its A-labels (RFC 5890).
"""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def read_http_url(text: str, scheme: str = "http") -> tuple[Target, str]:
    """Read the absolute form of a request's target (RFC 9112 section 3.2.2).

    Args:
        text: What was sent.
        scheme: ``http`` or ``https``, the one that it must have.

    Returns:
        The target, and the origin form of the rest: path and query, starting with ``/``.

    Raises:
        ValueError: It is no URL of this scheme, or its authority is no plain host and port.
    """
    found, separator, rest = text.partition("://")
    if not separator or found.lower() != scheme or "#" in rest:
        raise ValueError(f"not an {scheme} URL")
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    target = read_authority(rest[:end], HTTPS_PORT if scheme == "https" else HTTP_PORT)
    path = rest[end:]
    return target, path if path.startswith("/") else f"/{path}"


def hosts_of(urls: Iterable[str]) -> set[str]:
    """Return the hosts of URLs, as `read_host` reads them; the URLs may have credentials.

    One without a host that can be read is left out.
    """
    found = set()
    for url in urls:
        with suppress(ValueError):
            found.add(bracketed(read_host(bracketed(urlsplit(url).hostname or ""))))
    return found


class Url(NamedTuple):
    """What is asked of whom; it has no credentials and no fragment."""

    secure: bool
    """Whether it is ``https``."""
    target: Target
    path: str
    """Path and query, starting with ``/``."""

    def __str__(self) -> str:
        return f"{origin_of(self.target, secure=self.secure)}{self.path}"


def read_url(text: str) -> Url:
    """Read an ``http`` or ``https`` URL; its fragment is left out.

    Raises:
        ValueError: It is something else, such as one with userinfo.
    """
    plain = text.partition("#")[0]
    secure = plain[:6].lower() == "https:"
    return Url(secure, *read_http_url(plain, "https" if secure else "http"))


def host_field(target: Target, *, secure: bool) -> str:
    """Return a target as the ``Host`` field has it: the scheme's own port is left out."""
    default = HTTPS_PORT if secure else HTTP_PORT
    return bracketed(target.host) if target.port == default else str(target)


def origin_of(target: Target, *, secure: bool) -> str:
    """Return the start of every URL there (RFC 6454): scheme, host, and the port if it isn't the scheme's."""
    return f"{'https' if secure else 'http'}://{host_field(target, secure=secure)}"
