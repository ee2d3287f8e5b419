"""Socket addresses as a system call has them (``struct sockaddr``), told apart and put into words."""

from __future__ import annotations

import _socket
import errno
import struct

_MAX_BYTES = 128  # struct sockaddr_storage
_IN_BYTES, _IN6_BYTES = 16, 24  # the second without its scope, as connect(2) accepts it
_UN_PATH = 2
_MAPPED = b"\0" * 10 + b"\xff\xff"  # RFC 4291, 2.5.5.2
_LOOPBACK, _LOOPBACK6 = b"\x7f\0\0\1", b"\0" * 15 + b"\1"
_FAKE = (b"\xc6\x12", b"\xc6\x13")  # 198.18.0.0/15, routing.FAKE_NETWORK


class Internet:
    """An IP address and a port. Addresses of IPv4 within IPv6 are those of IPv4 here."""

    __slots__ = ("mapped", "packed", "port")

    def __init__(self, packed: bytes, port: int) -> None:
        self.mapped = packed.startswith(_MAPPED)
        self.packed = packed[len(_MAPPED) :] if self.mapped else packed
        self.port = port

    @property
    def host(self) -> str:
        """The address as text."""
        return _socket.inet_ntop(
            _socket.AF_INET if len(self.packed) == len(_LOOPBACK) else _socket.AF_INET6, self.packed
        )

    def local(self) -> Internet | None:
        """Return the loopback address it means, if it does; the unspecified address is this machine, too."""
        if self.packed == b"\0" * len(self.packed):
            packed = _LOOPBACK if len(self.packed) == len(_LOOPBACK) else _LOOPBACK6
            return Internet((_MAPPED if self.mapped else b"") + packed, self.port)
        if self.packed == _LOOPBACK6 or (
            len(self.packed) == len(_LOOPBACK) and self.packed[0] == _LOOPBACK[0]
        ):
            return self
        return None

    def fake(self) -> bool:
        """Say whether the gate makes up addresses like it (``routing``)."""
        return len(self.packed) == len(_LOOPBACK) and self.packed[:2] in _FAKE

    def for_family(self, family: int) -> tuple[str, int]:
        """Return the address as a socket of the family takes it."""
        if family == _socket.AF_INET6 and self.mapped:
            return f"::ffff:{self.host}", self.port
        return self.host, self.port


def read(raw: bytes) -> tuple[int, Internet | bytes | None]:
    """Return the family of an address, and the address if it is known here: for UNIX, the bytes of the name.

    Raises:
        OSError: EINVAL, it is too short or too long.
    """
    if not _UN_PATH <= len(raw) <= _MAX_BYTES:
        raise OSError(errno.EINVAL, "length of an address")
    family = int(struct.unpack_from("=H", raw)[0])
    if family == _socket.AF_UNIX:
        name = raw[_UN_PATH:]
        return family, name if name.startswith(b"\0") else name.partition(b"\0")[0]
    if family == _socket.AF_INET and len(raw) >= _IN_BYTES:
        return family, Internet(raw[4:8], int(struct.unpack_from(">H", raw, 2)[0]))
    if family == _socket.AF_INET6 and len(raw) >= _IN6_BYTES:
        return family, Internet(raw[8:24], int(struct.unpack_from(">H", raw, 2)[0]))
    if family in (_socket.AF_INET, _socket.AF_INET6):
        raise OSError(errno.EINVAL, "length of an address")
    return family, None
