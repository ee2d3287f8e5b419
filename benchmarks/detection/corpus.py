"""The malicious side of the corpus: exported from a clone, clustered, split in halves.

    python benchmarks/detection/corpus.py malware CLONE --corpus DIR
    python benchmarks/detection/corpus.py fixtures --guarddog CLONE --hexora CLONE --corpus DIR

CLONE is a clone, bare or not, of github.com/lxyeternal/pypi_malregistry, of
github.com/DataDog/guarddog or of github.com/rushter/hexora. Samples are read out
of git's object store as bytes and written under names that no installer takes.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import keyword
import os
import re
import subprocess
import sys
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import archives

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ARCHIVE = (".tar.gz", ".whl", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".egg")
_TOKEN = re.compile(
    rb"""\#[^\n]*|(?P<string>[rbuf]{0,2}(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"))"""
    rb"""|(?P<name>[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<other>[^\s\w])""",
    re.DOTALL | re.IGNORECASE,
)
_KEYWORDS = {word.encode() for word in (*keyword.kwlist, "print", "exec")}


def half(name: str) -> int:
    """Return which half a project belongs to: 0 is tuned against, 1 is only ever counted."""
    return int(hashlib.sha1(name.encode()).hexdigest(), 16) & 1


def _blobs(clone: Path) -> list[tuple[str, str]]:
    command = ["git", "-C", str(clone), "ls-tree", "-r", "-z", "HEAD"]
    entries = subprocess.check_output(command).decode("utf-8", "surrogateescape").split("\0")
    return [(path, about.split()[2]) for about, path in (entry.split("\t", 1) for entry in entries if entry)]


def _contents(clone: Path, names: Sequence[str]) -> Iterator[bytes | None]:
    """Yield what each object holds, ``None`` for one that the clone lacks."""
    # A partial clone must not go and fetch what is missing.
    environ = {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    with subprocess.Popen(
        ["git", "-C", str(clone), "cat-file", "--batch"],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in names:
            process.stdin.write(name.encode() + b"\n")
            process.stdin.flush()
            head = process.stdout.readline().split()
            if len(head) != 3:  # noqa: PLR2004 - "<name> missing"
                yield None
                continue
            content = process.stdout.read(int(head[2]))
            process.stdout.read(1)
            yield content


def _shape_of_tree(tree: ast.AST) -> bytes:
    """Return the kinds of an AST's nodes, in order, without what they are called or hold."""
    shape = hashlib.sha1()
    pending: list[ast.AST | None] = [tree]
    while pending:
        node = pending.pop()
        if node is None:
            shape.update(b")")
            continue
        shape.update(type(node).__name__.encode() + b"(")
        pending.append(None)
        pending.extend(reversed(list(ast.iter_child_nodes(node))))
    return shape.digest()


def _shape_of_tokens(source: bytes) -> bytes:
    shape = hashlib.sha1()
    for token in _TOKEN.finditer(source):
        kind = token.lastgroup
        if kind == "name":
            text = token.group()
            shape.update(text if text in _KEYWORDS else b"n")
        elif kind:
            shape.update({"string": b"s", "number": b"0"}.get(kind) or token.group())
    return shape.digest()


def shape(source: bytes) -> bytes:
    """Return a hash that stays the same when names, strings and numbers change; empty for an empty file."""
    if not source.strip():
        return b""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _shape_of_tokens(source)
    return _shape_of_tree(tree) if tree.body else b""


def export(clone: Path, corpus: Path) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Write every readable archive of the registry below the corpus and return what is known of each.

    Only archives with Python that isn't empty are listed; the counter tells what became of the others.
    """
    place = corpus / "malware"
    place.mkdir(parents=True, exist_ok=True)
    blobs = [
        (path, name)
        for path, name in sorted(_blobs(clone))
        if path.endswith(_ARCHIVE) and path.count("/") >= 2  # noqa: PLR2004 - project/version/file
    ]
    known: dict[bytes, bytes] = {}
    listed = []
    counts: Counter[str] = Counter(archives=len(blobs))
    for (path, _), data in zip(blobs, _contents(clone, [name for _, name in blobs])):
        if data is None:
            counts["missing"] += 1
            continue
        project, version = path.split("/")[:2]
        shapes, year = set(), 0
        try:
            for member in archives.members(data):
                year = max(year, member.year)
                if archives.is_python(member.name):
                    digest = hashlib.sha1(member.data).digest()
                    if digest not in known:
                        known[digest] = shape(member.data)
                    shapes.add(known[digest])
        except archives.UnreadableError:
            counts["damaged"] += 1
            continue
        sha256 = hashlib.sha256(data).hexdigest()
        safe = re.sub(r"[^\w.+-]", "_", f"{project}-{version}", flags=re.ASCII)
        target = place / f"{safe}.{sha256[:8]}.bin"
        target.write_bytes(data)
        target.chmod(0o600)
        counts["read"] += 1
        shapes.discard(b"")
        if not shapes:
            counts["without Python"] += 1
            continue
        listed.append(
            {
                "name": project,
                "version": version,
                "file": path.rsplit("/", 1)[1],
                "path": str(target),
                "sha256": sha256,
                "format": archives.kind(data),
                "year": year,
                "cluster": hashlib.sha1(b"".join(sorted(shapes))).hexdigest()[:16],
            }
        )
    return listed, counts


def cluster(listed: list[dict[str, Any]]) -> None:
    """Note on each archive the size of its cluster, whether it stands for it, and the cluster's half."""
    clusters: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in sorted(listed, key=lambda entry: (entry["name"], entry["version"], entry["file"])):
        clusters[entry["cluster"]].append(entry)
    for alike in clusters.values():
        for entry in alike:
            entry["size_of_cluster"] = len(alike)
            entry["representative"] = entry is alike[0]
            entry["half"] = half(alike[0]["name"])


def fixtures(clone: Path, corpus: Path, wanted: dict[str, re.Pattern[str]]) -> Counter[str]:
    """Copy a peer's own rule fixtures into ``fixtures/SET/`` of the corpus, by a pattern for each set."""
    counts: Counter[str] = Counter()
    blobs = [(path, name) for path, name in _blobs(clone) if any(p.fullmatch(path) for p in wanted.values())]
    for (path, _), data in zip(blobs, _contents(clone, [name for _, name in blobs])):
        for into, pattern in wanted.items():
            if pattern.fullmatch(path) and data is not None:
                target = corpus / "fixtures" / into / path.rsplit("/", 1)[1]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                counts[into] += 1
    return counts


GUARDDOG_FIXTURES = {
    "guarddog-malicious": re.compile(r"tests/analyzer/sourcecode/(?!test_)[^/]+\.py"),
    "guarddog-benign": re.compile(r"tests/analyzer/sourcecode/benign/[^/]+\.py"),
}
HEXORA_FIXTURES = {"hexora": re.compile(r"crates/hexora/resources/test/(?:.*/)?[^/]+\.py")}


def main() -> int:
    """Build the part that was asked for."""
    parser = argparse.ArgumentParser(description="Build the malicious side of the corpus.")
    parts = parser.add_subparsers(dest="part", required=True)
    malware = parts.add_parser("malware", help="export and cluster pypi_malregistry")
    malware.add_argument("clone", type=Path)
    rules = parts.add_parser("fixtures", help="copy the peers' rule fixtures")
    rules.add_argument("--guarddog", type=Path)
    rules.add_argument("--hexora", type=Path)
    for part in (malware, rules):
        part.add_argument("--corpus", type=Path, required=True)
    options = parser.parse_args()

    if options.part == "fixtures":
        for clone, wanted in ((options.guarddog, GUARDDOG_FIXTURES), (options.hexora, HEXORA_FIXTURES)):
            if clone:
                print(dict(fixtures(clone, options.corpus, wanted)))
        return 0
    sys.setrecursionlimit(3000)
    listed, counts = export(options.clone, options.corpus)
    cluster(listed)
    (options.corpus / "malware.json").write_text(json.dumps(listed, indent=1), "utf-8")
    standing = [entry for entry in listed if entry["representative"]]
    print(dict(counts), len(standing), "clusters", dict(Counter(entry["half"] for entry in standing)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
