"""A gate with its command, and an internet on loopback: real sockets, real TLS, names that a callable resolves."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from veln_hook.gate.egress import Egress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 30
"""How long a test waits for what must come; nothing is concluded from what comes sooner."""


class Names:
    """A resolver with the signature of getaddrinfo; ``asked`` has every name that it was called for."""

    def __init__(self) -> None:
        self.places: dict[str, list[tuple[str, int]]] = {}
        self.asked: list[str] = []

    def add(self, name: str, *places: tuple[str, int]) -> None:
        """Let a name lead to these addresses, on these ports whatever port is asked for."""
        self.places[name] = list(places)

    def __call__(self, host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002, ARG002 - as getaddrinfo
        self.asked.append(host)
        if host not in self.places:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, type, 6, "", (address, number))
            for address, number in self.places[host]
        ]


class Server:
    """A server on loopback; each connection is given to ``serve`` in a thread of its own."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.place = self._listener.getsockname()[:2]
        self.received = bytearray()
        """Whatever ``serve`` has added to it."""
        self.accepted = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.accepted += 1
                sock.settimeout(SECONDS)
                self._open.append(sock)
                threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            self._serve(sock)

    def close(self) -> None:
        # Only this wakes up a thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


_CONFIGURATION = """\
[req]
distinguished_name = name
x509_extensions = authority
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
_OF_A_SERVER = "basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"


class Authority:
    """A certificate authority and certificates, made by the openssl command."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.file = directory / "ca.pem"
        (directory / "own.cnf").write_text(_CONFIGURATION)
        self._openssl("req", "-x509", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")

    def _openssl(self, *arguments: str) -> None:
        key = (
            "-config",
            "own.cnf",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        )
        subprocess.run(
            ["openssl", *arguments, *(key if arguments[0] == "req" else ())],
            cwd=self._directory,
            check=True,
            capture_output=True,
        )

    def server_context(self, name: str) -> ssl.SSLContext:
        """Return what a server of this name, or address, speaks TLS with."""
        chain = self._directory / f"{name}.pem"
        if not chain.exists():
            kind = "IP" if name.replace(".", "").isdigit() else "DNS"
            (self._directory / f"{name}.ext").write_text(f"{_OF_A_SERVER}subjectAltName={kind}:{name}\n")
            self._openssl("req", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            self._openssl(
                "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
                "-extfile", f"{name}.ext", "-out", f"{name}.pem",
            )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, self._directory / f"{name}.key")
        return context

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.file))


class World:
    """One gate and the command's side of its route. A context manager."""

    def __init__(
        self, *allow: str, names: Names | None = None, processes: str | None = "python", **options: Any
    ):
        self.names = names or Names()
        options.setdefault("private", ("allowed.test", "allowed.test:8443", "*.wild.test"))
        self.egress = Egress(allow, resolver=self.names, **options)
        self.route = socket.socket(fileno=self.egress.open_route())
        self._processes = processes
        self.asked_for: list[int] = []
        """Ports that the gate has asked "who" for."""
        self._open: list[socket.socket] = [self.route]
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                question = self.route.recv(1024).decode()
                if not question:
                    return
                port = int(question.split()[1])
                self.asked_for.append(port)
                if self._processes is not None:
                    self.route.send(f"is {port} {self._processes}".encode())

    def hand(self, message: str, sock: socket.socket) -> None:
        """Send a socket over the route, and close this side's copy."""
        socket.send_fds(self.route, [message.encode()], [sock.fileno()])
        sock.close()

    def listen(self, service: str, place: tuple[str, int] = ("127.0.0.1", 0)) -> tuple[str, int]:
        """Make a listener and hand it over; return where it listens."""
        if service == "dns":
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(place)
        else:
            sock = socket.create_server(place, backlog=1024)
        bound = sock.getsockname()[:2]
        self.hand(f"listener {service} {bound[1]}", sock)
        return bound

    def connect(self, place: tuple[str, int]) -> socket.socket:
        """Connect as the confined command does."""
        sock = socket.create_connection(place, timeout=SECONDS)
        self._open.append(sock)
        return sock

    def proxy(self) -> socket.socket:
        """Return a new connection to the proxy, through a listener."""
        if not hasattr(self, "_proxy_place"):
            self._proxy_place = self.listen("proxy")
        return self.connect(self._proxy_place)

    def handed(self, message: str) -> socket.socket:
        """Return a connection whose other end was handed over, as a supervisor does it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = self.connect(listener.getsockname())
            far, _ = listener.accept()
        self.hand(message, far)
        return near

    def tunnel(self, target: str) -> tuple[int, str, socket.socket]:
        """CONNECT to a target; return status, body and the connection."""
        sock = self.proxy()
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("latin-1"))
        head, body = read_head(sock)
        status = int(head.split()[1])
        return status, body if status == 200 else body + read_all(sock).decode(), sock

    def request(self, text: str | bytes) -> str:
        """Send the proxy a request, and return everything that comes back until the connection ends."""
        with self.proxy() as sock:
            sock.sendall(text.encode("latin-1") if isinstance(text, str) else text)
            return read_all(sock).decode("latin-1")

    def refused(self) -> list[tuple[str, int | None]]:
        """Return what was refused, without processes and counts."""
        return [row[:2] for row in self.egress.refusals()]

    def reached(self) -> list[tuple[str, int | None]]:
        return [row[:2] for row in self.egress.reached()]

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.egress.close()
        for sock in self._open:
            sock.close()
        assert self.egress.faults() == ()


def read_head(sock: socket.socket) -> tuple[str, str]:
    """Read up to the empty line; return the head, and what was read too far."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            raise EOFError(data)
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest.decode("latin-1")


def read_all(sock: socket.socket) -> bytes:
    """Read to the end; a reset is an end too."""
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        while more := sock.recv(65536):
            data += more
    return bytes(data)


def read_exactly(sock: socket.socket, count: int) -> bytes:
    """Read that many bytes; MSG_WAITALL doesn't, of a socket with a timeout."""
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError(data)
        data += more
    return data


def read_to_reset(sock: socket.socket) -> None:
    """Read until the connection is reset; an end is an error."""
    with pytest.raises(ConnectionResetError):
        read_to_end(sock)


def read_to_end(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def query(name: str, kind: int = 1, number: int = 7) -> bytes:
    """Return a DNS question."""
    labels = b"".join(bytes((len(label),)) + label.encode("latin-1") for label in name.split(".") if label)
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def wait_for(truth: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + SECONDS
    while not truth():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


@contextlib.contextmanager
def serving(serve: Callable[[Server, socket.socket], None]) -> Iterator[Server]:
    """Run a server whose function is given the server too."""
    server = Server(lambda sock: serve(server, sock))
    try:
        yield server
    finally:
        server.close()


def keep(server: Server, sock: socket.socket) -> None:
    """Serve by remembering everything."""
    while data := sock.recv(65536):
        server.received += data


def echo(server: Server, sock: socket.socket) -> None:
    """Serve by sending everything back, then an end."""
    while data := sock.recv(65536):
        server.received += data
        sock.sendall(data)


def respond(response: bytes) -> Callable[[Server, socket.socket], None]:
    """Return a server of one response to each connection's first bytes that end a head."""

    def serve(server: Server, sock: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return
            data += more
        server.received += data
        sock.sendall(response)

    return serve
