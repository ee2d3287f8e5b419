"""``veln-hook run``: any command, really confined, as if nobody stood between; its secrets, files and places."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confined import PATIENCE
from run_commands import HERE, SRC, TOKEN, Command

from support.selection import everyday
from veln_hook.sandbox import layout
from veln_hook.sandbox.interface import Rung

if TYPE_CHECKING:
    from collections.abc import Iterator

LAID_OUT = (Rung.NAMESPACES, Rung.BUBBLEWRAP)
"""Where a part of a writable directory can be kept from being written."""
READY_THEN_42 = (
    "import signal, sys\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
    "print('ready', flush=True)\n"
    "signal.pause()"
)


# --- as if nobody stood between ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 3, 78, 255])
def test_the_exit_status_is_the_command_s(command, status):
    done = command.run("--", "sh", "-c", f"exit {status}")
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


@pytest.mark.parametrize("name", ["TERM", "INT", "KILL", "SEGV", "PIPE"])
def test_it_dies_by_the_signal_that_the_command_died_by(command, name):
    done = command.run("--", "sh", "-c", f"kill -{name} $$")
    assert done.returncode == -signal.Signals[f"SIG{name}"]


def test_a_missing_program_and_one_that_cannot_run(command):
    assert command.run("--", "no-such-program").returncode == 127
    (command.project / "text").write_text("text")
    assert command.run("--", "./text").returncode == 126


def test_streams_pass_unchanged_and_nothing_is_added(command):
    everything = bytes(range(256)) * 4096
    done = command.run("cat", stdin=everything)
    assert (done.stdout, done.stderr) == (everything, b"")
    done = command.run("--", "sh", "-c", "printf told >&2; printf out", "--json", "-q")
    assert (done.stdout, done.stderr) == (b"out", b"told")


def test_a_signal_reaches_the_command(command):
    with command.start(
        "--", sys.executable, "-I", "-S", "-c", READY_THEN_42, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 42


def test_nothing_is_left_when_we_are_killed(command):
    endless = "echo ready; (setsid sleep 1000 &); exec sleep 1000"
    with command.start("--", "sh", "-c", endless, stdout=subprocess.PIPE) as running:
        assert running.stdout.readline() == b"ready\n"
        running.kill()
        # Whoever is left holds the other end of this pipe.
        assert select.select([running.stdout], [], [], PATIENCE)[0]
        assert running.stdout.read() == b""


def test_it_ends_in_time(command):
    done = command.run("--timeout", "0.5", "--", "sleep", "1000")
    assert (done.returncode, done.stderr) == (124, b"veln-hook: it took longer than 0.5 s and was ended\n")


class Terminal:
    """A terminal with a real shell, which runs commands as its jobs."""

    def __init__(self, command: Command) -> None:
        self.output = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(command.project)
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"], command.environ)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until something new on the screen holds a text."""
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self.output:
            assert time.monotonic() < deadline, self.output
            if select.select([self.master], [], [], 0.1)[0]:
                self.output += os.read(self.master, 4096)
        self.output = self.output.partition(text.encode())[2]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGHUP)
        os.close(self.master)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(command):
    opened = Terminal(command)
    yield opened
    opened.close()


def shell_words(argv: list[str]) -> str:
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in argv)


def test_a_key_interrupts_the_command_once_and_us_not(command, terminal):
    code = (
        "import signal, sys, time\n"
        "got = []\n"
        "signal.signal(signal.SIGINT, lambda *_: got.append(1))\n"
        "print('rea' + 'dy', sys.stdin.isatty(), open('/dev/tty').isatty(), flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.2)\n"
        "sys.exit(10 + len(got))"
    )
    terminal.type(shell_words(command.argv("--", sys.executable, "-I", "-c", code)) + "; echo st''atus $?\n")
    terminal.wait_for("ready True True")
    terminal.type("\x03")
    terminal.wait_for("status 11")


def test_a_job_is_suspended_and_goes_on(command, terminal):
    words = command.argv("--", "sh", "-c", "echo re''ady; read line; echo got $line; exit 5")
    terminal.type(shell_words(words) + "; echo st''atus $?\n")
    terminal.wait_for("ready")
    terminal.type("\x1a")
    terminal.wait_for("Stopped")
    terminal.type("fg\n")
    terminal.type("typed\n")
    terminal.wait_for("got typed")


# --- secrets and places ------------------------------------------------------------------------------------


def test_secrets_are_taken_out_of_the_environment_and_nowhere_to_be_found(command):
    look = (
        "import glob, os\n"
        "print(sorted(name for name in os.environ if name in ('GITHUB_TOKEN', 'DB_PASSWORD', 'PLAIN')))\n"
        "found = []\n"
        "for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/task/*/environ'):\n"
        "    try: found.append(open(path, 'rb').read())\n"
        "    except OSError: pass\n"
        f"print(any({TOKEN!r}.encode() in text for text in found))"
    )
    secrets = {"GITHUB_TOKEN": TOKEN, "DB_PASSWORD": "hunter2hunter2", "PLAIN": "plain"}
    assert command.python(look, **secrets).stdout == b"['PLAIN']\nFalse\n"
    kept = command.python(look, "--env", "DB_PASSWORD", **secrets).stdout
    assert kept == b"['DB_PASSWORD', 'PLAIN']\nFalse\n"


def test_a_failure_names_the_credentials_that_were_missing(command):
    done = command.run("--", "sh", "-c", "exit 4", GITHUB_TOKEN=TOKEN)
    assert done.stderr == b"veln-hook: it failed, and didn't get GITHUB_TOKEN; --env NAME gives one\n"
    assert command.run("--", "true", GITHUB_TOKEN=TOKEN).stderr == b""


def test_the_home_is_empty_and_its_secrets_are_opened_by_their_own_name_only(command):
    (command.home / ".aws").mkdir()
    (command.home / ".aws" / "credentials").write_text("secret")
    (command.home / ".aws" / "config").write_text("config")
    (command.home / "notes").write_text("notes")
    aws, notes = str(command.home / ".aws"), str(command.home / "notes")

    def readable(*options: str) -> list[str]:
        files = [notes, f"{aws}/credentials", f"{aws}/config"]
        done = command.run(
            *options, "--", "sh", "-c", 'for f; do cat "$f" 2>/dev/null && echo; done', "sh", *files
        )
        return done.stdout.decode().split()

    assert readable() == []
    assert readable("--read", notes) == ["notes"]
    assert readable("--read", str(command.home)) == ["notes"]
    assert readable("--read", aws) == ["secret", "config"]
    assert readable("--read", f"{aws}/config") == ["config"]


def test_it_writes_here_and_where_it_is_let(command, tmp_path):
    (tmp_path / "outside").mkdir()
    write = 'for place; do echo x > "$place/file"; done 2>/dev/null; ls -d "$HOME"'
    places = [str(command.project), str(tmp_path / "outside"), "/usr", str(command.home), "/tmp"]
    command.run("--", "sh", "-c", write, "sh", *places)
    assert (command.project / "file").exists()
    # In private places of its own it may write; what counts is what is there outside.
    assert not [place for place in places[1:] if Path(place, "file").exists()]
    command.run("--write", str(tmp_path / "outside"), "--", "sh", "-c", write, "sh", *places)
    assert (tmp_path / "outside" / "file").exists()


@pytest.fixture
def open_place(command) -> Iterator[Path]:
    """A project where nothing is hidden: not in a home, nor among the temporary directories."""
    candidates = [*map(Path, ("/opt", "/srv", "/var/lib", "/usr/local")), HERE]
    hidden = (*layout.PRIVATE_PLACES, os.path.expanduser("~"))
    places = [
        place for place in candidates if os.access(place, os.W_OK) and not layout.covers(hidden, str(place))
    ]
    if not places:
        pytest.skip("nothing outside of homes and temporary directories can be written")
    with tempfile.TemporaryDirectory(prefix="veln-hook-test-", dir=places[0]) as made:
        command.project = Path(made)
        yield command.project


@pytest.mark.parametrize("place", ["home", "open"])
def test_what_others_run_unasked_is_not_written(command, request, place):
    if command.rung not in LAID_OUT:
        pytest.skip("Landlock can't take a part out of what may be written (docs/cli.md)")
    if place == "open":
        request.getfixturevalue("open_place")
    subprocess.run(["git", "init", "-q", command.project], check=True, env=command.environ)
    for directory in (".vscode", "env"):
        (command.project / directory).mkdir()
    (command.project / "env" / "pyvenv.cfg").write_text("")
    (command.project / ".envrc").write_text("true\n")
    attack = (
        "for f in .git/hooks/post-checkout .git/commondir .vscode/tasks.json env/evil.pth; do echo evil > $f; done\n"
        "echo evil >> .git/config; echo evil >> .envrc\n"
        "mv .git .git2; rm -rf .git .vscode env .envrc; mkdir -p .git/hooks\n"
        "git status --short; echo x > written"
    )
    before = snapshot(command.project)
    done = command.run("--", "sh", "-c", f"({attack}) 2>/dev/null")
    assert b"?? .envrc" in done.stdout, done.stderr
    assert snapshot(command.project) == {**before, "written": "x\n"}
    command.run("--write", ".vscode", "--", "sh", "-c", "echo x > .vscode/settings.json")
    assert (command.project / ".vscode" / "settings.json").exists()


@pytest.mark.parametrize("place", ["home", "open"])
def test_what_it_changed_of_that_is_told(command, request, place):
    if place == "open":
        request.getfixturevalue("open_place")
    subprocess.run(["git", "init", "-q", command.project], check=True, env=command.environ)
    (command.project / ".vscode").mkdir()
    (command.project / ".venv" / "lib" / "python3.9" / "site-packages").mkdir(parents=True)
    (command.project / ".venv" / "pyvenv.cfg").write_text("")
    told = b"veln-hook: look at what it changed, since other programs run it: "
    assert command.run("--", "sh", "-c", "echo true > .envrc; echo x > code.py").stderr == told + b".envrc\n"
    assert command.run("--", "sh", "-c", "echo x > code.py").stderr == b""
    done = command.run(
        "--json",
        "--",
        "sh",
        "-c",
        "echo true > .git/hooks/post-commit; echo > .venv/lib/python3.9/site-packages/evil.pth; git status",
        cwd=command.project,
    )
    written = [".git/hooks/post-commit", ".venv/lib/python3.9/site-packages/evil.pth"]
    changed = [] if command.rung in LAID_OUT else written
    assert json.loads(done.stderr.splitlines()[-1])["results"][0]["changed"] == changed
    done = command.run("--write", ".vscode", "--", "sh", "-c", "echo x > .vscode/tasks.json")
    assert (done.stderr, (command.project / ".vscode" / "tasks.json").read_text()) == (b"", "x\n")


def snapshot(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and path.name != "index"
    }


@pytest.mark.parametrize(
    "where, words",
    [("home", b"is your home"), ("home/.ssh", b"kept from confined commands"), ("/tmp", b"many programs")],
)
def test_some_places_are_nowhere_to_run_from(command, where, words):
    place = command.home.parent / where
    place.mkdir(exist_ok=True)
    done = command.run("--", "touch", str(command.project / "ran"), cwd=place)
    assert done.returncode != 0
    assert words in done.stderr
    assert not (command.project / "ran").exists()


def test_a_home_that_is_the_project_is_said_to_be_so(command):
    (command.home / ".netrc").write_text("secret")
    done = command.run("--write", ".", "--", "sh", "-c", "echo x > file; cat .netrc", cwd=command.home)
    assert b"secret" not in done.stdout
    if command.rung in LAID_OUT:  # elsewhere nothing can be made beside what is hidden
        assert (command.home / "file").exists()


# --- the whole command -------------------------------------------------------------------------------------


def veln_hook(command: Command, *arguments: str):
    return subprocess.run(
        [sys.executable, "-m", "veln_hook", *arguments],
        capture_output=True,
        cwd=command.project,
        env=command.environ,
        timeout=4 * PATIENCE,
        check=False,
    )


def test_the_strongest_way_is_taken(box, tmp_path):
    command = Command(box.rung, tmp_path / "own")
    done = veln_hook(command, "run", "--json", "--", "echo", "--json")
    assert (done.returncode, done.stdout) == (0, b"--json\n")
    assert json.loads(done.stderr)["results"][0]["argv"] == ["echo", "--json"]


def test_where_no_sandbox_works_nothing_is_run(command):
    if command.rung is not Rung.SUPERVISOR:
        pytest.skip("a sandbox can be made within this one")
    # Inside there is a supervisor already, and no namespaces to be had.
    ran = command.project / "ran"
    done = command.run("--read", SRC, "--", sys.executable, "-m", "veln_hook", "run", "--", "touch", str(ran))
    assert done.returncode == 78, done.stderr
    assert b"error: no sandbox works here, so nothing was run" in done.stderr
    assert not ran.exists()


@pytest.mark.parametrize("builds, status", everyday([("auto", 1), ("require", 78)], 1))
def test_the_doctor_where_no_sandbox_works(command, builds, status):
    if command.rung is not Rung.SUPERVISOR:
        pytest.skip("a sandbox can be made within this one")
    policy = ["--env", "VELN_HOOK_SANDBOX_BUILDS", "--read", SRC]
    doctor = [sys.executable, "-m", "veln_hook", "doctor", "--json"]
    done = command.run(*policy, "--", *doctor, VELN_HOOK_SANDBOX_BUILDS=builds)
    told = json.loads(done.stdout)
    (probe,) = (probe for probe in told["results"] if probe["name"] == "sandbox")
    assert done.returncode == status, done.stdout  # the hook isn't at work in the tests' own Python
    assert probe["ok"] is (False if builds == "require" else None)
    assert [error["slug"] for error in told["errors"]].count("sandbox") == (builds == "require")
    ways = [detail.partition(":")[0] for detail in probe["details"]]
    assert ways == ["namespaces", "bubblewrap", "netns-supervisor", "supervisor", "Landlock"]


def test_the_doctor_tells_which_way_is_taken(box, tmp_path):
    command = Command(box.rung, tmp_path / "own")
    (probe,) = (
        probe
        for probe in json.loads(veln_hook(command, "doctor", "--json").stdout)["results"]
        if probe["name"] == "sandbox"
    )
    assert probe["ok"] is True
    assert f"{box.rung.value}: works" in probe["details"]
