"""Keeps the workers of a standing gate alive, and tells them about policies, health and the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Callable, Optional

from veln_hook.errors import UsageError, VelnHookError
from veln_hook.gate.authority import Authority
from veln_hook.gate.listening import bound
from veln_hook.standing import metrics, notify
from veln_hook.standing.channel import packed
from veln_hook.standing.child import Child, LostError
from veln_hook.standing.keeping import CERTIFICATE, LIFE, kept_authority, write_public
from veln_hook.standing.log import Log
from veln_hook.standing.metrics import Figures
from veln_hook.standing.settings import Endpoint
from veln_hook.standing.status import StatusListener
from veln_hook.standing.worker import Start

if TYPE_CHECKING:
    import socket

    from veln_hook.policy.settings import Policy
    from veln_hook.standing.settings import Settings

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
"""Seconds before a worker is started again; doubled each time, as long as they don't live long."""
_LONG = 60.0
_ANSWER_SECONDS = 10.0
_PREPARE_SECONDS = 60.0
_KILL_SECONDS = 15.0
"""After a worker's own time is over."""


class Supervisor:
    """One standing gate.

    Args:
        settings: What was asked for.
        password: What clients have to bring; ``None`` where nobody is asked.
        load: Reads the policy, at first and for each reload.
    """

    def __init__(self, settings: Settings, password: Optional[str], load: Callable[[], Policy]) -> None:
        self._settings, self._password, self._load = settings, password, load
        self._log = Log(as_json=settings.as_json)
        self._figures = Figures()
        self._children: dict[int, Child] = {}
        self._stopping = self._killing = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT comes.

        Raises:
            VelnHookError: It can't be served.
        """
        asyncio.run(self._run())

    async def _run(self) -> None:
        settings = self._settings
        loop = asyncio.get_running_loop()
        self._stop, self._reload_wanted = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)
        self._policy = self._load()
        async with AsyncExitStack() as stack:
            self._directory = tempfile.mkdtemp(prefix="veln-hook-gate-")
            stack.callback(shutil.rmtree, self._directory, ignore_errors=True)
            authority = kept_authority(settings.authority) if settings.authority else Authority(life=LIFE)
            certificate = self._publish(authority)
            self._secret = authority.secret()
            self._listener = _listener(settings.listen, "--listen")
            stack.callback(self._listener.close)
            told = await self._open_status(stack)
            keepers = await self._started()
            stack.push_async_callback(self._end, keepers)
            self._log.write(
                "listening",
                address=_address(self._listener),
                workers=settings.workers,
                certificate=certificate,
                trusted_until=authority.until.date().isoformat(),
                metrics=told,
                password="asked for" if self._password is not None else "none",
            )
            notify.notify(os.environ, notify.READY, f"STATUS=listening at {_address(self._listener)}")
            await self._until_stopped()

    async def _until_stopped(self) -> None:
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            while not stop.done():
                reload = asyncio.ensure_future(self._reload_wanted.wait())
                try:
                    await asyncio.wait({stop, reload}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    reload.cancel()
                if self._reload_wanted.is_set() and not stop.done():
                    self._reload_wanted.clear()
                    notify.notify(os.environ, notify.reloading())
                    await self._reload()
                    notify.notify(os.environ, notify.READY)
        finally:
            stop.cancel()
        notify.notify(os.environ, notify.STOPPING)
        self._log.write("stopping")

    def _asked_to_stop(self) -> None:
        if self._stopping:  # once more: whoever asks doesn't want to wait
            self._killing = True
            for child in self._children.values():
                child.kill()
        self._stopping = True
        self._stop.set()

    def _publish(self, authority: Authority) -> str:
        """Write the certificate where others can read it; return the path."""
        place = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]  # systemd.exec(5)
        if not place and self._settings.authority:
            return os.path.join(os.path.abspath(self._settings.authority), CERTIFICATE)
        if not place:
            place = self._directory
            os.chmod(place, 0o711)  # noqa: S103 - what is in it besides is closed by itself
        path = os.path.join(place, CERTIFICATE)
        try:
            write_public(path, authority.certificate)
        except OSError as error:
            raise UsageError(f"{path} can't be written: {error.strerror or error}") from None
        return path

    async def _open_status(self, stack: AsyncExitStack) -> str | None:
        if self._settings.metrics is None:
            return None
        sock = _listener(self._settings.metrics, "--metrics")
        address = _address(sock)
        status = StatusListener(self._health, self._metrics)
        await status.listen(sock)
        stack.push_async_callback(status.close)
        return address

    # -- workers ---------------------------------------------------------------------------------------------

    async def _started(self) -> list[asyncio.Task[None]]:
        """Start all workers; raises if one of them can't be."""
        numbers = range(self._settings.workers)
        started = await asyncio.gather(*map(self._start, numbers), return_exceptions=True)
        children = [child for child in started if isinstance(child, Child)]
        errors = [error for error in started if isinstance(error, BaseException)]
        if errors:
            for child in children:
                child.kill()
            await asyncio.gather(*(child.ended() for child in children))
            raise errors[0]
        return [asyncio.ensure_future(self._keep(number)) for number in numbers]

    async def _start(self, number: int) -> Child:
        start = Start(
            settings=self._settings,
            number=number,
            listener=self._listener.fileno(),
            policy=self._policy,
            authority=self._secret,
            password=self._password,
            directory="",
        )
        policy = self._policy
        child = await Child.started(start, self._directory)
        self._children[number] = child
        self._log.write("worker-started", number=number, pid=child.pid)
        if policy is not self._policy:  # there was a reload meanwhile
            await self._bring_up_to_date(child)
        return child

    async def _keep(self, number: int) -> None:
        """Start a worker again whenever it ends, until the gate stops."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        began = loop.time()
        while True:
            child = self._children.get(number)
            if child is not None:
                status = await child.ended()
                self._children.pop(number, None)
                self._figures.merge(child.counts)
                if self._stopping:
                    return
                self._log.write("worker-ended", number=number, pid=child.pid, status=status)
                self._figures.add("worker_restarts_total")
            if loop.time() - began > _LONG:
                pause = _FIRST_PAUSE
            stop = asyncio.ensure_future(self._stop.wait())
            await asyncio.wait({stop}, timeout=pause)
            stop.cancel()
            if self._stopping:
                return
            pause = min(_LONGEST_PAUSE, pause * 2)
            began = loop.time()
            try:
                await self._start(number)
            except (VelnHookError, OSError) as error:
                self._log.write("worker-not-started", number=number, reason=str(error), again_in=pause)

    async def _bring_up_to_date(self, child: Child) -> None:
        try:
            await self._tell_policy(child, self._policy)
            await child.ask(_ANSWER_SECONDS, take=True)
        except VelnHookError:
            child.kill()  # it is started again, with the policy that is in force then

    async def _end(self, keepers: list[asyncio.Task[None]]) -> None:
        self._stopping = True
        self._stop.set()
        self._listener.close()
        children = list(self._children.values())
        await asyncio.gather(*(child.stop() for child in children))
        if self._killing:
            for child in children:
                child.kill()
        _, late = await asyncio.wait(keepers, timeout=self._settings.grace + _KILL_SECONDS)
        for child in self._children.values() if late else ():
            child.kill()
        await asyncio.gather(*keepers, return_exceptions=True)
        self._log.write("stopped")

    # -- the policy ------------------------------------------------------------------------------------------

    async def _reload(self) -> None:
        """Read the policy again; it is taken by all workers or by none."""
        try:
            policy = self._load()
            children = list(self._children.values())
            await asyncio.gather(*(self._tell_policy(child, policy) for child in children))
        except VelnHookError as error:
            await asyncio.gather(
                *(child.ask(_ANSWER_SECONDS, take=False) for child in self._children.values()),
                return_exceptions=True,
            )
            self._figures.add("policy_reloads_total", result="refused")
            self._log.write("policy-refused", reason=str(error), advice=error.advice)
            return
        self._policy = policy
        taken = await asyncio.gather(
            *(child.ask(_ANSWER_SECONDS, take=True) for child in children), return_exceptions=True
        )
        for child, result in zip(children, taken):
            if isinstance(result, BaseException):
                child.kill()  # it would go on by the old one
        self._figures.add("policy_reloads_total", result="taken")
        self._log.write("policy-taken")

    async def _tell_policy(self, child: Child, policy: Policy) -> None:
        try:
            await child.ask(_PREPARE_SECONDS, prepare=packed(policy))
        except LostError:
            if child in self._children.values():
                raise

    # -- how it is -------------------------------------------------------------------------------------------

    async def _health(self) -> list[str]:
        problems = []
        reports = await self._reports(check=True)
        for number in range(self._settings.workers):
            report = reports.get(number)
            if report is None:
                problems.append(f"worker {number} doesn't answer")
            elif report.get("problem"):
                problems.append(f"worker {number}: {report['problem']}")
        return problems

    async def _metrics(self) -> bytes:
        reports = await self._reports(check=False)
        figures = [self._figures.plain(), *(child.counts for child in self._children.values())]
        figures += [report.get("gauges") or {} for report in reports.values()]
        return metrics.text(metrics.sums(figures))

    async def _reports(self, *, check: bool) -> dict[int, dict[str, Any]]:
        children = dict(self._children)
        answers = await asyncio.gather(
            *(child.ask(_ANSWER_SECONDS, report=True, check=check) for child in children.values()),
            return_exceptions=True,
        )
        return {number: answer for number, answer in zip(children, answers) if isinstance(answer, dict)}


def _listener(endpoint: Endpoint, option: str) -> socket.socket:
    try:
        return bound(*endpoint)
    except OSError as error:
        raise UsageError(
            f"{option} {endpoint}: {error.strerror or error}",
            advice="Name an address of this machine and a port that nobody has.",
        ) from None


def _address(sock: socket.socket) -> str:
    return str(Endpoint(*sock.getsockname()[:2]))
