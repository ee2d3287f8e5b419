"""What other scanners make of the same archives, kept by archive.

    python benchmarks/detection/peers.py --corpus DIR --venvs DIR [--tool NAME] [--sets SET ...]

Each tool lives in ``DIR/NAME``, a virtualenv of its own, and runs in one long
process there: a start costs some of them more than an archive. What one archive
gave is one line of ``peers/NAME.jsonl``; a run that was stopped goes on.

The figures kept are: GuardDog's score with its source rules alone (its rules
about metadata need the index) and its threat rules; hexora's highest confidence,
the rules it raised at high confidence or more, and its highest score of a file
with a finding; bandit's tests of high severity.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import archives
import sets

TOOLS = ("guarddog", "hexora", "bandit")
_SECONDS = 120
_PYTHON_LIMIT = 10 * 2**20
"""Bytes of Python beyond which bandit isn't asked: it would need minutes for one archive."""

_PREAMBLE = """
import json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
def serve(judge):
    for line in sys.stdin:
        try:
            answer = judge(json.loads(line))
        except BaseException as error:
            answer = {"error": repr(error)[:200]}
        answers.write(json.dumps(answer) + "\\n")
        answers.flush()
"""
SERVERS = {
    "guarddog": """
import functools, yara
# The rules are compiled anew for each archive otherwise; what they match stays the same.
yara.compile = functools.lru_cache(maxsize=None)(yara.compile)
from guarddog.analyzer.analyzer import Analyzer
analyzer = Analyzer()
def judge(path):
    found = analyzer.analyze_sourcecode(path)
    score = analyzer.calculate_package_risk_score(found)["score"]
    return {"score": score, "rules": sorted(rule for rule, hits in found["results"].items() if hits)}
serve(judge)
""",
    "hexora": """
import hexora
ORDER = ["very_low", "low", "medium", "high", "very_high"]
def judge(path):
    results = [result for result in hexora.audit_path(path) if result["items"]]
    items = [item for result in results for item in result["items"]]
    levels = [ORDER.index(item["confidence"]) for item in items]
    return {
        "confidence": ORDER[max(levels)] if levels else "",
        "rules": sorted({item["rule"] for item, level in zip(items, levels) if level >= 3}),
        "ml": max((result.get("score") or 0 for result in results), default=0),
    }
serve(judge)
""",
    "bandit": """
import logging
from bandit.core import config, manager
logging.disable(logging.CRITICAL)
def judge(path):
    run = manager.BanditManager(config.BanditConfig(), "file", quiet=True)
    run.discover_files([path], recursive=True)
    run.run_tests()
    issues = run.get_issue_list()
    rules = {issue.test_id for issue in issues if issue.severity == "HIGH"}
    return {"rules": sorted(rules), "issues": len(issues)}
serve(judge)
""",
}


class Server:
    """One tool in a process of its own, asked one tree at a time."""

    def __init__(self, python: Path, tool: str) -> None:
        self._command = [str(python), "-I", "-c", _PREAMBLE + SERVERS[tool]]
        self._process: subprocess.Popen[str] | None = None

    def ask(self, path: str) -> dict[str, Any]:
        """Return the tool's answer: an ``error`` if it took too long or died; then it is started anew."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(path) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], _SECONDS)
        line = process.stdout.readline() if ready else ""
        if not line:
            self.close()
            return {"error": f"no answer within {_SECONDS} s" if not ready else "it died"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def load(corpus: Path, tool: str) -> dict[str, dict[str, Any]]:
    """Return what is kept of a tool's answers, by archive."""
    return {answer["path"]: answer for answer in sets.lines(corpus / "peers" / f"{tool}.jsonl")}


def flags(tool: str, answer: dict[str, Any]) -> dict[str, bool]:
    """Return which of a tool's thresholds an answer exceeds."""
    if tool == "guarddog":
        return {"GuardDog >= 5": answer.get("score", 0) >= 5}  # noqa: PLR2004 - its own cut
    if tool == "hexora":
        return {
            "hexora high+": answer.get("confidence") in {"high", "very_high"},
            "hexora very high": answer.get("confidence") == "very_high",
            "hexora ML >= 0.5": answer.get("ml", 0) >= 0.5,  # noqa: PLR2004
        }
    return {"bandit HIGH": bool(answer.get("rules"))}


def alarms(tool: str, answer: dict[str, Any]) -> set[str]:
    """Return what must be new against a baseline for a release to be flagged."""
    rules = set(answer.get("rules", ()))
    return {rule for rule in rules if rule.startswith("threat")} if tool == "guarddog" else rules


def run(tool: str, venvs: Path, corpus: Path, paths: list[str]) -> None:
    """Ask a tool about every archive that isn't in its file yet."""
    known = load(corpus, tool)
    kept = corpus / "peers" / f"{tool}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    server = Server(venvs / tool / "bin" / "python", tool)
    # GuardDog leaves out trees below directories of some names, "test" and "build" among them.
    room = Path(tempfile.mkdtemp(prefix="veln-peer-"))
    try:
        with kept.open("a", encoding="utf-8") as stream:
            for number, path in enumerate(paths):
                if path in known:
                    continue
                tree = room / f"a{number}"
                tree.mkdir()
                answer: dict[str, Any]
                try:
                    if path.endswith(".py"):
                        (tree / os.path.basename(path)).write_bytes(Path(path).read_bytes())
                    else:
                        archives.unpack(Path(path), tree, only=() if tool == "guarddog" else (".py", ".pyw"))
                    size = sum(file.stat().st_size for file in tree.rglob("*.py"))
                    started = time.perf_counter()
                    if tool == "bandit" and size > _PYTHON_LIMIT:
                        answer = {"error": "too much Python for it"}
                    else:
                        answer = server.ask(str(tree))
                    answer.update(seconds=round(time.perf_counter() - started, 3), python=size)
                except archives.UnreadableError as error:
                    answer = {"error": str(error)}
                stream.write(json.dumps({"path": path, **answer}) + "\n")
                stream.flush()
                shutil.rmtree(tree, ignore_errors=True)
    finally:
        server.close()
        shutil.rmtree(room, ignore_errors=True)


def main() -> int:
    """Run the tools over the sets that were asked for."""
    parser = argparse.ArgumentParser(description="Run other scanners over the corpus.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--venvs", type=Path, required=True, help="where each tool has its virtualenv")
    parser.add_argument("--tool", choices=TOOLS, action="append")
    parser.add_argument("--sets", nargs="*", choices=sets.NAMES, default=sets.NAMES)
    options = parser.parse_args()
    for tool in options.tool or TOOLS:
        for name in options.sets:
            started = time.perf_counter()
            run(tool, options.venvs, options.corpus, sets.paths(options.corpus, name))
            print(f"{tool} {name}: {time.perf_counter() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
