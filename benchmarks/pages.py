"""What it costs to look through index pages and to cut files out of them, as the gate does for uv.

    python benchmarks/pages.py [--pages DIR]

The JSON pages of some 70 projects are fetched once and packed as a server would pack them. In a virtualenv
with veln-hook one process goes through all of them, again and again, in different ways by turns: unpacking
alone; looking for files that are too young where none is; the same where those of the last week are, and are
cut out; and both of these with `json.loads` and `json.dumps`, as one would do it without thinking of the
cost. All figures are CPU time and have the unpacking in them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measuring

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_RATIO = 0.5
"""What we promise to stay below where nothing is held: of the time that parsing and writing takes."""
GOAL_SECONDS = 0.25
"""What it may take for 45 MB of pages."""
GOAL_BYTES = 45_000_000
_DAY = timedelta(days=1)
_INDEX = "https://pypi.org/simple/"
_JSON = "application/vnd.pypi.simple.v1+json"
NAMES = """
    aiohappyeyeballs aiohttp aiosignal annotated-types anyio attrs boto3 botocore certifi
    charset-normalizer click contourpy cycler distro fastapi filelock fonttools frozenlist fsspec
    h11 httpcore httpx huggingface-hub idna importlib-metadata jinja2 jiter jmespath joblib
    jsonschema jsonschema-specifications kiwisolver litellm markdown-it-py markupsafe matplotlib
    mdurl multidict numpy openai packaging pandas pillow propcache pydantic pydantic-core pygments
    pyparsing python-dateutil python-dotenv pytz pyyaml referencing regex requests rich rpds-py
    s3transfer scikit-learn scipy six sniffio starlette threadpoolctl tiktoken tokenizers tqdm
    typing-extensions typing-inspection tzdata urllib3 yarl zipp
"""


def fetch(directory: Path) -> None:
    """Fetch the pages that aren't there yet."""

    def one(name: str) -> None:
        target = directory / f"{name}.json"
        if not target.exists():
            request = urllib.request.Request(f"{_INDEX}{name}/", headers={"Accept": _JSON})
            with urllib.request.urlopen(request, timeout=120) as response:
                target.write_bytes(response.read())

    directory.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, NAMES.split()))


def looking(pages: dict[str, bytes], before: str, sha256s: frozenset[str] = frozenset()) -> Callable[[], int]:
    """Return what looks through packed pages as the gate does, and cuts what is young."""
    from veln_hook.index.cutting import PageView  # noqa: PLC0415 - only the worker has it installed

    def look() -> int:
        held = 0
        for name, page in pages.items():
            view = PageView.parse(gzip.decompress(page), f"{_INDEX}{name}/")
            names = {entry.filename for entry in view.open_entries(before=before, sha256s=sha256s)}
            if names and not view.is_empty_without(names):
                view.without(names)
            held += len(names)
        return held

    return look


def loading(pages: dict[str, bytes], before: str, *, always: bool) -> Callable[[], int]:
    """Return what does the same by parsing, and writes anew what is cut, or everything."""

    def load() -> int:
        held = 0
        for page in pages.values():
            data = json.loads(gzip.decompress(page))
            files = [file for file in data["files"] if file["upload-time"] < before]
            if always or len(files) != len(data["files"]):
                held += len(data["files"]) - len(files)
                data["files"] = files
                json.dumps(data)
        return held

    return load


def timed(arm: Callable[[], int]) -> Callable[[], measuring.Cost]:
    """Return what measures one of these."""

    def run() -> measuring.Cost:
        cpu, wall = time.process_time(), time.perf_counter()
        arm()
        return measuring.Cost(time.process_time() - cpu, time.perf_counter() - wall)

    return run


def work(directory: Path, rounds: int) -> None:
    """Go through the pages in this process, in all ways by turns; print the figures."""
    bodies = {path.stem: path.read_bytes() for path in sorted(directory.glob("*.json"))}
    pages = {name: gzip.compress(body, 6) for name, body in bodies.items()}
    times = [file["upload-time"] for body in bodies.values() for file in json.loads(body)["files"]]
    newest = datetime.fromisoformat(max(times)[:19])
    later, week = (f"{moment.isoformat()}.000000Z" for moment in (newest + _DAY, newest - 7 * _DAY))
    known = frozenset(f"{number:064x}" for number in range(200))
    arms = {
        "unpacked": lambda: sum(len(gzip.decompress(page)) for page in pages.values()),
        "nothing held": looking(pages, later),
        "nothing held, 200 hashes looked for": looking(pages, later, known),
        "a week held": looking(pages, week),
        "nothing held, json": loading(pages, later, always=False),
        "a week held, json": loading(pages, week, always=False),
        "all parsed and written, json": loading(pages, later, always=True),
    }
    held = arms["a week held"]()
    if held != arms["a week held, json"]() or arms["nothing held"]():
        raise SystemExit("the two ways hold different files")
    costs = measuring.alternate({name: timed(arm) for name, arm in arms.items()}, rounds)
    told = {
        "pages": len(bodies),
        "bytes": sum(map(len, bodies.values())),
        "files": len(times),
        "held": held,
        "cpu": {name: [cost.cpu for cost in found] for name, found in costs.items()},
    }
    print(json.dumps(told))


def main() -> int:
    """Measure and print; return 1 only if a promise is broken beyond doubt."""
    parser = argparse.ArgumentParser(description="The cost of looking through index pages.")
    parser.add_argument("--python", default=sys.executable, help="interpreter to measure with")
    parser.add_argument("--pages", type=Path, help="where the pages are, or are kept for the next time")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.pages, options.rounds)
        return 0

    with tempfile.TemporaryDirectory(prefix="veln-hook-benchmark-") as temporary:
        room = Path(temporary)
        pages = options.pages or room / "pages"
        fetch(pages)
        environ = measuring.plain_environ(room / "home")
        python = measuring.make_venv(options.python, room / "venv", environ, with_pip=True)
        measuring.run([python, "-m", "pip", "install", "--quiet", str(measuring.CHECKOUT)], environ)
        command = [python, __file__, "--worker", "--pages", str(pages), "--rounds", str(options.rounds)]
        told: dict[str, Any] = json.loads(subprocess.check_output(command, env=environ))

    around = {**measuring.surroundings(options.python), "rounds": options.rounds}
    around |= {key: told[key] for key in ("pages", "bytes", "files", "held")}
    written = told["cpu"]["all parsed and written, json"]
    seconds = {name: measuring.estimate(cpu) for name, cpu in told["cpu"].items()}
    ratios = {
        name: measuring.estimate([one / other for one, other in zip(cpu, written)])
        for name, cpu in told["cpu"].items()
    }
    verdict = ratios["nothing held"].against(LIMIT_RATIO)
    for_goal = seconds["nothing held"].value * GOAL_BYTES / told["bytes"]
    if options.json:
        results = [{"way": name, "cpu": seconds[name], "ratio": ratios[name]} for name in seconds]
        results[1]["verdict"] = verdict
        print(measuring.report("pages", around, results))
    else:
        print(f"{measuring.describe(around)}, {options.rounds} rounds")
        print(f"{told['pages']} pages, {told['bytes'] / 1e6:.1f} MB, {told['files']} files")
        print(f"{told['held']} of them are from the last week before the newest\n")
        rows = [("", "CPU s, median [95 % interval]", "ratio to all parsed and written")]
        rows += [(name, seconds[name].text(digits=3), ratios[name].text(digits=2)) for name in seconds]
        print(measuring.table(rows))
        print(f"\nless than {LIMIT_RATIO:g} of parsing and writing where nothing is held: {verdict}")
        print(f"{for_goal:.3f} s for {GOAL_BYTES / 1e6:.0f} MB; the goal is {GOAL_SECONDS:g} s")
    return 1 if verdict == "exceeded" else 0


if __name__ == "__main__":
    raise SystemExit(main())
