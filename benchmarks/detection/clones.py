"""Malicious copies of genuine projects, each with the genuine release that it copies most of.

    python benchmarks/detection/clones.py --git DIR [--wheels DIR ...] --corpus DIR

They stand in for compromised releases, which no corpus at hand has: the genuine
release is the baseline. A file counts as copied if it has the same content, line
ends aside, wherever it lies. One copy is kept per structural cluster.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import archives
import benign
import sets

if TYPE_CHECKING:
    from collections.abc import Iterable

FEWEST_FILES = 5
SHARE = 0.5


class Release(NamedTuple):
    """A genuine release: a tag of a clone, or an archive."""

    project: str
    version: str
    place: Path
    tag: str


def _object(data: bytes) -> str:
    """Return the name that git gives a file, whose line ends are made those of Unix."""
    plain = data.replace(b"\r\n", b"\n")
    return hashlib.sha1(b"blob %d\0" % len(plain) + plain).hexdigest()


def _python(path: Path) -> list[str]:
    try:
        found = [member for member in archives.members(path.read_bytes()) if archives.is_python(member.name)]
    except archives.UnreadableError:
        return []
    return [_object(member.data) for member in found if member.data.strip()]


def _tagged(clone: Path, tag: str) -> dict[str, str]:
    listed = subprocess.check_output(["git", "-C", str(clone), "ls-tree", "-r", "-z", tag]).decode(
        "utf-8", "replace"
    )
    rows = (row.split("\t", 1) for row in listed.split("\0") if row.endswith(".py"))
    return {about.split()[2]: path for about, path in rows}


def index(clones: Iterable[Path], wheels: Iterable[Path]) -> dict[str, set[Release]]:
    """Return which releases hold each Python file."""
    held: dict[str, set[Release]] = defaultdict(set)
    for clone in clones:
        for version, tag, _ in benign.releases(clone):
            release = Release(clone.name, str(version), clone, tag)
            for name in _tagged(clone, tag):
                held[name].add(release)
    for place in wheels:
        for path in sorted(place.iterdir()):
            if archives.kind(path.read_bytes()[:512]) or path.suffix == ".whl":
                spelled = re.match(r"(.+?)[-_](\d[^-_]*?)(?:\.orig)?(?:\.tar\.\w+|\.zip|-.*)?$", path.name)
                project, version = spelled.groups() if spelled else (path.name, "")
                for name in _python(path):
                    held[name].add(Release(project.lower().replace("_", "-"), version, path, ""))
    return held


def best(files: list[str], held: dict[str, set[Release]]) -> tuple[Release | None, float]:
    """Return the release that shares most of some files, the oldest of equals, and the share."""
    shared: Counter[Release] = Counter()
    for name in files:
        shared.update(held.get(name, ()))
    if not shared:
        return None, 0.0
    most = max(shared.values())
    equals = sorted(release for release, count in shared.items() if count == most)
    return equals[0], most / len(files)


def _upstream(release: Release, files: list[str], corpus: Path) -> Path:
    place = corpus / "clones"
    place.mkdir(parents=True, exist_ok=True)
    if not release.tag:
        target = place / release.place.name
        if not target.exists():
            shutil.copyfile(release.place, target)
        return target
    target = place / f"{release.project}-{release.version}.tar.gz"
    if not target.exists():
        known = _tagged(release.place, release.tag)
        # Tests and documents that the copy has too belong to the baseline.
        keep = frozenset(known[name] for name in files if name in known)
        benign.write_release(release.place, release.tag, target, keep)
    return target


def main() -> int:
    """Find the copies and write them down."""
    parser = argparse.ArgumentParser(description="Pair malicious copies with what they copy.")
    parser.add_argument(
        "--git", type=Path, metavar="DIR", required=True, help="clones, each named as its project"
    )
    parser.add_argument("--wheels", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--corpus", type=Path, required=True)
    options = parser.parse_args()

    held = index(sorted(options.git.iterdir()), options.wheels)
    found: list[dict[str, Any]] = []
    for entry in sets.entries(options.corpus, "malware"):
        if not entry["representative"]:
            continue
        files = _python(Path(entry["path"]))
        if len(files) < FEWEST_FILES:
            continue
        release, share = best(files, held)
        if release is None or share < SHARE:
            continue
        found.append(
            {
                "name": entry["name"],
                "first_of_name": all(other["name"] != entry["name"] for other in found),
                "version": entry["version"],
                "path": entry["path"],
                "half": entry["half"],
                "upstream": release.project,
                "upstream_version": release.version,
                "upstream_path": str(_upstream(release, files, options.corpus)),
                "identical_share": round(share, 3),
                "files": len(files),
            }
        )
    (options.corpus / "clones.json").write_text(json.dumps(found, indent=1), "utf-8")
    print(len(found), "copies", dict(Counter(entry["upstream"] for entry in found).most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
