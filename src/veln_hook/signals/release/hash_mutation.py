"""``hash-mutation``: a filename that this store knows from an index now has other bytes there.

Indexes promise that a filename never changes its contents (PyPI refuses a
re-upload), so this is a fact about tampering, not a guess: critical.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Finding, Origin, Severity, Source
from veln_hook.signals.hookspecs import SignalInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from veln_hook.model import Archive, Candidate, Observation
    from veln_hook.signals.hookspecs import ArchiveContext, CandidateContext

NAME = "hash-mutation"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (SignalInfo(NAME, "Blocks a file whose bytes changed under a known filename on the same index."),)


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Compare each promised hash with what was seen under the same name on the same index."""
    if not context.observations:
        return
    for candidate in candidates:
        if candidate.filename in context.observations and candidate.sha256 and candidate.index:
            finding = _compare(
                candidate.sha256, candidate.index, context.observations[candidate.filename], context.now
            )
            if finding is not None:
                yield candidate, finding


@hookimpl
def veln_hook_examine_archive(archive: Archive, context: ArchiveContext) -> Iterator[Finding]:
    """Compare the hash of the bytes with the promise, and with what was seen under the same name."""
    candidate = archive.candidate
    if candidate is None or archive.origin is not Origin.FETCHED or not candidate.index:
        return
    if candidate.source not in (Source.INDEX, Source.FIND_LINKS):
        return  # a direct URL's hash is no promise of the index's
    if _SHA256.fullmatch(candidate.sha256) and candidate.sha256.lower() != archive.sha256.lower():
        yield _finding(
            f"the index promises sha256 {candidate.sha256}, the downloaded bytes have {archive.sha256}"
        )
        return
    seen = [o for o in context.observations if o.filename == archive.filename]
    finding = _compare(archive.sha256, candidate.index, seen, context.now)
    if finding is not None:
        yield finding


def _compare(sha256: str, index: str, seen: Sequence[Observation], now: datetime) -> Finding | None:
    if not _SHA256.fullmatch(sha256):
        return None
    for observation in seen:
        # What is no hash (an index that wrote null for a day) is no promise that could have been broken.
        if (
            observation.index == index
            and observation.sha256.lower() != sha256.lower()
            and _SHA256.fullmatch(observation.sha256)
        ):
            return _finding(
                f"bytes changed under a known filename: sha256 {observation.sha256} "
                f"on {observation.first_seen.isoformat()[:16]} UTC, {sha256} on {now.isoformat()[:16]} UTC"
            )
    return None


def _finding(message: str) -> Finding:
    return Finding(signal=NAME, severity=Severity.CRITICAL, confidence=Confidence.HIGH, message=message)
