"""Runs ``veln-hook run`` with a home and a project of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from confined import PATIENCE

if TYPE_CHECKING:
    from veln_hook.sandbox.interface import Rung

HERE = Path(__file__).parent
SRC = str(HERE.parents[1] / "src")
TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


class Command:
    """``veln-hook run`` with a home and a project of its own."""

    def __init__(self, rung: Rung, root: Path) -> None:
        self.rung = rung
        self.home, self.project = root / "home", root / "home" / "project"
        self.project.mkdir(parents=True)
        kept = ("PATH", "LANG", "TMPDIR")
        self.environ = {name: os.environ[name] for name in kept if name in os.environ}
        self.environ.update(HOME=str(self.home), PYTHONPATH=SRC, TERM="dumb")

    def argv(self, *arguments: str, names: dict | None = None) -> list[str]:
        settings = json.dumps({"rung": self.rung.value, "names": names})
        return [sys.executable, str(HERE / "drive_run.py"), settings, *arguments]

    def run(
        self,
        *arguments: str,
        names: dict | None = None,
        stdin: bytes = b"",
        cwd: Path | None = None,
        **environ,
    ):
        return subprocess.run(
            self.argv(*arguments, names=names),
            input=stdin,
            capture_output=True,
            cwd=cwd or self.project,
            env={**self.environ, **environ},
            timeout=4 * PATIENCE,
            check=False,
        )

    def python(self, code: str, *options: str, **more):
        return self.run(*options, "--", sys.executable, "-I", "-c", code, **more)

    def start(self, *arguments: str, **options):
        return subprocess.Popen(self.argv(*arguments), cwd=self.project, env=self.environ, **options)
