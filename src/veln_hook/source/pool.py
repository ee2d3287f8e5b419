"""The worker processes of one scanner: few, started when they are needed, each lent to one reader at a time.

Rules of this module: a process that was given back is as good as new, and one that was not is ended; once
closing begins, nothing is lent.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from veln_hook.source.process import LostError, SlowWord, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 2
"""Each may take gigabytes of memory, and pip itself is busy, too."""


def most_at_once() -> int:
    """Return how many processes this machine has a use for."""
    if hasattr(os, "sched_getaffinity"):
        return min(_MOST, len(os.sched_getaffinity(0)))
    return min(_MOST, os.cpu_count() or 1)


class WorkerPool:
    """Processes that read code. Usable from several threads.

    Args:
        script: What each runs.
        most: How many there may be at once.
    """

    def __init__(self, script: str, most: int) -> None:
        self._script, self._most = script, most
        self._changed = threading.Condition()
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._urgent = 0
        self._closing = False
        self.started = 0
        """How many processes were needed so far."""

    @contextmanager
    def worker(self, slow: SlowWord, *, urgent: bool) -> Iterator[WorkerProcess]:
        """Lend a process: an idle one, or a new one while there are few, or the next that is given back.

        A process whose reader ends with an error is ended.

        Args:
            slow: Told if waiting for one takes a while.
            urgent: Somebody waits for what it is to read; goes before all that isn't.

        Raises:
            LostError: None can be started, or the pool is closing.
        """
        worker = self._take(slow, urgent=urgent)
        try:
            yield worker
        except BaseException:
            try:
                worker.kill()
            finally:
                self._release(worker)
            raise
        self._release(worker, idle=True)

    def begin_closing(self) -> None:
        """End all processes, those that are lent too, and lend none until ``end_closing``."""
        with self._changed:
            self._closing = True
            for worker in self._busy:
                worker.stop()
            while self._idle:
                self._idle.pop().kill()
            self._changed.notify_all()

    def end_closing(self) -> None:
        """Lend again, new ones."""
        with self._changed:
            self._busy.clear()  # whoever still holds one has lost it
            self._closing = False

    def _take(self, slow: SlowWord, *, urgent: bool) -> WorkerProcess:
        with self._changed:
            self._urgent += urgent
            try:
                while not self._closing and not self._is_free(urgent=urgent):
                    self._changed.wait(slow.left())
                    slow.tell_if_due()
                if self._closing:
                    raise LostError("reading it was stopped")
                worker = self._idle_one() or self._new_one()
            finally:
                self._urgent -= urgent
                self._changed.notify_all()  # what isn't urgent may have waited for this
            self._busy.add(worker)
            return worker

    def _is_free(self, *, urgent: bool) -> bool:
        return len(self._busy) < self._most and (urgent or not self._urgent)

    def _idle_one(self) -> WorkerProcess | None:
        while self._idle:
            worker = self._idle.pop()
            if not worker.ended():
                return worker
            worker.kill()
        return None

    def _new_one(self) -> WorkerProcess:
        self.started += 1
        try:
            return WorkerProcess(self._script)
        except OSError as error:
            raise LostError(f"no process to read it can be started ({error.strerror or error})") from error

    def _release(self, worker: WorkerProcess, *, idle: bool = False) -> None:
        with self._changed:
            self._busy.discard(worker)
            if idle and not self._closing:
                self._idle.append(worker)
            elif idle:
                worker.kill()
            self._changed.notify_all()
