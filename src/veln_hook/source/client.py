"""The parent's side of reading code: starts the worker, asks it, believes none of it unchecked.

Rules of this module: it never parses code itself; whatever happens to the
worker (it dies, hangs, floods, talks nonsense) is an ``ArchiveError`` about the
one archive, and the next archive gets a new worker; nothing is imported lazily,
because pip 26.3 forbids imports once it installs.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import packaging
from veln_hook.errors import ArchiveError
from veln_hook.source.facts import RULES, FileFacts, file_from_plain, from_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from veln_hook.source.facts import ArchiveFacts

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
LINE_BYTES = 16 << 20
"""As in ``worker``; a longer line is none of its making."""

_PACKAGE_DIR = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PACKAGING_DIR = os.path.dirname(os.path.dirname(os.path.abspath(str(packaging.__file__))))
_KEPT = (
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
    "SYSTEMROOT",
)
"""Variables without which some Pythons don't start."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_ASKED = 500_000
_MAX_DIGITS = 18
_CHUNK_BYTES = 1 << 16
_STDERR_KEPT = 2000
_SHOWN = 200
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


class _LostError(Exception):
    """The worker can't be used any more; the text says why."""


class Scanner:
    """Reads the code of archives in a process of its own, which is started with the first one.

    Usable from several threads, one after the other. Close it after use.

    Args:
        cache: What is known of single files.
        worker: Script to start.
        patience: Deadlines.
    """

    def __init__(
        self, cache: FileCache | None = None, *, worker: str = WORKER, patience: Patience | None = None
    ) -> None:
        self._cache = cache
        self._script = worker
        self._patience = patience or Patience()
        self._worker: _Worker | None = None
        self._mutex = threading.Lock()
        self.started = 0
        """How many workers were needed so far."""

    def __enter__(self) -> Scanner:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def scan(
        self, path: str, *, size: int | None = None, slow: Callable[[], None] | None = None
    ) -> ArchiveFacts:
        """Return what the code of an archive does.

        Args:
            path: Absolute, of a wheel, an sdist or a directory.
            size: Bytes, for the deadline; ``None`` for a directory.
            slow: Called once if it takes longer than a second.

        Raises:
            ArchiveError: It can't be told, in one line.
        """
        seconds = self._patience.seconds(size)
        with self._mutex:
            try:
                worker = self._ready()
                now = time.monotonic()
                worker.expect(now + seconds, now + self._patience.slow, slow)
                worker.say({"scan": _for_utf8(path), "seconds": seconds})
                return self._facts(worker)
            except _LostError as lost:
                self._end()
                raise ArchiveError(f"what its code does can't be told: {lost}") from lost
            except BaseException:  # among them the store's failure in the middle of a conversation, and ^C
                self._end()
                raise

    def close(self) -> None:
        """End the worker. Calling twice is harmless; a later scan starts a new one."""
        with self._mutex:
            self._end()

    def _ready(self) -> _Worker:
        if self._worker is not None and not self._worker.ended():
            return self._worker
        self._end()
        self.started += 1
        try:
            self._worker = _Worker(self._script)
        except OSError as error:
            raise _LostError(f"no process to read it can be started ({error.strerror or error})") from error
        self._worker.expect(time.monotonic() + self._patience.start)
        if self._worker.hear().get("ready") != RULES:
            raise _LostError("the process that reads it is of another version")
        return self._worker

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()

    def _facts(self, worker: _Worker) -> ArchiveFacts:
        asked: set[str] = set()
        while True:
            said = worker.hear()
            try:
                if "facts" in said:
                    return from_plain(said["facts"])
                if "error" in said:
                    raise _LostError(_shown(said["error"]))
                if "ask" in said:
                    worker.say({"known": self._known(said["ask"], asked)})
                else:
                    self._learned(said["learned"], asked)
            except _NONSENSE as error:
                raise _LostError("the process that reads it talks nonsense") from error

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


class _Worker:
    """One process and the pipes to it."""

    def __init__(self, script: str) -> None:
        command = [sys.executable, "-I", "-S", "-X", "utf8"]
        command += ["-B"] if sys.dont_write_bytecode else []
        self._process = subprocess.Popen(
            [*command, script, _PACKAGE_DIR, _PACKAGING_DIR],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            start_new_session=True,  # ^C is ours to hear
        )
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._stdin, self._stdout, self._stderr = (pipe.fileno() for pipe in pipes if pipe is not None)
        self._selector = selectors.DefaultSelector()
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._complaint = b""
        self._deadline = self._slow_at = 0.0
        self._slow: Callable[[], None] | None = None

    def ended(self) -> bool:
        """Tell whether the process is no more."""
        return self._process.poll() is not None

    def expect(self, deadline: float, slow_at: float = 0.0, slow: Callable[[], None] | None = None) -> None:
        """Set how long to wait from now on, and whom to tell if it takes a while."""
        self._deadline, self._slow_at, self._slow = deadline, slow_at, slow

    def say(self, message: object) -> None:
        """Say something; it is on its way when the next answer is waited for."""
        if not self._outgoing:
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        self._outgoing += json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"

    def hear(self) -> dict[str, Any]:
        """Return what the worker says next.

        Raises:
            _LostError: Nothing, or nothing sensible, or too late.
        """
        line = self._line()
        try:
            said = json.loads(line, parse_int=_integer)
        except (ValueError, RecursionError) as error:
            raise _LostError("the process that reads it talks nonsense") from error
        if not isinstance(said, dict):
            raise _LostError("the process that reads it talks nonsense")
        return said

    def _line(self) -> bytes:
        looked_at = 0
        while True:
            end = self._incoming.find(b"\n", looked_at)
            if end >= 0:
                line = bytes(self._incoming[:end])
                del self._incoming[: end + 1]
                return line
            looked_at = len(self._incoming)
            if looked_at > LINE_BYTES:
                raise _LostError("the process that reads it talks without end")
            self._wait()

    def _wait(self) -> None:
        now = time.monotonic()
        if self._slow is not None and now >= self._slow_at:
            slow, self._slow = self._slow, None
            slow()
        if now >= self._deadline:
            raise _LostError("reading it takes too long")
        until = self._deadline if self._slow is None else min(self._deadline, self._slow_at)
        for key, _ in self._selector.select(until - now):
            if key.fd == self._stdout:
                self._read()
            elif key.fd == self._stderr:
                self._read_complaint()
            else:
                self._write()

    def _read(self) -> None:
        data = os.read(self._stdout, _CHUNK_BYTES)
        if not data:
            raise _LostError(self._why_it_ended())
        self._incoming += data

    def _read_complaint(self) -> None:
        data = os.read(self._stderr, _CHUNK_BYTES)
        if not data:
            self._selector.unregister(self._stderr)
        self._complaint = (self._complaint + data)[-_STDERR_KEPT:]

    def _write(self) -> None:
        try:
            sent = os.write(self._stdin, bytes(self._outgoing[:_CHUNK_BYTES]))
        except BlockingIOError:
            return
        except OSError as error:
            raise _LostError(self._why_it_ended()) from error
        del self._outgoing[:sent]
        if not self._outgoing:
            self._selector.unregister(self._stdin)

    def _why_it_ended(self) -> str:
        try:
            status = self._process.wait(max(0.1, min(5.0, self._deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            return "the process that reads it has hung up"
        if status < 0:
            with suppress(ValueError):
                return f"the process that reads it was ended by {signal.Signals(-status).name}"
            return f"the process that reads it was ended by signal {-status}"
        with suppress(OSError):
            self._complaint = (self._complaint + os.read(self._stderr, _CHUNK_BYTES))[-_STDERR_KEPT:]
        lines = self._complaint.decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return f"the process that reads it ended with status {status}" + (
            f" ({_shown(last)})" if last else ""
        )

    def kill(self) -> None:
        """End the process, leaving nothing of it."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("no number of ours is so long")
    return int(digits)


def _for_utf8(path: str) -> str:
    """Return the path as a process whose file names are UTF-8 spells it."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _shown(text: object) -> str:
    """Return a text that strangers' bytes may have chosen as one short line."""
    line = " ".join(str(text)[: 4 * _SHOWN].split())
    return "".join(each if each.isprintable() else "?" for each in line)[:_SHOWN]
