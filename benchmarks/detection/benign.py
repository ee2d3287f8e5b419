"""The harmless side of the corpus: wheels and source archives of well-known projects, and pairs of releases.

    python benchmarks/detection/benign.py --wheels DIR [--wheels DIR] [--sources DIR] [--git DIR] --corpus DIR

Nothing is downloaded here. Fill the directories with your installer, for instance
``pip download --no-deps --only-binary :all: -d DIR NAME``; what ``benign.json``
names and no directory has is told at the end. Source archives must not be
downloaded with pip, which runs their build to learn their metadata; they and the
pairs are made of the tags of clones.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

NAMES = Path(__file__).with_name("benign.json")
_SIZE_LIMIT = 60 * 2**20
_GAP_LIMIT = 400
"""Days between two releases beyond which they aren't taken for neighbours."""
_SKIPPED = re.compile(r"(?:^|/)(?:tests?|testing|docs?|examples?|benchmarks?)/")


def wheels(places: list[Path]) -> dict[str, list[tuple[Version, Path]]]:
    """Return the wheels below some directories that aren't too large, by project, oldest first."""
    found: dict[str, dict[Version, Path]] = defaultdict(dict)
    for path in sorted(path for place in places for path in place.glob("*.whl")):
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if path.stat().st_size <= _SIZE_LIMIT:
            found[name].setdefault(version, path)
    return {name: sorted(by_version.items()) for name, by_version in found.items()}


def _python(path: Path) -> dict[str, int]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: info.CRC for info in archive.infolist() if info.filename.endswith(".py")}


def _place(path: Path, into: Path) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    target = into / path.name
    if not target.exists():
        shutil.copyfile(path, target)
    return target


def pairs_of_wheels(found: dict[str, list[tuple[Version, Path]]], corpus: Path) -> list[dict[str, Any]]:
    """Return a pair for each project that is there in several versions: the newest that differ."""
    pairs = []
    for name, versions in sorted(found.items()):
        for (old, old_path), (new, new_path) in reversed(list(zip(versions, versions[1:]))):
            if _python(old_path) != _python(new_path):
                into = corpus / "benign" / "pairs"
                pairs.append(
                    {
                        "project": name,
                        "old": str(_place(old_path, into)),
                        "new": str(_place(new_path, into)),
                        "versions": [str(old), str(new)],
                        "consecutive": False,
                    }
                )
                break
    return pairs


def releases(clone: Path) -> list[tuple[Version, str, int]]:
    """Return the final releases that a clone has tags of: version, tag and day, oldest first."""
    shown = subprocess.check_output(
        ["git", "-C", str(clone), "for-each-ref", "refs/tags", "--format=%(refname) %(creatordate:unix)"],
        text=True,
    )
    found: dict[Version, tuple[str, int]] = {}
    for line in shown.splitlines():
        tag, _, when = line.rpartition(" ")
        spelled = re.search(r"(?:^|[^\d.])v?(\d+(?:[._]\d+)+)$", tag.rsplit("/", 1)[1])
        if spelled and when.isdigit():
            try:
                found[Version(spelled.group(1).replace("_", "."))] = (tag, int(when) // 86400)
            except InvalidVersion:
                continue
    return [(version, tag, day) for version, (tag, day) in sorted(found.items())]


def write_release(clone: Path, tag: str, target: Path, keep: frozenset[str] = frozenset()) -> None:
    """Write what a tag holds as a source archive, without its tests and documents except ``keep``."""
    listed = subprocess.check_output(["git", "-C", str(clone), "ls-tree", "-r", "-z", "--name-only", tag])
    names = [
        name
        for name in listed.decode("utf-8", "replace").split("\0")
        if name and (name in keep or not _SKIPPED.search(name))
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = target.name[: -len(".tar.gz")] + "/"
    subprocess.run(
        ["git", "-C", str(clone), "archive", f"--prefix={prefix}", "-o", str(target), tag, "--", *names],
        check=True,
        env={**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_LITERAL_PATHSPECS": "1"},
    )


def pairs_of_tags(clones: list[Path], corpus: Path, each: int) -> list[dict[str, Any]]:
    """Return pairs of neighbouring releases, as source archives, spread over each clone's history."""
    pairs: list[dict[str, Any]] = []
    for clone in clones:
        project = canonicalize_name(clone.name)
        known = releases(clone)
        close = [
            (old, new)
            for old, new in zip(known, known[1:])
            if 0 <= new[2] - old[2] <= _GAP_LIMIT and new[1] != old[1]
        ]
        # The newest pair, and others as far from each other as can be within the newer half.
        newer = close[len(close) // 2 :]
        step = max(1, len(newer) // each)
        for old, new in newer[::-1][::step][:each]:
            paths = []
            for version, tag, _ in (old, new):
                target = corpus / "benign" / "pairs" / f"{project}-{version}.tar.gz"
                if not target.exists():
                    write_release(clone, tag, target)
                paths.append(str(target))
            pairs.append(
                {
                    "project": project,
                    "old": paths[0],
                    "new": paths[1],
                    "versions": [str(old[0]), str(new[0])],
                    "consecutive": True,
                }
            )
    return pairs


def sources_of_tags(clones: list[Path], corpus: Path) -> int:
    """Write the newest release of each clone that has a ``setup.py`` as a source archive; return how many."""
    written = 0
    for clone in clones:
        for version, tag, _ in reversed(releases(clone)):
            listed = subprocess.check_output(
                ["git", "-C", str(clone), "ls-tree", "--name-only", tag], text=True
            )
            if "setup.py" in listed.splitlines():
                target = corpus / "benign" / "sdists" / f"{canonicalize_name(clone.name)}-{version}.tar.gz"
                write_release(clone, tag, target)
                written += 1
                break
    return written


def main() -> int:
    """Put the listed archives in their places and tell what is missing."""
    parser = argparse.ArgumentParser(description="Build the harmless side of the corpus.")
    parser.add_argument("--wheels", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--sources", type=Path, metavar="DIR", help="source archives; all of them are taken")
    parser.add_argument("--git", type=Path, metavar="DIR", help="clones, each named as its project")
    parser.add_argument("--each", type=int, default=3, help="pairs per clone")
    parser.add_argument("--corpus", type=Path, required=True)
    options = parser.parse_args()

    names = json.loads(NAMES.read_text("utf-8"))
    found = wheels(options.wheels)
    for part in ("tuning", "holdout"):
        missing = [name for name in names[part] if name not in found]
        for name in names[part]:
            if name in found:
                _place(found[name][-1][1], options.corpus / "benign" / part)
        have = len(names[part]) - len(missing)
        print(f"{part}: {have} of {len(names[part])}, without: {' '.join(missing) or '-'}")
    if options.sources:
        for path in sorted(options.sources.iterdir()):
            if re.search(r"\.(?:tar\.(?:gz|bz2|xz)|tgz|zip)$", path.name):
                _place(path, options.corpus / "benign" / "sdists")
    clones = sorted(path for path in options.git.iterdir() if path.is_dir()) if options.git else []
    print(f"source archives of clones: {sources_of_tags(clones, options.corpus)}")
    pairs = [*pairs_of_wheels(found, options.corpus), *pairs_of_tags(clones, options.corpus, options.each)]
    (options.corpus / "pairs.json").write_text(json.dumps(pairs, indent=1), "utf-8")
    print(f"pairs: {len(pairs)}, of them consecutive: {sum(pair['consecutive'] for pair in pairs)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
