"""What the signals about releases have in common: which candidates they look at, and how they say it.

They look at files that came lately. What is odd about a release is a warning while few have used it; of
one that the world has used for a month it is history, and would be told to everybody who pins it, for
ever. A file whose upload time isn't known is not looked at: cooling holds it, or the policy says not to.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.model import Confidence, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from veln_hook.history import ProjectPage, Release
    from veln_hook.model import Candidate
    from veln_hook.signals.hookspecs import CandidateContext

RECENT = timedelta(days=30)
"""The age up to which files are looked at: many times what it takes until a takeover is known of."""


class Recent(NamedTuple):
    """A file that came lately, and where it stands among the project's."""

    candidate: Candidate
    uploaded: datetime
    page: ProjectPage
    release: Release
    """All files of its version that the page lists."""

    @property
    def earlier(self) -> list[Release]:
        """The releases that were there before the first file of this one, the newest first."""
        return self.page.before(self.release)


def recent(candidates: Sequence[Candidate], context: CandidateContext) -> Iterator[Recent]:
    """Yield the candidates that these signals look at."""
    since = context.now - RECENT
    for candidate in candidates:
        page, uploaded = candidate.page, candidate.upload_time
        if page is None or uploaded is None or uploaded < since:
            continue
        release = page.release(candidate.filename)
        if release is not None:
            yield Recent(candidate, uploaded, page, release)


def finding(
    name: str,
    severity: Severity,
    message: str,
    confidence: Confidence = Confidence.MEDIUM,
    evidence: str = "",
) -> Finding:
    """Return what a signal says of a release."""
    return Finding(signal=name, severity=severity, confidence=confidence, message=message, evidence=evidence)


def days(duration: timedelta) -> str:
    """Return a duration in days or years, for a message."""
    if duration.days < 2 * 365:
        return f"{duration.days} day{'' if duration.days == 1 else 's'}"
    return f"{duration.days / 365:.1f} years"
