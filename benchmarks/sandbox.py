"""What it costs to start a command confined, and to build in there, beside the same work without us.

    python benchmarks/sandbox.py                    the start of /bin/true on every rung
    python benchmarks/sandbox.py --build markupsafe the build of a source distribution, too

Each round runs the plain command, a bare ``python -I -S``, ``bwrap`` and ``unshare`` where they are
installed, and every rung that works on this machine, in random order.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import measuring

sys.path.insert(0, str(measuring.CHECKOUT / "src"))

from veln_hook.sandbox import hiding, ladder
from veln_hook.sandbox.client import Launch
from veln_hook.sandbox.interface import Confinement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PLAIN = "plain"
PEERS = {
    "python -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"],
    "bwrap": [
        "bwrap",
        "--unshare-all",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--tmpfs",
        "/tmp",
        "true",
    ],
    "unshare": [
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "true",
    ],
}
START_LIMIT_SECONDS = 0.040
BUILD_LIMIT_RATIO = 1.03


def confined(
    command: Sequence[str], cwd: Path, stack: ExitStack, environ: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return a command as it is started on each rung that works here, by the rung's name."""
    home = os.path.expanduser("~")
    made = {}
    for probe in ladder.find(every=True).probes:
        if probe.works:
            confinement = Confinement(
                cwd=str(cwd),
                environment=environ,
                write=(str(cwd),),
                read=hiding.toolchains(home, os.environ),
                hide=hiding.secrets(home, os.environ),
            )
            made[probe.rung.value] = stack.enter_context(Launch(confinement, command, probe.rung)).argv
        else:
            print(f"{probe.rung.value}: {probe.reason}", file=sys.stderr)
    return made


def works(command: Sequence[str]) -> bool:
    """Say whether a peer is installed and may do its work here."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def arms_of(
    commands: Mapping[str, list[str]], environ: Mapping[str, str]
) -> dict[str, Callable[[], measuring.Cost]]:
    """Return what runs each command."""
    return {
        name: lambda command=command: measuring.run(command, environ) for name, command in commands.items()
    }  # type: ignore[misc]


def starts(rounds: int, work: Path, environ: Mapping[str, str]) -> list[dict[str, object]]:
    """Measure starts of ``true``: what each way adds to it."""
    with ExitStack() as stack:
        commands = {PLAIN: ["true"]}
        commands.update({name: command for name, command in PEERS.items() if works(command)})
        commands.update(confined(["true"], work, stack, environ))
        costs = measuring.alternate(arms_of(commands, environ), rounds, warm_up=3, shown="start")
    return [
        {
            "variant": name,
            "wall_added": measuring.differences(costs[name], costs[PLAIN], "wall"),
            "cpu_added": measuring.differences(costs[name], costs[PLAIN], "cpu"),
        }
        for name in commands
        if name != PLAIN
    ]


def builds(project: str, rounds: int, work: Path, environ: Mapping[str, str]) -> list[dict[str, object]]:
    """Measure builds of a source distribution, with pip and its build requirements already there."""
    python = measuring.make_venv(sys.executable, work / "venv", environ, with_pip=True)
    pip = [python, "-m", "pip", "--quiet"]
    measuring.run([*pip, "install", "--upgrade", "pip", "setuptools", "wheel", "cython"], environ)
    measuring.run(
        [
            *pip,
            "download",
            "--no-deps",
            "--no-build-isolation",
            "--no-binary=:all:",
            "-d",
            str(work / "sdist"),
            project,
        ],
        environ,
    )
    (archive,) = (work / "sdist").iterdir()
    build = [
        *pip,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-cache-dir",
        "-w",
        str(work / "out"),
        str(archive),
    ]
    with ExitStack() as stack:
        commands = {PLAIN: build}
        commands.update(confined(build, work, stack, environ))
        costs = measuring.alternate(arms_of(commands, environ), rounds, shown="build")
    return [
        {
            "variant": name,
            "seconds": measuring.estimate([cost.wall for cost in costs[name]]),
            "wall_ratio": measuring.ratios(costs[name], costs[PLAIN], "wall"),
            "cpu_ratio": measuring.ratios(costs[name], costs[PLAIN], "cpu"),
        }
        for name in commands
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The cost of starting and building in the sandbox.")
    parser.add_argument("--rounds", type=int, default=60, help="rounds of starts")
    parser.add_argument("--build", metavar="PROJECT", help="also build this project's source distribution")
    parser.add_argument("--build-rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="veln-hook-benchmark-") as temporary:
        work = Path(temporary)
        environ = measuring.plain_environ(work / "home")
        around = measuring.surroundings(sys.executable)
        started = starts(options.rounds, work, environ)
        built = builds(options.build, options.build_rounds, work, environ) if options.build else []
    verdicts = promises(started, built)
    status = 1 if "exceeded" in verdicts.values() else 0
    if options.json:
        extra = [{"promise": promise, "verdict": verdict} for promise, verdict in verdicts.items()]
        print(measuring.report("sandbox", {**around, "rounds": options.rounds}, [*started, *built, *extra]))
        return status
    print(f"{measuring.describe(around)}, {options.rounds} rounds\n")
    print(
        measuring.table(
            [("start: added by", "wall ms", "CPU ms"), *(row(result, 1000, 1) for result in started)]
        )
    )
    if built:
        heading = (f"build of {options.build}", "seconds", "wall, ratio", "CPU, ratio")
        print("\n" + measuring.table([heading, *(row(result, 1, 3) for result in built)]))
    print()
    for promise, verdict in verdicts.items():
        print(f"{promise}: {verdict}")
    return status


def promises(started: list[dict[str, object]], built: list[dict[str, object]]) -> dict[str, str]:
    """Return what is promised of the strongest rung of this machine, and what the figures say of it."""
    rung = ladder.find().rung
    told = {}
    for results, key, limit, promise in (
        (started, "wall_added", START_LIMIT_SECONDS, "a start on the rung {} adds at most 40 ms"),
        (built, "wall_ratio", BUILD_LIMIT_RATIO, "a build on the rung {} takes at most 1.03 times as long"),
    ):
        for result in results:
            figure = result[key]
            if (
                rung is not None
                and result["variant"] == rung.value
                and isinstance(figure, measuring.Estimate)
            ):
                told[promise.format(rung.value)] = figure.against(limit)
    return told


def row(result: Mapping[str, object], scale: float, digits: int) -> tuple[str, ...]:
    """Return one line of a table."""
    cells = [str(result["variant"])]
    for value in result.values():
        if isinstance(value, measuring.Estimate):
            scaled = measuring.Estimate(value.value * scale, value.low * scale, value.high * scale)
            cells.append(scaled.text(digits=digits))
    return tuple(cells)


if __name__ == "__main__":
    raise SystemExit(main())
