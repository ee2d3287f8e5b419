"""The way out for confined commands: they reach what is listed, and everything else is told afterwards."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from veln_hook.gate.allow import Rules
from veln_hook.gate.attempts import Attempts
from veln_hook.gate.context import Context, Faults
from veln_hook.gate.fake import FakeAddresses
from veln_hook.gate.hosts import HTTP_PORT, HTTPS_PORT
from veln_hook.gate.limits import Limits
from veln_hook.gate.listening import Door, bound
from veln_hook.gate.resolve import Connector
from veln_hook.gate.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Callable

    from veln_hook.gate.attempts import Attempt
    from veln_hook.gate.context import Handler
    from veln_hook.gate.resolve import Resolver


class Egress:
    """Serves the sockets of confined commands; a context manager, closed at its end.

    Whoever holds the other end of a route can use it, or knows the password of a listener, and nobody else;
    it listens nowhere by itself. It runs in one daemon thread, and names are looked up in short-lived ones.
    """

    def __init__(
        self,
        allow: Iterable[str],
        *,
        ports: Iterable[int] = (HTTP_PORT, HTTPS_PORT),
        private: Iterable[str] = (),
        index_hosts: Iterable[str] = (),
        handlers: Sequence[Handler] = (),
        resolver: Resolver = socket.getaddrinfo,
        limits: Limits | None = None,
    ) -> None:
        """Read what is allowed; nothing runs before the first route is opened.

        Args:
            allow: What may be reached: ``files.example.org``, ``*.example.org:8443``, ``192.0.2.7``,
                ``[2001:db8::7]:80``. See ``allow.Allowlist``.
            ports: Which ports an entry without one stands for.
            private: Entries whose names may lead to private addresses (loopback, RFC 1918, link-local and
                all others that aren't public). They must be in ``allow`` as well. An address that is
                listed itself may be any.
            index_hosts: Further hosts that serve distribution files; no tunnel reaches them, listed or not.
            handlers: Who serves some hosts in place of a tunnel; the first that covers a target does.
            resolver: What names are looked up with; it is called for allowed names only.
            limits: How much is spent.

        Raises:
            UsageError: An entry can't be read.
        """
        self._rules = Rules(allow, ports=ports, private=private, index_hosts=index_hosts)
        self._handlers, self._resolver, self._limits = tuple(handlers), resolver, limits or Limits()
        self._refused, self._reached = Attempts(), Attempts()
        self._fakes, self._faults = FakeAddresses(), Faults()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._running: _Running | None = None
        self._closed = False

    def open_route(self) -> int:
        """Return the command's end of a new route, as the number of a file descriptor.

        The caller hands it to the launcher (``pass_fds``) and closes its own copy once that has started.

        Raises:
            OSError: No socket can be made.
            ValueError: The gate is closed.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._tell(lambda server: server.add_route(ours))
        except BaseException:
            ours.close()
            theirs.close()
            raise
        return theirs.detach()

    def listen(
        self, host: str = "127.0.0.1", port: int = 0, *, password: str | None, shared: bool = False
    ) -> int:
        """Serve a proxy's clients at a TCP port, besides routes.

        Args:
            host: An address of this machine.
            port: 0 for any that is free.
            password: What clients have to bring (``Proxy-Authorization: Basic``, with any user); with
                ``None`` whoever can connect is a client.
            shared: Whether other processes may listen there too (``SO_REUSEPORT``).

        Returns:
            The port.

        Raises:
            OSError: It can't be listened there.
            ValueError: The gate is closed, the password is empty, or this system can't share a port.
        """
        door = None if password is None else Door(password)
        sock = bound(host, port, shared=shared)
        number: int = sock.getsockname()[1]
        try:
            self._tell(lambda server: server.listen(sock, door))
        except BaseException:
            sock.close()
            raise
        return number

    def stop_listening(self) -> None:
        """Close what `listen` has opened; connections that are there are served to their end."""
        if self._running is not None:
            self._tell(lambda server: server.stop_listening())

    def connections(self) -> int:
        """Return how many connections are being served."""
        return 0 if self._running is None else self._running.server.connections()

    def refusals(self) -> tuple[Attempt, ...]:
        """Return what was tried and not let through: host, port or None, process, count."""
        return self._refused.rows()

    def reached(self) -> tuple[Attempt, ...]:
        """Return what was connected to: host, port, process, count."""
        return self._reached.rows()

    def faults(self) -> tuple[str, ...]:
        """Return tracebacks of errors that should not happen; each has closed a connection."""
        return self._faults.rows()

    def close(self) -> None:
        """Close all routes and connections and end the thread. Does nothing the second time.

        A lookup that hangs in the system's resolver is waited for two seconds; its thread ends when libc
        gives up, and holds no socket of the gate's.
        """
        with self._lock:
            self._closed = True
            running, thread, self._thread = self._running, self._thread, None
        if running is not None and thread is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                running.loop.call_soon_threadsafe(running.stop.set)
            thread.join()
            running.connector.wait()

    def __enter__(self) -> Egress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self, what: Callable[[Server], None]) -> None:
        with self._lock:
            if self._closed:
                raise ValueError("the gate is closed")
            if self._running is None:
                self._running = self._started()
            try:
                self._running.loop.call_soon_threadsafe(what, self._running.server)
            except RuntimeError:  # its thread has ended by itself
                raise OSError("the gate doesn't run any more") from None

    def _started(self) -> _Running:
        starting = _Starting()
        self._thread = threading.Thread(
            target=self._run, args=(starting,), name="veln-hook-gate", daemon=True
        )
        self._thread.start()
        starting.done.wait()
        if starting.running is None:
            raise OSError("the gate can't be started")
        return starting.running

    def _run(self, starting: _Starting) -> None:
        try:
            loop = asyncio.new_event_loop()
        except OSError:
            starting.done.set()
            return
        try:
            loop.run_until_complete(self._serve(starting))
        finally:
            loop.close()
            starting.done.set()

    async def _serve(self, starting: _Starting) -> None:
        connector = Connector(self._resolver, self._rules, self._limits)
        server = Server(
            Context(
                rules=self._rules,
                fakes=self._fakes,
                connector=connector,
                limits=self._limits,
                handlers=self._handlers,
                refused=self._refused,
                reached=self._reached,
                faults=self._faults,
            )
        )
        stop = asyncio.Event()
        starting.running = _Running(asyncio.get_running_loop(), server, connector, stop)
        starting.done.set()
        try:
            await stop.wait()
        finally:
            await server.close()


class _Starting:
    """What the new thread tells the one that started it."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.running: _Running | None = None


class _Running:
    """What other threads reach the event loop by."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: Server, connector: Connector, stop: asyncio.Event
    ) -> None:
        self.loop, self.server, self.connector, self.stop = loop, server, connector, stop
