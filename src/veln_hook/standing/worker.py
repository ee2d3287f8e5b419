"""One worker: a gate that accepts from a socket which it shares with others, and does what it is told.

It ends with its supervisor: when the channel to that ends, running requests are finished and nothing more is
taken.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from veln_hook.errors import UsageError, VelnHookError
from veln_hook.gate.allow import Rules
from veln_hook.gate.attempts import Attempts
from veln_hook.gate.authority import Authority
from veln_hook.gate.context import Context, Faults
from veln_hook.gate.fake import FakeAddresses
from veln_hook.gate.hosts import HTTP_PORT, HTTPS_PORT
from veln_hook.gate.intercept import Interceptor
from veln_hook.gate.listening import Door
from veln_hook.gate.proxies import Proxies
from veln_hook.gate.resolve import Connector
from veln_hook.gate.server import Server
from veln_hook.gate.trust import trust_from
from veln_hook.gate.upstream import Upstream
from veln_hook.standing.channel import Channel, unpacked
from veln_hook.standing.generation import Generation
from veln_hook.standing.log import Log
from veln_hook.standing.metrics import Figures, series
from veln_hook.standing.reception import Reception
from veln_hook.store import open_policy_store

if TYPE_CHECKING:
    from veln_hook.policy.settings import Policy
    from veln_hook.standing.settings import Settings

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment, unused-ignore]

_DESCRIPTORS = 4096
"""Of files and sockets: a thousand connections have two each, and judges and spool need more."""
_RECORD_SECONDS = 15.0
_QUIET_SECONDS = 0.3
"""How long no request must run until a gate that is stopping ends: the next one may be on its way."""


class Start(NamedTuple):
    """What a worker is told first."""

    settings: Settings
    number: int
    listener: int
    """Descriptor of the socket that is accepted from."""
    policy: Policy
    authority: bytes
    """``Authority.secret``."""
    password: Optional[str]
    directory: str
    """Where its files are kept on their way; it is nobody else's, and the supervisor removes it."""


def main(descriptor: int) -> None:
    """Run until told to stop.

    Args:
        descriptor: Of the channel to the supervisor.
    """
    for number in (signal.SIGINT, signal.SIGHUP):  # for the supervisor, whatever sent it to us as well
        signal.signal(number, signal.SIG_IGN)
    asyncio.run(_run(socket.socket(fileno=descriptor)))
    # Threads that wait for a judge or a resolver may be left.
    sys.stderr.flush()
    os._exit(0)


async def _run(sock: socket.socket) -> None:
    channel = await Channel.over(sock)
    try:
        message = await channel.hear()
        if message is None:
            return
        try:
            worker = Worker(unpacked(message["start"]), channel)
            await worker.check()
        except (VelnHookError, OSError) as error:
            await channel.say(failed=str(error), advice=getattr(error, "advice", ""))
            return
        await worker.run()
    finally:
        channel.close()


class _LoggedFaults(Faults):
    """Faults that are written to the log when they come."""

    def __init__(self, log: Log, figures: Figures) -> None:
        super().__init__()
        self._log, self._figures = log, figures

    def add(self, error: BaseException) -> None:
        super().add(error)
        self._figures.add("faults_total")
        where, trace = "", error.__traceback__
        while trace is not None:
            where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
            trace = trace.tb_next
        self._log.write("fault", reason=f"{type(error).__name__}: {error}", at_line=where)


class Worker:
    """A gate among others.

    Args:
        start: What it is to be.
        channel: To the supervisor.

    Raises:
        UsageError: The environment names a proxy or a certificate that can't be read, or the policy a host.
    """

    def __init__(self, start: Start, channel: Channel) -> None:
        self._start, self._channel = start, channel
        settings = start.settings
        self._settings = settings
        self._log = Log(as_json=settings.as_json, worker=start.number)
        self._figures = Figures()
        self._next: Optional[Generation] = None
        _more_descriptors()
        generation = self._generation(start.policy)
        self._reception = Reception(generation, settings.indexes, self._log, self._figures)
        limits = settings.limits()
        upstream = Upstream(
            trust=trust_from(os.environ), proxies=Proxies.from_environment(os.environ), limits=limits
        )
        interceptor = Interceptor(
            self._reception,
            Authority(kept=start.authority),
            upstream,
            covers=lambda _: True,  # a blind tunnel would let files pass that nobody has judged
            limits=limits,
        )
        nowhere = Rules((), ports=(HTTP_PORT, HTTPS_PORT))
        self._connector = Connector(socket.getaddrinfo, nowhere, limits)
        self._server = Server(
            Context(
                rules=nowhere,
                fakes=FakeAddresses(),
                connector=self._connector,
                limits=limits,
                handlers=(interceptor,),
                refused=Attempts(),
                reached=Attempts(),
                faults=_LoggedFaults(self._log, self._figures),
            )
        )
        self._ending = asyncio.Event()

    async def check(self) -> None:
        """Return if it can judge.

        Raises:
            VelnHookError: It can't.
        """
        await self._reception.generation.check()

    async def run(self) -> None:
        """Serve until told to stop, or until the supervisor is gone."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._ending.set)
        listener = socket.socket(fileno=self._start.listener)
        listener.setblocking(False)
        self._server.listen(listener, None if self._start.password is None else Door(self._start.password))
        await self._channel.say(ready=True)
        recording = asyncio.ensure_future(self._record_now_and_then())
        listening = asyncio.ensure_future(self._listen())
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait({listening, ending}, return_when=asyncio.FIRST_COMPLETED)
            await self._finish()
        finally:
            for task in (recording, listening, ending):
                task.cancel()
            await asyncio.gather(recording, listening, ending, return_exceptions=True)
            await self._close()

    async def _listen(self) -> None:
        """Do what the supervisor says, until it says to stop."""
        while True:
            message = await self._channel.hear()
            if message is None or "stop" in message:
                return
            try:
                answer = await self._do(message)
            except VelnHookError as error:
                answer = {"error": str(error)}
            with suppress(OSError):
                await self._channel.say(answer=message.get("id"), **answer)

    async def _do(self, message: dict[str, Any]) -> dict[str, Any]:
        if "prepare" in message:
            await self._prepare(unpacked(message["prepare"]))
            return {}
        if "take" in message:
            generation, self._next = self._next, None
            if generation is not None and message["take"]:
                self._reception.use(generation)
            elif generation is not None:
                generation.close()
            return {}
        return await self._report(check=bool(message.get("check")))

    async def _prepare(self, policy: Policy) -> None:
        """Make everything ready for another policy, which isn't in force yet.

        Raises:
            VelnHookError: It can't be.
        """
        if self._next is not None:
            self._next.close()
            self._next = None
        generation = self._generation(policy)
        try:
            await generation.check()
        except BaseException:
            generation.close()
            raise
        self._next = generation

    def _generation(self, policy: Policy) -> Generation:
        try:
            return Generation(policy, self._settings, self._start.directory, self._log, self._figures)
        except OSError as error:
            raise UsageError(f"no room for files on their way: {error.strerror or error}") from error

    async def _report(self, *, check: bool) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        generations = self._reception.generations()
        gauges = Figures()
        gauges.add("connections", self._server.connections())
        gauges.add("requests_running", self._reception.running)
        gauges.add("scans_running", sum(each.scans for each in generations))
        gauges.add("retiring_policies", len(generations) - 1)
        for each in generations:
            gauges.add("spool_bytes", await loop.run_in_executor(None, each.spooled))
        gauges.add("workers")
        resident = _resident()
        if resident is not None:
            gauges.add("resident_bytes", resident, worker=str(self._start.number))
        counts = {**self._figures.plain(), series("turned_away_total", {}): self._server.turned_away()}
        problem = ""
        if check:
            policy = self._reception.generation.policy
            problem = await loop.run_in_executor(None, _store_problem, policy)
        return {"counts": counts, "gauges": gauges.plain(), "problem": problem}

    async def _record_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_RECORD_SECONDS)
            try:
                await self._reception.generation.record()
            except VelnHookError as error:
                self._log.write("store", reason=str(error))
            report = await self._report(check=False)
            with suppress(OSError):
                await self._channel.say(counts=report["counts"])

    async def _finish(self) -> None:
        """Take nothing more, and wait for what is running."""
        loop = asyncio.get_running_loop()
        self._server.stop_listening()
        until = loop.time() + self._settings.grace
        quiet_since = loop.time()
        while loop.time() < until:
            if self._reception.running:
                quiet_since = loop.time()
            elif not self._server.connections() or loop.time() - quiet_since > _QUIET_SECONDS:
                break
            await asyncio.sleep(0.05)
        if self._reception.running:
            self._log.write("cut-off", requests=self._reception.running)

    async def _close(self) -> None:
        await self._server.close()
        generations = self._reception.generations()
        if self._next is not None:
            generations.append(self._next)
        await asyncio.gather(*(each.close() for each in generations), return_exceptions=True)
        with suppress(OSError):
            report = await self._report(check=False)
            await self._channel.say(counts=report["counts"])
        self._connector.wait()


def _store_problem(policy: Policy) -> str:
    try:
        store = open_policy_store(policy, audited=False)
    except VelnHookError as error:
        return str(error)
    try:
        info = store.info()
    except VelnHookError as error:
        return str(error)
    finally:
        with suppress(VelnHookError):
            store.close()
    return info.problem or ("" if info.persistent else "the store is not kept")


def _resident() -> int | None:
    """Return this process' resident memory in bytes, where that can be told."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _more_descriptors() -> None:
    if resource is None:
        return  # type: ignore[unreachable, unused-ignore]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
