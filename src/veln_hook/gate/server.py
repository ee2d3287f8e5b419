"""Runs in the gate's event loop: takes sockets from routes, and serves each connection as its own task."""

from __future__ import annotations

import asyncio
import errno
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from veln_hook.gate.context import Context, Origin
from veln_hook.gate.limits import fitting_connections
from veln_hook.gate.route import Arrival, Route
from veln_hook.gate.services import answer_datagrams, serve_dns, serve_fake, serve_proxy
from veln_hook.gate.stream import Stream, Watch, settled

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine

_MAX_FAULTS = 20
_PAUSE_SECONDS = 0.1
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_OVER = (OSError, EOFError, asyncio.CancelledError)


class Server:
    """All routes of one gate, and all connections that came by them."""

    def __init__(self, context: Context) -> None:
        """Serve nothing yet; to be made in the event loop."""
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(fitting_connections(context.limits))
        self._routes: set[Route] = set()
        self._listeners: dict[Route, list[asyncio.Task[None]]] = {}
        self._questioned: dict[Route, list[socket.socket]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.faults: list[str] = []
        """Tracebacks of errors that should not happen; what was being served then was closed."""

    def add_route(self, sock: socket.socket) -> None:
        """Serve the sockets that arrive by a route, until its other end is gone."""
        patience = self._context.limits.who_seconds
        self._routes.add(Route(self._loop, sock, self._arrived, self._remove, patience))

    async def close(self) -> None:
        """Close every socket and end every task."""
        for route in list(self._routes):
            self._remove(route)
        while self._tasks:
            await settled(*self._tasks)

    def _remove(self, route: Route) -> None:
        """Take nothing more from a route; connections that it brought are served to their end."""
        self._routes.discard(route)
        route.close()
        for task in self._listeners.pop(route, []):
            task.cancel()
        for sock in self._questioned.pop(route, []):
            self._loop.remove_reader(sock)
            sock.close()

    def _arrived(self, route: Route, arrival: Arrival) -> None:
        if not arrival.listening:
            self._take(arrival)
        elif arrival.service == "dns":
            self._questioned.setdefault(route, []).append(arrival.sock)
            self._loop.add_reader(arrival.sock, self._questions, arrival.sock)
        else:
            listening = self._listen(route, arrival.sock, arrival.service)
            self._listeners.setdefault(route, []).append(self._start(listening, arrival.sock))

    def _questions(self, sock: socket.socket) -> None:
        try:
            answer_datagrams(self._context, sock)
        except OSError:
            self._loop.remove_reader(sock)
        except Exception:  # noqa: BLE001 - an error of ours closes
            self._loop.remove_reader(sock)
            self._fault()

    def _take(self, arrival: Arrival) -> None:
        """Serve one connection that was handed over, or close it if there are too many."""
        origin = Origin(arrival.process)
        if self._room.locked():
            arrival.sock.close()
            return
        wanted = (arrival.address, arrival.port or 0)
        self._start(self._connection(arrival.sock, arrival.service, origin, wanted), arrival.sock)

    async def _listen(self, route: Route, listener: socket.socket, service: str) -> None:
        while True:
            await self._room.acquire()
            self._room.release()
            try:
                sock, peer = await self._loop.sock_accept(listener)
            except OSError as error:
                if error.errno not in _EXHAUSTED and not isinstance(error, ConnectionError):
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            try:
                wanted = sock.getsockname()[:2]
                origin = Origin(route=route, port=peer[1])
            except (OSError, IndexError):
                sock.close()
                continue
            self._start(self._connection(sock, service, origin, wanted), sock)
            # The new task is to take its room before the next connection is accepted.
            await asyncio.sleep(0)

    async def _connection(
        self, sock: socket.socket, service: str, origin: Origin, wanted: tuple[str, int]
    ) -> None:
        async with self._room:
            task: asyncio.Task[Any] | None = asyncio.current_task()
            watch = Watch(self._loop, task.cancel if task is not None else sock.close)
            client = Stream(sock, watch)
            try:
                if service == "proxy":
                    await serve_proxy(self._context, client, origin)
                elif service == "dns":
                    await serve_dns(self._context, client, origin)
                else:
                    await serve_fake(self._context, client, origin, wanted)
                client.whole = True
            finally:
                watch.stop()
                client.reset()

    def _start(self, work: Coroutine[Any, Any, None], sock: socket.socket) -> asyncio.Task[None]:
        """Run something that serves a socket, and close the socket when it has ended in whatever way."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, sock))
        return task

    def _ended(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        sock.close()
        self._tasks.discard(task)
        if not task.cancelled() and not isinstance(task.exception(), (*_OVER, type(None))):
            self._fault(task.exception())

    def _fault(self, error: BaseException | None = None) -> None:
        if len(self.faults) < _MAX_FAULTS:
            told = (
                traceback.format_exc()
                if error is None
                else "".join(traceback.format_exception(type(error), error, error.__traceback__))
            )
            self.faults.append(told)
