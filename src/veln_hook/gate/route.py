"""How the sockets of a confined command arrive: the server's end of the sandbox's route.

The route is a connected pair of UNIX sockets of type SOCK_SEQPACKET. Each message is ASCII text of at most
``MAX_BYTES``; the first six come with one file descriptor (SCM_RIGHTS, unix(7)):

    -> "listener proxy PORT"            a listening TCP socket: HTTP proxy
    -> "listener dns PORT"              a bound UDP socket: DNS
    -> "listener tcp PORT"              a listening TCP socket: what is accepted wants the fake address
                                        it came to, on that port
    -> "connection proxy PROCESS"       a connected TCP socket: HTTP proxy
    -> "connection dns PROCESS"         a connected TCP socket: DNS over TCP
    -> "connection tcp ADDRESS PORT PROCESS"  a connected TCP socket: wants the fake address, on that port
    <- "who PORT"                       which process has the TCP socket with this local port?
    -> "is PORT PROCESS"                its name, or nothing after the port

The sandbox, which doesn't know the gate, states the same in ``veln_hook.sandbox.routing``.
"""

from __future__ import annotations

import array
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    import asyncio
    from typing import Callable

MAX_BYTES = 1024
FAKE_NETWORK = "198.18.0.0/15"

_MAX_FDS = 4
_MAX_AT_ONCE = 64
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # Linux; elsewhere there is no such route
_INTERNET = (socket.AF_INET, socket.AF_INET6)


class Arrival(NamedTuple):
    """A socket that was handed over."""

    sock: socket.socket
    """Checked to be what the message says."""
    listening: bool
    """Whether it is a listener's and not one connection."""
    service: str
    """``proxy``, ``dns`` or ``tcp``."""
    address: str
    """What a connection wants, service ``tcp``; else empty."""
    port: Optional[int]
    """The port of ``address``."""
    process: str
    """Whose connection it is; empty for listeners."""


class Route:
    """One command's route. To be used in the thread of its event loop only."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        arrived: Callable[[Route, Arrival], None],
        ended: Callable[[Route], None],
        patience: float,
    ) -> None:
        """Start to read.

        Args:
            loop: Where it is read.
            sock: The server's end; it is closed with the route.
            arrived: Called with each socket, which becomes its own.
            ended: Called once, when the other end is gone or says what can't be understood.
            patience: Seconds that an answer to "who" is waited for.
        """
        self._loop, self._sock, self._patience = loop, sock, patience
        self._arrived, self._ended = arrived, ended
        self._questions: dict[int, asyncio.Future[str]] = {}
        sock.setblocking(False)
        loop.add_reader(sock, self._readable)

    def who(self, port: int) -> asyncio.Future[str]:
        """Ask which process has the TCP socket with a local port; no answer in time is an empty one."""
        question = self._questions.get(port)
        if question is not None:
            return question
        question = self._questions[port] = self._loop.create_future()
        timer = self._loop.call_later(self._patience, self._told, port, "")
        question.add_done_callback(lambda _: timer.cancel())
        try:
            self._sock.send(f"who {port}".encode())
        except OSError:  # closed, or its buffer is full
            self._told(port, "")
        return question

    def close(self) -> None:
        """Close it; whoever waits for a name gets none. Does nothing the second time."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()
        for port in list(self._questions):
            self._told(port, "")

    def _told(self, port: int, process: str) -> None:
        question = self._questions.pop(port, None)
        if question is not None and not question.done():
            question.set_result(process)

    def _readable(self) -> None:
        for _ in range(_MAX_AT_ONCE):
            try:
                going_on = self._receive()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                going_on = False
            if not going_on:
                self.close()
                self._ended(self)
                return

    def _receive(self) -> bool:
        space = socket.CMSG_SPACE(_MAX_FDS * array.array("i").itemsize)
        data, ancillary, flags, _ = self._sock.recvmsg(MAX_BYTES, space, _CLOSE_ON_EXEC)
        descriptors = _descriptors(ancillary)
        if not data and not descriptors:
            return False
        words = data.decode("ascii", "replace").split(" ")
        whole = not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        if whole and words[0] == "is" and not descriptors:
            with suppress(IndexError, ValueError):
                self._told(int(words[1]), " ".join(words[2:]))
        elif whole and len(descriptors) == 1:
            arrival = _arrival(words, descriptors[0])
            if arrival is not None:
                self._arrived(self, arrival)
        else:
            for descriptor in descriptors:
                os.close(descriptor)
        return True


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _arrival(words: list[str], descriptor: int) -> Arrival | None:
    """Return what arrived; ``None``, and the descriptor closed, if it is not what the words say."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:  # no socket
        os.close(descriptor)
        return None
    try:
        arrival = _described(words, sock)
        sound = arrival is not None and _is_as_said(arrival)
    except (OSError, ValueError, IndexError):
        arrival, sound = None, False
    if not sound:
        sock.close()
        return None
    sock.setblocking(False)
    return arrival


def _described(words: list[str], sock: socket.socket) -> Arrival | None:
    kind, service = words[0], words[1]
    if kind not in ("listener", "connection") or service not in ("proxy", "dns", "tcp"):
        return None
    if kind == "listener":
        return Arrival(sock, True, service, "", None, "")
    if service == "tcp":
        return Arrival(sock, False, service, words[2], int(words[3]), " ".join(words[4:]))
    return Arrival(sock, False, service, "", None, " ".join(words[2:]))


def _is_as_said(arrival: Arrival) -> bool:
    sock = arrival.sock
    datagrams = arrival.listening and arrival.service == "dns"
    if sock.family not in _INTERNET or sock.type != (socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM):
        return False
    accepting = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return accepting == (arrival.listening and not datagrams)
