"""``version-order``: a version number far from those before.

A jump from 1.2 to 99.0 makes every resolver take the release, and a first release with such a number
wins over a private one of the same name. An upload into a series that has long been left reaches those
who have stayed there on purpose.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from packaging.version import Version

from veln_hook.model import Confidence, Severity
from veln_hook.signals.hookspecs import SignalInfo, hookimpl
from veln_hook.signals.release.recent import days, finding, recent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from veln_hook.model import Candidate, Finding
    from veln_hook.signals.hookspecs import CandidateContext
    from veln_hook.signals.release.recent import Recent

NAME = "version-order"
_JUMP = 10
"""Major versions; browsers' drivers and the like go up by one at a time, too."""
_FIRST = 90
"""What no project begins with."""
_LEFT = timedelta(days=365)
_YEARS, _DATES = 2000, (4, 6, 8)
"""Major versions made of dates: 2026, 202611 and 20261129."""


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (SignalInfo(NAME, "Tells of a version number far from those before, or in a series long left."),)


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Compare each version with those before."""
    for file in recent(candidates, context):
        if isinstance(file.release.version, Version):
            found = _judged(file, file.release.version)
            if found is not None:
                yield file.candidate, found


def _judged(file: Recent, version: Version) -> Finding | None:
    uploaded = file.release.files[0].uploaded
    earlier = [release.version for release in file.earlier if isinstance(release.version, Version)]
    # Whoever changes over to dates jumps honestly, and whoever wants to jump may write a date.
    severity = Severity.LOW if _is_date(version.major, uploaded) else Severity.MEDIUM
    if not earlier:
        if version.major >= _FIRST:
            message = f"its first release is {version}: numbers like that win over a private project's"
            return finding(NAME, severity, message, Confidence.MEDIUM)
        return None
    highest = max(earlier)
    if version.epoch > highest.epoch:
        message = f"its version starts a new epoch ({highest} before), which wins over all others"
        return finding(NAME, Severity.MEDIUM, message, Confidence.MEDIUM)
    if version.epoch == highest.epoch and version.major - highest.major >= _JUMP:
        message = f"its version jumps from {highest} to {version}"
        return finding(NAME, severity, message, Confidence.MEDIUM)
    if version.major < highest.major:
        last = file.page.last_of_series(file.release)
        if last is not None and uploaded - last >= _LEFT:
            silent = days(uploaded - last)
            message = f"it is the first of series {version.major} for {silent}, while {highest} was there"
            return finding(NAME, Severity.LOW, message, Confidence.MEDIUM)
    return None


def _is_date(major: int, uploaded: datetime) -> bool:
    """Tell whether a number is a date or a year of about the time of the upload."""
    text = str(major)
    if major >= _YEARS:
        return len(text) in _DATES and abs(int(text[:4]) - uploaded.year) <= 1
    return abs(major - uploaded.year % 100) <= 1
