"""Packages that nobody chose: projects drawn at random from an index, one archive of each.

    python benchmarks/detection/drawn.py --corpus DIR [--count N] [--seed N] [--index URL]

Well-known packages are the wrong ones to count false alarms with alone: most that
are installed for the first time are small, and by somebody who is not known. By
one bit of its name's hash a project's wheel or its sdist is taken; by another it is
of the half that rules may be written against or of the one that is only counted.
Files are fetched as they are: nothing is built, as an installer would to learn
what they need. A run that was stopped goes on; it needs the same seed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import sys
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_LINK = re.compile(rb'<a href="(?:[^"]*/)?([^"/]+)/"')
_SIZE_LIMIT = 8_000_000
_SECONDS = 60
_AT_ONCE = 8
HALVES = ("random-even", "random-odd")


def _fetch(url: str, accept: str = "*/*") -> bytes:
    request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "veln-hook benchmark"})
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        data: bytes = answer.read()
    return data


def projects(index: str) -> list[str]:
    """Return the names of all projects of an index, sorted."""
    page = _fetch(index, f"{_JSON}, {_HTML}")
    if page.lstrip()[:1] == b"{":
        names = {re.sub(r"[-_.]+", "-", each["name"]).lower() for each in json.loads(page)["projects"]}
    else:
        names = {name.decode() for name in _LINK.findall(page)}
    return sorted(names)


def chosen(page: dict[str, Any], *, wheel: bool) -> dict[str, Any] | None:
    """Return the file of the newest release that is taken: of the kind that is wanted, or any."""
    files = [
        file
        for file in page["files"]
        if not file.get("yanked")
        and (file.get("size") or 0) < _SIZE_LIMIT
        and file["filename"].endswith((".whl", ".tar.gz"))
    ]
    newest = page["versions"][-1] if page.get("versions") else ""
    files = [file for file in files if f"-{newest}" in file["filename"]] or files[-2:]
    wanted = [file for file in files if file["filename"].endswith(".whl") is wheel]
    return (wanted or files or [None])[-1]


def draw(index: str, name: str, corpus: Path) -> str:
    """Fetch one project's archive; return what became of it."""
    digest = int(hashlib.sha1(name.encode()).hexdigest(), 16)
    try:
        page = json.loads(_fetch(f"{index}{name}/", _JSON))
        file = chosen(page, wheel=bool(digest >> 1 & 1))
        if file is None:
            return "without an archive"
        target = corpus / "benign" / HALVES[digest & 1] / os.path.basename(file["filename"])
        if not target.exists():
            target.write_bytes(_fetch(file["url"]))
    except (OSError, ValueError, KeyError) as error:
        return f"not to be had: {type(error).__name__}"
    return HALVES[digest & 1]


def main() -> int:
    """Draw and fetch."""
    parser = argparse.ArgumentParser(description="Draw packages of an index at random.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1400, help="projects that are drawn")
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--index", default="https://pypi.org/simple/")
    options = parser.parse_args()

    for half in HALVES:
        (options.corpus / "benign" / half).mkdir(parents=True, exist_ok=True)
    index = options.index.rstrip("/") + "/"
    names = projects(index)
    drawn = random.Random(options.seed).sample(names, min(options.count, len(names)))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        told = Counter(pool.map(lambda name: draw(index, name, options.corpus), drawn))
    print(f"{len(drawn)} of {len(names)} projects:", dict(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
