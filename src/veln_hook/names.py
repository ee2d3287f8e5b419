"""What the name of a distribution file says: project, version, kind."""

from __future__ import annotations

from typing import NamedTuple

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from veln_hook.model import ArchiveKind

SDIST_SUFFIXES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar")
"""Endings that pip unpacks as source archives (pip._internal.utils.filetypes)."""
_MAX_LENGTH = 512
"""No file system has room for longer names; and a wheel's compressed tags multiply."""


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
        return FileName(*_wheel_parts(filename), ArchiveKind.WHEEL)
    for suffix in SDIST_SUFFIXES:
        if filename.endswith(suffix):
            return FileName(*_sdist_parts(filename[: -len(suffix)]), ArchiveKind.SDIST)
    return None


def likeness(one: str, other: str) -> tuple[bool, bool, bool, bool]:
    """Say how alike two files of one project are, for comparing what is in them; the greatest is the likest.

    A wheel with native code is like another one with native code, whatever its platform is called, rather
    than like a pure one of the same project.

    Returns:
        Whether both are wheels or neither is; whether both are for any platform or neither is; whether
        interpreter and ABI are the same; whether all tags are.
    """
    kind = one.endswith(".whl") == other.endswith(".whl")
    mine, theirs = _tags(one), _tags(other)
    return kind, (mine[2] == "any") == (theirs[2] == "any"), mine[:2] == theirs[:2], mine == theirs


def _tags(filename: str) -> tuple[str, str, str]:
    """Return interpreter, ABI and platform of a wheel's name; those of a pure one for anything else."""
    parts = filename[: -len(".whl")].rsplit("-", 3)[1:] if filename.endswith(".whl") else []
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("", "none", "any")  # noqa: PLR2004 - PEP 425


def _wheel_parts(filename: str) -> tuple[str, str]:
    if len(filename) > _MAX_LENGTH:
        return "", ""
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except ValueError:  # the package's own errors are such, and so is a number of 5,000 digits
        # pip goes on with wheels whose version is no PEP 440 version; the name still tells the project.
        parts = filename.split("-")
        if len(parts) in (5, 6):
            return canonicalize_name(parts[0]), parts[1]
        return "", ""
    return name, str(version)


def _sdist_parts(stem: str) -> tuple[str, str]:
    if len(stem) > _MAX_LENGTH:
        return "", ""
    try:
        name, version = parse_sdist_filename(f"{stem}.tar.gz")
    except ValueError:
        return "", ""
    return name, str(version)
