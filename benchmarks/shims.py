"""What a shim costs: uv called by its name, and ``python -m uv``, beside the same without us.

    python benchmarks/shims.py
    python benchmarks/shims.py --uv 0.9.30 --rounds 200

A virtualenv with veln-hook and shims runs uv by turns as it is and through its shim: commands that pass
straight on, and one that is gated and does nothing then, so that what is measured is the start of the gate:
``uv sync --help``, which uv answers at once, but which isn't read as a question for help. ``python -m uv`` is
compared with a virtualenv that holds uv alone, so that the start of Python is on both sides.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import measuring

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSING = {"uv --version": ["--version"], "uv pip list": ["pip", "list"]}
GATED = {"uv sync --help": ["sync", "--help"]}
MODULE = {"python -m uv --version": ["--version"]}
LIMITS_SECONDS = {**dict.fromkeys(PASSING, 0.015), **dict.fromkeys(GATED, 0.120)}
"""Wall time that is added: what we promise to stay below."""
PLAIN, SHIM = "plain", "shim"


def prepare(
    python: str, version: str, work: Path, environ: Mapping[str, str]
) -> dict[str, dict[str, list[str]]]:
    """Make the virtualenvs; return what is run by the command's name, and by arm."""
    ours = measuring.make_venv(python, work / "ours", environ, with_pip=True)
    plain = measuring.make_venv(python, work / "plain", environ, with_pip=True)
    wanted = f"uv=={version}" if version else "uv"
    measuring.run([plain, "-m", "pip", "install", "--quiet", wanted], environ)
    measuring.run([ours, "-m", "pip", "install", "--quiet", wanted, f"{measuring.CHECKOUT}[gate]"], environ)
    measuring.run([str(work / "ours/bin/veln-hook"), "shims", "install"], environ)
    uv, shim = str(work / "ours/bin/uv"), str(work / "ours/veln-hook/bin/uv")
    commands = {
        name: {PLAIN: [uv, *words], SHIM: [shim, *words]} for name, words in {**PASSING, **GATED}.items()
    }
    for name, words in MODULE.items():
        commands[name] = {PLAIN: [plain, "-m", "uv", *words], SHIM: [ours, "-m", "uv", *words]}
    return commands


def main() -> int:
    """Measure and print; return 1 only if a promise is broken beyond doubt."""
    parser = argparse.ArgumentParser(description="The cost of a shim before uv.")
    parser.add_argument("--python", default=sys.executable, help="interpreter to measure with")
    parser.add_argument("--uv", default="", help="version of uv; the newest if not given")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="veln-hook-benchmark-") as temporary:
        work = Path(temporary)
        environ = measuring.plain_environ(work / "home")
        commands = prepare(options.python, options.uv, work, environ)
        environ = {**environ, "VIRTUAL_ENV": str(work / "ours")}
        (work / "project").mkdir()
        os.chdir(work / "project")
        around = measuring.surroundings(options.python)
        arms = {
            f"{name} {arm}": lambda argv=argv: measuring.run(argv, environ)  # type: ignore[misc]
            for name, by_arm in commands.items()
            for arm, argv in by_arm.items()
        }
        costs = measuring.alternate(arms, options.rounds, warm_up=3, shown="round")
        os.chdir(work.parent)

    results = []
    for name in commands:
        shim, plain = costs[f"{name} {SHIM}"], costs[f"{name} {PLAIN}"]
        limit = LIMITS_SECONDS.get(name)
        added = measuring.differences(shim, plain, "wall")
        results.append(
            {
                "command": name,
                "wall": measuring.estimate([cost.wall for cost in plain]),
                "wall_added": added,
                "cpu_added": measuring.differences(shim, plain, "cpu"),
                "promise_seconds": limit,
                "verdict": added.against(limit) if limit is not None else "",
            }
        )
    if options.json:
        print(measuring.report("shims", {**around, "rounds": options.rounds}, results))
    else:
        print(f"{measuring.describe(around)}, {options.rounds} rounds\n")
        rows = [("command", "alone, wall ms", "added, wall ms", "added, CPU ms", "promise")]
        for row in results:
            limit = row["promise_seconds"]
            promise = "" if limit is None else f"{1000 * float(str(limit)):.0f} ms: {row['verdict']}"
            figures = (text(row[kind]) for kind in ("wall", "wall_added", "cpu_added"))
            rows.append((str(row["command"]), *figures, promise))
        print(measuring.table(rows))
    return 1 if any(row["verdict"] == "exceeded" for row in results) else 0


def text(seconds: object) -> str:
    """Return an estimate in milliseconds."""
    assert isinstance(seconds, measuring.Estimate)
    return measuring.Estimate(seconds.value * 1e3, seconds.low * 1e3, seconds.high * 1e3).text(digits=1)


if __name__ == "__main__":
    raise SystemExit(main())
