"""What it takes to put shims in a directory, or to take them away, step by step.

The steps are worked out first and taken then, so that they can be shown without being taken, and so that what
stands in the way is told before anything was changed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook import paths
from veln_hook.adapters.shims import activation, is_shim, places
from veln_hook.adapters.shims.passing import ALWAYS, TOOLS
from veln_hook.adapters.shims.script import MARK, shim
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SHIM, SCRIPT, OTHER = "shim", "activate script", "mark"
_BIN = "bin"


class Where(NamedTuple):
    """Where shims lie."""

    home: Path
    """Their directory."""
    environment: Optional[Path]
    """The virtualenv that they are for; ``None`` if they are for whatever comes next on ``PATH``."""


class Step(NamedTuple):
    """One change of one file."""

    path: Path
    kind: str
    """``SHIM``, ``SCRIPT`` or ``OTHER``."""
    text: Optional[bytes]
    """What will be in the file; ``None`` if it will be gone."""
    needed: bool
    """False if the file is so already."""

    @property
    def told(self) -> str:
        """What the step does, in one word."""
        if not self.needed:
            return "unchanged"
        if self.kind == SCRIPT:
            return "changed"
        return "removed" if self.text is None else "written"


def where(environment: str | None, directory: str | None) -> Where:
    """Return the place that is meant: the one that is named, or this environment's, or this user's.

    Args:
        environment: The virtualenv that is named.
        directory: The directory that is named.

    Raises:
        UsageError: It is no virtualenv.
    """
    if directory is not None:
        return Where(Path(os.path.abspath(directory)), None)
    if environment is None and sys.prefix == sys.base_prefix:
        return Where(paths.shims_dir() / _BIN, None)
    prefix = Path(os.path.abspath(environment or sys.prefix))
    if not (prefix / "pyvenv.cfg").is_file():
        raise UsageError(f"{prefix} is no virtualenv", advice="Name one, or a directory with --dir.")
    home = prefix / places.OURS / _BIN
    for path in (home, home.parent):
        if path.is_symlink():  # what lies in an environment may be anyone's
            raise UsageError(f"{path} is a link, and is left alone", advice="Name another place with --dir.")
    return Where(home, prefix)


def present(place: Where, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tools that get a shim where none is named: uv, and what is here of the others."""
    here = str(place.environment / _BIN) if place.environment is not None else ""
    search = os.pathsep.join(filter(None, (here, environ.get("PATH", ""))))
    return tuple(tool for tool in TOOLS if tool in ALWAYS or shutil.which(tool, path=search))


def install(place: Where, tools: Iterable[str]) -> list[Step]:
    """Return the steps that put shims in a place, and before everything else in its activate scripts.

    Args:
        place: Where.
        tools: For which.

    Raises:
        UsageError: A file that is no shim stands in the way, or the place can't be on ``PATH``.
        OSError: An activate script can't be read.
    """
    steps = [_step(place.home / MARK, OTHER, b"")]
    for tool in tools:
        path = place.home / tool
        if os.path.lexists(path) and (path.is_symlink() or not is_shim(str(path))):
            raise UsageError(
                f"{path} is no shim of veln-hook's, and is left alone",
                advice="Name another directory with --dir, or move the file away.",
            )
        steps.append(_step(path, SHIM, _text(tool, place)))
    if place.environment is not None:
        steps += [
            _step(script, SCRIPT, activation.patched(script))
            for script in activation.scripts(place.environment)
        ]
    return steps


def remove(place: Where) -> list[Step]:
    """Return the steps that take everything away that ``install`` and ``uv.find_uv_bin`` have put there.

    Args:
        place: Where.

    Raises:
        OSError: An activate script can't be read.
    """
    directories = [place.home, *_found(place)]
    shims = [directory / tool for directory in directories for tool in places.shims_in(str(directory))]
    steps = [_step(path, SHIM, None) for path in shims]
    steps += [_step(place.home / MARK, OTHER, None)]
    if place.environment is not None:
        steps += [
            _step(script, SCRIPT, activation.restored(script))
            for script in activation.scripts(place.environment)
        ]
    return [step for step in steps if step.needed]


def take(step: Step) -> None:
    """Take a step.

    Raises:
        OSError: It can't be taken; the file is as it was.
    """
    if not step.needed:
        return
    if step.text is None:
        step.path.unlink()
    elif step.kind == SCRIPT:
        activation.replace(step.path, step.text)
    elif step.kind == SHIM:
        places.write(str(step.path), step.text)
    else:
        places.mark(str(step.path.parent))


def tidy(place: Where) -> None:
    """Remove the directories that hold nothing any more."""
    empty = [*_found(place), place.home.parent / places.FOUND, place.home]
    if place.home.parent.name == places.OURS:
        empty.append(place.home.parent)
    for directory in empty:
        with contextlib.suppress(OSError):  # something else is in it, or it isn't there
            directory.rmdir()


def _text(tool: str, place: Where) -> bytes:
    beside = str(place.environment / _BIN) if place.environment is not None else ""
    if os.pathsep in f"{place.home}{beside}":
        raise UsageError(f"{place.home} can't stand on PATH, as it holds a {os.pathsep!r}")
    try:
        return shim(
            tool,
            python=sys.executable,
            package=str(paths.PACKAGE_DIR),
            home=str(place.home),
            beside=beside,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _found(place: Where) -> Iterator[Path]:
    if place.home.parent.name == places.OURS:
        found = place.home.parent / places.FOUND
        if found.is_dir() and not found.is_symlink():
            yield from sorted(path for path in found.iterdir() if path.is_dir() and not path.is_symlink())


def _step(path: Path, kind: str, text: bytes | None) -> Step:
    try:
        with open(path, "rb") as file:
            now = file.read()
    except FileNotFoundError:
        now = None
    return Step(path, kind, text, needed=now != text)
