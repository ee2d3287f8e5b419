"""A gate that intercepts, with servers of TLS behind it and real clients of TLS before it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
from gate_world import SECONDS, Names, Server, read_head, read_to_end

from veln_hook.gate.authority import Authority
from veln_hook.gate.egress import Egress
from veln_hook.gate.intercept import Interceptor
from veln_hook.gate.limits import Limits
from veln_hook.gate.upstream import Upstream, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.gate.exchange import Exchange

PASSWORD = "correct horse"
AUTHORITY = Authority()
"""One for all gates of these tests, since it costs a while; each test still has to trust it."""


class Responder:
    """Answers with a function that can be replaced; ``seen`` has what it was asked."""

    def __init__(self, function: Callable[[Exchange], Any] | None = None) -> None:
        self.function = function or (lambda exchange: exchange.forward())
        self.seen: list[Exchange] = []

    async def answer(self, exchange: Exchange) -> None:
        self.seen.append(exchange)
        await self.function(exchange)


class Gate:
    """A gate, its way in, and its upstream. A context manager."""

    def __init__(
        self,
        trust: ssl.SSLContext,
        names: Names,
        function: Callable[[Exchange], Any] | None = None,
        *,
        limits: Limits | None = None,
        covers: Callable[[Any], bool] = lambda target: not target.host.startswith("other"),
        proxies: Any = None,
        allow: tuple[str, ...] = (),
        faults: int = 0,
    ) -> None:
        self.responder = Responder(function)
        limits = limits or Limits()
        self.upstream = Upstream(trust=trust, proxies=proxies, limits=limits, resolver=names)
        self.interceptor = Interceptor(self.responder, AUTHORITY, self.upstream, covers=covers, limits=limits)
        self.egress = Egress(allow, handlers=[self.interceptor], resolver=names, private=allow, limits=limits)
        self.port = self.egress.listen(password=PASSWORD)
        self.url = f"http://user:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}"
        self._open: list[Any] = []
        self._faults = faults

    def connect(self) -> socket.socket:
        """Return a connection to the proxy."""
        sock = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        self._open.append(sock)
        return sock

    def tunnel(self, target: str) -> socket.socket:
        """Return a connection that CONNECT has opened to a target."""
        sock = self.connect()
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{self.credentials}\r\n".encode())
        head, rest = read_head(sock)
        assert head.split()[1] == "200", head
        assert not rest
        return sock

    @property
    def credentials(self) -> str:
        """A line of a head."""
        return f"Proxy-Authorization: Basic {base64.b64encode(f'user:{PASSWORD}'.encode()).decode()}\r\n"

    def client_context(self) -> ssl.SSLContext:
        """Return what trusts the gate and nobody else."""
        return ssl.create_default_context(cadata=AUTHORITY.certificate.decode())

    def secure(self, target: str, name: str | None = None, *, strict: bool = False) -> ssl.SSLSocket:
        """Return a connection of TLS to a target.

        Args:
            target: Host and port.
            name: Another SNI, which isn't checked then.
            strict: Whether an end that TLS has not announced is an error.
        """
        context = self.client_context()
        context.check_hostname = name is None
        sock = context.wrap_socket(
            self.tunnel(target),
            server_hostname=name or target.rpartition(":")[0].strip("[]"),
            suppress_ragged_eofs=not strict,
        )
        self._open.append(sock)
        return sock

    def http(self, host: str, port: int = 443) -> http.client.HTTPSConnection:
        """Return an HTTP client that goes through the gate."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=SECONDS, context=self.client_context()
        )
        name, _, value = self.credentials.strip().partition(": ")
        connection.set_tunnel(host, port, {name: value})
        self._open.append(connection)
        return connection

    def get(self, host: str, path: str = "/", method: str = "GET", **headers: str) -> tuple[Any, bytes]:
        """Ask once; return the response and its body."""
        connection = self.http(host)
        connection.request(
            method, path, headers={key.replace("_", "-"): value for key, value in headers.items()}
        )
        response = connection.getresponse()
        return response, response.read()

    def refused(self) -> list[tuple[str, int | None]]:
        return [row[:2] for row in self.egress.refusals()]

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.egress.close()
        for thing in self._open:
            thing.close()
        if kind is None:
            assert len(self.egress.faults()) == self._faults, self.egress.faults()


class Site(Server):
    """A server of TLS (or not) on loopback: each head that comes is answered by the next of its answers.

    An answer is bytes, or a function that is called with the connection and the head. The last one is repeated.

    Attributes:
        heads: The heads that came, with what followed them in the same piece.
        bodies: Whatever answers have added to it.
    """

    def __init__(self, context: ssl.SSLContext | None, *answers: Any) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.resumed: list[bool] = []
        self._context = context
        self._lock = threading.Lock()
        super().__init__(self._speak)

    def _speak(self, sock: socket.socket) -> None:
        if self._context is not None:
            with contextlib.suppress(OSError):
                sock = self._context.wrap_socket(sock, server_side=True)
                with sock:
                    self.resumed.append(bool(sock.session_reused))
                    self._talk(sock)
        else:
            self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                head, rest = read_head(sock)
                with self._lock:
                    self.heads.append(head)
                    self.bodies.append(rest.encode("latin-1"))
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if callable(answer):
                    if answer(sock, head) is False:
                        return
                else:
                    sock.sendall(answer)


def ok(body: bytes = b"ok", *headers: str, status: str = "200 OK") -> bytes:
    """Return a whole response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_response(sock: Any) -> tuple[str, bytes]:
    """Read one response with a length; return its head and body."""
    head, rest = read_head(sock)
    body = rest.encode("latin-1")
    sizes = [
        line.partition(":")[2] for line in head.split("\r\n") if line.lower().startswith("content-length:")
    ]
    while len(body) < int(sizes[0]):
        more = sock.recv(65536)
        if not more:
            raise EOFError(head, body)
        body += more
    return head, body


def read_to_break(sock: Any) -> None:
    """Read until the connection breaks, unannounced; an announced end is an error."""
    with pytest.raises((ConnectionResetError, ssl.SSLError)):
        read_to_end(sock)


def once(data: bytes):
    """Return an answer after which the connection ends, announced."""

    def answer(sock, _):
        sock.sendall(data)
        if isinstance(sock, ssl.SSLSocket):
            sock.settimeout(SECONDS)
            sock.unwrap()
        return False

    return answer


def abruptly(data: bytes):
    """Return an answer after which the connection ends, not announced where it is TLS."""

    def answer(sock, _):
        sock.sendall(data)
        if isinstance(sock, ssl.SSLSocket):
            socket.socket.shutdown(sock, socket.SHUT_WR)
        return False

    return answer


def read(limit: int = 1 << 20, **options):
    """Return a responder that reads an answer, and answers with what came or what went wrong."""

    async def respond(exchange):
        try:
            async with await exchange.fetch(**options) as answer:
                body = await answer.read(limit)
        except UpstreamError as error:
            await exchange.respond(502, [], f"{type(error).__name__}: {error}".encode())
        else:
            await exchange.respond(200, [(b"x-status", b"%d" % answer.status)], body)

    return respond
