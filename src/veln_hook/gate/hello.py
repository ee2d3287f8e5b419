"""What a TLS ClientHello says about the host it wants (RFC 8446 section 4.1.2, RFC 6066 section 3).

It is read and never changed. A reading that another program could not share is an error: doubled
extensions, several names, bytes left over.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Protocol

HANDSHAKE = 22
"""Content type of a TLS record (RFC 8446 section 5.1)."""
ALERT = b"\x15\x03\x03\x00\x02\x02\x31"
"""A record with the fatal alert access_denied (RFC 8446 section 6.2)."""
SERVER_HELLO_START = 5 + 4 + 2 + 32
"""How many bytes hold a record's header, a message's header, a version and a random."""

_CHANGE_CIPHER_SPEC, _APPLICATION_DATA = 20, 23
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_MAX_RECORD = 1 << 14
_MAX_BYTES = 1 << 16
_SERVER_NAME = 0
_HIDING = frozenset({0xFE0D, 0xFFCE})  # encrypted_client_hello (RFC 9849), encrypted_server_name (a draft)
# RFC 8446 section 4.1.3: SHA-256 of "HelloRetryRequest" in the place of the server's random.
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


class HelloError(ValueError):
    """It is no ClientHello, or none that has one meaning."""


class Hello(NamedTuple):
    """What was said."""

    name: Optional[str]
    """The server name as it was sent; ``None`` if there was none."""
    hidden: bool
    """Whether another name, which counts instead, may be encrypted in it."""


class Source(Protocol):
    """Where bytes come from."""

    async def exactly(self, count: int) -> bytes:
        """Return that many bytes, or raise EOFError."""


async def read_hello(source: Source, *, again: bool = False) -> tuple[bytes, Hello]:
    """Read the records of one ClientHello, however it is fragmented.

    Args:
        source: What the client sends.
        again: Whether it answers a HelloRetryRequest: a ChangeCipherSpec and early data may come before it.

    Returns:
        The bytes that were read, and what they say.

    Raises:
        HelloError: They are something else.
        EOFError: They end too early.
    """
    raw, message = bytearray(), bytearray()
    while len(message) < _length(message):
        header = await source.exactly(5)
        kind, size = header[0], int.from_bytes(header[3:], "big")
        early = again and not message and kind in (_CHANGE_CIPHER_SPEC, _APPLICATION_DATA)
        if (kind != HANDSHAKE and not early) or header[1] != 3:  # noqa: PLR2004 - the major version
            raise HelloError("not a TLS handshake")
        if not 0 < size <= _MAX_RECORD + (256 if early else 0):
            raise HelloError("a record of an impossible size")
        raw += header
        raw += await source.exactly(size)
        if not early:
            message += raw[-size:]
        if len(raw) > _MAX_BYTES:
            raise HelloError("too long")
    if len(message) != _length(message):
        raise HelloError("bytes after the ClientHello")
    return bytes(raw), parse_hello(bytes(message))


def _length(message: bytearray) -> int:
    """Return how long the message is to be, header included, as far as it is known."""
    if message and message[0] != _CLIENT_HELLO:
        raise HelloError("not a ClientHello")
    return 4 + int.from_bytes(message[1:4], "big") if len(message) >= 4 else 4  # noqa: PLR2004


def is_retry(start: bytes) -> bool:
    """Tell whether a server's first `SERVER_HELLO_START` bytes ask the client for a second ClientHello.

    Raises:
        HelloError: It can't be told, since the message is split into smaller records.
    """
    if start[:1] != bytes((HANDSHAKE,)):
        return False
    if len(start) < SERVER_HELLO_START or int.from_bytes(start[3:5], "big") < SERVER_HELLO_START - 5:
        raise HelloError("a ServerHello in pieces")
    return start[5] == _SERVER_HELLO and start[11:SERVER_HELLO_START] == _RETRY


class _Reader:
    """Vectors of TLS' presentation language (RFC 8446 section 3.4)."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        part = self._data[self._at : self._at + count]
        if len(part) != count:
            raise HelloError("ends too early")
        self._at += count
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))

    def more(self) -> bool:
        return self._at < len(self._data)

    def end(self) -> None:
        if self.more():
            raise HelloError("bytes left over")


def parse_hello(message: bytes) -> Hello:
    """Read one whole handshake message.

    Raises:
        HelloError: It is no ClientHello, or none that has one meaning.
    """
    reader = _Reader(message)
    if reader.number(1) != _CLIENT_HELLO:
        raise HelloError("not a ClientHello")
    body = _Reader(reader.vector(3))
    reader.end()
    body.take(2 + 32)  # version, random
    body.vector(1)  # session id
    body.vector(2)  # cipher suites
    body.vector(1)  # compression methods
    if not body.more():
        return Hello(None, hidden=False)
    extensions = _extensions(_Reader(body.vector(2)))
    body.end()
    name = _server_name(extensions[_SERVER_NAME]) if _SERVER_NAME in extensions else None
    return Hello(name, hidden=not _HIDING.isdisjoint(extensions))


def _extensions(reader: _Reader) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while reader.more():
        kind = reader.number(2)
        if kind in found:
            raise HelloError("an extension twice")
        found[kind] = reader.vector(2)
    return found


def _server_name(data: bytes) -> str:
    reader = _Reader(data)
    names = _Reader(reader.vector(2))
    reader.end()
    kind, name = names.number(1), names.vector(2)
    names.end()
    if kind != 0 or not name:
        raise HelloError("not one host name")
    return name.decode("latin-1")
