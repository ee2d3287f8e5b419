"""What reading the code of archives costs, against parsing it: ``ast.parse`` of the same files.

    python benchmarks/scan.py DIR_OF_WHEELS [--pairs FILE]

Each measurement is a process of its own that does one thing with all archives
and tells its CPU time, without starting and importing. All of them work as the
worker of ``veln_hook.source`` does: in a thread with a large stack, without
garbage collection but for one after each archive or batch. What is parsed was read and
unpacked before; what is scanned is read, unpacked and hashed in the time that
counts.

With ``--peers``, a directory with virtualenvs named ``guarddog``, ``hexora`` and ``bandit``,
each of those that is there reads the same archives, unpacked before, in rounds of
their own; its CPU time counts from when it is loaded.

With pairs, JSON as ``[{"old": PATH, "new": PATH}, ...]``, the newer archive of
each is scanned twice more: with nothing known, and as an upgrade. Then what is
known of the older one's files passes to it as it does from the store, packed, as
JSON.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import measuring

sys.path.insert(0, str(measuring.CHECKOUT / "src"))
sys.path.append(str(measuring.CHECKOUT / "benchmarks" / "detection"))

import peers

from veln_hook.archive.members import iter_members
from veln_hook.source import worker
from veln_hook.source.facts import FileFacts, file_from_plain
from veln_hook.source.remembering import pack, unpack_file
from veln_hook.source.scanning import MAX_SOURCE, scan_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ARCHIVES = (".whl", ".tar.gz", ".zip")
_BATCH_FILES = 500
_MB = 1_000_000


def parse(path: str) -> tuple[float, int]:
    """Parse every file of source of an archive; return CPU seconds and bytes."""
    sources = [
        member.read(MAX_SOURCE)
        for member in iter_members(path, problems=[])
        if member.name.lower().endswith((".py", ".pyw")) and member.size <= MAX_SOURCE
    ]
    started = time.process_time()
    for number, source in enumerate(sources, 1):
        # A template, or of another Python.
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            ast.parse(source)
        if number % _BATCH_FILES == 0:
            gc.collect()
    gc.collect()
    return time.process_time() - started, sum(map(len, sources))


def scan(path: str) -> tuple[float, int]:
    """Scan an archive of which nothing is known; return CPU seconds and bytes of source."""
    started = time.process_time()
    facts = scan_path(path)
    gc.collect()
    return time.process_time() - started, facts.python_bytes


def upgrade(old: str, new: str) -> tuple[float, int, int]:
    """Scan an archive when the older one's files are known; return CPU seconds, bytes and files read."""
    store: dict[str, bytes] = {}
    scan_path(
        old, learned=lambda files: store.update({sha256: pack(facts) for sha256, facts in files.items()})
    )
    read = 0

    def known(sha256s: Sequence[str]) -> dict[str, FileFacts]:
        kept = {sha256: unpack_file(store[sha256]) for sha256 in sha256s if sha256 in store}
        told = json.loads(json.dumps(kept, separators=(",", ":")))
        return {sha256: file_from_plain(plain) for sha256, plain in told.items()}

    def learned(files: Mapping[str, FileFacts]) -> None:
        nonlocal read
        read += len(files)

    started = time.process_time()
    facts = scan_path(new, known=known, learned=learned)
    gc.collect()
    return time.process_time() - started, facts.python_bytes, read


def work(arm: str, archives: list[str], pairs: list[tuple[str, str]]) -> dict[str, float]:
    """Do what one arm does; return what it took altogether."""
    newer = [new for _, new in pairs]
    done: list[tuple[float, ...]] = {
        "parse": lambda: [parse(path) for path in archives],
        "first": lambda: [scan(path) for path in archives],
        "parse-newer": lambda: [parse(path) for path in newer],
        "first-newer": lambda: [scan(path) for path in newer],
        "upgrade": lambda: [upgrade(old, new) for old, new in pairs],
    }[arm]()
    seconds, size, *read = map(sum, zip(*done))
    return {"cpu": seconds, "bytes": size, "read": read[0] if read else 0}


_PEER = """
import os, sys
def serve(judge):
    before = os.times()
    for path in sys.argv[1:]:
        judge(path)
    after = os.times()
    print(sum(after[:4]) - sum(before[:4]))
"""
"""In place of what has a peer answer questions."""


def unpacked(archives: Sequence[str], directory: Path) -> list[str]:
    """Unpack the Python of archives for the peers; return where each one's lies."""
    trees = []
    for number, archive in enumerate(archives):
        tree = directory / str(number)
        for member in iter_members(archive, problems=[]):
            if member.name.lower().endswith((".py", ".pyw")) and member.size <= MAX_SOURCE:
                path = tree / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(member.read(MAX_SOURCE))
        if tree.exists():
            trees.append(str(tree))
    return trees


def peer(python: Path, tool: str, trees: Sequence[str]) -> float:
    """Have a peer read trees; return its CPU seconds."""
    command = [str(python), "-c", _PEER + peers.SERVERS[tool], *trees]
    said = subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True)
    return float(said.split()[-1])


def as_the_worker(function: Callable[[], Any]) -> Any:
    """Call something under the worker's conditions."""
    warnings.simplefilter("ignore")
    gc.disable()
    gc.freeze()
    sys.setrecursionlimit(worker.RECURSION)
    threading.stack_size(worker.STACK_BYTES)
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    if not result:
        raise SystemExit("it failed")
    return result[0]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The cost of reading the code of archives.")
    parser.add_argument("archives", type=Path, help="directory of wheels or sdists")
    parser.add_argument("--pairs", type=Path, help="JSON list of objects with the paths 'old' and 'new'")
    parser.add_argument("--peers", type=Path, help="directory with the peers' virtualenvs")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--python", default=sys.executable, help="interpreter to measure with")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    options = parser.parse_args()
    archives = sorted(str(path) for path in options.archives.iterdir() if path.name.endswith(_ARCHIVES))
    entries = json.loads(options.pairs.read_text("utf-8")) if options.pairs else []
    pairs = [(entry["old"], entry["new"]) for entry in entries]
    if options.arm:
        print(json.dumps(as_the_worker(lambda: work(options.arm, archives, pairs))))
        return 0

    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    given = [str(options.archives), *(["--pairs", str(options.pairs)] if options.pairs else [])]
    told: dict[str, dict[str, float]] = {}

    pythons = {tool: options.peers / tool / "bin" / "python" for tool in peers.TOOLS if options.peers}
    pythons = {tool: python for tool, python in pythons.items() if python.exists()}
    place = tempfile.TemporaryDirectory(prefix="veln-hook-benchmark-")
    trees = unpacked(archives, Path(place.name)) if pythons else []

    def run(arm: str) -> measuring.Cost:
        if arm in pythons:
            told[arm] = {"cpu": peer(pythons[arm], arm, trees), "bytes": told["first"]["bytes"], "read": 0}
            return measuring.Cost(told[arm]["cpu"], 0.0)
        command = [options.python, __file__, *given, "--arm", arm]
        # These imports need packaging, so the environment's own packages stay.
        told[arm] = json.loads(subprocess.check_output(command, env=environ, text=True))
        return measuring.Cost(told[arm]["cpu"], 0.0)

    arms = ["parse", "first", *(["parse-newer", "first-newer", "upgrade"] if pairs else []), *pythons]
    run("first")  # tells how many bytes there are
    before = measuring.surroundings(options.python)
    costs = measuring.alternate(
        {arm: lambda arm=arm: run(arm) for arm in arms}, options.rounds, shown="round"  # type: ignore[misc]
    )  # fmt: skip
    results = []
    for arm in arms:
        size = told[arm]["bytes"] / _MB
        reference = "parse-newer" if arm in {"parse-newer", "first-newer", "upgrade"} else "parse"
        results.append(
            {
                "arm": arm,
                "mb": round(size, 1),
                "mb_per_cpu_second": measuring.estimate([size / cost.cpu for cost in costs[arm]]),
                "ratio": measuring.ratios(costs[arm], costs[reference], "cpu"),
                "files_read": told[arm]["read"],
            }
        )
    around = {**before, "rounds": options.rounds, "archives": len(archives), "pairs": len(pairs)}
    if options.json:
        print(measuring.report("scan", around, results))
        return 0
    after = measuring.surroundings(options.python)["load"]
    print(f"{measuring.describe(before)} before and {' '.join(map(str, after))} after")
    print(f"{options.rounds} rounds, {len(archives)} archives, {len(pairs)} pairs\n")
    rows = [("", "MB of source", "MB per CPU second", "CPU ratio to ast.parse")]
    for result in results:
        speed, ratio = result["mb_per_cpu_second"], result["ratio"]
        assert isinstance(speed, measuring.Estimate)
        assert isinstance(ratio, measuring.Estimate)
        rows.append((str(result["arm"]), str(result["mb"]), speed.text(digits=2), ratio.text(digits=3)))
    print(measuring.table(rows))
    if pairs:
        print(f"\nfiles of source parsed in the upgrades: {told['upgrade']['read']:.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
