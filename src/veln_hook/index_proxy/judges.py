"""Guards at work: each in a thread of its own, with a store of its own, asked from the gate's event loop.

A page is judged in a moment and an archive can take a minute, so each kind has threads of its own.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from veln_hook.errors import GateError, VelnHookError

if TYPE_CHECKING:
    from types import TracebackType

    from veln_hook.guard import Guard

Answer = TypeVar("Answer")
_Job = Optional["tuple[Future[Any], Callable[[Guard], Any]]"]
_PATIENCE = 5.0
"""Seconds that closing waits for a judge who is at work; it ends with the process at the latest."""


class ClosedError(GateError):
    """The judges have gone."""

    def __init__(self) -> None:
        super().__init__("the gate is closing")


class NoGuardError(VelnHookError):
    """Nothing can be judged: a guard can't be made, for a reason that nobody foresaw."""


class Judges:
    """Threads that judge, made with the first question. Usable from any thread; close them after use.

    Args:
        make: Makes a guard with a store of its own, both of which are the judge's to close. It is called
            in the judge's thread; what it raises is the answer, and the next question tries again.
        threads: How many archives are judged at a time.
    """

    def __init__(self, make: Callable[[], Guard], threads: int = 2) -> None:
        self._quick = _Lane(make, 1, "veln-hook-judge")
        self._slow = _Lane(make, threads, "veln-hook-archive-judge")

    async def ask(self, question: Callable[[Guard], Answer]) -> Answer:
        """Have something judged that takes a moment.

        Raises:
            VelnHookError: There is no guard; or what the question raises.
        """
        return await asyncio.wrap_future(self._quick.submit(question))

    async def examine(self, question: Callable[[Guard], Answer]) -> Answer:
        """Have something judged that can take long.

        Raises:
            VelnHookError: There is no guard; or what the question raises.
        """
        return await asyncio.wrap_future(self._slow.submit(question))

    def run(self, question: Callable[[Guard], Answer]) -> Answer:
        """Have something judged that takes a moment, and wait for it. Not for the event loop's thread.

        Raises:
            VelnHookError: There is no guard; or what the question raises.
        """
        return self._quick.submit(question).result()

    @staticmethod
    def guard() -> Guard | None:
        """Return the guard of the thread that asks, if that is a judge's."""
        return getattr(_own, "guard", None)

    @property
    def closing(self) -> bool:
        """Whether nothing is judged any more."""
        return self._slow.closed

    def close(self) -> None:
        """End the threads and close their guards and stores. Does nothing the second time."""
        self._slow.close()
        self._quick.close()

    def __enter__(self) -> Judges:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_own = threading.local()


class _Lane:
    """Threads that take from one queue."""

    def __init__(self, make: Callable[[], Guard], most: int, name: str) -> None:
        self._make, self._most, self._name = make, most, name
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self.closed = False

    def submit(self, question: Callable[[Guard], Answer]) -> Future[Answer]:
        future: Future[Answer] = Future()
        with self._lock:
            if self.closed:
                future.set_exception(ClosedError())
                return future
            if self._idle:
                self._idle -= 1
            elif len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()
            self._queue.put((future, question))
        return future

    def close(self) -> None:
        with self._lock:
            self.closed = True
            threads = list(self._threads)
            for _ in threads:
                self._queue.put(None)
        for thread in threads:
            thread.join(_PATIENCE)

    def _work(self) -> None:
        guard: Guard | None = None
        try:
            while True:
                job = self._queue.get()
                if job is None:
                    return
                future, question = job
                if future.set_running_or_notify_cancel():
                    if self.closed:
                        future.set_exception(ClosedError())
                    else:
                        guard = self._answer(guard, future, question)
                with self._lock:
                    self._idle = min(self._idle + 1, len(self._threads))
        finally:
            _close(guard)

    def _answer(
        self, guard: Guard | None, future: Future[Any], question: Callable[[Guard], Any]
    ) -> Guard | None:
        try:
            if guard is None:
                guard = _own.guard = self._made()
            future.set_result(question(guard))
        except BaseException as error:  # noqa: BLE001 - the asker's to deal with; this thread goes on
            future.set_exception(error)
        return guard

    def _made(self) -> Guard:
        try:
            return self._make()
        except VelnHookError:
            raise
        except Exception as error:
            raise NoGuardError(f"{type(error).__name__}: {error}") from error


def _close(guard: Guard | None) -> None:
    if guard is not None:
        guard.close()
        with suppress(VelnHookError):
            guard.store.close()
