"""Where the steps of uv's builds ask what to do: a UNIX socket in a private directory.

``build_start/_veln_hook_build.py`` is the other end. It sends, separated by zero bytes: its working
directory, its interpreter, where that is installed, the number of its arguments, these, and its environment.
The answer is a word: ``run`` with a command and its environment, to become that; ``go``, to go on as it is;
``stop`` with a line for the user. No answer stops it, too.

``build_waiter.py`` comes back once its step has succeeded, with ``made`` and the word that it was given. It
is told ``go`` if uv may take what was made, or ``stop``.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Optional, Union

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): process, user, group
_MAX_BYTES = 1 << 23  # as much as a command line and an environment may have (execve(2): 6 MiB)
_SECONDS = 60.0
_WAITING = 1024
"""Steps that may wait to be let in; a socket with a timeout is refused where there is no room."""
_AT_ONCE = 64
_MADE = b"made\0"


class Asked(NamedTuple):
    """A step that wants to start."""

    words: tuple[str, ...]
    """Its command line."""
    cwd: str
    program: str
    """The interpreter, by its absolute path."""
    base_prefix: str
    """Where that is installed."""
    environ: dict[str, str]


@dataclass(frozen=True)
class Become:
    """It is to become a command."""

    argv: Sequence[str]
    environ: Mapping[str, str]
    ended: Callable[[], None]
    """Called once it has ended; not at all where that can't be told."""


@dataclass(frozen=True)
class GoOn:
    """It may go on as it is."""


@dataclass(frozen=True)
class Stop:
    """It must not start."""

    why: str
    """One line for the user."""


Answer = Union[Become, GoOn, Stop]


class Door:
    """Answers until it is closed."""

    def __init__(self, path: str, answer: Callable[[Asked], Answer], made: Callable[[str], Answer]) -> None:
        """Listen.

        Args:
            path: Where; in a directory that nobody else can enter.
            answer: Called in a thread of its own for each step; what it raises stops the step.
            made: The same for a step that has ended, with the word that it was given.

        Raises:
            OSError: No socket can be made there.
        """
        self._answer, self._made = answer, made
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._door.bind(path)
            self._door.listen(_WAITING)
        except OSError:
            self._door.close()
            raise
        self._thread = threading.Thread(target=self._accept, name="veln-hook-builds", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let nobody in any more. Calling it twice is harmless."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._thread.join()
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                step, _ = self._door.accept()
            except OSError:
                return  # closed
            self._free.acquire()
            threading.Thread(target=self._serve, args=(step,), daemon=True).start()

    def _serve(self, step: socket.socket) -> None:
        ended: Optional[Callable[[], None]] = None
        process = -1
        try:
            with step:
                step.settimeout(_SECONDS)
                number, user, _ = _CREDENTIALS.unpack(
                    step.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
                )
                if user != os.geteuid():
                    return
                answer = self._answered(step)
                if isinstance(answer, Become):
                    # While it waits for the answer, its number can't be another process'.
                    process, ended = _opened(number), answer.ended
                step.sendall(_packed(answer))
        except OSError:
            pass  # it is gone, or doesn't say what it should
        finally:
            self._free.release()
        if process >= 0 and ended is not None:
            _wait(process)
            ended()

    def _answered(self, step: socket.socket) -> Answer:
        try:
            data = _read(step)
            if data.startswith(_MADE):
                return self._made(data[len(_MADE) :].decode("ascii"))
            return self._answer(_asked(data))
        except Exception as error:  # noqa: BLE001 - an error of ours stops the step
            return Stop(f"the build was not started: {type(error).__name__}: {error}")


def _read(step: socket.socket) -> bytes:
    """Read what a step says.

    Raises:
        OSError: It doesn't finish.
        ValueError: It is too long.
    """
    data = bytearray()
    while more := step.recv(1 << 16):
        data += more
        if len(data) > _MAX_BYTES:
            raise ValueError("it says too much of itself")
    return bytes(data)


def _asked(data: bytes) -> Asked:
    """Return what a step says of itself.

    Raises:
        ValueError: It is something else.
    """
    cwd, program, base_prefix, count, *rest = map(os.fsdecode, data.split(b"\0"))
    words = rest[: int(count)]
    pairs = [entry.partition("=") for entry in rest[int(count) :]]
    if len(words) != int(count) or not os.path.isabs(program) or not os.path.isabs(cwd):
        raise ValueError("it says something else of itself")
    return Asked(tuple(words), cwd, program, base_prefix, {name: value for name, _, value in pairs})


def _packed(answer: Answer) -> bytes:
    if isinstance(answer, GoOn):
        return b"go\0"
    if isinstance(answer, Stop):
        return b"stop\0" + answer.why.encode("utf-8", "replace")
    variables = [f"{name}={value}" for name, value in answer.environ.items()]
    fields = ["run", str(len(answer.argv)), *answer.argv, *variables]
    return b"\0".join(map(os.fsencode, fields))


def _opened(number: int) -> int:
    """Return a descriptor of a process that can be waited for (pidfd_open(2)); -1 where there is none."""
    try:
        return os.pidfd_open(number)
    except (AttributeError, OSError):
        return -1


def _wait(process: int) -> None:
    try:
        select.select([process], [], [])
    except (OSError, ValueError):
        return  # more descriptors than select knows
    finally:
        os.close(process)
