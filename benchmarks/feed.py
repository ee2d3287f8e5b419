"""What the feed of known malware costs: importing it, keeping it, looking a project up.

    python benchmarks/feed.py [--entries N] [--zip FILE] [--json]

Without a file, a zip of synthetic records is made, half of them about malware, half about weaknesses, in the
shape and with the sizes of OSV's own: texts of a few kilobytes, versions or ranges, one project with hundreds
of records. Importing is a process of its own, as ``veln-hook feed import`` is. A lookup is what an install
asks of a project with one young release; it is timed in this process, each project once, so that none is
answered from what was kept. The first one opens the file.

Ends with 1 if a lookup (the slowest of 99 in 100, or the first) takes a millisecond or more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measuring

sys.path.insert(0, str(measuring.CHECKOUT / "src"))

from veln_hook.feed import Feed
from veln_hook.guard import Guard
from veln_hook.model import Candidate, Source
from veln_hook.policy.settings import Policy
from veln_hook.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_MS = 1.0
_ROUNDS = 9
_FILES = 2_000
_WORDS = ("steals", "credentials", "reads", "files", "when", "it", "is", "installed", "by", "the", "package")
_WHOLE = 0.3
"""Share of the bad projects of which all versions are bad."""


def records(entries: int) -> Iterator[dict[str, Any]]:
    """Yield records; the same for the same number."""
    pick = random.Random(1)
    start = datetime(2024, 1, 1, tzinfo=timezone.utc)
    for number in range(entries):
        malware = number % 2 == 0
        # Of the weak ones, few projects have many: some have more than a hundred on PyPI.
        weak = int(pick.expovariate(20 / entries)) % (entries // 8 + 1)
        if number % 40 == 1:  # a fortieth is about one project, as with PyPI's tensorflow
            weak = 0
        project = f"evil-{number}" if malware else f"weak-{weak}"
        affected: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": project}}
        if malware and pick.random() < _WHOLE:
            affected["ranges"] = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
        elif malware:
            affected["versions"] = [f"1.0.{each}" for each in range(pick.randint(1, 8))]
        else:
            fixed = f"{pick.randint(1, 9)}.{pick.randint(0, 30)}.{pick.randint(0, 9)}"
            affected["ranges"] = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]
            affected["versions"] = [f"0.{each}.0" for each in range(pick.randint(5, 120))]
        yield {
            "id": f"MAL-2026-{number}" if malware else f"GHSA-{number:04d}-aaaa-bbbb",
            "modified": (start + timedelta(minutes=number)).isoformat().replace("+00:00", "Z"),
            "published": "2024-01-01T00:00:00Z",
            "schema_version": "1.7.4",
            "summary": f"What is wrong with {project} (PyPI)",
            "details": " ".join(pick.choices(_WORDS, k=pick.randint(100, 500))),
            "affected": [affected],
            "references": [{"type": "WEB", "url": f"https://example.org/{number}"}] * 3,
            "database_specific": {"sha256": f"{pick.getrandbits(256):064x}"},
        }


def make_zip(path: Path, entries: int) -> None:
    """Write a zip like OSV's."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for record in records(entries):
            archive.writestr(f"{record['id']}.json", json.dumps(record, indent=2))


_IMPORT = """
import resource, sys, time
from pathlib import Path
from veln_hook import clock
from veln_hook.feed.building import Origin, build
from veln_hook.feed.sources import raw_records
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began, cpu = time.perf_counter(), time.process_time()
origin = Origin(sys.argv[1], fresh=True)
outcome = build(Path(sys.argv[2]), raw_records(sys.argv[1]), origin, now=clock.now(), shrink=True)
print(time.perf_counter() - began, time.process_time() - cpu, before,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, outcome.info.records, outcome.info.unreadable)
"""


def import_feed(source: Path, index: Path) -> list[float]:
    """Import in a process of its own; return seconds of wall and CPU, KiB before and at most, two counts."""
    environ = {**os.environ, "PYTHONPATH": str(measuring.CHECKOUT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, str(source), str(index)],
        env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [float(word) for word in done.stdout.split()]


def lookups(index: Path, projects: list[str]) -> tuple[list[float], list[float]]:
    """Return how long the first lookups took, of several feeds, and all further ones; in milliseconds."""
    first, further = [], []
    for _ in range(_ROUNDS):
        feed = Feed(index)
        for number, project in enumerate(projects):
            began = time.perf_counter()
            feed.malware(project)
            feed.repaired(project, "1.0")
            (further if number else first).append((time.perf_counter() - began) * 1000)
        feed.close()
    return first, further


def page(index: Path, project: str) -> float:
    """Return milliseconds that the guard takes for a page of 2,000 old files, less those without a feed."""
    old = datetime(2020, 1, 1, tzinfo=timezone.utc)
    candidates = [
        Candidate(
            project,
            f"{n}.0",
            f"{project}-{n}.0.tar.gz",
            f"https://x/{n}",
            Source.INDEX,
            "https://x/",
            upload_time=old,
        )
        for n in range(_FILES)
    ]
    differences = []
    for _ in range(_ROUNDS):
        took = []
        for path in (index, index.with_name("absent.sqlite")):
            store = SqliteStore(":memory:")
            guard = Guard(Policy(), store, feed=Feed(path))
            guard.check_candidates(candidates[:1])
            began = time.perf_counter()
            guard.check_candidates(candidates)
            took.append((time.perf_counter() - began) * 1000)
            guard.close()
            store.close()
        differences.append(took[0] - took[1])
    return statistics.median(differences)


def measure(source: Path, directory: Path) -> dict[str, Any]:
    """Measure everything of one zip."""
    index = directory / "state" / "feed.sqlite"
    imports = [import_feed(source, index) for _ in range(3)]
    with zipfile.ZipFile(source) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
    feed = Feed(index)
    connection = feed._follow()  # noqa: SLF001 - to know which projects there are
    if connection is None:
        raise SystemExit("there is no feed")
    counts = connection.execute(
        "SELECT project, count(*) FROM "
        "(SELECT project FROM malware UNION ALL SELECT project FROM weaknesses) "
        "GROUP BY project ORDER BY 2 DESC"
    ).fetchall()
    feed.close()
    known = [project for project, _ in random.Random(2).sample(counts, min(len(counts), 500))]
    absent = [f"absent-{number}" for number in range(500)]
    first, hits = lookups(index, known)
    first_absent, misses = lookups(index, absent)
    worst, _ = lookups(index, [counts[0][0]])
    malware = next(project for project in known if project.startswith("evil-") or len(known) == 1)
    return {
        "zip MB": source.stat().st_size / 1e6,
        "unpacked MB": unpacked / 1e6,
        "records": imports[0][4],
        "unreadable": imports[0][5],
        "import s": statistics.median(each[0] for each in imports),
        "import CPU s": statistics.median(each[1] for each in imports),
        "import memory MB": max(each[3] for each in imports) * 1024 / 1e6,
        "memory before MB": imports[0][2] * 1024 / 1e6,
        "index MB": index.stat().st_size / 1e6,
        "first lookup ms": statistics.median([*first, *first_absent]),
        "first lookup ms, slowest": max([*first, *first_absent]),
        "hit ms": statistics.median(hits),
        "hit ms, 99 %": statistics.quantiles(hits, n=100)[98],
        "miss ms": statistics.median(misses),
        "miss ms, 99 %": statistics.quantiles(misses, n=100)[98],
        f"first lookup of a project with {counts[0][1]} records ms": statistics.median(worst),
        "page of 2,000 files of a bad project, added ms": page(index, malware),
        "page of 2,000 files of another project, added ms": page(index, absent[0]),
    }


def main() -> int:
    """Measure, tell, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--zip", type=Path, help="measure this one instead of a synthetic one")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="veln-hook-feed-") as name:
        directory = Path(name)
        source = args.zip
        if source is None:
            source = directory / "all.zip"
            make_zip(source, args.entries)
        figures = measure(source, directory)
    figures["this process MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    slowest = max(
        *(value for name, value in figures.items() if name.startswith("first lookup of")),
        figures["first lookup ms"],
        figures["hit ms, 99 %"],
        figures["miss ms, 99 %"],
    )
    holds = slowest < LIMIT_MS
    if args.json:
        print(json.dumps({"figures": figures, "limit_ms": LIMIT_MS, "holds": holds}, indent=2))
    else:
        for what, value in figures.items():
            print(f"{what:<60} {value:.3f}")
        print(f"a lookup below {LIMIT_MS} ms: {'holds' if holds else 'exceeded'}")
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
