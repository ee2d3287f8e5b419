"""Runs in the gate's event loop: takes sockets from routes, and serves each connection as its own task."""

from __future__ import annotations

import asyncio
import errno
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from veln_hook.gate.context import Context, Origin
from veln_hook.gate.limits import fitting_connections
from veln_hook.gate.route import Arrival, Route
from veln_hook.gate.services import answer_datagrams, serve_dns, serve_fake, serve_proxy
from veln_hook.gate.stream import Stream, Watch, settled

if TYPE_CHECKING:
    import socket
    from typing import Callable

    from veln_hook.gate.listening import Door

_ACCEPTED_AT_ONCE = 64
_PAUSE_SECONDS = 0.1
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class _Listener:
    """A socket that is read or accepted from until it is closed.

    Attributes:
        sock: The socket.
        service: What is expected there: ``proxy``, ``dns`` or ``tcp``.
        route: The one that it came by, if it did.
        door: What requests there have to pass.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        service: str,
        ready: Callable[[_Listener], None],
        *,
        route: Route | None = None,
        door: Door | None = None,
    ) -> None:
        """Call ``ready`` whenever something waits at the socket."""
        self.sock, self.service, self.route, self.door = sock, service, route, door
        self._loop, self._ready = loop, ready
        self.resume()

    def resume(self) -> None:
        """Go on after a pause, if it isn't closed."""
        if self.sock.fileno() >= 0:
            self._loop.add_reader(self.sock, self._ready, self)

    def pause(self) -> None:
        """Leave what comes in the kernel's hands."""
        if self.sock.fileno() >= 0:
            self._loop.remove_reader(self.sock)

    def close(self) -> None:
        """Close it. Does nothing the second time."""
        self.pause()
        self.sock.close()


class Server:
    """All routes of one gate, and all connections that came by them."""

    def __init__(self, context: Context) -> None:
        """Serve nothing yet; to be made in the event loop."""
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._most = fitting_connections(context.limits, 3 if context.handlers else 2)
        self._listeners: dict[Route, list[_Listener]] = {}
        self._own: list[_Listener] = []
        self._paused: list[_Listener] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: Counter[str] = Counter()
        self._turned_away = 0

    def add_route(self, sock: socket.socket) -> None:
        """Serve the sockets that arrive by a route, until its other end is gone."""
        patience = self._context.limits.who_seconds
        self._listeners[Route(self._loop, sock, self._arrived, self._remove, patience)] = []

    def listen(self, sock: socket.socket, door: Door | None) -> None:
        """Serve a proxy's clients at a listening socket of this process, which becomes the server's own."""
        self._own.append(_Listener(self._loop, sock, "proxy", self._accept, door=door))

    def stop_listening(self) -> None:
        """Take nothing more at sockets of this process; connections are served to their end."""
        for listener in self._own:
            listener.close()
        self._own.clear()

    def connections(self) -> int:
        """Return how many connections are being served."""
        return len(self._tasks)

    def turned_away(self) -> int:
        """Return how many connections were closed at once, since their client had too many."""
        return self._turned_away

    async def close(self) -> None:
        """Close every socket and end every task."""
        self.stop_listening()
        for route in list(self._listeners):
            self._remove(route)
        while self._tasks:
            await settled(*self._tasks)
            await asyncio.sleep(0)  # for `_ended`: waiting for what is done already lets nothing else run
        for handler in self._context.handlers:
            await handler.close()

    def _remove(self, route: Route) -> None:
        """Take nothing more from a route; connections that it brought are served to their end."""
        route.close()
        for listener in self._listeners.pop(route, []):
            listener.close()

    def _arrived(self, route: Route, arrival: Arrival) -> None:
        if arrival.listening:
            ready = self._questions if arrival.service == "dns" else self._accept
            listener = _Listener(self._loop, arrival.sock, arrival.service, ready, route=route)
            self._listeners[route].append(listener)
        elif len(self._tasks) >= self._most:
            # Messages of the route must go on, so it can't wait as in a backlog.
            arrival.sock.close()
        else:
            wanted = (arrival.address, arrival.port or 0)
            self._start(arrival.sock, arrival.service, Origin(arrival.process), wanted)

    def _questions(self, listener: _Listener) -> None:
        try:
            answer_datagrams(self._context, listener.sock)
        except OSError:
            listener.close()
        except Exception as error:  # noqa: BLE001 - an error of ours closes
            listener.close()
            self._context.faults.add(error)

    def _accept(self, listener: _Listener) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            if len(self._tasks) >= self._most:
                listener.pause()
                self._paused.append(listener)
                return
            try:
                sock, peer = listener.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    listener.pause()
                    self._loop.call_later(_PAUSE_SECONDS, listener.resume)
                else:
                    listener.close()
                return
            most = self._context.limits.client_connections if listener.route is None else None
            if most is not None and self._clients[peer[0]] >= most:
                self._turned_away += 1
                sock.close()
                continue
            origin = Origin(route=listener.route, port=peer[1], address="" if listener.route else peer[0])
            self._start(sock, listener.service, origin, sock.getsockname()[:2], listener.door)

    def _start(
        self,
        sock: socket.socket,
        service: str,
        origin: Origin,
        wanted: tuple[str, int],
        door: Door | None = None,
    ) -> None:
        task = self._loop.create_task(self._serve(sock, service, origin, wanted, door))
        self._tasks.add(task)
        self._clients[origin.address] += 1
        task.add_done_callback(partial(self._ended, sock, origin))

    async def _serve(
        self,
        sock: socket.socket,
        service: str,
        origin: Origin,
        wanted: tuple[str, int],
        door: Door | None,
    ) -> None:
        task: asyncio.Task[Any] | None = asyncio.current_task()
        watch = Watch(self._loop, task.cancel if task is not None else sock.close)
        client = Stream(sock, watch)
        try:
            if service == "proxy":
                await serve_proxy(self._context, client, origin, door)
            elif service == "dns":
                await serve_dns(self._context, client, origin)
            else:
                await serve_fake(self._context, client, origin, wanted)
            client.whole = True
        except (OSError, EOFError):
            pass
        finally:
            watch.stop()
            client.reset()

    def _ended(self, sock: socket.socket, origin: Origin, task: asyncio.Task[None]) -> None:
        sock.close()  # where the task was cancelled before it began
        self._tasks.discard(task)
        self._clients[origin.address] -= 1
        if not self._clients[origin.address]:
            del self._clients[origin.address]
        paused, self._paused = self._paused, []
        for listener in paused:
            listener.resume()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._context.faults.add(error)
