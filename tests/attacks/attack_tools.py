"""Compiles the attacks that can't be written in Python; where there is no compiler those don't run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_SOURCES = Path(__file__).parent / "inside" / "c"


def compiler() -> str | None:
    """Return a C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compile_all(target: str) -> None:
    """Compile every program into a directory; one that this machine's headers don't allow is left out."""
    found = compiler()
    if found is None:
        return
    running = [
        subprocess.Popen(
            [found, "-O1", "-pthread", "-w", "-o", f"{target}/{source.stem}", str(source), "-lresolv"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for source in sorted(_SOURCES.glob("*.c"))
    ]
    for process in running:
        process.wait()
