"""The sets of archives that the corpus consists of, each told apart in every table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

FIXTURES = ("guarddog-malicious", "guarddog-benign", "hexora")
NAMES = (
    "malware-odd", "random-odd", "holdout", "tuning", "sdists", "clones", "malware-even", "random-even",
    "pairs", "fixtures",
)  # fmt: skip


def entries(corpus: Path, name: str) -> list[dict[str, Any]]:
    """Return one of the corpus' lists, ``malware``, ``clones`` or ``pairs``; empty if it wasn't built."""
    path = corpus / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else []


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the answers kept in a file, without a last one that was cut off; and cut it off there too."""
    if not path.exists():
        return []
    whole, _, rest = path.read_text("utf-8").rpartition("\n")
    if rest:
        path.write_text(f"{whole}\n" if whole else "", "utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def _files(place: Path) -> list[str]:
    return sorted(str(path) for path in place.iterdir() if path.is_file()) if place.is_dir() else []


def paths(corpus: Path, name: str) -> list[str]:
    """Return the archives of one set, each once, in a fixed order."""
    if name in {"malware-odd", "malware-even"}:
        wanted = 1 if name == "malware-odd" else 0
        return sorted(
            entry["path"]
            for entry in entries(corpus, "malware")
            if entry["representative"] and entry["half"] == wanted
        )
    if name == "clones":
        both = [(entry["path"], entry["upstream_path"]) for entry in entries(corpus, "clones")]
        return sorted({path for pair in both for path in pair})
    if name == "pairs":
        return sorted({entry[side] for entry in entries(corpus, "pairs") for side in ("old", "new")})
    if name == "fixtures":
        return [path for part in FIXTURES for path in _files(corpus / "fixtures" / part)]
    return _files(corpus / "benign" / name)
