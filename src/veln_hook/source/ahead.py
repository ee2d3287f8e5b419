"""Archives that are read before anybody asks for them, in threads that end with the last one.

Rules of this module: what was read is of bytes, not of a place. A file is hashed and then read, and both
count only if its identity is the same afterwards; the answer is for a file of that sha256 and name, wherever
it lies by then (pip before 23.2 downloads it twice, and uses the second). Where anything differs there is no
answer, and whoever asks reads the file. What failed fails the same for whoever asks.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from veln_hook.archive import hash_file, identify
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.source.facts import ArchiveFacts
    from veln_hook.source.process import SlowWord


class Ahead:
    """What is read ahead. Usable from several threads.

    Args:
        read: Reads the code of a file of a size in bytes.
        most: How many are read at once.
    """

    def __init__(self, read: Callable[[str, int], ArchiveFacts], most: int) -> None:
        self._read, self._most = read, most
        self._lock = threading.Lock()
        self._queue: deque[_Reading] = deque()
        self._readings: dict[tuple[str, str], _Reading] = {}
        """By name and promised sha256."""
        self._threads: list[threading.Thread] = []

    def begin(self, path: str, sha256: str) -> None:
        """Read a file as soon as there is somebody free to do so; not a second time before it was taken.

        Args:
            path: Absolute, of a wheel or an sdist.
            sha256: What it should hold; if it doesn't, it is read in vain.
        """
        key = os.path.basename(path), sha256
        with self._lock:
            if key in self._readings:
                return
            reading = self._readings[key] = _Reading(path)
            self._queue.append(reading)
            if len(self._threads) < self._most:
                # A daemon: the interpreter ends while one is at work, and what closes us comes after that.
                thread = threading.Thread(target=self._work, name="veln-hook-reader", daemon=True)
                # Listed before it starts: ^C may come while that is waited for, and then it runs.
                self._threads.append(thread)
                with suppress(RuntimeError):  # no room for one: all is read when it is asked for
                    thread.start()

    def take(self, path: str, sha256: str, slow: SlowWord) -> ArchiveFacts | None:
        """Return what was read of a file ahead, waiting for it if that has begun. It is given once.

        Args:
            path: Of the file; only its name matters.
            sha256: What the file holds now.
            slow: Told if waiting takes a while.

        Returns:
            ``None`` if nothing was read, or not of exactly these bytes.

        Raises:
            Exception: What reading these bytes ended with.
        """
        with self._lock:
            reading = self._readings.pop((os.path.basename(path), sha256), None)
            if reading is None:
                return None
            if reading in self._queue:  # its turn hasn't come, so who asks is quicker
                self._queue.remove(reading)
                return None
        while not reading.done.wait(slow.left()):
            slow.tell_if_due()
        return reading.result(sha256)

    def drop(self) -> None:
        """Forget all that was begun; what is being read goes on until its worker ends."""
        with self._lock:
            self._queue.clear()
            self._readings.clear()

    def join(self) -> None:
        """Wait for the threads, which have nothing to wait for once their workers are gone."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            if thread.is_alive():  # ^C may have come before it was
                thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._threads.remove(threading.current_thread())
                    return
                reading = self._queue.popleft()
            reading.read(self._read)


class _Reading:
    """One file, and what came of reading it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._sha256 = ""
        self._facts: ArchiveFacts | None = None
        self._error: Exception | None = None
        self.done = threading.Event()

    def read(self, read: Callable[[str, int], ArchiveFacts]) -> None:
        """Read the file, and note of which bytes that was."""
        try:
            identity = identify(self._path)
            sha256, size = hash_file(self._path)
            try:
                self._facts = read(self._path, size)
            except Exception as error:  # noqa: BLE001 - whoever asks for it meets it
                self._error = error
            if identify(self._path) == identity:
                self._sha256 = sha256
        except (OSError, ArchiveError):  # the file is gone, or none: who asks finds out
            pass
        finally:
            self.done.set()

    def result(self, sha256: str) -> ArchiveFacts | None:
        """Return what was read, if it was of these bytes.

        Raises:
            Exception: What reading ended with.
        """
        if self._sha256 != sha256:
            return None
        if self._error is not None:
            raise self._error
        return self._facts
