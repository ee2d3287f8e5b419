"""What waits for a step that makes a wheel: it ends as that does, and well only if we say so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from veln_hook.adapters.uv import build_waiter
from veln_hook.adapters.uv.build_door import Door, GoOn, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uv's builds aren't confined there")
PATIENCE = 60


class Waiter:
    """A door, and commands that have to ask there when they have succeeded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.asked: list[str] = []
        self.answer: object = GoOn()
        self.door = Door(self.path, lambda _: Stop("not here"), self._made)

    def _made(self, word: str) -> object:
        self.asked.append(word)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def start(self, code: str, **options) -> subprocess.Popen:
        command = [sys.executable, "-I", "-S", build_waiter.__file__, self.path, "word"]
        return subprocess.Popen(
            [*command, sys.executable, "-c", code], stdout=-1, stderr=-1, text=True, **options
        )

    def run(self, code: str) -> tuple[int, str, str]:
        with self.start(code) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err


@pytest.fixture
def waiter(tmp_path: Path) -> Iterator[Waiter]:
    made = Waiter(tmp_path / "door")
    yield made
    made.door.close()


def test_what_may_be_taken(waiter: Waiter) -> None:
    assert waiter.run("print('built')") == (0, "built\n", "")
    assert waiter.asked == ["word"]


def test_what_may_not(waiter: Waiter) -> None:
    waiter.answer = Stop("veln-hook: because")
    assert waiter.run("print('built')") == (78, "built\n", "veln-hook: because\n")


def test_an_error_of_ours_is_no_yes(waiter: Waiter) -> None:
    waiter.answer = KeyError("a bug")
    status, _, err = waiter.run("")
    assert status == 78
    assert "KeyError: 'a bug'" in err


def test_where_nobody_answers_it_may_not(waiter: Waiter) -> None:
    waiter.door.close()
    status, _, err = waiter.run("print('built')")
    assert status == 78
    assert "HOLD  nobody tells whether what was built may be installed" in err


@pytest.mark.parametrize("status", [1, 78, 255])
def test_a_step_that_fails_asks_nothing(waiter: Waiter, status: int) -> None:
    assert waiter.run(f"import os; os._exit({status})") == (status, "", "")
    assert waiter.asked == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGINT])
def test_a_step_that_is_killed(waiter: Waiter, number: signal.Signals) -> None:
    code = f"import os, signal; signal.signal({number}, 0) if {number} != 9 else 0; os.kill(os.getpid(), {number})"
    assert waiter.run(code)[0] == -number
    assert waiter.asked == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_is_passed_on(waiter: Waiter, number: signal.Signals) -> None:
    code = (
        "import signal, os, sys\n"
        f"signal.signal({number}, lambda *_: (print('heard', flush=True), os._exit(3)))\n"
        "print('ready', flush=True)\nsignal.pause()\n"
    )
    with waiter.start(code) as process:
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, number)
        out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (3, "heard\n")
    assert waiter.asked == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel has no such thing")
def test_a_waiter_that_is_killed_takes_the_step_with_it(waiter: Waiter) -> None:
    code = "import signal\nprint('ready', flush=True)\nsignal.pause()\n"
    with waiter.start(code) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
        # The other end is closed once the step is gone, too.
        assert process.stdout.read() == ""
    assert waiter.asked == []


def test_it_is_the_same_group_with_nothing_blocked(waiter: Waiter) -> None:
    code = (
        "import os, signal\n"
        "print(os.getpgid(0) == os.getpgid(os.getppid()), signal.pthread_sigmask(0, ()),"
        " signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"
    )
    assert waiter.run(code) == (0, "True set() True\n", "")


def test_a_command_that_is_not_there(tmp_path: Path, waiter: Waiter) -> None:
    command = [sys.executable, "-I", "-S", build_waiter.__file__, waiter.path, "word", str(tmp_path / "no")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 78
    assert "veln-hook: the build was not started: FileNotFoundError" in done.stderr
    assert waiter.asked == []
