"""What `uv pip install` costs through the gate, as a ratio to the same without.

    python benchmarks/uv_install.py --uv PATH

A dozen projects with all they need are resolved on the real index and copied once. nginx serves the
copy on loopback, without latency, and uv installs it by turns, directly and as ``veln-hook uv``:
with an empty cache and with a full one. veln-hook knows the files from rounds that don't count;
with ``--first`` it also installs with nothing known, which is what reading all of the code costs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import measuring
import mirror

LIMITS = {"cold": 1.4, "warm": 1.1}
"""Ratios of wall time that the upper ends of the intervals should stay below."""
NAMES = (
    *("boto3", "litellm", "pandas", "requests", "rich", "httpx", "fastapi", "sqlalchemy", "pytest", "numpy"),
    *("scikit-learn", "matplotlib"),
)


def main() -> int:
    """Measure and print; return 1 only if a promise is broken beyond doubt."""
    parser = argparse.ArgumentParser(description="The cost of uv through the gate.")
    parser.add_argument("--uv", default=shutil.which("uv"), help="uv to measure with")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--first", action="store_true", help="measure with nothing known, too")
    parser.add_argument("--keep", type=Path, help="where the copy of the packages is kept for the next time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("names", nargs="*", default=NAMES)
    options = parser.parse_args()
    if options.uv is None:
        parser.error("uv isn't on PATH; name it with --uv")

    with tempfile.TemporaryDirectory(prefix="veln-hook-benchmark-") as temporary:
        work = Path(temporary)
        pins = mirror.resolve(options.uv, options.names, work)
        copy = mirror.Mirror(options.keep or work / "mirror", pins)
        copy.fill()
        python = measuring.make_venv(
            sys.executable, work / "venv", measuring.plain_environ(work / "home"), with_pip=True
        )
        install = [python, "-m", "pip", "install", "--quiet", f"{measuring.CHECKOUT}[gate]"]
        measuring.run(install, measuring.plain_environ(work / "home"))
        version = subprocess.check_output([options.uv, "--version"], text=True).strip()
        with copy.served() as index:
            costs = _measure(options, work, python, index, copy)
        around = {
            **measuring.surroundings(sys.executable),
            "uv": version,
            "rounds": options.rounds,
            "packages": len(pins),
            "page_bytes": copy.pages,
            "file_bytes": copy.files,
        }
    rows, results, exceeded = [("", "seconds", "wall, ratio", "CPU, ratio", "CPU added, s")], [], False
    for name, cost in costs.items():
        kind = "warm" if name.endswith("warm") else "cold"
        reference = costs[f"direct, {kind}"]
        wall, cpu = (measuring.ratios(cost, reference, which) for which in ("wall", "cpu"))
        added = measuring.differences(cost, reference, "cpu")
        seconds = measuring.estimate([one.wall for one in cost])
        rows.append((name, seconds.text(digits=2), *(each.text(digits=3) for each in (wall, cpu, added))))
        verdict = wall.against(LIMITS[kind]) if name.startswith("gate") else ""
        exceeded |= verdict == "exceeded"
        results.append(
            {"arm": name, "wall_ratio": wall, "cpu_ratio": cpu, "cpu_added": added, "verdict": verdict}
        )
    if options.json:
        print(measuring.report("uv_install", around, results))
    else:
        sizes = f"{copy.pages / 1e6:.0f} MB of pages, {copy.files / 1e6:.0f} MB of files"
        print(f"{measuring.describe(around)}, {version}, {options.rounds} rounds")
        print(f"uv pip install of {len(pins)} packages, {sizes}\n")
        print(measuring.table(rows))
        for result in results:
            if result["verdict"]:
                limit = LIMITS["warm" if result["arm"].endswith("warm") else "cold"]
                print(f"\n{result['arm']}: wall time at most {limit} times as long: {result['verdict']}")
    return 1 if exceeded else 0


def _measure(
    options: argparse.Namespace, work: Path, python: str, index: str, copy: mirror.Mirror
) -> dict[str, list[measuring.Cost]]:
    target = work / "target"
    words = [
        "pip",
        "install",
        "--quiet",
        "--target",
        str(target),
        "--index-url",
        index,
        "--no-config",
        *copy.pins,
    ]
    gated = [python, "-m", "veln_hook", "uv"]

    def arm(name: str, *, cold: bool, first: bool = False) -> measuring.Cost:
        home = work / f"home-{name}"
        environ = measuring.plain_environ(home)
        for variable in [key for key in environ if key.startswith("UV_") or key == "SSL_CERT_DIR"]:
            del environ[variable]
        environ["SSL_CERT_FILE"] = str(copy.authority)
        # As the gated uv has it: a directory that isn't uv's usual one, on the same file system.
        environ["PATH"] = f"{Path(options.uv).parent}{os.pathsep}{environ['PATH']}"
        shutil.rmtree(target, ignore_errors=True)
        if cold:
            shutil.rmtree(home / ".cache", ignore_errors=True)
        if first:
            shutil.rmtree(home / ".local" / "state", ignore_errors=True)
        return measuring.run([*([options.uv] if name == "direct" else gated), *words], environ)

    arms = {
        "direct, cold": lambda: arm("direct", cold=True),
        "gate, cold": lambda: arm("gate", cold=True),
        "direct, warm": lambda: arm("direct", cold=False),
        "gate, warm": lambda: arm("gate", cold=False),
    }
    costs = measuring.alternate(
        {name: arms[name] for name in ("direct, cold", "gate, cold")}, options.rounds, shown="round, cold"
    )
    costs |= measuring.alternate(
        {name: arms[name] for name in ("direct, warm", "gate, warm")}, options.rounds, shown="round, warm"
    )
    if options.first:
        costs["nothing known, cold"] = measuring.alternate(
            {"first": lambda: arm("gate", cold=True, first=True)}, options.rounds, warm_up=0
        )["first"]
    return costs


if __name__ == "__main__":
    raise SystemExit(main())
