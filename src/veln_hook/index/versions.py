"""PEP 700's list of versions, after files were taken from a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def lost_versions(dropped: Iterable[str], kept: Sequence[str], versions: Sequence[str]) -> set[int]:
    """Return which versions have lost their last file.

    Args:
        dropped: Names of the files that go.
        kept: Names of the files that stay.
        versions: The page's versions, spelled as they may be.

    Returns:
        Numbers of those versions, which a dropped file has and no kept one has.
    """
    gone: set[int] = set()
    for version in {_version(name) for name in dropped}:
        if version is None:
            continue
        # Reading a name takes packaging ten microseconds, and there may be ten thousand: only those are
        # read in which the numbers of the release stand at all.
        spelled = (
            re.compile(_release(version))
            if isinstance(version, Version)
            else re.compile(re.escape(str(version)))
        )
        if any(spelled.search(name) and _version(name) == version for name in kept):
            continue
        gone.update(
            number
            for number, text in enumerate(versions)
            if spelled.search(text) and _parsed(text) == version
        )
    return gone


def _release(version: Version | str) -> str:
    if isinstance(version, str):
        return re.escape(version)
    numbers = list(version.release)
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return r"(?<![0-9])0*" + r"\.0*".join(map(str, numbers)) + r"(?![0-9])"


def _version(filename: str) -> Version | str | None:
    named = parse_filename(filename)
    return _parsed(named.version) if named is not None and named.version else None


def _parsed(text: str) -> Version | str:
    try:
        return Version(text)
    except (InvalidVersion, ValueError):
        return text
