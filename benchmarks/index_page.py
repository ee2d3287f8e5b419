"""What it costs to judge a whole index page: boto3's, with more than 4,000 files.

    python benchmarks/index_page.py

The page is fetched once from the index and served from loopback after that. In
a virtualenv with veln-hook, one process asks pip's own `PackageFinder` for all
candidates, again and again: with pip's functions as veln-hook replaced them, and
as they were, by turns. What the first takes longer is the cost beyond fetching
and parsing, which both do. The first call, which reads the policy and opens the
store, doesn't count: `install.py` has that in its figure.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import measuring

LIMIT_SECONDS = 0.020
"""What we promise to stay below."""
_JSON = "application/vnd.pypi.simple.v1+json"
_LARGE = 100_000
"""Characters from which on something that is parsed is the page."""


class _Switch:
    """Puts pip's own functions back, and veln-hook's again; in a process that has imported neither yet."""

    def __init__(self) -> None:
        from pip._internal.models import link  # noqa: PLC0415 - before anything that is guarded

        plain = link.Link.__dict__["from_json"]
        from pip._internal.index import package_finder  # noqa: PLC0415 - now veln-hook is loaded

        finder = package_finder.PackageFinder
        replaced: list[tuple[Any, str]] = [
            (finder, "find_all_candidates"),
            (finder, "process_project_url"),
            (package_finder, "parse_links"),
        ]
        self._places: list[tuple[Any, str, Any, Any]] = [
            (owner, name, owner.__dict__[name], owner.__dict__[name].__wrapped__) for owner, name in replaced
        ]
        self._places.append((link.Link, "from_json", link.Link.__dict__["from_json"], plain))

    def guard(self, *, on: bool) -> None:
        """Choose what pip runs from now on."""
        for owner, name, ours, theirs in self._places:
            setattr(owner, name, ours if on else theirs)


def work(index_url: str, project: str, pairs: int) -> None:
    """Time pip's finder in this process, guarded and not; print the figures."""
    switch = _Switch()
    from pip._internal.commands import create_command  # noqa: PLC0415 - only this process has that pip

    command: Any = create_command("install")
    options, _ = command.parse_args(["--index-url", index_url, "--no-cache-dir", project])
    parsed = {True: 0, False: 0}
    guarded = True
    original = json.loads

    def counting(text: Any, *args: Any, **kwargs: Any) -> Any:
        parsed[guarded] += len(text) >= _LARGE
        return original(text, *args, **kwargs)

    json.loads = counting
    times: dict[bool, list[float]] = {True: [], False: []}
    chosen: list[float] = []
    found: list[Any] = []
    shuffle = random.Random(1)
    with command.main_context():
        session = command.get_default_session(options)
        for _ in range(pairs + 1):
            for guarded in shuffle.sample([True, False], 2):
                switch.guard(on=guarded)
                finder = command._build_package_finder(options=options, session=session)  # noqa: SLF001
                gc.collect()  # or it falls to whoever comes last to clear up after all
                started = time.process_time()
                found = finder.find_all_candidates(project)
                times[guarded].append(time.process_time() - started)
                if guarded:
                    chosen.append(_judging_the_newest(found))
    told = {
        "guarded": times[True][1:],
        "plain": times[False][1:],
        "chosen": chosen[1:],
        "candidates": len(found),
        "parsed": {"with": parsed[True] / (pairs + 1), "without": parsed[False] / (pairs + 1)},
    }
    print(json.dumps(told))


def _judging_the_newest(found: list[Any]) -> float:
    """Return the CPU time of judging the newest file once pip wants it; until then it was passed over."""
    from veln_hook.adapters.pip import finder, run  # noqa: PLC0415 - only this process has it installed

    link = max(found, key=lambda item: item.version).link
    current = run.active()
    assert current is not None
    current.judged.clear()
    del current.offered[:-1]  # one page a run has, not one for each round
    started = time.process_time()
    finder.offered_verdict(current, link)
    return time.process_time() - started


class _Page(ThreadingHTTPServer):
    """The page at its place on an index of nothing else, as long as the ``with`` block."""

    def __init__(self, project: str, body: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path == f"/simple/{project}/"
                answer = body if known else b""
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", _JSON)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.index_url = f"http://127.0.0.1:{self.server_address[1]}/simple/"

    def __enter__(self) -> _Page:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


FETCH = """
import sys
from pip._internal.commands import create_command
command = create_command("install")
arguments = ["--index-url", sys.argv[2]] if sys.argv[2] else []
options, _ = command.parse_args([*arguments, sys.argv[1]])
with command.main_context():
    session = command.get_default_session(options)
    url = options.index_url.rstrip("/") + "/" + sys.argv[1] + "/"
    response = session.get(url, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    response.raise_for_status()
    sys.stdout.buffer.write(response.content)
"""


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="The cost of judging a whole index page.")
    parser.add_argument("--python", default=sys.executable, help="interpreter to measure with")
    parser.add_argument("--pip", default="pip", metavar="REQ", help="pip to measure with, such as pip==26.3")
    parser.add_argument("--project", default="boto3")
    parser.add_argument("--page", type=Path, help="a JSON page to judge, instead of fetching it")
    parser.add_argument("--index-url", default="", help="instead of the index that pip is configured with")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> int:
    """Measure and print; return 1 only if a promise is broken beyond doubt."""
    options = options_of()
    if options.worker:
        work(options.index_url, options.project, options.pairs)
        return 0

    with tempfile.TemporaryDirectory(prefix="veln-hook-benchmark-") as temporary:
        room = Path(temporary)
        environ = measuring.plain_environ(room / "home")
        python = measuring.make_venv(options.python, room / "venv", environ, with_pip=True)
        measuring.run([python, "-m", "pip", "install", "--quiet", "--upgrade", options.pip], environ)
        fetch = [python, "-c", FETCH, options.project, options.index_url]
        body = options.page.read_bytes() if options.page else subprocess.check_output(fetch, env=environ)
        measuring.run([python, "-m", "pip", "install", "--quiet", str(measuring.CHECKOUT)], environ)
        asked = [python, "-c", "import pip; print(pip.__version__)"]
        version = subprocess.check_output(asked, text=True).strip()
        around = {**measuring.surroundings(options.python), "pip": version, "pairs": options.pairs}
        with _Page(options.project, body) as page:
            offline = {
                **{name: value for name, value in environ.items() if not name.upper().startswith("PIP_")},
                "PIP_CONFIG_FILE": "/dev/null",
                "NO_PROXY": "127.0.0.1",
            }
            arguments = ["--worker", "--project", options.project, "--index-url", page.index_url]
            command = [python, __file__, *arguments, "--pairs", str(options.pairs)]
            told = json.loads(subprocess.check_output(command, env=offline))

    added = measuring.estimate([ours - pips for ours, pips in zip(told["guarded"], told["plain"])])
    plain = measuring.estimate(told["plain"])
    chosen = measuring.estimate(told["chosen"])
    files = len(json.loads(body)["files"])
    parsed = told["parsed"]
    verdict = added.against(LIMIT_SECONDS)
    result = {
        "project": options.project,
        "files": files,
        "candidates": told["candidates"],
        "cpu_without": plain,
        "cpu_added": added,
        "cpu_chosen": chosen,
        "page_parsed": parsed,
        "promise": "20 ms",
        "verdict": verdict,
    }
    if options.json:
        print(measuring.report("index_page", around, [result]))
    else:
        print(f"{measuring.describe(around)}, pip {version}, {options.pairs} pairs of calls")
        print(f"{options.project}: {files} files on the page, {result['candidates']} candidates pass\n")
        rows = [
            ("", "CPU ms, median [95 % interval]"),
            ("pip alone: fetch, parse, evaluate", in_ms(plain).text(digits=1)),
            ("added by veln-hook", in_ms(added).text(digits=1)),
            ("judging the newest file, once it is wanted", in_ms(chosen).text(digits=1)),
        ]
        print(measuring.table(rows))
        print(
            f"\nthe page is parsed {parsed['with']:g} time(s) with veln-hook, {parsed['without']:g} without"
        )
        print(f"less than 20 ms beyond parsing: {verdict}")
    return 1 if verdict == "exceeded" or parsed["with"] > parsed["without"] else 0


def in_ms(seconds: measuring.Estimate) -> measuring.Estimate:
    """Return an estimate in milliseconds."""
    return measuring.Estimate(seconds.value * 1e3, seconds.low * 1e3, seconds.high * 1e3)


if __name__ == "__main__":
    raise SystemExit(main())
