"""Connections to indexes: so many to a host and no more, kept for the next request."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Optional

import h11

from veln_hook.gate.answer import UpstreamError
from veln_hook.gate.hosts import Target, origin_of
from veln_hook.gate.refusing import UnreachableError, shown
from veln_hook.gate.stream import Stream, Watch, Wire
from veln_hook.gate.tls import TlsStream
from veln_hook.gate.turns import next_event

if TYPE_CHECKING:
    from typing import Callable

    from veln_hook.gate.limits import Limits
    from veln_hook.gate.proxies import Proxy
    from veln_hook.gate.resolve import Connector

_MAX_SESSIONS = 256


class Place(NamedTuple):
    """Where a connection leads to; connections to one place are alike."""

    secure: bool
    target: Target
    proxy: Optional[Proxy]
    """What it goes through."""

    def __str__(self) -> str:
        return origin_of(self.target, secure=self.secure)


class Link:
    """One connection to a place.

    Attributes:
        place: Where it leads to.
        wire: The connection.
        watch: What ends it when its time is over: what is being waited for then ends.
        expired: Whether that has happened.
        used: Whether there has been an answer over it.
        refused_session: Whether its server didn't take the TLS session that it was offered.
        on_expiry: What is called then as well.
    """

    wire: Wire

    def __init__(self, place: Place, limits: Limits) -> None:
        """Be a connection that isn't there yet."""
        self.place, self.limits = place, limits
        self.expired = self.used = self.refused_session = False
        self.on_expiry: Callable[[Link], None] | None = None
        self.watch = Watch(asyncio.get_running_loop(), self._expire)
        self._sock: socket.socket | None = None

    def take(self, sock: socket.socket) -> Stream:
        """Take a connected socket over."""
        self._sock = sock
        stream = Stream(sock, self.watch)
        self.wire = stream
        return stream

    def close(self) -> None:
        """Close it. Does nothing the second time."""
        self.watch.stop()
        if self._sock is not None:
            self._sock.close()

    def _expire(self) -> None:
        # Closing it would leave whoever waits for it waiting.
        self.expired = True
        if self._sock is not None:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        if self.on_expiry is not None:
            self.on_expiry(self)


class Dialer:
    """Makes connections. To be used in the thread of its event loop only."""

    def __init__(self, connector: Connector, trust: ssl.SSLContext, limits: Limits) -> None:
        """Connect by a connector, and check certificates by what is trusted."""
        self._connector, self._trust, self._limits = connector, trust, limits
        self._sessions: dict[Target, ssl.SSLSession] = {}

    async def dial(self, place: Place) -> Link:
        """Return a new connection.

        Raises:
            UpstreamError: There can't be one.
        """
        link = Link(place, self._limits)
        link.watch.limit(self._limits.reach_seconds)
        try:
            await self._reach(link, place)
        except BaseException as error:
            link.close()
            if isinstance(error, (OSError, EOFError, h11.RemoteProtocolError)):
                raise UpstreamError(_told(link, error)) from None
            raise
        return link

    def remember(self, link: Link) -> None:
        """Keep a connection's TLS session for the next handshake there (RFC 8446 section 2.2).

        It is taken once the server has had time to send its ticket, and of few connections: taking it costs
        as much as half a handshake.
        """
        target = link.place.target
        if not isinstance(link.wire, TlsStream) or not link.place.secure or link.wire.tls.session_reused:
            return
        if target in self._sessions and not link.refused_session:
            return
        session = link.wire.tls.session
        if session is not None and session.has_ticket:
            self._sessions.pop(target, None)
            self._sessions[target] = session
            if len(self._sessions) > _MAX_SESSIONS:
                del self._sessions[next(iter(self._sessions))]

    async def _reach(self, link: Link, place: Place) -> None:
        first = place.target if place.proxy is None else place.proxy.target
        try:
            wire: Wire = link.take(await self._connector.connect(first))
        except UnreachableError as error:
            raise UpstreamError(str(error) if place.proxy is None else _by(place.proxy, error)) from None
        if place.proxy is not None and place.proxy.secure:
            wire = await self._shake(wire, first)
        if place.proxy is not None and place.secure:
            await self._tunnel(wire, place.target, place.proxy)
        if place.secure:
            session = self._sessions.get(place.target)
            wire = secure = await self._shake(wire, place.target, session)
            link.refused_session = session is not None and not secure.tls.session_reused
        link.wire = wire

    async def _shake(self, wire: Wire, target: Target, session: ssl.SSLSession | None = None) -> TlsStream:
        secure = TlsStream(wire, self._trust, server_side=False, name=target.host, session=session)
        await secure.handshake()
        return secure

    async def _tunnel(self, wire: Wire, target: Target, proxy: Proxy) -> None:
        """Ask a proxy for a tunnel (RFC 9110 section 9.3.6)."""
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=self._limits.head_bytes)
        headers = [(b"host", str(target).encode("ascii"))]
        if proxy.authorization is not None:
            headers.append((b"proxy-authorization", proxy.authorization))
        request = h11.Request(method=b"CONNECT", target=str(target).encode("ascii"), headers=headers)
        await wire.write((http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b""))
        response = await next_event(http, wire)
        while isinstance(response, h11.InformationalResponse):
            response = await next_event(http, wire)
        if isinstance(response, h11.ConnectionClosed):
            raise EOFError  # noqa: TRY004 - it is no error of types
        if not 200 <= response.status_code < 300:  # noqa: PLR2004
            raise UpstreamError(
                f"the proxy of {proxy.variable} answers {response.status_code}"
                f" {shown(response.reason.decode('latin-1'), 80)} for {target}"
            )
        if http.trailing_data[0]:  # a server of TLS never speaks first
            raise EOFError


def _by(proxy: Proxy, error: Exception) -> str:
    return f"the proxy of {proxy.variable} can't be reached: {error}"


def _told(link: Link, error: Exception) -> str:
    if link.expired:
        return f"{link.place} doesn't answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {link.place} isn't trusted: {shown(error.verify_message, 80)}"
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake with {link.place} failed: {shown(error.reason or str(error), 80)}"
    return f"{link.place} can't be reached: the connection broke"


def _give_up(turn: asyncio.Future[Optional[Link]], place: Place) -> None:
    if not turn.done():
        turn.set_exception(UpstreamError(f"too much is asked of {place} at once"))


class _Host:
    """The connections to one place."""

    def __init__(self) -> None:
        self.count = 0
        self.idle: list[Link] = []
        self.waiting: deque[asyncio.Future[Optional[Link]]] = deque()


class Pool:
    """Connections to places. To be used in the thread of its event loop only."""

    def __init__(self, dialer: Dialer, limits: Limits) -> None:
        """Have none yet."""
        self._dialer, self._limits = dialer, limits
        self._hosts: dict[Place, _Host] = {}
        self._spare: dict[Link, None] = {}
        self._closed = False

    async def take(self, place: Place, *, fresh: bool = False) -> Link:
        """Return a connection for one request, which is then to be given back or dropped.

        Args:
            place: Where it is to lead to.
            fresh: Whether it has to be a new one.

        Raises:
            UpstreamError: There can't be one.
        """
        if self._closed:
            raise UpstreamError("the gate is closed")
        host = self._hosts.setdefault(place, _Host())
        while host.idle:
            link = host.idle.pop()
            del self._spare[link]
            if not fresh and self._is_good(link):
                return link
            self.drop(link)
            host = self._hosts.setdefault(place, _Host())
        if host.count >= self._limits.host_connections:
            given = await self._turn(place, host)
            if given is not None:
                if not fresh and self._is_good(given):
                    return given
                given.close()  # its room is ours
        else:
            host.count += 1
        try:
            return await self._dialer.dial(place)
        except BaseException:
            self._leave(place)
            raise

    def give(self, link: Link) -> None:
        """Take a connection back that can be used again."""
        if not link.used:
            link.used = True
            self._dialer.remember(link)
        if self._closed:
            self.drop(link)
            return
        host = self._hosts[link.place]
        link.watch.pause()
        if self._passed_on(host, link):
            return
        link.watch.limit(self._limits.spare_seconds)
        host.idle.append(link)
        self._spare[link] = None
        link.on_expiry = self._forget
        if len(self._spare) > self._limits.spare_connections:
            self._forget(next(iter(self._spare)))

    def drop(self, link: Link) -> None:
        """Close a connection that can't be used again."""
        link.close()
        self._leave(link.place)

    def close(self) -> None:
        """Close what is idle, and every connection that is given back from now on."""
        self._closed = True
        for link in list(self._spare):
            self._forget(link)

    def _forget(self, link: Link) -> None:
        if link in self._spare:
            del self._spare[link]
            self._hosts[link.place].idle.remove(link)
            self.drop(link)

    async def _turn(self, place: Place, host: _Host) -> Link | None:
        """Wait for another's connection, or for its room where that is ``None``."""
        turn: asyncio.Future[Optional[Link]] = asyncio.get_running_loop().create_future()
        host.waiting.append(turn)
        timer = asyncio.get_running_loop().call_later(self._limits.idle_seconds, _give_up, turn, place)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came too late for whoever waited
                link = turn.result()
                if link is None:
                    self._leave(place)
                else:
                    self.give(link)
            raise
        finally:
            timer.cancel()

    def _leave(self, place: Place) -> None:
        """Give the room of a connection that is closed to the next one, if any waits."""
        host = self._hosts[place]
        if not self._passed_on(host, None):
            host.count -= 1
            if not host.count:
                del self._hosts[place]

    @staticmethod
    def _passed_on(host: _Host, link: Link | None) -> bool:
        while host.waiting:
            turn = host.waiting.popleft()
            if not turn.done():
                turn.set_result(link)
                return True
        return False

    @staticmethod
    def _is_good(link: Link) -> bool:
        """Tell whether nothing has come over a connection that nothing was asked of; an end has, too."""
        try:
            return not link.expired and link.wire.at_once() is None
        except OSError:
            return False
