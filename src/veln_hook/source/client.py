"""The parent's side of reading code: has workers read, asks them, believes none of it unchecked.

Rules of this module: it never parses code itself; whatever happens to a
worker (it dies, hangs, floods, talks nonsense) is an ``ArchiveError`` about the
one archive, and the next archive gets a new worker; nothing is imported lazily,
because pip 26.3 forbids imports once it installs.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from veln_hook.errors import ArchiveError
from veln_hook.source.ahead import Ahead
from veln_hook.source.facts import FileFacts, file_from_plain, from_plain
from veln_hook.source.pool import WorkerPool, most_at_once
from veln_hook.source.process import LostError, SlowWord, WorkerProcess, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from veln_hook.source.facts import ArchiveFacts

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_ASKED = 500_000
_MB = 1_000_000


class Patience(NamedTuple):
    """How long a worker may take."""

    start: float = 60.0
    floor: float = 60.0
    ceiling: float = 600.0
    per_10_mb: float = 10.0
    slow: float = 1.0
    """After so long somebody is told what is being read."""

    def seconds(self, size: int | None) -> float:
        """Return how long an archive of that size may take; a tree's size is not known."""
        if size is None:
            return self.ceiling
        return min(self.ceiling, self.floor + self.per_10_mb * size / (10 * _MB))


class FileCache(Protocol):
    """What is known of single files by their sha256, so that an upgrade reads only what changed."""

    def known(self, sha256s: Sequence[str]) -> Mapping[str, FileFacts]:
        """Return the facts of those that are known."""
        ...

    def learned(self, facts: Mapping[str, FileFacts]) -> None:
        """Keep these."""
        ...


class Scanner:
    """Reads the code of archives in processes of its own, which are started when they are needed.

    Usable from several threads. Close it after use.

    Args:
        cache: What is known of single files; asked from the threads that read.
        worker: Script to start.
        patience: Deadlines.
        most: How many archives may be read at once; by default as many as this machine has a use for.
    """

    def __init__(
        self,
        cache: FileCache | None = None,
        *,
        worker: str = WORKER,
        patience: Patience | None = None,
        most: int | None = None,
    ) -> None:
        self._cache = cache
        self._patience = patience or Patience()
        most = most_at_once() if most is None else most
        self._pool = WorkerPool(worker, most)
        self._ahead = Ahead(self._read_ahead, most)

    def __enter__(self) -> Scanner:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def started(self) -> int:
        """How many workers were needed so far."""
        return self._pool.started

    def scan(
        self,
        path: str,
        *,
        size: int | None = None,
        sha256: str = "",
        slow: Callable[[], None] | None = None,
    ) -> ArchiveFacts:
        """Return what the code of an archive does.

        Args:
            path: Absolute, of a wheel, an sdist or a directory.
            size: Bytes, for the deadline; ``None`` for a directory.
            sha256: Of the file. What was read ahead of exactly these bytes is not read again.
            slow: Called once if it takes longer than a second.

        Raises:
            ArchiveError: It can't be told, in one line.
        """
        word = SlowWord(slow, self._patience.slow)
        facts = self._ahead.take(path, sha256, word) if sha256 else None
        return self._read(path, size, word, urgent=True) if facts is None else facts

    def scan_ahead(self, path: str, sha256: str) -> None:
        """Begin to read a file of which ``scan`` will be asked; what goes wrong then, ``scan`` raises.

        Args:
            path: Absolute, of a wheel or an sdist.
            sha256: What it should hold.
        """
        self._ahead.begin(path, sha256)

    def close(self) -> None:
        """End the workers, whatever they read. Calling twice is harmless; a later scan starts a new one."""
        self._ahead.drop()
        self._pool.begin_closing()
        self._ahead.join()
        self._pool.end_closing()

    def _read_ahead(self, path: str, size: int) -> ArchiveFacts:
        return self._read(path, size, SlowWord(None, 0), urgent=False)

    def _read(self, path: str, size: int | None, slow: SlowWord, *, urgent: bool) -> ArchiveFacts:
        seconds = self._patience.seconds(size)
        try:
            # Whatever ends the conversation ends the worker: the store's failure in the middle of it, ^C ...
            with self._pool.worker(slow, urgent=urgent) as worker:
                worker.greet(self._patience.start, slow)
                worker.expect(seconds, slow)
                worker.say({"scan": _for_utf8(path), "seconds": seconds})
                return self._facts(worker)
        except LostError as lost:
            raise ArchiveError(f"what its code does can't be told: {lost}") from lost

    def _facts(self, worker: WorkerProcess) -> ArchiveFacts:
        asked: set[str] = set()
        while True:
            said = worker.hear()
            try:
                if "facts" in said:
                    return from_plain(said["facts"])
                if "error" in said:
                    raise LostError(shown(said["error"]))
                if "ask" in said:
                    worker.say({"known": self._known(said["ask"], asked)})
                else:
                    self._learned(said["learned"], asked)
            except _NONSENSE as error:
                raise LostError("the process that reads it talks nonsense") from error

    def _known(self, sha256s: Any, asked: set[str]) -> Mapping[str, FileFacts]:
        wanted = [str(sha256) for sha256 in sha256s]
        asked.update(wanted)
        if len(asked) > _MAX_ASKED or not all(map(_SHA256.fullmatch, wanted)):
            raise ValueError("no hashes")
        found = self._cache.known(wanted) if self._cache is not None else {}
        asked.difference_update(found)
        return found

    def _learned(self, files: Any, asked: set[str]) -> None:
        facts = {str(sha256): file_from_plain(plain) for sha256, plain in files.items()}
        if not asked.issuperset(facts):
            raise ValueError("not asked for")
        asked.difference_update(facts)
        if self._cache is not None:
            self._cache.learned(facts)


_NONSENSE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


def _for_utf8(path: str) -> str:
    """Return the path as a process whose file names are UTF-8 spells it."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")
