"""What `pip install` costs with veln-hook, as a ratio to the same without.

    python benchmarks/install.py

Two virtualenvs with the same pip, one of them with veln-hook, install the same
packages from the same index into a fresh ``--target`` by turns. Each has a
cache and a store of its own, filled by the rounds that don't count. The target
is the same directory for both: two directories can lie in parts of a disk where
making a file takes twice as long in one as in the other (measured, ext4).

With ``--cold`` a third virtualenv installs too, whose store is removed before each
round, so that all code is read as if for the first time.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import measuring

LIMIT_RATIO = 1.03
"""What we promise that the upper end of the interval stays below."""
PACKAGES = ("requests", "flask", "rich", "pydantic")


def main() -> int:  # noqa: PLR0915 - measures, then tells, in that order
    """Measure and print; return 1 only if the promise is broken beyond doubt."""
    parser = argparse.ArgumentParser(description="The cost of an install with veln-hook.")
    parser.add_argument("--python", default=sys.executable, help="interpreter to measure with")
    parser.add_argument("--pip", default="pip", metavar="REQ", help="pip to measure with, such as pip==26.3")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--cold", action="store_true", help="measure with nothing known, too")
    parser.add_argument("--index-url", help="instead of the index that pip is configured with")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="veln-hook-benchmark-") as temporary:
        work = Path(temporary)
        target = work / "target"
        arms = {}
        installed: dict[str, set[str]] = {}
        for name in ("without", "with", *(["cold"] if options.cold else [])):
            room = work / name
            environ = measuring.plain_environ(room / "home")
            python = measuring.make_venv(options.python, room / "venv", environ, with_pip=True)
            measuring.run([python, "-m", "pip", "install", "--quiet", "--upgrade", options.pip], environ)
            if name != "without":
                measuring.run([python, "-m", "pip", "install", "--quiet", str(measuring.CHECKOUT)], environ)
            command = [python, "-m", "pip", "install", "--quiet", "--target", str(target)]
            command += ["--index-url", options.index_url] if options.index_url else []
            command += options.packages

            def install(name: str = name, command: list[str] = command) -> measuring.Cost:
                shutil.rmtree(target, ignore_errors=True)
                if name == "cold":
                    shutil.rmtree(work / name / "home" / ".local" / "state", ignore_errors=True)
                cost = measuring.run(command, measuring.plain_environ(work / name / "home"))
                installed[name] = {path.name for path in target.glob("*.dist-info")}
                return cost

            arms[name] = install
        version = subprocess.check_output(
            [str(work / "with" / "venv/bin/python"), "-c", "import pip; print(pip.__version__)"], text=True
        ).strip()
        around = {**measuring.surroundings(options.python), "pip": version, "pairs": options.pairs}
        costs = measuring.alternate(arms, options.pairs, warm_up=2, shown="pair")
        for done in installed.values():
            if done != installed["without"]:
                # A young release was held: that is veln-hook at work, but no comparison.
                raise SystemExit(f"not the same was installed: {done ^ installed['without']}")

    cpu, wall = (measuring.ratios(costs["with"], costs["without"], kind) for kind in ("cpu", "wall"))
    added = measuring.differences(costs["with"], costs["without"], "cpu")
    plain = measuring.estimate([cost.cpu for cost in costs["without"]])
    verdict = cpu.against(LIMIT_RATIO)
    cold = measuring.ratios(costs["cold"], costs["without"], "cpu") if options.cold else None
    if options.json:
        result = {
            "cpu_ratio": cpu,
            "cpu_ratio_cold": cold,
            "wall_ratio": wall,
            "cpu_added": added,
            "cpu_without": plain,
        }
        print(measuring.report("install", around, [{**result, "promise": LIMIT_RATIO, "verdict": verdict}]))
    else:
        print(f"{measuring.describe(around)}, pip {version}, {options.pairs} pairs")
        print(f"pip install {' '.join(options.packages)}: {len(installed['with'])} wheels\n")
        rows = [
            ("", "median [95 % interval]"),
            ("CPU without", plain.text("s", 2)),
            ("CPU added", added.text("s", 3)),
            ("CPU ratio", cpu.text(digits=3)),
            ("wall ratio", wall.text(digits=3)),
        ]
        if cold is not None:
            cold_wall = measuring.ratios(costs["cold"], costs["without"], "wall")
            rows += [
                ("CPU ratio, nothing known", cold.text(digits=3)),
                ("wall ratio, nothing known", cold_wall.text(digits=3)),
            ]
        print(measuring.table(rows))
        print(f"\nCPU ratio at most {LIMIT_RATIO}: {verdict}")
    return 1 if verdict == "exceeded" else 0


if __name__ == "__main__":
    raise SystemExit(main())
