"""A worker, as its supervisor has it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Optional

from veln_hook.errors import GateError
from veln_hook.standing.channel import Channel, packed
from veln_hook.standing.notify import VARIABLES

if TYPE_CHECKING:
    from veln_hook.standing.worker import Start

_READY_SECONDS = 60.0
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from veln_hook.standing.worker import main; main(int(sys.argv[2]))"
)


class LostError(GateError):
    """A worker didn't start, doesn't answer, or has ended."""

    advice = "See what the gate's log says."


class Child:
    """One worker's process.

    Attributes:
        counts: What it has counted, as it told last.
    """

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel, directory: str) -> None:
        """Use `started`."""
        self._process, self._channel, self._directory = process, channel, directory
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hearing = asyncio.ensure_future(self._hear())
        self.counts: dict[str, float] = {}

    @classmethod
    async def started(cls, start: Start, place: str) -> Child:
        """Start a worker, and return it when it serves.

        Args:
            start: What it is to be; its directory is made here.
            place: Where to make it.

        Raises:
            LostError: It doesn't come to that.
            OSError: There is no room for it.
        """
        directory = tempfile.mkdtemp(prefix=f"worker-{start.number}-", dir=place)
        ours, theirs = socket.socketpair()
        try:
            process = await _process(theirs.fileno(), start.listener)
        except BaseException:
            ours.close()
            shutil.rmtree(directory, ignore_errors=True)
            raise
        finally:
            theirs.close()
        child = cls(process, await Channel.over(ours), directory)
        try:
            await child._channel.say(start=packed(start._replace(directory=directory)))
            await asyncio.wait_for(asyncio.shield(child._ready), _READY_SECONDS)
        except BaseException as error:
            child.kill()
            await child.ended()
            if isinstance(error, (OSError, asyncio.TimeoutError)):
                raise LostError("a worker didn't start") from error
            raise
        return child

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def ask(self, seconds: float, **message: Any) -> dict[str, Any]:
        """Say something and return what it answers.

        Raises:
            LostError: It doesn't, in time.
            GateError: It can't do what it was asked to.
        """
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await asyncio.wait_for(self._channel.say(id=number, **message), seconds)
            told = await asyncio.wait_for(answer, seconds)
        except (OSError, asyncio.TimeoutError):
            raise LostError(f"the worker with process {self.pid} doesn't answer") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in told:
            raise GateError(str(told["error"]), advice="The worker's log may say more.")
        self._count(told)
        return told

    async def stop(self) -> None:
        """Tell it to finish what is running and end."""
        with suppress(OSError):
            await self._channel.say(stop=True)

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self) -> int:
        """Wait until it has ended, remove its files, and return its exit status, negative for a signal."""
        status = await self._process.wait()
        await self._hearing
        self._channel.close()
        shutil.rmtree(self._directory, ignore_errors=True)
        return status

    async def _hear(self) -> None:
        lost: Exception = LostError(f"the worker with process {self.pid} has ended")
        message = await self._channel.hear()
        while message is not None:
            if "failed" in message:
                lost = LostError(str(message["failed"]), advice=str(message.get("advice")) or None)
            else:
                self._heard(message)
            message = await self._channel.hear()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(lost)
        if not self._ready.done():
            self._ready.set_exception(lost)
            self._ready.exception()  # nobody may be waiting any more

    def _heard(self, message: dict[str, Any]) -> None:
        if "ready" in message and not self._ready.done():
            self._ready.set_result(None)
        elif "answer" in message:
            waiting = self._waiting.get(message["answer"])
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        else:
            self._count(message)

    def _count(self, message: dict[str, Any]) -> None:
        counts = message.get("counts")
        if isinstance(counts, dict):  # a worker reads what strangers send; nothing of it is taken on trust
            self.counts = {key: value for key, value in counts.items() if isinstance(value, (int, float))}


async def _process(channel: int, listener: int) -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    # Isolated, and then with our own path: what lies in the working directory is none of it.
    command: list[Optional[str]] = [sys.executable, "-I", "-B" if sys.dont_write_bytecode else None]
    return await asyncio.create_subprocess_exec(
        *filter(None, command),
        "-c",
        _CODE,
        json.dumps([path for path in sys.path if os.path.isabs(path)]),
        str(channel),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=2,  # what anything there prints belongs to the log
        pass_fds=(channel, listener),
        env=environment,
        start_new_session=True,  # a terminal's keys are for the supervisor
    )
