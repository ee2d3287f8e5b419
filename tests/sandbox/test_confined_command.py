"""Towards whoever starts it, a confined command behaves as it does alone."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
from confined import PATIENCE, until

from veln_hook.sandbox.interface import Limits


def test_its_exit_status_is_the_command_s(box):
    assert box.run("sh", "-c", "exit 3").returncode == 3
    assert box.run("sh", "-c", "exit 78").returncode == 78
    assert box.report.confined
    assert box.run("true").returncode == 0


def test_it_dies_by_the_signal_that_the_command_died_by(box):
    assert box.run("sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    assert box.run("sh", "-c", "kill -KILL $$").returncode == -signal.SIGKILL


def test_a_program_that_is_missing_or_cannot_run_is_told_as_a_shell_does(box):
    ended = box.run("no-such-program")
    assert (ended.returncode, ended.stderr) == (
        127,
        b"veln-hook: no-such-program: No such file or directory\n",
    )
    (box.work / "text").write_text("text")
    assert box.run("./text").returncode == 126


def test_standard_streams_pass_unchanged(box):
    everything = bytes(range(256)) * 4096
    ended = box.run("cat", stdin=everything)
    assert ended.stdout == everything
    assert box.run("sh", "-c", "echo told >&2").stderr == b"told\n"


def test_a_closed_pipe_ends_the_command_quietly(box):
    ended = box.run("sh", "-c", "yes | head -n 1; echo done")
    assert ended.stdout == b"y\ndone\n"
    assert ended.stderr == b""


def test_arguments_and_environment_arrive_as_given(box):
    odd = "a b\n'\"$x ü"
    environment = {"PATH": os.defpath, "ODD": odd, "HOME": os.path.expanduser("~")}
    ended = box.run("sh", "-c", 'printf %s "$1$ODD"', "sh", odd, environment=environment)
    assert ended.stdout.decode() == odd + odd


def test_nothing_but_the_standard_streams_is_inherited(box):
    secret, other = os.pipe()
    os.set_inheritable(secret, True)
    with box.launch(sys.executable, "-I", "-S", "-c", f"import os; os.fstat({secret})") as launch:
        ended = subprocess.run(launch.argv, pass_fds=(secret,), capture_output=True, check=False)
    os.close(secret)
    os.close(other)
    assert b"Bad file descriptor" in ended.stderr


def test_a_signal_to_the_launcher_reaches_the_command(box):
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True)\n"
        "signal.pause()"
    )
    with (
        box.launch(sys.executable, "-I", "-S", "-c", code) as launch,
        subprocess.Popen(launch.argv, stdout=subprocess.PIPE) as running,
    ):
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 42


def test_it_ends_when_its_time_is_over(box):
    ended = box.run("sleep", "1000", limits=Limits(seconds=0.2))
    assert ended.returncode == -signal.SIGKILL
    assert box.report.timed_out


def test_no_daemon_survives_the_command(box):
    marker = box.work / "alive"
    code = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        while True:\n"
        "            open(sys.argv[1], 'w').write(str(time.time()))\n"
        "            time.sleep(0.01)\n"
        "    os._exit(0)\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
    )
    box.python(code, str(marker))
    last = marker.read_text()
    time.sleep(0.1)
    assert marker.read_text() == last


def test_limits_hold(box):
    code = (
        "import resource, signal\n"
        "print(resource.getrlimit(resource.RLIMIT_NPROC)[1], resource.getrlimit(resource.RLIMIT_CORE)[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "with open('big', 'wb', buffering=0) as file:\n"
        "    try:\n"
        "        while file.write(bytes(100_000)): pass\n"
        "    except OSError as error: print(error.strerror)"
    )
    limits = Limits(processes=4000, file_size=1_000_000, seconds=PATIENCE)
    assert box.python(code, limits=limits).splitlines() == ["4000 0", "File too large"]
    assert (box.work / "big").stat().st_size == 1_000_000


class Terminal:
    """A command as the foreground job of a terminal, with a shell's part played here."""

    def __init__(self, argv: list[str]) -> None:
        self.output = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)

    def read_until(self, text: bytes) -> bool:
        def heard() -> bool:
            if select.select([self.master], [], [], 0.01)[0]:
                self.output += os.read(self.master, 4096)
            return text in self.output

        return until(heard)

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def status(self, options: int = 0) -> int:
        found = []
        assert until(lambda: (found.append(os.waitpid(self.pid, options | os.WNOHANG)), found[-1][0])[1])
        return found[-1][1]


def test_a_terminal_is_the_command_s_own(box):
    code = "import os; print(os.isatty(0), os.ttyname(0) != '', open('/dev/tty').isatty())"
    with box.launch(sys.executable, "-I", "-S", "-c", code, terminal=True) as launch:
        terminal = Terminal(launch.argv)
        assert terminal.read_until(b"\n")
        assert os.WEXITSTATUS(terminal.status()) == 0, terminal.output
    assert b"True" in terminal.output
    assert b"False" not in terminal.output


def test_an_interrupt_key_reaches_the_command_once(box):
    code = (
        "import signal, time\n"
        "got = []\n"
        "signal.signal(signal.SIGINT, lambda *_: got.append(1))\n"
        "print('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.2)\n"
        "print('got', len(got), flush=True)"
    )
    with box.launch(sys.executable, "-I", "-S", "-c", code, terminal=True) as launch:
        terminal = Terminal(launch.argv)
        assert terminal.read_until(b"ready")
        terminal.type(b"\x03")
        assert terminal.read_until(b"got 1"), terminal.output
        assert os.WEXITSTATUS(terminal.status()) == 0


def test_a_job_of_a_shell_can_be_suspended(box):
    """The whole of job control: a real shell, a key, ``fg``."""
    with box.launch("sh", "-c", "echo re''ady; read line; echo read $line", terminal=True) as launch:
        terminal = Terminal(["/bin/bash", "--norc", "--noprofile", "-i"])
        terminal.type(" ".join(map(quoted, launch.argv)).encode() + b"\n")
        assert terminal.read_until(b"ready"), terminal.output
        terminal.type(b"\x1a")
        assert terminal.read_until(b"Stopped"), terminal.output
        terminal.type(b"fg\n")
        terminal.type(b"hello\n")
        assert terminal.read_until(b"read hello"), terminal.output
        terminal.type(b"exit\n")
        terminal.status()


def quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


@pytest.mark.parametrize("terminal", [False, True])
def test_the_launcher_leaves_nothing_of_its_own_behind(box, terminal):
    with box.launch("true", terminal=terminal) as launch:
        subprocess.run(launch.argv, check=True, stdin=subprocess.DEVNULL)
        directory = launch._directory
    assert not os.path.exists(directory)
