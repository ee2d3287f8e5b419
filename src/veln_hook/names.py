"""What the name of a distribution file says: project, version, kind."""

from __future__ import annotations

from typing import NamedTuple

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion

from veln_hook.model import ArchiveKind

SDIST_SUFFIXES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar")
"""Endings that pip unpacks as source archives (pip._internal.utils.filetypes)."""


class FileName(NamedTuple):
    """The parts of a distribution file's name."""

    project: str
    """Normalized (PEP 503); empty if the name doesn't tell."""
    version: str
    kind: ArchiveKind


def parse_filename(filename: str) -> FileName | None:
    """Split a distribution file's name.

    Args:
        filename: Last component of a path or URL, unquoted.

    Returns:
        Its parts; empty project and version where the ending is an archive's but
        the rest follows no standard; ``None`` if it is no archive's name at all.
    """
    if filename.endswith(".whl"):
        try:
            name, version, _, _ = parse_wheel_filename(filename)
        except (InvalidWheelFilename, InvalidVersion):
            # pip goes on with wheels whose version is no PEP 440 version; the name still tells the project.
            parts = filename.split("-")
            if len(parts) in (5, 6):
                return FileName(canonicalize_name(parts[0]), parts[1], ArchiveKind.WHEEL)
            return FileName("", "", ArchiveKind.WHEEL)
        return FileName(name, str(version), ArchiveKind.WHEEL)
    for suffix in SDIST_SUFFIXES:
        if filename.endswith(suffix):
            stem = filename[: -len(suffix)]
            try:
                name, version = parse_sdist_filename(f"{stem}.tar.gz")
            except (InvalidSdistFilename, InvalidVersion):
                return FileName("", "", ArchiveKind.SDIST)
            return FileName(name, str(version), ArchiveKind.SDIST)
    return None
