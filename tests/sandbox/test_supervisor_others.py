"""What concerns processes that aren't the command's own, and what tells of files that it can't read."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from supervised import Supervised, needs_supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_supervisor


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(tmp_path) as made:
        yield made


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process outside."""
    running = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield running.pid
    running.communicate()


def test_a_process_outside_keeps_its_processors_priority_and_limits(box: Supervised, stranger: int) -> None:
    before = os.sched_getaffinity(stranger), os.getpriority(os.PRIO_PROCESS, stranger)
    code = f"""
    import resource
    told = [
        error(os.sched_setaffinity, {stranger}, {{min(os.sched_getaffinity(0))}}),
        error(os.setpriority, os.PRIO_PROCESS, {stranger}, 19),
        error(os.setpriority, os.PRIO_PGRP, 0, 19),
        error(os.setpriority, os.PRIO_USER, 0, 19),
        error(os.sched_setscheduler, {stranger}, os.SCHED_IDLE, os.sched_param(0)),
        error(resource.prlimit, {stranger}, resource.RLIMIT_NOFILE, (1, 1)),
    ]
    tell(told)
    """
    assert box.run(code).told == ["EPERM"] * 6
    assert (os.sched_getaffinity(stranger), os.getpriority(os.PRIO_PROCESS, stranger)) == before


def test_its_own_it_can_change(box: Supervised) -> None:
    code = """
    import resource
    one = {min(os.sched_getaffinity(0))}
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    threads = []
    thread = threading.Thread(target=lambda: threads.append(error(os.sched_setaffinity, threading.get_native_id(), one)))
    thread.start(); thread.join()
    told = [
        error(os.sched_setaffinity, 0, one), error(os.sched_setaffinity, child.pid, one), *threads,
        error(os.setpriority, os.PRIO_PROCESS, 0, 5), error(os.sched_setscheduler, 0, os.SCHED_BATCH, os.sched_param(0)),
        error(resource.prlimit, 0, resource.RLIMIT_NOFILE, (100, 100)), error(resource.prlimit, os.getpid(), resource.RLIMIT_NOFILE),
    ]
    tell([told, os.sched_getaffinity(child.pid) == one])
    child.communicate()
    """
    assert box.run(code).told == [[""] * 7, True]


def test_a_mask_of_no_length_or_without_end_is_refused(box: Supervised) -> None:
    numbers = {"x86_64": 203, "aarch64": 122}
    code = f"""
    number = {numbers}[os.uname().machine]
    tell([call(number, os.getpid(), 1 << 30, None), call(number, os.getpid(), 0, None), call(number, 1 << 22, 8, None),
          call(number, os.getpid(), 8, 4096)])
    """
    assert "" not in box.run(code).told


def test_directories_cannot_be_watched_and_files_not_leased(box: Supervised) -> None:
    code = """
    import fcntl
    libc = ctypes.CDLL(None, use_errno=True)
    def inotify():
        if libc.inotify_init1(0) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
    opened = os.open("/etc/passwd", os.O_RDONLY)
    directory = os.open("/etc", os.O_RDONLY)
    tell([error(inotify), error(fcntl.fcntl, opened, fcntl.F_SETLEASE, fcntl.F_RDLCK),
          error(fcntl.fcntl, directory, fcntl.F_NOTIFY, fcntl.DN_MODIFY), error(fcntl.fcntl, opened, fcntl.F_GETFD)])
    """
    assert box.run(code).told == ["ENOSYS", "EPERM", "EPERM", ""]
