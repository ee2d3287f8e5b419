"""Whether a process is there, and what it does."""

from __future__ import annotations

import os
from pathlib import Path


def is_there(pid: int) -> bool:
    """Tell whether there is a process, even if it has ended and nobody has asked how."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def state(pid: int) -> str:
    """Return the letter of proc(5) for what a process does now, or "" where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def runs(pid: int) -> bool:
    """Tell whether a process runs, and is no zombie."""
    return state(pid) not in {"", "Z"}
