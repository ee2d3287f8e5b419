"""Which Pythons are on this machine, and which pips run on them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
"""Every Python that veln-hook supports, the oldest first."""

_OLDEST, _NEWEST = PYTHONS[0], PYTHONS[-1]

PIPS = {
    # Requires-Python of the wheels gives the lower bounds. The upper ones are measured: below 23.1 every install
    # dies on 3.12, with "module 'pkgutil' has no attribute 'ImpImporter'" or "No module named 'distutils'".
    "21.3.1": (_OLDEST, "3.11"),
    "22.0.4": (_OLDEST, "3.11"),
    "22.3.1": (_OLDEST, "3.11"),
    "23.0.1": (_OLDEST, "3.11"),
    "23.2.1": (_OLDEST, _NEWEST),
    "24.0": (_OLDEST, _NEWEST),
    "24.3.1": (_OLDEST, _NEWEST),
    "25.0.1": (_OLDEST, _NEWEST),
    "25.3": (_OLDEST, _NEWEST),
    "26.0.1": (_OLDEST, _NEWEST),
    "26.1": ("3.10", _NEWEST),
    "26.1.2": ("3.10", _NEWEST),
    "26.2": ("3.10", _NEWEST),
    "26.2.1": ("3.10", _NEWEST),
    "26.3": ("3.10", _NEWEST),
}
"""Each pip of the matrix, the oldest first, with the oldest and the newest Python it runs on."""


class Pair(NamedTuple):
    """A pip on a Python."""

    pip: str
    python: str

    def __str__(self) -> str:
        return f"pip{self.pip}-py{self.python}"


def _pythons_for(pip: str) -> tuple[str, ...]:
    oldest, newest = PIPS[pip]
    return PYTHONS[PYTHONS.index(oldest) : PYTHONS.index(newest) + 1]


PAIRS = tuple(Pair(pip, python) for pip in PIPS for python in _pythons_for(pip))
"""The whole matrix."""

DEFAULT_PAIRS = (
    Pair("21.3.1", "3.9"),
    Pair("22.3.1", "3.10"),
    Pair("23.2.1", "3.11"),
    Pair("25.3", "3.12"),
    Pair("26.2.1", "3.12"),  # the one that starts the pip for build requirements inside the build environment
    Pair("26.3", "3.13"),
)
"""What an everyday run covers: both ends, and each shape that the patched functions have had in between."""


@functools.cache
def find_python(version: str) -> str | None:
    """Return the path of a working base interpreter of that minor version, or ``None`` if there is none here."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    uv = Path.home() / ".local/share/uv/python"
    places = [
        sys.executable,
        shutil.which(name),
        *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")), reverse=True),
        *sorted(map(str, uv.glob(f"cpython-{version}.*/bin/{name}")), reverse=True),
        f"/usr/bin/{name}",
        f"/usr/local/bin/{name}",
    ]
    if f"{sys.version_info.major}.{sys.version_info.minor}" != version:
        places.remove(sys.executable)
    # A pyenv shim is on PATH without working, and a venv's python is not a base: ask each for what it is.
    probe = "import sys, ssl, venv; print(getattr(sys, '_base_executable', sys.executable), *sys.version_info[:2])"
    for place in places:
        if place and os.path.exists(place):
            answer = subprocess.run([place, "-I", "-c", probe], capture_output=True, text=True, check=False)
            path, *found = answer.stdout.rsplit(maxsplit=2) if answer.returncode == 0 else [""]
            if found == version.split("."):
                return path
    return None


def selected_pairs() -> list[Pair]:
    """Return the pairs to test: all with ``VELN_HOOK_FULL=1``; otherwise the default ones.

    A default pair whose Python is absent moves to the newest one here that its
    pip runs on, so that a machine with a single Python still tests every pip it
    can. Pairs that can't run here are part of the answer; see `find_python`.
    """
    if os.environ.get("VELN_HOOK_FULL", "") not in ("", "0"):
        return list(PAIRS)
    return [pair if find_python(pair.python) else _substitute(pair) for pair in DEFAULT_PAIRS]


def newest_pair() -> Pair:
    """Return the newest pip that any Python here runs, on the newest such Python."""
    for pip in reversed(PIPS):
        for python in reversed(_pythons_for(pip)):
            if find_python(python):
                return Pair(pip, python)
    raise RuntimeError(f"no Python between {_OLDEST} and {_NEWEST} was found on this machine")


def _substitute(pair: Pair) -> Pair:
    here = [python for python in _pythons_for(pair.pip) if find_python(python)]
    return Pair(pair.pip, here[-1]) if here else pair
