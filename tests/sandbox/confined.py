"""Commands that are really confined, on every rung that this machine allows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from veln_hook.sandbox import ladder
from veln_hook.sandbox.client import Launch
from veln_hook.sandbox.interface import Confinement, Limits, Rung

LINUX = [Rung.NAMESPACES, Rung.BUBBLEWRAP, Rung.NETNS_SUPERVISOR, Rung.SUPERVISOR]
PATIENCE = 60


@cache
def probes() -> dict[Rung, ladder.Probe]:
    return {probe.rung: probe for probe in ladder.find(every=True).probes}


class Box:
    """Runs commands confined in one way."""

    def __init__(self, rung: Rung, work: Path) -> None:
        self.rung = rung
        self.work = work
        self.report = None

    def confinement(self, **changes) -> Confinement:
        settings = {
            "cwd": str(self.work),
            "environment": {
                "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
                "HOME": os.path.expanduser("~"),
            },
            "write": (str(self.work),),
            "read": (sys.prefix, sys.base_prefix),
            "limits": Limits(seconds=PATIENCE),
            **changes,
        }
        return Confinement(**settings)

    def launch(self, *command: str, **changes) -> Launch:
        return Launch(self.confinement(**changes), command, self.rung)

    def run(self, *command: str, stdin: bytes = b"", **changes) -> subprocess.CompletedProcess:
        with self.launch(*command, **changes) as launch:
            ended = subprocess.run(
                launch.argv, input=stdin, capture_output=True, timeout=2 * PATIENCE, check=False
            )
            self.report = launch.report()
        return ended

    def python(self, code: str, *arguments: str, **changes) -> str:
        """Run Python code inside; return what it printed."""
        ended = self.run(sys.executable, "-I", "-S", "-c", code, *arguments, **changes)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout.decode().strip()


def until(condition) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False
