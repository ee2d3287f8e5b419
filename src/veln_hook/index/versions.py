"""PEP 700's list of versions, after files were taken from a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FEW = 50
_MANY = 100_000
"""Names to be read at most. The list is there for people to look at: what is too much work is left in it."""


def lost_versions(dropped: Iterable[str], kept: Sequence[str], versions: Sequence[str]) -> set[int]:
    """Return which versions have lost their last file.

    Args:
        dropped: Names of the files that go.
        kept: Names of the files that stay.
        versions: The page's versions, spelled as they may be.

    Returns:
        Numbers of those versions which a dropped file has and no kept one has.
    """
    gone = {version for version in map(_version, dropped) if version is not None}
    if not gone:
        return set()
    if len(gone) > _FEW and len(kept) + len(versions) > _MANY:
        return set()
    # packaging takes ten microseconds for a name, and there may be ten thousand: only those are read in
    # which the numbers of a lost version stand at all.
    numbers = "|".join(map(_numbers, gone)) if len(gone) <= _FEW else ""
    spelled = re.compile(f"(?<![0-9])0*(?:{numbers})(?![0-9])" if numbers else "")
    for name in kept:
        if spelled.search(name):
            gone.discard(_version(name) or "")
    return {number for number, text in enumerate(versions) if spelled.search(text) and _parsed(text) in gone}


def _numbers(version: Version | str) -> str:
    if isinstance(version, str):
        return re.escape(version)
    release = list(version.release)
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    return r"\.0*".join(map(str, release))


def _version(filename: str) -> Version | str | None:
    named = parse_filename(filename)
    return _parsed(named.version) if named is not None and named.version else None


def _parsed(text: str) -> Version | str:
    try:
        return Version(text)
    except (InvalidVersion, ValueError):
        return text
