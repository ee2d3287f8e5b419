"""Commands under a real supervisor, and what they are told and meet: a gate at the other end of a route."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from veln_hook.sandbox import system

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[2] / "src"
SUPERVISE = Path(__file__).with_name("supervise.py")

PRELUDE = """
import ctypes, errno, json, os, select, signal, socket, stat, struct, subprocess, sys, threading, time
CALL = ctypes.CDLL(None, use_errno=True).syscall
def name(number):
    return {errno.EOPNOTSUPP: "EOPNOTSUPP"}.get(number) or errno.errorcode.get(number, str(number))
def error(function, *arguments):
    "The name of the error that it fails with; empty if it doesn't."
    try:
        function(*arguments)
    except OSError as problem:
        return name(problem.errno)
    return ""
def call(number, *arguments):
    "The name of the error that a system call fails with; empty if it doesn't."
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return name(ctypes.get_errno()) if CALL(ctypes.c_long(number), *passed) < 0 else ""
def tell(value):
    print(json.dumps(value), flush=True)
"""
"""What each snippet can use."""


def _why_not() -> str:
    """Say why there can be no supervisor on this machine; empty if there can."""
    if sys.platform != "linux" or system.MACHINE not in system.MACHINES:
        return "supervision by seccomp needs Linux on x86_64 or aarch64"
    attempt = (
        "from veln_hook.sandbox import seccomp, system; system.prctl(system.PR_SET_NO_NEW_PRIVS, 1);"
        "seccomp.install_with_listener(seccomp.notify_filter(7))"
    )
    done = subprocess.run(
        [sys.executable, "-c", attempt],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return f"this kernel offers no listener for seccomp: {done.stderr[-200:]}" if done.returncode else ""


needs_supervisor = pytest.mark.skipif(bool(WHY_NOT := _why_not()), reason=WHY_NOT)


def _lacks(directory: str) -> bool:
    return not os.access(directory, os.W_OK)


@dataclass
class Result:
    stdout: str
    stderr: str
    status: int
    refusals: list[tuple[str, int | None, str, int]] = field(default_factory=list)

    @property
    def told(self) -> Any:
        """What the snippet told, the last time."""
        assert self.status == 0, self.stderr
        return json.loads(self.stdout.splitlines()[-1])

    def refused(self) -> set[tuple[str, int | None]]:
        return {(host, port) for host, port, _, _ in self.refusals}


class Supervised:
    """A directory that a supervised command may write to, and the command itself."""

    def __init__(self, tmp_path: Path) -> None:
        self.write = tmp_path / "write"
        self.outside = tmp_path / "outside"
        self._report = tmp_path / "report"
        for directory in (self.write, self.outside):
            directory.mkdir()
        # The names of UNIX sockets are short (108 bytes), the paths of tests aren't.
        self._scratch = tempfile.mkdtemp(prefix="v", dir=min(("/dev/shm", "/tmp"), key=_lacks))

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._scratch)

    def start(
        self, code: str | list[str], *, route: socket.socket | None = None, **settings: Any
    ) -> subprocess.Popen[str]:
        """Start a snippet of Python, or a command; it starts in ``write``, and WRITE and OUTSIDE are in its environment."""
        command = code if isinstance(code, list) else [sys.executable, "-c", PRELUDE + textwrap.dedent(code)]
        told = {
            "write": [str(self.write)],
            "scratch": self._scratch,
            "hide": [],
            "route": None if route is None else route.fileno(),
            "report": str(self._report),
            "abi": 7,
            "drop": True,
            "namespaces": False,
            **settings,
        }
        environment = {
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "WRITE": str(self.write),
            "OUTSIDE": str(self.outside),
            "TMPDIR": self._scratch,
            "PYTHONWARNINGS": "ignore::ResourceWarning",
        }
        return subprocess.Popen(
            [sys.executable, str(SUPERVISE), json.dumps(told), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.write,
            env=environment,
            pass_fds=() if route is None else (route.fileno(),),
        )

    def finish(self, started: subprocess.Popen[str], said: str = "") -> Result:
        """Wait for its end; ``said`` goes to its standard input before."""
        stdout, stderr = started.communicate(said, timeout=300)
        rows = json.loads(self._report.read_text()) if self._report.exists() else []
        return Result(stdout, stderr, started.returncode, [tuple(row) for row in rows])

    def run(self, code: str | list[str], **settings: Any) -> Result:
        return self.finish(self.start(code, **settings))


def outside(code: str, **variables: str) -> Any:
    """Run a snippet without a supervisor; return what it told."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
        env={**os.environ, **variables},
    )
    return json.loads(done.stdout.splitlines()[-1])


def compiled(source: str, target: Path, *flags: str) -> str:
    """Compile a C program; skip the test where there is no compiler for it."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    done = subprocess.run(
        [compiler, "-O2", "-pthread", *flags, "-x", "c", "-", "-o", str(target)],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the C compiler doesn't make this: {done.stderr.splitlines()[0]}")
    return str(target)


class Gate(threading.Thread):
    """The other end of a route: notes each line, and answers what each connection says first."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ours, self.route = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.lines: list[str] = []
        self.heard: list[bytes] = []
        self.start()

    def run(self) -> None:
        while True:
            line, descriptors, _, _ = socket.recv_fds(self.ours, 1024, 4)
            if not line:
                return
            self.lines.append(line.decode("ascii"))
            with socket.socket(fileno=descriptors[0]) as connection:
                connection.settimeout(60)
                said = connection.recv(65536)
                self.heard.append(said)
                connection.sendall(self.answer(said))

    def answer(self, said: bytes) -> bytes:
        return b"gate:" + said


@contextlib.contextmanager
def gate(kind: type[Gate] = Gate) -> Iterator[Gate]:
    serving = kind()
    try:
        yield serving
    finally:
        serving.route.close()
        serving.join(60)
        serving.ours.close()


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Stranger(threading.Thread):
    """A server outside: notes what reaches it."""

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(daemon=True)
        self.listening = listening
        self.reached = 0
        self.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.reached += 1
            connection.close()


@contextlib.contextmanager
def stranger(
    address: Any, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM
) -> Iterator[Stranger]:
    with socket.socket(family, kind) as listening:
        listening.bind(address)
        listening.listen()
        serving = Stranger(listening)
        try:
            yield serving
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            serving.join(60)
