"""What the signals about releases say of the most popular projects, which are honest: their false alarms.

    python benchmarks/release_signals.py [--projects 300] [--releases 5]

The JSON pages of the first projects of the shipped list are fetched from the index that pip is
configured with, by pip's own session, and kept in a directory: pages only, no archives. Then time is
turned back: each of a project's last releases is judged as on the day that it came, three hours after
its first file, with the page as it was then; and again three hours after whatever was added to it later.
What counts is a release of which any file has a finding, by what the default policy makes of it.

`--names FILE` counts how many of other names (one a line) would be called similar to a popular one, if
their projects were young: of projects that nobody has complained about for years, most are honest.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import measuring

from veln_hook.guard.popular import load_popular
from veln_hook.history import ProjectPage
from veln_hook.index import parse_upload_time
from veln_hook.index.page_facts import json_status
from veln_hook.model import Candidate, Decision, Source
from veln_hook.names import parse_filename
from veln_hook.policy.decide import decide
from veln_hook.policy.settings import Policy
from veln_hook.signals import CandidateContext, SignalManager

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from veln_hook.model import Finding

_INDEX = "https://pypi.org/simple/"
_SIGNALS = (
    *("provenance-downgrade", "project-status", "yanked", "late-file", "sdist-only"),
    *("version-order", "revival", "similar-name"),
)
_COOLED = timedelta(hours=3)
_APART = timedelta(days=1)
"""What comes later than this after the file before is looked at by itself."""

FETCH = """
import sys
from pathlib import Path
from pip._internal.commands import create_command
command = create_command("install")
options, _ = command.parse_args(["x"])
with command.main_context():
    session = command.get_default_session(options)
    for name in sys.argv[2:]:
        response = session.get(
            options.index_url.rstrip("/") + "/" + name + "/",
            headers={"Accept": "application/vnd.pypi.simple.v1+json"},
        )
        if response.status_code == 200:
            Path(sys.argv[1], name + ".json").write_bytes(response.content)
        else:
            print(name, response.status_code, file=sys.stderr)
"""


class File(NamedTuple):
    """A file of a page."""

    name: str
    time: datetime
    version: str
    sha256: str
    yanked: bool
    attested: bool


class Seen(NamedTuple):
    """A finding about a release."""

    project: str
    version: str
    finding: Finding
    decision: Decision


def fetch(names: Sequence[str], directory: Path) -> None:
    """Fetch the pages that aren't there yet."""
    directory.mkdir(parents=True, exist_ok=True)
    lacking = [name for name in names if not (directory / f"{name}.json").exists()]
    if lacking:
        subprocess.run([sys.executable, "-c", FETCH, str(directory), *lacking], check=True)


def files_of(body: bytes) -> list[File]:
    """Read a page's files; those without a time or a version are left out."""
    found = []
    for entry in json.loads(body)["files"]:
        moment = parse_upload_time(entry.get("upload-time"))
        named = parse_filename(entry["filename"])
        if moment is not None and named is not None and named.version:
            sha256 = entry["hashes"].get("sha256", "")
            attested = isinstance(entry.get("provenance"), str)
            found.append(
                File(entry["filename"], moment, named.version, sha256, bool(entry.get("yanked")), attested)
            )
    return found


def moments(release: Sequence[File]) -> Iterator[datetime]:
    """Yield when a release is looked at: once it has come, and once anything was added."""
    times = sorted(file.time for file in release)
    for number, moment in enumerate(times):
        if not number or moment - times[number - 1] > _APART:
            yield moment + _COOLED


def judge(
    manager: SignalManager, project: str, body: bytes, releases: int
) -> tuple[int, list[Seen], list[float]]:
    """Judge a project's last releases; return how many, what is found, and the CPU time of each look."""
    every = files_of(body)
    status = json_status(body)
    by_version: dict[str, list[File]] = {}
    for file in every:
        by_version.setdefault(file.version, []).append(file)
    last = sorted(by_version.values(), key=lambda files: min(file.time for file in files))[-releases:]
    seen: list[Seen] = []
    spent = []
    for release in last:
        for now in moments(release):
            there = [file for file in every if file.time < now]
            page = ProjectPage(
                lambda there=there: [(file.name, file.time) for file in there],
                lambda there=there: [file.name for file in there if file.attested],
                lambda: status,
            )
            candidates = [_candidate(project, file, page) for file in release if file.time < now]
            context = CandidateContext(now, Policy(), {}, "benchmark", now, True, lambda: load_popular(""))
            started = time.process_time()
            found = list(manager.examine_candidates(candidates, context))
            spent.append(time.process_time() - started)
            for candidate, finding in found:
                if finding.signal not in _SIGNALS:
                    continue  # cooling, of what came within these hours
                verdict = decide(candidate, [finding], policy=Policy(), approvals=(), now=now)
                seen.append(Seen(project, candidate.version, finding, verdict.decision))
    return len(last), seen, spent


def _candidate(project: str, file: File, page: ProjectPage) -> Candidate:
    return Candidate(
        project=project,
        version=file.version,
        filename=file.name,
        url=f"{_INDEX}{file.name}",
        source=Source.INDEX,
        index=_INDEX,
        sha256=file.sha256,
        upload_time=file.time,
        yanked=file.yanked,
        page=page,
    )


def rates(seen: Sequence[Seen], releases: int) -> list[dict[str, Any]]:
    """Count releases by signal and by the strictest decision of it."""
    strictest: dict[tuple[str, str, str], Decision] = {}
    for each in seen:
        key = (each.finding.signal, each.project, each.version)
        strictest[key] = max(strictest.get(key, Decision.ALLOW), each.decision)
    counted = Counter((signal, decision) for (signal, _, _), decision in strictest.items())
    return [
        {"signal": signal, "releases": releases, **{word.word: counted[signal, word] for word in Decision}}
        for signal in _SIGNALS
    ]


def similar(path: Path, popular_count: int) -> dict[str, Any]:
    """Count the names that resemble a popular one."""
    popular = load_popular("")
    names = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    asked = [name for name in names if name not in popular.names[:popular_count]]
    found = [popular.resembled(name) for name in asked]
    strong = sum(like is not None and like.strong for like in found)
    return {"names": len(asked), "strong": strong, "weak": sum(map(bool, found)) - strong}


def options_of() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="The false alarms of the signals about releases.")
    parser.add_argument("--projects", type=int, default=300)
    parser.add_argument("--releases", type=int, default=5, help="of each project, the last ones")
    parser.add_argument(
        "--pages",
        type=Path,
        default=Path.home() / ".cache" / "veln-hook-benchmarks" / "release-pages",
        help="where pages are kept",
    )
    parser.add_argument("--names", type=Path, help="names to be compared with the popular ones, one a line")
    parser.add_argument("--list", action="store_true", help="print each finding that isn't ALLOW")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    options = options_of()
    projects = load_popular("").names[: options.projects]
    fetch(projects, options.pages)
    manager = SignalManager()
    newest: list[Seen] = []
    several: list[Seen] = []
    spent: list[float] = []
    counts = Counter[str]()
    for project in projects:
        page = options.pages / f"{project}.json"
        if not page.exists():
            continue
        body = page.read_bytes()
        number, seen, times = judge(manager, project, body, options.releases)
        several += seen
        spent += times
        counts["several"] += number
        number, seen, _ = judge(manager, project, body, 1)
        newest += seen
        counts["newest"] += number
        counts["projects"] += 1
        counts["provenance"] += b'"provenance": "' in body or b'"provenance":"' in body
        counts["status"] += bool(json_status(body)[0])
    tables = {"newest": rates(newest, counts["newest"]), "several": rates(several, counts["several"])}
    spent.sort()
    cpu = {"median": spent[len(spent) // 2], "longest": spent[-1]}
    names = similar(options.names, len(load_popular("").names)) if options.names else None
    if options.json:
        around = {"at": datetime.now(timezone.utc).isoformat(), **counts}
        print(measuring.report("release_signals", around, [{**tables, "cpu": cpu, "names": names}]))
        return 0
    print(
        f"{counts['projects']} projects; {counts['provenance']} pages tell of attestations, "
        f"{counts['status']} of a status\n"
    )
    for title, key in (
        ("the newest release", "newest"),
        (f"the last {options.releases} releases", "several"),
    ):
        print(f"{title} of each, {counts[key]} in all: releases with a finding")
        rows = [("signal", "ALLOW", "WARN", "HOLD", "told or held")]
        for row in tables[key]:
            share = (row["warn"] + row["hold"] + row["block"]) / row["releases"]
            rows.append(
                (row["signal"], row["allow"], row["warn"], row["hold"] + row["block"], f"{share:.2%}")
            )
        print(measuring.table([tuple(map(str, row)) for row in rows]), end="\n\n")
    print(
        f"CPU time of a look at a release: median {cpu['median'] * 1e3:.2f} ms, "
        f"longest {cpu['longest'] * 1e3:.1f}"
    )
    if names is not None:
        print(
            f"{names['names']} other names: {names['strong']} resemble a popular one strongly "
            f"({names['strong'] / names['names']:.2%}), {names['weak']} a little"
        )
    if options.list:
        told = {(s.project, s.version, s.finding.signal, s.finding.message) for s in several if s.decision}
        for each in sorted(told):
            print(*each, sep="  ")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
