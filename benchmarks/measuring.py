"""Alternating runs, paired differences and ratios, and how sure one can be of them.

On a shared machine the load of one minute is not that of the next, so what is
compared runs side by side in each round, in random order, and the figures are
medians over rounds. CPU time (user and system, of the process and of the
children that it waited for) suffers less from other people's work than wall
time does. The standard library only.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parents[1]
_RESAMPLES = 2000
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Cost:
    """What one process took, in seconds."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Estimate:
    """A median with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """How far the ends of the interval lie apart."""
        return self.high - self.low

    def against(self, limit: float) -> str:
        """Say what the interval tells about a limit that must not be exceeded."""
        if self.high <= limit:
            return "holds"
        return "exceeded" if self.low > limit else "too noisy to tell"

    def text(self, unit: str = "", digits: int = 0) -> str:
        """Return ``value [low, high] unit``."""
        spelled = f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"
        return f"{spelled} {unit}".rstrip()


def estimate(values: Sequence[float]) -> Estimate:
    """Return the median of paired figures and its interval, by the percentile bootstrap."""
    # Seeded, so that the same measurements always give the same interval.
    resample = random.Random(0)
    medians = sorted(statistics.median(resample.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    outside = (1 - _CONFIDENCE) / 2
    low, high = medians[int(outside * _RESAMPLES)], medians[int((1 - outside) * _RESAMPLES) - 1]
    return Estimate(statistics.median(values), low, high)


def run(command: Sequence[str], environ: Mapping[str, str], *, stdout: Any = subprocess.DEVNULL) -> Cost:
    """Run a command to its end and return what it took.

    Raises:
        SystemExit: It failed; its output is shown.
    """
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=dict(environ), stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors
        )
        # wait4 gives getrusage's figures for this child alone, with the children it waited for.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            text = errors.read().decode("utf-8", "replace")
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}\n{text}")
    return Cost(usage.ru_utime + usage.ru_stime, wall)


def alternate(
    arms: Mapping[str, Callable[[], Cost]], rounds: int, *, warm_up: int = 1, shown: str = ""
) -> dict[str, list[Cost]]:
    """Run every arm once a round, in random order, and return the costs by arm.

    Args:
        arms: What to run, by name.
        rounds: How often.
        warm_up: Rounds before those, which don't count.
        shown: What to call a round in the progress on standard error; empty for none.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in arms}
    shuffle = random.Random(1)
    for number in range(rounds + warm_up):
        order = list(arms)
        shuffle.shuffle(order)
        for name in order:
            cost = arms[name]()
            if number >= warm_up:
                costs[name].append(cost)
        if shown and sys.stderr.isatty():
            print(f"\r{shown} {number + 1}/{rounds + warm_up}", end="", file=sys.stderr, flush=True)
    if shown and sys.stderr.isatty():
        print(file=sys.stderr)
    return costs


def differences(costs: Sequence[Cost], reference: Sequence[Cost], kind: str) -> Estimate:
    """Estimate what was added to the reference, in seconds; ``kind`` is ``cpu`` or ``wall``."""
    return estimate([getattr(a, kind) - getattr(b, kind) for a, b in zip(costs, reference)])


def ratios(costs: Sequence[Cost], reference: Sequence[Cost], kind: str) -> Estimate:
    """Estimate the ratio to the reference, round by round."""
    return estimate([getattr(a, kind) / getattr(b, kind) for a, b in zip(costs, reference)])


def plain_environ(home: Path) -> dict[str, str]:
    """Return this machine's environment with another home, and nothing that changes Python or veln-hook.

    pip's own configuration stays: it knows the way to the index.
    """
    dropped = ("PYTHON", "VELN_HOOK", "XDG_", "VIRTUAL_ENV", "COV_", "COVERAGE_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    for place in (".config/pip/pip.conf", ".pip/pip.conf"):
        if (Path.home() / place).exists():
            environ.setdefault("PIP_CONFIG_FILE", str(Path.home() / place))
    home.mkdir(parents=True, exist_ok=True)
    return {**environ, "HOME": str(home), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def make_venv(python: str, prefix: Path, environ: Mapping[str, str], *, with_pip: bool = False) -> str:
    """Make a virtualenv and return its interpreter."""
    run([python, "-I", "-m", "venv", *([] if with_pip else ["--without-pip"]), str(prefix)], environ)
    return str(prefix / "bin" / "python")


def site_packages(python: str) -> Path:
    """Return where an interpreter's packages lie."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.check_output([python, "-I", "-c", code], text=True).strip())


def surroundings(python: str) -> dict[str, Any]:
    """Return what figures depend on: the date, the machine, its load, the Python."""
    code = "import platform; print(platform.python_version())"
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "system": platform.platform(terse=True),
        "cpus": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "python": subprocess.check_output([python, "-I", "-c", code], text=True).strip(),
    }


def describe(around: Mapping[str, Any]) -> str:
    """Return the surroundings in one line."""
    load = " ".join(map(str, around["load"]))
    return (
        f"{around['date']}, Python {around['python']}, {around['system']}, {around['cpus']} CPUs, load {load}"
    )


def report(command: str, around: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> str:
    """Return everything as one JSON object."""
    plain = [
        {key: asdict(value) if isinstance(value, Estimate) else value for key, value in result.items()}
        for result in results
    ]
    return json.dumps({"schema": 1, "command": command, "around": around, "results": plain, "errors": []})


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns, the first row being the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
