"""A killed part of the sandbox takes the command with it, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from confined import PATIENCE, until

from support.processes import runs

BUSY = (
    "import os, sys, time\n"
    "for _ in range(3):\n"
    "    if os.fork() == 0:\n"
    "        os.setsid()\n"
    "        break\n"
    "while True:\n"
    "    open(f'{sys.argv[1]}/{os.getpid()}', 'w').write(str(time.time()))\n"
    "    time.sleep(0.01)\n"
)


def below(pid: int) -> list[int]:
    """Return a process' children and theirs."""
    told = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    children = [int(line) for line in told.stdout.split()]
    return [*children, *(found for child in children for found in below(child))]


def writing(box) -> list[str]:
    return [path.read_text() for path in sorted(box.work.iterdir())]


@pytest.mark.parametrize("victim", ["launcher", "holder"])
def test_killing_a_part_ends_all_of_it(box, victim):
    with box.launch(sys.executable, "-I", "-S", "-c", BUSY, str(box.work)) as launch:
        running = subprocess.Popen(launch.argv, stderr=subprocess.PIPE)
        assert until(lambda: len(list(box.work.iterdir())) == 4)
        everyone = [running.pid, *below(running.pid)]
        target = running.pid if victim == "launcher" else below(running.pid)[0]
        os.kill(target, signal.SIGKILL)
        assert until(lambda: not any(runs(pid) for pid in everyone if pid != running.pid)), everyone
        status = running.wait(PATIENCE)
        told = running.stderr.read()
        running.stderr.close()
        assert not launch.report().confined
    assert (status, b"nothing runs" in told) == (
        (-signal.SIGKILL, False) if victim == "launcher" else (78, True)
    )
    last = writing(box)
    time.sleep(0.05)
    assert writing(box) == last


def test_no_mount_is_left(box):
    with open("/proc/self/mountinfo") as file:
        before = file.read()
    box.run("true")
    with open("/proc/self/mountinfo") as file:
        assert file.read() == before
