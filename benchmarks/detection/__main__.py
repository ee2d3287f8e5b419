"""How many malicious archives veln-hook stops, how many harmless ones it stops wrongly, and what others do.

    python benchmarks/detection --corpus DIR [--sets SET ...] [--fresh]

Judges every archive of a corpus that ``corpus.py``, ``benign.py`` and
``clones.py`` built, and prints Markdown tables. The peers' figures are those that
``peers.py`` kept in the corpus. Details, with all that was missed and all false
alarms, go to ``ours.json``. A run that was stopped goes on, but only with the
same sources of veln-hook; ``--fresh`` judges everything anew.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import math
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import ours
import peers
import sets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

_SECONDS = 120
_Z = 1.96
_HARMLESS = ("holdout", "random-odd", "tuning", "sdists", "random-even")
_STOPPED = {"block", "hold"}
_NOTICED = {"block", "hold", "warn"}
Job = tuple[str, Optional[str]]
Answer = dict[str, Any]


class _TookTooLongError(Exception):
    pass


def _late(_number: int, _frame: object) -> None:
    raise _TookTooLongError


def judge(job: Job) -> Answer:
    """Judge one archive within the time limit; what went wrong is an answer too."""
    path, baseline = job
    signal.signal(signal.SIGPROF, _late)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)  # CPU time: a busy machine is nobody's fault
    started = time.process_time()
    answer: Answer
    try:
        answer = ours.judge(path, baseline)
    except _TookTooLongError:
        answer = {"error": f"longer than {_SECONDS} CPU s"}
    except Exception as error:  # noqa: BLE001 - one archive must not end the measurement
        answer = {"error": f"{type(error).__name__}: {error}"[:300]}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"path": path, "baseline": baseline, **answer, "seconds": round(time.process_time() - started, 3)}


def jobs(corpus: Path, names: Iterable[str]) -> list[Job]:
    """Return what must be judged: every archive alone, and copies and pairs against their baselines too."""
    wanted: list[Job] = []
    for name in names:
        wanted += [(path, None) for path in sets.paths(corpus, name)]
        if name == "clones":
            wanted += [(entry["path"], entry["upstream_path"]) for entry in sets.entries(corpus, "clones")]
        if name == "pairs":
            wanted += [(entry["new"], entry["old"]) for entry in sets.entries(corpus, "pairs")]
    return list(dict.fromkeys(wanted))


def _in_pool(todo: list[Job]) -> Iterator[Answer]:
    """Judge in two processes; an archive that kills its process is judged once more, alone."""
    # Forked while this process has one thread: a fresh interpreter costs as much as most archives.
    context = multiprocessing.get_context("fork")
    rest = list(todo)
    alone = False
    while rest:
        done: set[Job] = set()
        with ProcessPoolExecutor(1 if alone else 2, mp_context=context) as pool:
            try:
                for future in as_completed(
                    [pool.submit(judge, job) for job in (rest[:1] if alone else rest)]
                ):
                    answer = future.result()
                    done.add((answer["path"], answer["baseline"]))
                    yield answer
            except BrokenProcessPool:
                if alone:
                    done.add(rest[0])
                    yield {
                        "path": rest[0][0],
                        "baseline": rest[0][1],
                        "error": "killed its process",
                        "seconds": 0,
                    }
                alone = True
        rest = [job for job in rest if job not in done]


@functools.lru_cache(maxsize=1)
def _sources() -> str:
    """Return a digest of veln-hook's sources as the run begins, which answers are kept by."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).resolve().parents[2] / "src" / "veln_hook").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def answers(corpus: Path, todo: list[Job], *, fresh: bool) -> dict[Job, Answer]:
    """Return an answer for every job, judging those that aren't kept of these sources."""
    kept = corpus / "ours" / f"{_sources()}.jsonl"
    kept.parent.mkdir(exist_ok=True)
    if fresh:
        kept.unlink(missing_ok=True)
    known: dict[Job, Answer] = {(answer["path"], answer["baseline"]): answer for answer in sets.lines(kept)}
    rest = [job for job in todo if job not in known]
    with kept.open("a", encoding="utf-8") as stream:
        for number, answer in enumerate(_in_pool(rest), 1):
            known[answer["path"], answer["baseline"]] = answer
            stream.write(json.dumps(answer) + "\n")
            if sys.stderr.isatty():
                print(f"\r{number}/{len(rest)}", end="", file=sys.stderr, flush=True)
    return known


def share(count: int, total: int) -> str:
    """Return ``count/total (percent) [low-high]`` with Wilson's 95 % interval."""
    if not total:
        return "-"
    rate, spread = count / total, _Z * _Z / total
    middle = (rate + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(rate * (1 - rate) / total + spread / (4 * total)) / (1 + spread)
    return f"{count}/{total} ({rate:.1%}) [{max(0, middle - half):.1%}-{min(1, middle + half):.1%}]"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def arms(corpus: Path, known: dict[Job, Answer]) -> dict[str, Callable[[str], bool | None]]:
    """Return what tells for a tool at a threshold whether it flags an archive; ``None`` for no answer."""

    def of_ours(decisions: set[str]) -> Callable[[str], bool | None]:
        def flagged(path: str) -> bool | None:
            answer = known.get((path, None))
            return None if answer is None or "error" in answer else answer["decision"] in decisions

        return flagged

    def of_peer(tool: str, threshold: str, kept: dict[str, Answer]) -> Callable[[str], bool | None]:
        def flagged(path: str) -> bool | None:
            answer = kept.get(path)
            return None if answer is None or "error" in answer else peers.flags(tool, answer)[threshold]

        return flagged

    found = {"veln-hook hold or block": of_ours(_STOPPED), "veln-hook warn, hold or block": of_ours(_NOTICED)}
    for tool in peers.TOOLS:
        kept = peers.load(corpus, tool)
        if kept:
            found.update({threshold: of_peer(tool, threshold, kept) for threshold in peers.flags(tool, {})})
    return found


def compare(title: str, columns: dict[str, list[str]], tools: dict[str, Callable[[str], bool | None]]) -> str:
    """Return a table of what each tool flags in some sets, not counting archives without an answer."""
    rows = []
    for tool, flagged in tools.items():
        row = [tool]
        for paths in columns.values():
            told = [answer for answer in map(flagged, paths) if answer is not None]
            row.append(share(sum(told), len(told)))
        rows.append(row)
    return f"### {title}\n\n" + table(["tool", *columns], rows)


def against(title: str, couples: list[tuple[str, str]], known: dict[Job, Answer], corpus: Path) -> str:
    """Return a table of what is flagged in the second archive of each couple, given the first."""
    rows = []
    for words, name in ((_STOPPED, "veln-hook hold or block"), (_NOTICED, "veln-hook warn, hold or block")):
        told = [known[new, old] for old, new in couples if (new, old) in known]
        told = [answer for answer in told if "error" not in answer]
        rows.append([name, share(sum(answer["decision"] in words for answer in told), len(told))])
    for tool, name in (
        ("guarddog", "GuardDog: a new threat rule"),
        ("hexora", "hexora: a new high+ rule"),
        ("bandit", "bandit: a new HIGH test"),
    ):
        kept = peers.load(corpus, tool)
        told = [
            bool(peers.alarms(tool, kept[new]) - peers.alarms(tool, kept[old]))
            for old, new in couples
            if old in kept and new in kept and "error" not in kept[old] and "error" not in kept[new]
        ]
        if told:
            rows.append([name, share(sum(told), len(told))])
    return f"### {title}\n\n" + table(["tool", "flagged"], rows)


def signals(paths: list[str], known: dict[Job, Answer]) -> Counter[str]:
    """Return in how many archives each signal spoke."""
    counts: Counter[str] = Counter()
    for path in paths:
        counts.update({finding["signal"] for finding in known.get((path, None), {}).get("findings", ())})
    return counts


def main() -> int:
    """Judge and print."""
    parser = argparse.ArgumentParser(prog="python benchmarks/detection", description="Measure detection.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", choices=sets.NAMES, default=sets.NAMES)
    parser.add_argument("--fresh", action="store_true", help="forget what was judged with these sources")
    options = parser.parse_args()
    corpus = options.corpus

    known = answers(corpus, jobs(corpus, options.sets), fresh=options.fresh)
    by_set = {name: sets.paths(corpus, name) for name in options.sets}
    tools = arms(corpus, known)
    print(f"{datetime.now(timezone.utc).date()}, veln-hook's sources {_sources()}, {os.cpu_count()} CPUs\n")
    malicious = {name: by_set[name] for name in ("malware-odd", "malware-even") if name in by_set}
    harmless = {name: by_set[name] for name in _HARMLESS if name in by_set}
    if malicious:
        print(compare("Malicious archives flagged, one per cluster", malicious, tools))
    if harmless:
        print(compare("Harmless archives flagged", harmless, tools))
    if "clones" in by_set:
        copies = sets.entries(corpus, "clones")
        columns = {
            "copies": [copy["path"] for copy in copies],
            "genuine, each once": sorted({copy["upstream_path"] for copy in copies}),
        }
        print(compare("Malicious copies and what they copy, without baseline", columns, tools))
        couples = [(copy["upstream_path"], copy["path"]) for copy in copies]
        print(against("Malicious copies with the genuine release as baseline", couples, known, corpus))
        couples = [(copy["upstream_path"], copy["path"]) for copy in copies if copy["first_of_name"]]
        print(against("The same, one copy per project name", couples, known, corpus))
    if "pairs" in by_set:
        for title, consecutive in (("that follow each other", True), ("further apart", False)):
            pairs = [pair for pair in sets.entries(corpus, "pairs") if pair["consecutive"] is consecutive]
            couples = [(pair["old"], pair["new"]) for pair in pairs]
            print(against(f"Genuine releases {title}, the older one as baseline", couples, known, corpus))
    if "fixtures" in by_set:
        rules = {part: [path for path in by_set["fixtures"] if f"/{part}/" in path] for part in sets.FIXTURES}
        print(compare("The peers' own rule fixtures, single files", rules, tools))

    details = {
        "sources": _sources(),
        "missed": {
            name: [path for path in paths if tools["veln-hook hold or block"](path) is False]
            for name, paths in malicious.items()
        },
        "false_alarms": {
            name: [known[path, None] for path in paths if tools["veln-hook warn, hold or block"](path)]
            for name, paths in harmless.items()
        },
        "errors": [answer for answer in known.values() if "error" in answer],
        "signals": {name: dict(signals(paths, known).most_common()) for name, paths in by_set.items()},
        "seconds": round(sum(answer["seconds"] for answer in known.values()), 1),
        "with_baseline": [answer for (_, baseline), answer in known.items() if baseline],
    }
    (corpus / "ours.json").write_text(json.dumps(details, indent=1), "utf-8")
    print(
        f"{len(details['errors'])} without an answer; {details['seconds']} CPU s; see {corpus / 'ours.json'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
