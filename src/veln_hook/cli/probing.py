"""What a probe is: what it is given, what it answers, and how a fresh interpreter is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from veln_hook.errors import VelnHookError

if TYPE_CHECKING:
    from collections.abc import Mapping

REPAIR = f"{sys.executable} -m pip install --force-reinstall veln-hook"
_CHILD_TIMEOUT_S = 60
"""A cold Python that imports all of pip from a slow disk takes a few seconds."""


class ProbeResult(NamedTuple):
    """What one probe found."""

    name: str
    ok: Optional[bool]
    """``True``: good. ``False``: not protected, or installs are refused. ``None``: worth knowing."""
    summary: str
    """One line."""
    details: tuple[str, ...] = ()
    remedy: str = ""
    """What to do about it; empty if there is nothing to do."""
    error: Optional[VelnHookError] = None
    """Why this is a failure of our own or of the policy (exit status 78), if it is."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as ``--json`` has it."""
        return {
            "name": self.name,
            "ok": self.ok,
            "summary": self.summary,
            "details": list(self.details),
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Machine:
    """Where the probes look."""

    environ: Mapping[str, str]
    executable: str = sys.executable
    prefix: str = sys.prefix


Probe = Callable[[Machine], ProbeResult]


def run_one(name: str, probe: Probe, machine: Machine) -> ProbeResult:
    """Run a probe; a bug in it is a result, too."""
    try:
        return probe(machine)
    except Exception as error:  # noqa: BLE001 - the other probes are still worth running
        failure = VelnHookError(f"the probe {name!r} failed: {type(error).__name__}: {error}")
        return ProbeResult(name, ok=False, summary=str(failure), remedy=failure.advice, error=failure)


def ask_child(machine: Machine, code: str) -> tuple[Optional[dict[str, Any]], str]:
    """Run code in a fresh interpreter; return the JSON of its last line, or why there is none."""
    try:
        done = subprocess.run(
            [machine.executable, "-c", code],
            env=dict(machine.environ),
            # -c puts the working directory first on sys.path, where a project's own pip.py may lie.
            cwd=machine.prefix,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_CHILD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    lines = done.stdout.strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        return None, f"exit status {done.returncode}: {last}"
    return answer if isinstance(answer, dict) else None, ""
