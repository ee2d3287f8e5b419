"""Which release an archive is compared with, so that only what is new counts.

Rules of this module: a baseline makes a verdict milder, so it must be earned: its
bytes are what its index promises, it was judged and passes, and it has cooled.
Nothing here fetches or decides; no baseline is always a good answer.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple, Optional, Protocol

from packaging.version import Version

from veln_hook.model import Archive, Decision
from veln_hook.source.facts import RULES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from contextlib import AbstractContextManager

    from veln_hook.model import Approval
    from veln_hook.policy.settings import Policy
    from veln_hook.source.facts import ArchiveFacts
    from veln_hook.store import Scan

MAX_LOOKED_AT = 20
"""Older files whose candidates are judged before a source gives up."""
FETCH_SECONDS = 120.0
"""How long a source may fetch one."""
_SMALLEST_LIMIT = 100 << 20
_FIRST = datetime.min.replace(tzinfo=timezone.utc)


class Baseline(NamedTuple):
    """What an archive is compared with."""

    version: str
    facts: ArchiveFacts


class BaselineSource(Protocol):
    """Where releases before an archive's come from; an adapter has one."""

    def installed(self, project: str) -> str:
        """Return the version that is installed where the archive would be; empty if none is."""
        ...

    def previous(
        self, archive: Archive, *, without: Collection[str]
    ) -> AbstractContextManager[Optional[Archive]]:
        """Fetch the newest release before the archive's, from the same index.

        Only one that isn't yanked, whose candidate passes and whose bytes have the
        sha256 that the index promises. It is there as long as the context is.

        Args:
            archive: What is judged.
            without: sha256 of files that are no use.
        """
        ...


def fetch_limit(archive: Archive) -> int:
    """Return how many bytes may be fetched to compare an archive with; for a big one, twice its size."""
    return max(_SMALLEST_LIMIT, 2 * (archive.size or 0))


def vouched_by(archive: Archive) -> str:
    """Return the index that promises exactly these bytes; empty if none does."""
    candidate = archive.candidate
    if candidate is None or not archive.sha256 or candidate.sha256.lower() != archive.sha256:
        return ""
    return candidate.index


def choices(
    scans: Iterable[Scan],
    archive: Archive,
    *,
    installed: str,
    policy: Policy,
    approvals: Iterable[Approval],
    now: datetime,
) -> list[Scan]:
    """Return the remembered releases that an archive can be compared with, the best first.

    What is installed now comes first, then the newest before the archive's own.

    Args:
        scans: Of the archive's project.
        archive: What is judged.
        installed: Version that is there now; empty if none is.
        policy: For the ages.
        approvals: A release whose approval was taken back is no good example.
        now: Aware, UTC.
    """
    own = version_of(archive.version)
    if own is None:
        return []
    revoked = {each.sha256 for each in approvals if each.revoked_at is not None and each.revoked_at <= now}
    index = archive.candidate.index if archive.candidate is not None else ""
    here = version_of(installed)
    found = []
    for scan in scans:
        version = version_of(scan.version)
        if version is None or version == own or scan.sha256 == archive.sha256 or scan.sha256 in revoked:
            continue
        if not scan.index or (index and scan.index != index):
            continue
        if scan.decision > Decision.WARN or scan.rules != RULES or not _has_cooled(scan, policy, now):
            continue
        if version == here or version < own:
            same_kind = scan.filename.endswith(".whl") == archive.filename.endswith(".whl")
            found.append((version == here, version, same_kind, scan.scanned_at, scan))
    found.sort(key=lambda each: each[:4], reverse=True)
    return [each[4] for each in found]


def _has_cooled(scan: Scan, policy: Policy, now: datetime) -> bool:
    """Tell by its upload, or by its first reading here where the index told no time."""
    since = scan.scanned_at if scan.uploaded_at is None else scan.uploaded_at
    min_age: timedelta = policy.min_age_for(scan.project, scan.version, scan.index).min_age
    return since <= (_FIRST if min_age > now - _FIRST else now - min_age)


def version_of(text: str) -> Version | None:
    """Return the version, or ``None`` if it can't be compared."""
    try:
        return Version(text)
    except ValueError:  # its own error is one, and so is a number of thousands of digits
        return None
