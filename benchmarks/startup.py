"""What a start of Python costs with veln-hook installed, beside what other packages' .pth files cost.

    python benchmarks/startup.py

Virtualenvs that differ in one ``.pth`` file each run ``python -c pass`` in turns.
The reference holds a ``.pth`` file with a comment in it: merely reading one
imports a codec on Python 3.13, and almost every environment has one already.

What an image adds, which has no file in the environment, is measured against a
directory on ``PYTHONPATH`` that is empty.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import measuring

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT_SECONDS = 0.0005
"""What we promise to stay below."""
REFERENCE = "a comment"
OURS = "veln-hook"
EMPTY, IMAGE = "an empty directory", "an image"
IMAGE_LIMIT_SECONDS = 0.0003
_WRITE = """
import sys
from veln_hook.adapters.venv.pointers import sitecustomize
from veln_hook.enable.code import target
open(sys.argv[1], "w").write(sitecustomize(target(sys.argv[2], range(9, 40), "veln-hook enable --image")))
"""


def prepare(python: str, work: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Make a virtualenv for each variant; return their interpreters."""
    tools = measuring.make_venv(python, work / "tools", environ, with_pip=True)

    def fetch(target: Path, *what: str) -> None:
        measuring.run([tools, "-m", "pip", "install", "--quiet", "--target", str(target), *what], environ)

    pythons = {}
    variants = (REFERENCE, "a comment again", OURS, "coverage", "setuptools", "virtualenv")
    for name in variants:
        pythons[name] = measuring.make_venv(python, work / name.replace(" ", "-"), environ)
    places = {name: measuring.site_packages(pythons[name]) for name in variants}
    for name in variants[:2]:
        (places[name] / "comment.pth").write_text("# nothing\n")
    fetch(places[OURS], str(measuring.CHECKOUT))
    fetch(places["coverage"], "coverage>=7.13")  # the first with a .pth file
    fetch(places["setuptools"], "setuptools")
    fetch(work / "virtualenv-package", "virtualenv")
    # virtualenv writes this pair into the environments that it makes (into some Pythons' only).
    module = next((work / "virtualenv-package").rglob("_virtualenv.py"), None)
    if module is None:
        del pythons["virtualenv"]
    else:
        shutil.copy(module, places["virtualenv"])
        (places["virtualenv"] / "_virtualenv.pth").write_text("import _virtualenv\n")
    for name in pythons:
        found = [path.name for path in places[name].glob("*.pth")]
        if len(found) != 1:
            raise SystemExit(f"the environment for {name} should hold one .pth file, not {found}")
    return pythons


def main() -> int:
    """Measure and print; return 1 only if the promise is broken beyond doubt."""
    parser = argparse.ArgumentParser(description="The cost of a start of Python with veln-hook installed.")
    parser.add_argument("--python", default=sys.executable, help="interpreter to measure with")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="veln-hook-benchmark-") as temporary:
        work = Path(temporary)
        environ = measuring.plain_environ(work / "home")
        pythons = prepare(options.python, work, environ)
        around = measuring.surroundings(options.python)
        arms = {
            name: lambda python=python: measuring.run([python, "-c", "pass"], environ)  # type: ignore[misc]
            for name, python in pythons.items()
        }
        for name in (EMPTY, IMAGE):
            place = work / name.replace(" ", "-")
            place.mkdir()
            there = {**environ, "PYTHONPATH": str(place)}
            arms[name] = lambda there=there: measuring.run([pythons[REFERENCE], "-c", "pass"], there)  # type: ignore[misc]
        words = [str(work / "an-image" / "sitecustomize.py"), str(measuring.site_packages(pythons[OURS]))]
        measuring.run([pythons[OURS], "-c", _WRITE, *words], environ)
        costs = measuring.alternate(arms, options.rounds, warm_up=5, shown="round")

    whole = measuring.estimate([cost.cpu for cost in costs[REFERENCE]])
    results = [
        {
            "variant": name,
            "cpu_added": measuring.differences(costs[name], costs[REFERENCE], "cpu"),
            "wall_added": measuring.differences(costs[name], costs[REFERENCE], "wall"),
        }
        for name in pythons
        if name != REFERENCE
    ]
    image = measuring.differences(costs[IMAGE], costs[EMPTY], "cpu")
    wall = measuring.differences(costs[IMAGE], costs[EMPTY], "wall")
    results.append({"variant": IMAGE, "cpu_added": image, "wall_added": wall})
    ours = next(result["cpu_added"] for result in results if result["variant"] == OURS)
    assert isinstance(ours, measuring.Estimate)
    verdict = ours.against(LIMIT_SECONDS)
    of_image = image.against(IMAGE_LIMIT_SECONDS)
    if options.json:
        promises = [
            {"promise": "0.5 ms", "verdict": verdict},
            {"promise": "image, 0.3 ms", "verdict": of_image},
        ]
        extra = [{"variant": REFERENCE, "cpu": whole}, *results, *promises]
        print(measuring.report("startup", {**around, "rounds": options.rounds}, extra))
    else:
        print(f"{measuring.describe(around)}, {options.rounds} rounds")
        print(f"python -c pass with a .pth file of one comment: {scaled(whole).text('us')} CPU\n")
        rows = [("added by", "CPU us", "wall us")]
        for result in results:
            cpu, wall = result["cpu_added"], result["wall_added"]
            assert isinstance(cpu, measuring.Estimate)
            assert isinstance(wall, measuring.Estimate)
            rows.append((str(result["variant"]), scaled(cpu).text(), scaled(wall).text()))
        print(measuring.table(rows))
        print(f"\nveln-hook adds less than 500 us of CPU: {verdict}")
        print(f"an image adds less than 300 us of CPU: {of_image}")
    return 1 if "exceeded" in (verdict, of_image) else 0


def scaled(seconds: measuring.Estimate) -> measuring.Estimate:
    """Return an estimate in microseconds."""
    return measuring.Estimate(seconds.value * 1e6, seconds.low * 1e6, seconds.high * 1e6)


if __name__ == "__main__":
    raise SystemExit(main())
