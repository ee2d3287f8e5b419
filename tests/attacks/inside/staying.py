"""Staying after the command has ended: whatever goes on then goes on unwatched."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

from common import attack, each, libc, named, send

if TYPE_CHECKING:
    from common import World

_SECONDS = 25
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def _detach(work: object, *, seconds: float = _SECONDS) -> str:
    """Leave the session, the process group and every parent; go on until somebody ends it."""
    if os.fork():
        return "left one behind"
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
    signal.alarm(0)
    each(lambda: libc("prctl", _PR_SET_PDEATHSIG, 0), lambda: libc("prctl", _PR_SET_DUMPABLE, 0))
    os.closerange(0, 1024)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(OSError):
            work()
        time.sleep(0.05)
    os._exit(0)


def _heartbeat(world: World) -> None:
    """Write a line that is seen from outside; by the time it is read the command has long ended."""
    beats = os.path.join(world.build, "heartbeats")
    if os.path.isdir(os.path.join(world.build, "no-heartbeats")):
        os._exit(0)  # the tests have seen enough
    with open(os.path.join(beats, world.name), "a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")


@attack
def daemon_survives(world: World) -> object:
    """Become a daemon that ignores every signal."""
    return _detach(lambda: _heartbeat(world))


@attack
def daemon_net(world: World) -> object:
    """A daemon that tries to get out again and again, also once nobody watches."""
    start = time.monotonic()

    def work() -> None:
        if time.monotonic() > start + world.batch_seconds:
            send((world.hosts[0], world.tcp4), world.token, socket.AF_INET)

    return _detach(work)


@attack
def daemon_forks(world: World) -> object:
    """A daemon that is a new process every few milliseconds: who kills by a list comes too late."""
    ends = time.monotonic() + _SECONDS
    if os.fork():
        return "left one behind"
    os.setsid()
    signal.alarm(0)
    os.closerange(0, 1024)
    beat = 0.0
    while time.monotonic() < ends:
        if os.fork():
            os._exit(0)
        if time.monotonic() > beat:
            beat = time.monotonic() + 0.05
            _heartbeat(world)
    os._exit(0)


@attack
def daemon_tree(world: World) -> object:
    """Daemons that watch and start each other again, below a process that takes in orphans."""

    def guard(depth: int) -> None:
        while True:
            child = os.fork()
            if child == 0:
                if depth:
                    guard(depth - 1)
                while True:
                    _heartbeat(world)
                    time.sleep(0.05)
            os.waitpid(child, 0)

    if os.fork():
        return "left some behind"
    os.setsid()
    signal.alarm(_SECONDS)
    os.closerange(0, 1024)
    each(lambda: libc("prctl", _PR_SET_CHILD_SUBREAPER, 1))
    guard(2)
    return "never"


@attack
def daemon_sibling(world: World) -> object:
    """A process whose parent is one's own parent (clone(2): CLONE_PARENT): a sibling of the command."""
    return world.tool("sibling", os.path.join(world.build, "heartbeats", world.name), _SECONDS)


@attack
def daemon_stopped(world: World) -> object:
    """A process that is stopped when the command ends and goes on when something wakes it."""
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.alarm(_SECONDS)
        os.closerange(0, 1024)
        os.kill(os.getpid(), signal.SIGSTOP)
        while True:
            _heartbeat(world)
            time.sleep(0.05)
    world.ask("wake later", process=child)
    return "left one behind"


@named
def kill_launcher(world: World) -> object:
    """End, stop or confuse what holds the wall: every process above the command, as far as it can be seen."""
    found, process = [world.parent_of_runner], world.runner
    while process not in (0, world.starter):
        try:
            with open(f"/proc/{process}/stat", encoding="latin-1") as file:
                process = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
        found.append(process)
    said = []
    for number in dict.fromkeys(found):
        for sent in (signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL):
            if number > 0:  # 0 is one's own group
                said += each(lambda number=number, sent=sent: os.kill(number, sent))
    return said
