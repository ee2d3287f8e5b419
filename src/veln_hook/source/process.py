"""One worker process: its start, the pipes to it, how long it is waited for, its end.

Rules of this module: what comes through the pipes is a stranger's word; every way in which that can go
wrong is a ``LostError``.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import packaging
from veln_hook.source.facts import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

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
_MAX_DIGITS = 18
_CHUNK_BYTES = 1 << 16
_STDERR_KEPT = 2000
_SHOWN = 200


class LostError(Exception):
    """The worker can't be used any more; the text says why."""


class SlowWord:
    """Tells somebody who waits, once, that it takes a while; in the thread that waits.

    Args:
        tell: Told; ``None`` where nobody waits.
        seconds: From now on.
    """

    def __init__(self, tell: Callable[[], None] | None, seconds: float) -> None:
        self._tell = tell
        self._at = time.monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds until there is something to tell; ``None`` if there isn't, or no more."""
        return None if self._tell is None else max(0.0, self._at - time.monotonic())

    def tell_if_due(self) -> None:
        """Tell, if it is time and wasn't told yet."""
        if self._tell is not None and time.monotonic() >= self._at:
            tell, self._tell = self._tell, None
            tell()


class WorkerProcess:
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
        self._deadline = 0.0
        self._slow: SlowWord | None = None
        self._greeted = False

    def ended(self) -> bool:
        """Tell whether the process is no more."""
        return self._process.poll() is not None

    def greet(self, seconds: float, slow: SlowWord) -> None:
        """Wait until a new process is ready; does nothing the second time.

        Raises:
            LostError: It isn't, or is of another version.
        """
        if self._greeted:
            return
        self.expect(seconds, slow)
        if self.hear().get("ready") != RULES:
            raise LostError("the process that reads it is of another version")
        self._greeted = True

    def expect(self, seconds: float, slow: SlowWord) -> None:
        """Set how long to wait from now on, and whom to tell if it takes a while."""
        self._deadline, self._slow = time.monotonic() + seconds, slow

    def say(self, message: object) -> None:
        """Say something; it is on its way when the next answer is waited for."""
        if not self._outgoing:
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        self._outgoing += json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"

    def hear(self) -> dict[str, Any]:
        """Return what the worker says next.

        Raises:
            LostError: Nothing, or nothing sensible, or too late.
        """
        line = self._line()
        try:
            said = json.loads(line, parse_int=_integer)
        except (ValueError, RecursionError) as error:
            raise LostError("the process that reads it talks nonsense") from error
        if not isinstance(said, dict):
            raise LostError("the process that reads it talks nonsense")
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
                raise LostError("the process that reads it talks without end")
            self._wait()

    def _wait(self) -> None:
        slow_in = None
        if self._slow is not None:
            self._slow.tell_if_due()
            slow_in = self._slow.left()
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise LostError("reading it takes too long")
        for key, _ in self._selector.select(left if slow_in is None else min(left, slow_in)):
            if key.fd == self._stdout:
                self._read()
            elif key.fd == self._stderr:
                self._read_complaint()
            else:
                self._write()

    def _read(self) -> None:
        data = os.read(self._stdout, _CHUNK_BYTES)
        if not data:
            raise LostError(self._why_it_ended())
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
            raise LostError(self._why_it_ended()) from error
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
        return f"the process that reads it ended with status {status}" + (f" ({shown(last)})" if last else "")

    def stop(self) -> None:
        """End the process; whoever talks with it, in whatever thread, hears that it is lost."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End the process, leaving nothing of it; for the one who talks with it."""
        self.stop()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def shown(text: object) -> str:
    """Return a text that strangers' bytes may have chosen as one short line."""
    line = " ".join(str(text)[: 4 * _SHOWN].split())
    return "".join(each if each.isprintable() else "?" for each in line)[:_SHOWN]


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("no number of ours is so long")
    return int(digits)
