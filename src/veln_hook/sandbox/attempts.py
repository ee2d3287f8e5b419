"""What a command in an empty network tries where nobody listens: seen as packets, so that it can be told.

Every address leads to loopback there (``network``), and what no socket takes is reset by the kernel without a
word. Raw sockets of the holder, which alone has the right to them, see the attempts (raw(7)). Packet sockets
would, too, but closing one takes the kernel ten milliseconds.
"""

from __future__ import annotations

import _socket
import struct

from veln_hook.sandbox import bpf
from veln_hook.sandbox.network import process_of
from veln_hook.sandbox.routing import TCP_PORTS

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from veln_hook.sandbox.refusals import Refusals

_TCP, _UDP = 6, 17
_DNS_PORT = 53
_FAKE = (198, (18, 19))  # routing.FAKE_NETWORK: what the gate answers with, and hears of itself
_LENGTH = 64
_SO_ATTACH_FILTER = 26

# Classic BPF (linux/filter.h) over the packet from its IP header on: the first packet of a TCP connection,
# and UDP but questions for names, neither to 127.0.0.0/8. All else costs the kernel a few instructions only.
_FILTER = (
    (0x30, 0, 0, 16),  # load the destination's first byte
    (0x15, 10, 0, 127),  # loopback: no
    (0x30, 0, 0, 9),  # the protocol
    (0xB1, 0, 0, 0),  # the header's length
    (0x15, 0, 3, _TCP),
    (0x50, 0, 0, 13),  # the flags
    (0x54, 0, 0, 0x12),
    (0x15, 3, 4, 0x02),  # SYN without ACK: yes
    (0x15, 0, 3, _UDP),
    (0x48, 0, 0, 2),  # the destination port
    (0x15, 1, 0, _DNS_PORT),
    (0x06, 0, 0, _LENGTH),  # yes
    (0x06, 0, 0, 0),  # no
)


class Attempts:
    """Notes what was tried at ports that nobody listens on."""

    def __init__(self, refusals: Refusals) -> None:
        """Begin to look.

        Raises:
            OSError: This process may have no raw sockets.
        """
        self._refusals = refusals
        self._sockets = {made.fileno(): made for made in (_raw(_TCP), _raw(_UDP))}

    def filenos(self) -> list[int]:
        """Return the descriptors to poll for input."""
        return list(self._sockets)

    def handle(self, descriptor: int) -> bool:
        """Note what is waiting at one of them; there can always be more."""
        try:
            self._note(self._sockets[descriptor].recv(_LENGTH))
        except OSError:
            pass  # there was nothing
        return True

    def _note(self, packet: bytes) -> None:
        start = (packet[0] & 0xF) * 4
        if len(packet) < start + 4:
            return
        own, port = struct.unpack_from(">HH", packet, start)
        address = packet[16:20]
        tcp = packet[9] == _TCP
        if (tcp and port in TCP_PORTS) or (address[0] == _FAKE[0] and address[1] in _FAKE[1]):
            return  # somebody listens, who notes it
        host = ".".join(map(str, address))
        self._refusals.add(host, port, process_of("tcp" if tcp else "udp", own))


def _raw(protocol: int) -> _socket.socket:
    made = _socket.socket(_socket.AF_INET, _socket.SOCK_RAW, protocol)
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in _FILTER)
    made.setsockopt(_socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(bpf.Attached(program)))
    made.setblocking(False)
    return made
