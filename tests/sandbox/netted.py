"""Commands in a network of their own, as this user and as another one."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from veln_hook.sandbox import net_only

if TYPE_CHECKING:
    from veln_hook.gate.egress import Egress

PATIENCE = 60
NOBODY = 65534
SRC = Path(net_only.LAUNCHER).parents[2]


class Netted:
    """Starts commands behind a gate."""

    def __init__(self, user: int | None, python: str, gate: Egress) -> None:
        self.user = user
        self.python = python
        self.gate = gate

    def popen(self, *words: str, ports=net_only.PORTS, **options) -> subprocess.Popen:
        route = self.gate.open_route()
        try:
            argv = net_only.command(words, route, ports=ports)
            return subprocess.Popen(
                [self.python, *argv[1:]], pass_fds=(route,), **self.as_user(), **{"cwd": "/", **options}
            )
        finally:
            os.close(route)

    def run(self, *words: str, **options) -> subprocess.CompletedProcess:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        with self.popen(*words, **options) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def code(self, code: str, *arguments: str, **options) -> str:
        """Run Python code inside; return what it printed."""
        done = self.run(self.python, "-I", "-c", code, *arguments, text=True, **options)
        assert done.returncode == 0, done
        return done.stdout.strip()

    def as_user(self) -> dict:
        if self.user is None:
            return {}
        return {"user": self.user, "group": self.user, "extra_groups": []}


@functools.cache
def python_for(user: int | None) -> str | None:
    """Return an interpreter that this user can start, and that can read veln_hook."""
    if user is None:
        return sys.executable
    check = f"import sys; sys.path.append({str(SRC)!r}); import veln_hook.sandbox.net_inside"
    for path in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(path):
            try:
                done = subprocess.run(
                    [path, "-I", "-c", check],
                    cwd="/",
                    capture_output=True,
                    check=False,
                    user=user,
                    group=user,
                    extra_groups=[],
                )
            except PermissionError:
                continue
            if done.returncode == 0:
                return path
    return None


@contextmanager
def open_directory():
    """Give a directory that every user can write, with a short path."""
    path = tempfile.mkdtemp(prefix="vh-", dir="/tmp")
    os.chmod(path, 0o777)
    try:
        yield Path(path)
    finally:
        shutil.rmtree(path)
