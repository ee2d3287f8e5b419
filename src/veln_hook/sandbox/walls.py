"""The walls of the Linux rungs, each in four steps: before the fork, after it, in the command, at the end."""

from __future__ import annotations

import _socket
import os

from veln_hook.sandbox import (
    attempts,
    confine,
    descriptors,
    landlock,
    namespaces,
    network,
    processes,
    seccomp,
    system,
)
from veln_hook.sandbox.routing import MAX_BYTES

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.sandbox.layout import Layout
    from veln_hook.sandbox.refusals import Refusals
    from veln_hook.sandbox.supervisor import Supervisor
    from veln_hook.sandbox.task import Task

Socket = _socket.socket


class Wall:
    """What ``inner.Inner`` asks of a wall. Each step raises OSError if it is refused; nothing runs then."""

    def raise_up(self, task: Task, plan: Layout, route: Socket | None, refusals: Refusals) -> None:
        """Do what comes before the command exists."""
        raise NotImplementedError

    def started(self, pid: int, birth: Socket) -> None:
        """Do what comes once it has been forked; ``birth`` is connected to it."""

    def enter(self, task: Task, plan: Layout, birth: Socket) -> dict[str, str]:
        """Confine this process, which is about to become the command; return its environment."""
        raise NotImplementedError

    def filenos(self) -> list[int]:
        """Return what to poll for input."""
        raise NotImplementedError

    def handle(self, descriptor: int) -> bool:
        """Deal with input at one of them; say whether to go on polling it."""
        raise NotImplementedError

    def end_all(self) -> None:
        """End what the command left running."""


class NamespaceWall(Wall):
    """In namespaces of its own, where this process is PID 1 or a child of it."""

    def __init__(self, mounts: namespaces.Mounts | None) -> None:
        """Take the mounts to make.

        Args:
            mounts: ``None`` where bubblewrap has made them, and the network.
        """
        self._mounts = mounts
        self._proxy: int | None = None
        self._handlers: dict[int, Callable[[int], bool]] = {}

    def raise_up(self, task: Task, plan: Layout, route: Socket | None, refusals: Refusals) -> None:
        if self._mounts is not None:
            self._mounts.make()
            network.raise_loopback()
            self._listen(_attempts(refusals))
        system.prctl(system.PR_SET_DUMPABLE, 0)
        sockets = network.listeners(names=self._mounts is not None)
        if route is None:
            sockets.pop(0)[1].close()
            self._listen(network.Recorder(sockets, refusals))
            return
        self._handlers[route.fileno()] = lambda _: _answer(route)
        self._proxy = sockets[0][1].getsockname()[1]
        for kind, made in sockets:
            descriptors.send(route, f"listener {kind} {made.getsockname()[1]}", made.fileno())
            made.close()

    def _listen(self, ear: attempts.Attempts | network.Recorder | None) -> None:
        if ear is not None:
            self._handlers.update(dict.fromkeys(ear.filenos(), ear.handle))

    def enter(self, task: Task, plan: Layout, birth: Socket) -> dict[str, str]:
        confine.drop_capabilities()
        confine.forbid(task, plan, own_files=True, private=[])
        confine.filter_families()
        return confine.private_environment(task, plan.home, None, self._proxy)

    def filenos(self) -> list[int]:
        return list(self._handlers)

    def handle(self, descriptor: int) -> bool:
        return self._handlers[descriptor](descriptor)


def _attempts(refusals: Refusals) -> attempts.Attempts | None:
    try:
        return attempts.Attempts(refusals)
    except OSError:
        return None  # a kernel without raw sockets: what was tried is stopped, and not told


def _answer(route: Socket) -> bool:
    """Answer the gate's question which process has a socket; say whether the gate is still there."""
    try:
        question, _, port = route.recv(MAX_BYTES).decode("ascii").partition(" ")
        if question != "who":
            return False
        route.send(f"is {port} {network.process_of('tcp', int(port))}".encode("utf-8", "replace")[:MAX_BYTES])
    except (OSError, ValueError):
        return False
    return True


class SupervisorWall(Wall):
    """Where no file system can be laid out: Landlock, and a supervisor that makes every socket."""

    def __init__(self, *, empty_network: bool) -> None:
        """Take what the rung is.

        Args:
            empty_network: Whether the command gets a network namespace of its own on top.
        """
        self._empty_network = empty_network
        self._supervisor: Supervisor | None = None
        self._task: Task
        self._route: Socket | None
        self._refusals: Refusals
        self._group = 0

    def raise_up(self, task: Task, plan: Layout, route: Socket | None, refusals: Refusals) -> None:
        self._task, self._route, self._refusals = task, route, refusals
        # A signal to the launcher's whole group must leave somebody who ends the command.
        self._group = os.getpgrp()
        os.setpgid(0, 0)
        system.prctl(system.PR_SET_DUMPABLE, 0)
        system.prctl(system.PR_SET_CHILD_SUBREAPER, 1)
        for name in ("home", "tmp"):
            os.makedirs(os.path.join(task.scratch, name), 0o700, exist_ok=True)

    def enter(self, task: Task, plan: Layout, birth: Socket) -> dict[str, str]:
        if task.terminal:
            os.setpgid(0, self._group)
        if self._empty_network:
            # Else the files by which its user is mapped belong to root.
            system.prctl(system.PR_SET_DUMPABLE, 1)
            system.call("unshare", namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
            birth.send(b"map")
            _expect(birth, "mapped")
        confine.drop_capabilities()
        confine.forbid(task, plan, own_files=False, private=[task.scratch])
        listener = seccomp.install_with_listener(seccomp.notify_filter(landlock.abi()))
        descriptors.send(birth, "listener", listener)
        os.close(listener)
        proxy, *variables = _expect(birth, "go").split("\n")
        environment = confine.private_environment(
            task,
            os.path.join(task.scratch, "home"),
            os.path.join(task.scratch, "tmp"),
            int(proxy) if proxy else None,
        )
        for line in variables:
            name, _, value = line.partition("=")
            environment[name] = value
        return environment

    def started(self, pid: int, birth: Socket) -> None:
        while self._supervisor is None:
            word, descriptor = descriptors.receive(birth)
            if word == "map":
                namespaces.map_user(pid)
                birth.send(b"mapped ")
            elif word == "listener" and descriptor is not None:
                from veln_hook.sandbox.supervisor import Supervisor  # noqa: PLC0415 - for these rungs only

                made = Supervisor(descriptor, self._task, self._route, self._refusals, pid)
                self._supervisor = made
                proxy = "" if self._route is None else made.proxy_port
                lines = [f"{name}={value}" for name, value in made.variables.items()]
                birth.send("\n".join([f"go {proxy}", *lines]).encode("ascii"))
            else:
                raise OSError(word.partition(" ")[2] or "the command ended before it was confined")

    def filenos(self) -> list[int]:
        return [] if self._supervisor is None else self._supervisor.filenos()

    def handle(self, descriptor: int) -> bool:
        return self._supervisor is not None and self._supervisor.handle(descriptor)

    def end_all(self) -> None:
        processes.end_all()


def _expect(connection: Socket, word: str) -> str:
    """Return what follows an expected word.

    Raises:
        OSError: Something else came.
    """
    got, _, rest = connection.recv(MAX_BYTES).decode("ascii").partition(" ")
    if got != word:
        raise OSError(f"{got or 'nothing'} instead of {word}")
    return rest
