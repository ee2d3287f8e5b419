"""Building with hatchling, and reading what came of it."""

from __future__ import annotations

import csv
import subprocess
import sys
import zipfile

from support.pythons import PAIRS

PTH = "veln_hook_startup.pth"


def hatchling(tree, *arguments):
    """Run hatchling in a tree."""
    code = "from hatchling.cli import hatchling as h; raise SystemExit(h())"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done


def record(wheel):
    """Return {path: hash} of a wheel's RECORD, without RECORD's own line."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        rows = csv.reader(archive.read(name).decode().splitlines())
        return {row[0]: row[1] for row in rows if row and row[0] != name}


def newest_pip(python):
    """Return the newest pip of the matrix that runs on that Python."""
    return [pair for pair in PAIRS if pair.python == python][-1].pip
