"""Members of archives as tests look at them."""

from __future__ import annotations

import warnings
import zipfile
from typing import TYPE_CHECKING

from veln_hook.archive.members import LIMITS, Problem, iter_members
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from veln_hook.archive.members import Limits


def read(
    path: str | os.PathLike[str], limits: Limits = LIMITS
) -> tuple[dict[str, bytes], set[tuple[str, bool]]]:
    """Return (contents by name, {(slug, fatal)})."""
    problems: list[Problem] = []
    found: dict[str, bytes] = {}
    for member in iter_members(str(path), problems=problems, limits=limits):
        try:
            assert member.head(3) == member.read(1 << 30)[:3]
            found[member.name] = member.read(1 << 30)
        except ArchiveError:
            assert problems[-1].fatal
    return found, {(problem.slug, problem.fatal) for problem in problems}


def zipped(
    path: Path, *members: tuple[str | zipfile.ZipInfo, bytes | str], method: int = zipfile.ZIP_DEFLATED
) -> Path:
    """Write a zip of names, or entries, and their contents."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            archive.writestr(info, content, compress_type=method)
    return path
