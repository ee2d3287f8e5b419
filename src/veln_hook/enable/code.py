"""A copy of this package with its dependencies, in a directory that pointers lead to.

It is what runs in pip's process where veln-hook isn't installed: so it holds a
set of the dependencies that fits the oldest interpreter it may meet, and is
compiled for each of them beforehand, as those who use it can't write there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from veln_hook import paths
from veln_hook.adapters.pip import carry
from veln_hook.adapters.venv.inherit import FALLBACK
from veln_hook.adapters.venv.pointers import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CARRIED = "carried"
_SECONDS = 300
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def fallback() -> str:
    """Return the source of the module that refuses where all else is gone."""
    return (paths.PACKAGE_DIR.parent / FALLBACK).read_text(encoding="utf-8")


def target(directory: str, minors: Iterable[int], repair: str) -> Target:
    """Return what a pointer needs to know of a copy at ``directory``, whether it is made already or not.

    Args:
        directory: Absolute.
        minors: Minor versions of the Python 3s that it serves.
        repair: The command that repairs.
    """
    served = sorted(set(minors))
    place = os.path.join(directory, CARRIED)
    return Target(directory, dict.fromkeys(carry.NAMES, (place, served)), repair, fallback())


def install(directory: str, minors: Sequence[int], *, leaving_nothing: bool = False) -> None:
    """Make the copy, in place of an older one.

    Args:
        directory: Absolute; only ours. What is in it is readable by everybody.
        minors: Minor versions of the Python 3s that are to be served.
        leaving_nothing: Keep no fetched file in a cache for the next time.

    Raises:
        CarryError: The dependencies for them can't be fetched.
        OSError: It can't be written.
    """
    above = os.path.dirname(directory)
    os.makedirs(above, 0o755, exist_ok=True)
    new = tempfile.mkdtemp(prefix=".veln-hook-", dir=above)
    aside = f"{new}-fetched" if leaving_nothing else ""
    try:
        dependencies = carry.for_minors(minors, aside=aside)
        shutil.copytree(paths.PACKAGE_DIR, os.path.join(new, "veln_hook"), ignore=_LEFT_OUT)
        shutil.copyfile(paths.PACKAGE_DIR.parent / FALLBACK, os.path.join(new, FALLBACK))
        for name, (place, _) in dependencies.items():
            _copy(place, name, os.path.join(new, CARRIED))
        _open_to_all(new)
        old = f"{new}-old"
        with suppress(FileNotFoundError):
            os.rename(directory, old)
        os.rename(new, directory)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    finally:
        if aside:
            shutil.rmtree(aside, ignore_errors=True)


def compile_for(directory: str, interpreters: Iterable[str]) -> None:
    """Compile the copy for each interpreter; one that can't is left to compile at each start.

    Args:
        directory: Of the copy.
        interpreters: Their executables.
    """
    for executable in interpreters:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                [executable, "-I", "-S", "-m", "compileall", "-q", directory],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
            )


def _copy(place: str, name: str, to: str) -> None:
    """Copy one dependency with its metadata; a package or a single module."""
    os.makedirs(to, exist_ok=True)
    for entry in os.listdir(place):
        stem = entry.partition("-")[0].partition(".")[0]
        if stem != name or entry == "__pycache__":
            continue
        source, made = os.path.join(place, entry), os.path.join(to, entry)
        if os.path.isdir(source):
            shutil.copytree(source, made, ignore=_LEFT_OUT, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, made)


def _open_to_all(directory: str) -> None:
    """Let everybody read it and nobody but the owner write, whatever the umask was."""
    for place, _, names in os.walk(directory):
        os.chmod(place, 0o755)  # noqa: S103 - it is code that everybody runs
        for name in names:
            os.chmod(os.path.join(place, name), 0o644)
