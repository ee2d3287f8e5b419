"""However a confined command is cut off, nothing of it stays behind and nothing of it gets out."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attack_columns
import attack_world
import pytest

from support.selection import EVERYDAY_RUNGS, everyday

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNGS = ("namespaces", "bubblewrap", "netns-supervisor", "supervisor")
USERS = attack_world.users()
VICTIMS = ("launcher", "holder", "group", "gate", "command", "time")
MANY = 10
_PATIENCE = 15


def _children(process: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [process]
    for number in found:
        for path in Path("/proc").glob(f"{number}/task/*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in path.read_text("ascii").split()]
    return found


def _started(process: int) -> str:
    """Return when a process was started, by which its number is told from a later one's; empty once it has ended."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text("latin-1").rsplit(")", 1)[1].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""


def _namespaces() -> dict[str, int]:
    """Return the namespaces that processes are in, and one process for each."""
    found = {}
    for process in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(OSError):
            for path in Path(f"/proc/{process}/ns").iterdir():
                if _started(process):  # what has ended, and waits to be taken in, holds none
                    found[os.readlink(path)] = process
    return found


def _unix_sockets(place: str) -> list[str]:
    return [line for line in Path("/proc/net/unix").read_text("latin-1").splitlines() if place in line]


class Lingering:
    """A confined command that keeps going, all of whose processes are known."""

    def __init__(self, world: attack_world.World, rung: str, gate: Any, seconds: float) -> None:
        world.prepare_build()
        self._world = world
        self.namespaces = _namespaces()
        self.processes: dict[int, str] = {}
        route = None if gate is None else gate.egress.open_route()
        token = f"{world.nonce}:ending:"
        script = f"{world.aside}/inside/linger.py"
        attacker = [world.ears.ports["tcp4"], token]
        job = {
            "source": f"{world.aside}/src",
            "build": world.build,
            "read": [world.aside],
            "rung": rung,
            "route": route,
            "seconds": seconds,
            "environment": {"PATH": os.defpath, "HOME": world.home, "VELN_ATTACK": world.nonce},
            "command": [
                world.python,
                "-I",
                script,
                f"{world.build}/heartbeats",
                "127.0.0.1",
                *map(str, attacker),
            ],
        }
        world.write(f"{world.aside}/setup/linger.json", json.dumps(job))
        with open(f"{world.aside}/linger-errors", "wb") as errors:
            self._starter = self._start(route, errors)
        if route is not None:
            os.close(route)
        assert self._starter.stdout is not None
        self.launcher = int(self._starter.stdout.readline())

    def _start(self, route: int | None, errors: Any) -> subprocess.Popen[bytes]:
        world = self._world
        return subprocess.Popen(
            [
                world.python,
                "-I",
                f"{world.aside}/outside/linger_starter.py",
                f"{world.aside}/setup/linger.json",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd="/",
            env={"TMPDIR": world.caller, "HOME": world.home, "PATH": os.defpath},
            pass_fds=[] if route is None else [route],
            **world.user.options(),
        )

    def runs(self) -> bool:
        """Wait until all five of its processes have written something; tell if its time was over before."""
        ends = time.monotonic() + _PATIENCE
        while len(self._beats()) < 5:
            status = self._starter.poll()
            if status == 0 and not self._errors():
                return False
            assert status is None, "the command did not start: " + self._errors()
            assert time.monotonic() < ends, "the command did not start in time"
            time.sleep(0.01)
        self.processes = {number: _started(number) for number in _children(self.launcher)}
        return True

    def holder(self) -> int:
        """Return the process that holds the wall: the launcher's child."""
        return next(number for number in _children(self.launcher) if number != self.launcher)

    def command(self) -> int:
        """Return the confined command's first process: the holder's youngest descendant that still has its parent."""
        mark = f"VELN_ATTACK={self._world.nonce}".encode()
        for number in _children(self.holder()):
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{number}/environ").read_bytes():
                    return number
        raise AssertionError("the command has no process")

    def is_over(self) -> None:
        """Assert that everything has ended and nothing is left."""
        assert self._starter.stdout is not None
        status = self._starter.stdout.readline()  # the starter saw the launcher end
        assert status.strip(), "the starter died"
        self._starter.stdout.close()
        self._starter.wait()
        ends = time.monotonic() + _PATIENCE
        while left := [
            number for number, start in self.processes.items() if start and _started(number) == start
        ]:
            assert time.monotonic() < ends, f"processes are left: {[_named(number) for number in left]}"
            time.sleep(0.01)
        before = self._beats()
        time.sleep(0.2)
        assert self._beats() == before, "something still writes"
        assert self._world.nonce not in Path("/proc/self/mountinfo").read_text("utf-8")
        new = {name: number for name, number in _namespaces().items() if name not in self.namespaces}
        ours = [name for name, number in new.items() if number in self.processes]
        assert not ours, f"namespaces are left: {ours}"
        left_sockets = _unix_sockets(f"{self._world.build}/heartbeats")
        assert not left_sockets
        assert b":ending:" not in self._world.ears.everything(), "something got out"

    def end(self) -> None:
        """Kill whatever a failed test has left."""
        for number, start in getattr(self, "processes", {}).items():
            if start and _started(number) == start:
                os.kill(number, signal.SIGKILL)
        self._starter.kill()
        self._starter.wait()
        if self._starter.stdout is not None:
            self._starter.stdout.close()

    def _errors(self) -> str:
        return Path(self._world.aside, "linger-errors").read_text("utf-8", "replace")

    def _beats(self) -> dict[str, int]:
        directory = Path(self._world.build, "heartbeats")
        return {path.name: path.stat().st_size for path in directory.iterdir() if path.name.isdigit()}


def _named(process: int) -> str:
    with contextlib.suppress(OSError):
        return f"{process} {Path(f'/proc/{process}/cmdline').read_bytes()!r}"
    return str(process)


class Endings:
    """Starts lingering commands in worlds, and cuts them off."""

    def __init__(self, make_world: Callable[..., Any], make_gate: Callable[..., Any]) -> None:
        self._make_world, self._make_gate = make_world, make_gate
        self._started: list[Lingering] = []

    def cut_off(self, rung: str, user: attack_world.User, victim: str, times: int = 1) -> None:
        """Start a command, kill one of those it depends on, and assert that nothing is left; several times."""
        world = self._make_world(user, rung)
        for _ in range(times):
            gate = self._make_gate(world) if victim == "gate" else None
            seconds = 3 if victim == "time" else 60
            while True:
                one = Lingering(world, rung, gate, seconds)
                self._started.append(one)
                if one.runs():
                    break
                # On a busy machine it may be over before all of it has begun.
                assert seconds < 60, "the command did not start in time"
                one.is_over()
                seconds *= 3
            time.sleep(random.random() * 0.1)
            _cut_off(one, victim, gate)
            one.is_over()

    def end(self) -> None:
        """Kill whatever a failed test has left."""
        for one in self._started:
            one.end()


def _cut_off(one: Lingering, victim: str, gate: Any) -> None:
    if victim == "launcher":
        os.kill(one.launcher, signal.SIGKILL)
    elif victim == "holder":
        os.kill(one.holder(), signal.SIGKILL)
    elif victim == "group":
        os.killpg(one.launcher, signal.SIGKILL)  # as a shell, a time limit or a CI system does
    elif victim == "command":
        os.kill(one.command(), signal.SIGKILL)
    elif victim == "gate":
        gate.egress.close()
        time.sleep(0.3)  # with the door shut it goes on, and reaches nothing
        os.kill(one.launcher, signal.SIGTERM)


@pytest.fixture
def endings(make_world: Callable[..., Any], make_gate: Callable[..., Any]) -> Iterator[Endings]:
    """Lingering commands that end with the test."""
    made = Endings(make_world, make_gate)
    yield made
    made.end()


@pytest.mark.parametrize("victim", everyday(VICTIMS[:4], 2))
@pytest.mark.parametrize("user", USERS[-1:], ids=lambda user: user.name)
@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
def test_nothing_stays_behind(endings: Endings, rung: str, user: attack_world.User, victim: str):
    endings.cut_off(rung, user, victim)


@pytest.mark.parametrize("user", USERS[-1:], ids=lambda user: user.name)
@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
def test_what_is_confined_cannot_end_what_holds_it(
    make_world: Callable[..., Any], rung: str, user: attack_world.User
):
    outcome = attack_columns.run(
        make_world(user, rung), attack_columns.Column(rung), attacks=("kill_launcher",)
    )
    assert "kill_launcher" in outcome.said, outcome.describe([])
    assert outcome.told["status"] == 0, outcome.describe(["kill_launcher"])
    assert not outcome.opened


@pytest.mark.slow
@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
@pytest.mark.parametrize("rung", RUNGS)
def test_nothing_stays_behind_whenever_it_is(
    endings: Endings, rung: str, user: attack_world.User, victim: str
):
    endings.cut_off(rung, user, victim, times=MANY)
