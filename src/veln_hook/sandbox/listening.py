"""Which socket listens at a TCP address of this network namespace: the kernel is asked, one by one."""

from __future__ import annotations

import _socket
import errno
import os
import struct

# sock_diag(7), linux/inet_diag.h
_NETLINK_SOCK_DIAG = 4
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_ERROR = 2  # NLMSG_ERROR
_REQUEST = 1  # NLM_F_REQUEST
_LISTEN = 10  # TCP_LISTEN
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI")  # the beginning of struct inet_diag_req_v2
_PORTS = struct.Struct(">HH")
_NO_COOKIE = b"\xff" * 8
_STATE, _PORT, _INODE = 16 + 1, 16 + 4, 16 + 68  # in struct inet_diag_msg, which follows the header
_MAX_ANSWER = 4096
_IPV4_BYTES, _ADDRESS_BYTES = 4, 16


class Listening:
    """A question that is asked again and again, on one netlink socket."""

    def __init__(self) -> None:
        self._netlink: _socket.socket | None = None

    def inode(self, packed: bytes, port: int) -> int:
        """Return the inode number of the socket that would get a connection to an address; 0 if none would.

        Args:
            packed: The address, 4 or 16 bytes.
            port: The port.

        Raises:
            OSError: The kernel doesn't tell.
        """
        if self._netlink is None:
            self._netlink = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG)
        family = _socket.AF_INET if len(packed) == _IPV4_BYTES else _socket.AF_INET6
        body = b"".join(
            (
                _QUESTION.pack(family, _socket.IPPROTO_TCP, 0, 1 << _LISTEN),
                _PORTS.pack(port, 0),
                packed.ljust(_ADDRESS_BYTES, b"\0"),
                bytes(_ADDRESS_BYTES + 4),  # from anywhere, by any interface
                _NO_COOKIE,
            )
        )
        self._netlink.send(_HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 0, 0) + body)
        answer = self._netlink.recv(_MAX_ANSWER)
        _, kind, _, _, _ = _HEADER.unpack_from(answer)
        if kind == _ERROR:
            error = -struct.unpack_from("=i", answer, _HEADER.size)[0]
            if error == errno.ENOENT:
                return 0
            raise OSError(error, os.strerror(error))
        if answer[_STATE] != _LISTEN or struct.unpack_from(">H", answer, _PORT)[0] != port:
            return 0
        return int(struct.unpack_from("=I", answer, _INODE)[0])


def inode_by_table(packed: bytes, port: int) -> int:
    """Return the same from ``/proc/net/tcp`` (proc(5)), for kernels without sock_diag: it takes longer.

    It knows sockets that are bound to this very address, no others.

    Raises:
        OSError: The table can't be read.
    """
    table, wanted = ("tcp", packed) if len(packed) == _IPV4_BYTES else ("tcp6", packed)
    words = struct.unpack(f"={len(wanted) // 4}I", wanted)
    address = "".join(f"{word:08X}" for word in words) + f":{port:04X}"
    with open(f"/proc/self/net/{table}", encoding="ascii") as file:
        for line in file:
            columns = line.split()
            if columns[1] == address and columns[3] == f"{_LISTEN:02X}":
                return int(columns[9])
    return 0
