"""Records to put into a store, and ways to run code in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from veln_hook.model import Approval, Confidence, Decision, Finding, Observation, Severity, VerdictRecord
from veln_hook.store import Scan

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
SRC = Path(__file__).parents[3] / "src"
FROZEN = {version: Path(__file__).parent / f"schema_v{version}.sql" for version in (1, 2)}


def observation(**changes: Any) -> Observation:
    values: dict[str, Any] = {
        "project": "litellm",
        "version": "1.82.6",
        "filename": "litellm-1.82.6-py3-none-any.whl",
        "sha256": "a" * 64,
        "index": "https://pypi.org/simple/",
        "first_seen": NOON,
        "machine": "m1",
    }
    return Observation(**{**values, **changes})


def approval(**changes: Any) -> Approval:
    values: dict[str, Any] = {
        "project": "litellm",
        "version": "1.82.6",
        "filename": "litellm-1.82.6-py3-none-any.whl",
        "sha256": "a" * 64,
        "reason": "looked at it",
        "author": "ada",
        "created_at": NOON,
    }
    return Approval(**{**values, **changes})


def record(**changes: Any) -> VerdictRecord:
    values: dict[str, Any] = {
        "at": NOON,
        "decision": Decision.HOLD,
        "stage": "candidate",
        "project": "litellm",
        "version": "1.82.6",
        "filename": "litellm-1.82.6-py3-none-any.whl",
        "sha256": "a" * 64,
        "index": "https://pypi.org/simple/",
        "reason": "uploaded 12 minutes ago",
        "opens_at": NOON + HOUR,
        "findings": (finding(),),
    }
    return VerdictRecord(**{**values, **changes})


def finding(**changes: Any) -> Finding:
    values: dict[str, Any] = {
        "signal": "cooling",
        "severity": Severity.HIGH,
        "confidence": Confidence.MEDIUM,
        "message": "too young",
    }
    return Finding(**{**values, **changes})


def scan(**changes: Any) -> Scan:
    values: dict[str, Any] = {
        "sha256": "a" * 64,
        "rules": 7,
        "project": "litellm",
        "version": "1.82.6",
        "filename": "litellm-1.82.6-py3-none-any.whl",
        "decision": Decision.ALLOW,
        "scanned_at": NOON,
        "index": "https://pypi.org/simple/",
        "uploaded_at": NOON - HOUR,
        "facts": b"packed",
    }
    return Scan(**{**values, **changes})


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(SRC), str(Path(__file__).parent)])}


def run(code: str, *arguments: object, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the code in a Python of its own, every warning an error; ``before`` is put before the command."""
    command = [*before, sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


def output(code: str, *arguments: object, before: tuple[str, ...] = ()) -> str:
    """Run the code; return what it printed, having made sure that it succeeded in silence otherwise."""
    done = run(code, *arguments, before=before)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout
