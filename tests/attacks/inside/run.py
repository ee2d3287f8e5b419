"""Runs all attacks, some at a time, each in a process of its own; prints one JSON object a line.

    python run.py SETUP.json [ATTACK...]

A line is {"attack": name, "said": text}: what the attack printed, returned or raised.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback

import files
import gates
import kernel
import network
import processes
import races
import reading
import staying
import tampering
import unix
from common import ATTACKS, NAMED, World

_AT_ONCE = 4
_ALL = {**ATTACKS, **NAMED}
MODULES = (files, gates, kernel, network, processes, races, reading, staying, tampering, unix)


def _child(setup: dict, name: str, out: int) -> None:
    """Run one attack and end; what it says goes to `out`."""
    signal.alarm(int(_ALL[name].seconds) + 2)
    try:
        said = str(_ALL[name].run(World(setup, name)))
    except BaseException:  # noqa: BLE001 - whatever happens in an attack is something to tell
        said = traceback.format_exc(limit=-2)
    try:
        os.write(out, said.encode("utf-8", "replace")[:60_000])
    finally:
        os._exit(0)


class _Running:
    def __init__(self, setup: dict, name: str, others: list[_Running]) -> None:
        self.name = name
        self.out, theirs = os.pipe()
        self.said = b""
        self.ends = time.monotonic() + _ALL[name].seconds
        self.pid = os.fork()
        if self.pid == 0:
            for out in [self.out, *(other.out for other in others)]:
                os.close(out)
            os.set_inheritable(theirs, False)
            _child(setup, name, theirs)
        os.close(theirs)
        os.set_blocking(self.out, False)

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.said += os.read(self.out, 1 << 16)

    def over(self) -> bool:
        """Whether its process has ended, killed now if it took too long."""
        if os.waitpid(self.pid, os.WNOHANG)[0]:
            self.drain()
        elif time.monotonic() > self.ends:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.drain()
            self.said += b" (took too long)"
        else:
            return False
        os.close(self.out)
        return True


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        setup = {**json.load(file), "runner": os.getpid(), "parent_of_runner": os.getppid()}
    waiting = sys.argv[2:] or list(ATTACKS)
    running: list[_Running] = []
    while waiting or running:
        while waiting and len(running) < _AT_ONCE:
            running.append(_Running(setup, waiting.pop(0), running))
        ready = select.select([one.out for one in running], [], [], 0.02)[0]
        for one in [one for one in running if one.out in ready]:
            one.drain()
        for one in [one for one in running if one.over()]:
            running.remove(one)
            print(json.dumps({"attack": one.name, "said": one.said.decode("utf-8", "replace")}), flush=True)


if __name__ == "__main__":
    main()
