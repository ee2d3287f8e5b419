"""The network of an empty network namespace: loopback only, and every address leads to it.

Whatever is connected to, is accepted here and handed to the route, or noted and closed where there is
none; names are asked for here, too. So a refusal can be told by host, and nothing leaves.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import struct

from veln_hook.sandbox import processes
from veln_hook.sandbox.routing import TCP_PORTS

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from veln_hook.sandbox.refusals import Refusals

# ``_socket`` is what ``socket`` is made of; the rest of that module would cost each start milliseconds.
Socket = _socket.socket

_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914  # netdevice(7)
_IFF_UP = 1
_INTERFACE_REQUEST = "16sH22x"
_RTM_NEWROUTE = 24  # rtnetlink(7)
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_CREATE = 0x1, 0x4, 0x400
_NLMSG_ERROR = 2
_TABLE_LOCAL, _PROTOCOL_STATIC, _SCOPE_HOST, _TYPE_LOCAL = 255, 4, 254, 2
_RTA_OIF = 4
_LOOPBACK_INDEX = 1
_DNS_PORT = 53
_BACKLOG = 128
_MAX_QUESTION = 512
_MAX_LABEL = 63
_NAME_DOES_NOT_EXIST = 3  # RFC 1035, 4.1.1
_LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)  # the connection is reset when it is closed


def raise_loopback() -> None:
    """Switch the loopback interface on, and have every IPv4 address lead to it.

    Raises:
        OSError: The namespace gives no such rights.
    """
    plain = Socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    request = struct.pack(_INTERFACE_REQUEST, b"lo", 0)
    _, flags = struct.unpack(_INTERFACE_REQUEST, fcntl.ioctl(plain.fileno(), _SIOCGIFFLAGS, request))
    fcntl.ioctl(plain.fileno(), _SIOCSIFFLAGS, struct.pack(_INTERFACE_REQUEST, b"lo", flags | _IFF_UP))
    plain.close()

    netlink = Socket(_socket.AF_NETLINK, _socket.SOCK_RAW, 0)
    body = struct.pack(
        "=BBBBBBBBI", _socket.AF_INET, 0, 0, 0, _TABLE_LOCAL, _PROTOCOL_STATIC, _SCOPE_HOST, _TYPE_LOCAL, 0
    )
    body += struct.pack("=HHI", 8, _RTA_OIF, _LOOPBACK_INDEX)
    kind = _NLM_F_REQUEST | _NLM_F_ACK | _NLM_F_CREATE
    netlink.send(struct.pack("=IHHII", 16 + len(body), _RTM_NEWROUTE, kind, 1, 0) + body)
    answer = netlink.recv(4096)
    netlink.close()
    _, what = struct.unpack_from("=IH", answer)
    if what == _NLMSG_ERROR:
        (error,) = struct.unpack_from("=i", answer, 16)
        if error:
            raise OSError(-error, f"route to loopback: {os.strerror(-error)}")


def listeners(*, names: bool) -> list[tuple[str, Socket]]:
    """Make the sockets that everything in the namespace leads to.

    Args:
        names: Whether there may be sockets on ports below 1024.

    Returns:
        The kind of each (``routing``: proxy, dns, tcp), and the socket; the proxy comes first.

    Raises:
        OSError: One can't be made.
    """
    proxy = bound(_socket.SOCK_STREAM, "127.0.0.1", 0)
    proxy.listen(_BACKLOG)
    made = [("proxy", proxy)]
    if names:
        made.append(("dns", bound(_socket.SOCK_DGRAM, "0.0.0.0", _DNS_PORT)))  # noqa: S104 - a namespace of its own
        for port in TCP_PORTS:
            wanted = bound(_socket.SOCK_STREAM, "0.0.0.0", port)  # noqa: S104 - as above
            wanted.listen(_BACKLOG)
            made.append(("tcp", wanted))
    return made


def bound(kind: int, address: str, port: int) -> Socket:
    """Return a socket of that type with an IPv4 address of its own.

    Raises:
        OSError: It can't have it.
    """
    made = Socket(_socket.AF_INET, kind)
    made.bind((address, port))
    return made


class Recorder:
    """Stands where a gate would: refuses every name and every connection, and notes it."""

    def __init__(self, sockets: list[tuple[str, Socket]], refusals: Refusals) -> None:
        self._kinds = {made.fileno(): (kind, made) for kind, made in sockets}
        self._refusals = refusals
        for _, made in self._kinds.values():
            made.setblocking(False)

    def filenos(self) -> list[int]:
        """Return the descriptors to poll for input."""
        return list(self._kinds)

    def handle(self, descriptor: int) -> bool:
        """Refuse what is waiting at one of them; there can always be more."""
        kind, made = self._kinds[descriptor]
        try:
            if kind == "dns":
                self._refuse_name(made)
            else:
                self._refuse_connection(made)
        except (OSError, ValueError):
            pass  # gone already, or no question: refused all the same
        return True

    def _refuse_name(self, made: Socket) -> None:
        question, asker = made.recvfrom(_MAX_QUESTION)
        name = question_name(question)
        self._refusals.add(name, None, process_of("udp", asker[1]))
        made.sendto(refusal(question), asker)

    def _refuse_connection(self, made: Socket) -> None:
        descriptor, asker = made._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - what socket.accept is made of
        taken = Socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, descriptor)
        address, port = taken.getsockname()
        self._refusals.add(address, port, process_of("tcp", asker[1]))
        taken.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, _LINGER_NOT_AT_ALL)
        taken.close()


def question_name(message: bytes) -> str:
    """Return the name that a DNS message asks for (RFC 1035, 4.1.2).

    Raises:
        ValueError: It asks for none.
    """
    labels: list[str] = []
    at = 12
    while True:
        if at >= len(message):
            raise ValueError("a name without an end")
        length = message[at]
        if not length:
            return ".".join(labels)
        if length > _MAX_LABEL:
            raise ValueError("a question doesn't point elsewhere")
        labels.append(message[at + 1 : at + 1 + length].decode("latin-1"))
        at += 1 + length


def refusal(message: bytes) -> bytes:
    """Return the answer to a DNS message that the name doesn't exist.

    Raises:
        ValueError: It is too short for an answer.
    """
    if len(message) < 12:  # noqa: PLR2004 - a header, RFC 1035, 4.1.1
        raise ValueError("no header")
    at = 12
    while at < len(message) and message[at]:
        at += 1 + message[at]
    recursion_desired = message[2] & 1
    flags = bytes((0x80 | (message[2] & 0x78) | recursion_desired, 0x80 | _NAME_DOES_NOT_EXIST))
    return message[:2] + flags + struct.pack(">HHHH", 1, 0, 0, 0) + message[12 : at + 5]


def process_of(protocol: str, port: int) -> str:
    """Return the name of the process that has a socket with this local port; empty if it can't be told."""
    wanted = f":{port:04X}"
    try:
        with open(f"/proc/self/net/{protocol}", encoding="utf-8") as table:
            inodes = {row[9] for row in map(str.split, table) if row[1].endswith(wanted) and row[9] != "0"}
        marks = {f"socket:[{inode}]" for inode in inodes}
        for process in os.listdir("/proc"):
            if (
                process.isdigit()
                and int(process) != os.getpid()
                and _has_socket(f"/proc/{process}/fd", marks)
            ):
                return processes.name(int(process))
    except OSError:
        pass
    return ""


def _has_socket(directory: str, marks: set[str]) -> bool:
    try:
        return any(os.readlink(f"{directory}/{descriptor}") in marks for descriptor in os.listdir(directory))
    except OSError:
        return False  # it ended meanwhile
