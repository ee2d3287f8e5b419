"""Which proxy the user's own environment names for a request, as uv reads it."""

from __future__ import annotations

import base64
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import unquote_to_bytes

from veln_hook.errors import UsageError
from veln_hook.gate.hosts import Target, is_address, read_authority

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PORTS = {"http": 80, "https": 443}


class Proxy(NamedTuple):
    """A proxy that requests go through."""

    variable: str
    """What named it."""
    target: Target
    secure: bool
    """Whether it is spoken to over TLS itself."""
    authorization: Optional[bytes]
    """The value of ``Proxy-Authorization``."""

    def __repr__(self) -> str:
        return f"Proxy({self.variable}, {self.target})"


class Proxies:
    """The proxies of one environment."""

    def __init__(self, secure: Proxy | None = None, plain: Proxy | None = None, no_proxy: str = "") -> None:
        """Use one proxy for ``https`` and one for ``http``, except for hosts that ``NO_PROXY`` names."""
        self._secure, self._plain = secure, plain
        self._direct = _Direct(entry.strip() for entry in no_proxy.split(","))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Proxies:
        """Read ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

        The spelling in upper case goes before the one in lower case, and what names a scheme before
        ``ALL_PROXY``; an empty value stands for none.

        Raises:
            UsageError: One of them is no proxy that can be spoken to; the message has the variable's name and
                not its value, which can hold a password.
        """
        everything = _first(environ, "ALL_PROXY")
        # In CGI a request's `Proxy` header becomes HTTP_PROXY (CVE-2016-5385).
        plain = _Setting("HTTP_PROXY", "") if "REQUEST_METHOD" in environ else _first(environ, "HTTP_PROXY")
        return cls(
            _read(_first(environ, "HTTPS_PROXY") or everything),
            _read(plain or everything),
            (_first(environ, "NO_PROXY") or _Setting("NO_PROXY", "")).value,
        )

    def find(self, target: Target, *, secure: bool) -> Proxy | None:
        """Return what a request goes through; ``None`` if it goes straight to its target."""
        proxy = self._secure if secure else self._plain
        return None if proxy is None or self._direct.covers(target) else proxy


class _Setting(NamedTuple):
    variable: str
    value: str


def _first(environ: Mapping[str, str], name: str) -> _Setting | None:
    """Return the first spelling of a variable that is set, and its value."""
    for spelling in (name, name.lower()):
        if spelling in environ:
            return _Setting(spelling, environ[spelling].strip())
    return None


def _read(setting: _Setting | None) -> Proxy | None:
    if setting is None or not setting.value:
        return None
    variable, text = setting
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", text)
    if scheme not in _PORTS:
        raise UsageError(
            f"{variable} names a proxy that isn't http or https",
            advice=f"Give {variable} an http:// URL of the same proxy, if it has one, or unset it.",
        )
    credentials, _, authority = rest.partition("/")[0].rpartition("@")
    try:
        target = read_authority(authority, _PORTS[scheme])
    except ValueError as error:
        raise UsageError(
            f"{variable} names no proxy that can be read: {error}", advice="Write http://HOST:PORT."
        ) from None
    authorization = None
    if credentials:
        user, _, password = credentials.partition(":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        authorization = b"Basic " + base64.b64encode(pair)
    return Proxy(variable, target, scheme == "https", authorization)


class _Direct:
    """What ``NO_PROXY`` names: hosts with all below them, addresses, networks, or everything."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._all = False
        self._names: set[str] = set()
        self._networks = []
        for entry in entries:
            name = entry.lower().removeprefix("*").removeprefix(".") if entry != "*" else entry
            if name == "*":
                self._all = True
                continue
            try:
                self._networks.append(ip_network(name.strip("[]"), strict=False))
            except ValueError:
                self._names.add(name)
        self._names.discard("")

    def covers(self, target: Target) -> bool:
        if self._all:
            return True
        if is_address(target.host):
            address = ip_address(target.host)
            return str(target) in self._names or any(address in network for network in self._networks)
        name = target.host
        while name:
            if name in self._names or f"{name}:{target.port}" in self._names:
                return True
            name = name.partition(".")[2]
        return False
