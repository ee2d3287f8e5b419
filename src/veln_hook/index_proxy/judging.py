"""What is done with a guard, in a judge's thread: a page, a file in advance, a file that is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from veln_hook.errors import ArchiveError
from veln_hook.index_proxy.candidates import candidate_of, facts_of, open_entries, release_of, with_time
from veln_hook.index_proxy.metadata import digest, wheel_metadata
from veln_hook.model import ArchiveKind, Candidate, Confidence, Decision, Finding, Severity, Verdict
from veln_hook.policy.decide import decide
from veln_hook.signals.release import hash_mutation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from veln_hook.guard import Guard
    from veln_hook.index import FileEntry
    from veln_hook.index_proxy.candidates import View
    from veln_hook.model import Archive, Source, Subject
    from veln_hook.sandbox.ladder import Ladder

AMBIGUOUS = "index-page"
"""The signal of an entry that clients would read differently."""
OTHER_METADATA = "other-metadata"
"""The signal of a wheel whose metadata isn't what was handed out for it."""

_MAX_OPEN = 50_000
"""Files of a page that are looked at; the longest page of PyPI has a fifth of them, nearly all old."""


class PageJudged(NamedTuple):
    """What came of a page."""

    held: dict[str, Verdict]
    """By filename: what has to go."""
    refuse: bool = False
    """Whether the policy wants nothing older used instead (``cooling.on_hold``)."""


class Look(NamedTuple):
    """A page of which some files need a look."""

    view: View
    flawed: dict[str, Verdict]
    """By filename: what clients would read differently."""
    candidates: list[Candidate]
    project: str
    index: str  # type: ignore[assignment] # the field's word, as in Candidate
    source: Source

    def with_times(self, times: Mapping[str, FileEntry]) -> Look:
        """Return the same with what was learned elsewhere, by filename."""
        return self._replace(candidates=[with_time(candidate, times) for candidate in self.candidates])


def look(guard: Guard, view: View, *, project: str, index: str, source: Source) -> Look:
    """Find what of a page has to be judged.

    Args:
        guard: The judge's.
        view: The page.
        project: Normalized; empty where a page lists files of several.
        index: Base URL.
        source: What the page is.

    Raises:
        ValueError: The page has to be refused.
        StoreError: The store doesn't answer.
    """
    # Of a page with several projects everything is looked at: each has its own history.
    facts = facts_of(view, project)
    settled = guard.settled(project, [facts] if facts else ()) if project else None
    flawed: dict[str, Verdict] = {}
    candidates: list[Candidate] = []
    opened = open_entries(view, settled)
    if settled is not None and facts is not None and facts.is_quarantined:
        opened = open_entries(view, None)
    if len(opened) > _MAX_OPEN:
        raise ValueError(f"of {len(opened)} files nobody knows how old they are, or all are new")
    for entry in opened:
        candidate = candidate_of(entry, project=project, index=index, source=source, page=facts)
        if candidate is None:
            continue
        if entry.flaw:
            flawed[entry.filename] = _refused(guard, candidate, AMBIGUOUS, entry.flaw, unverifiable=True)
        else:
            candidates.append(candidate)
    return Look(view, flawed, candidates, project, index, source)


def judge(guard: Guard, page: Look) -> PageJudged:
    """Judge what of a page needs it.

    A held wheel holds the sdist of the same release, too: it would be built in the wheel's place.

    Raises:
        ValueError: The page has to be refused.
        StoreError: The store doesn't answer.
    """
    held = dict(page.flawed)
    by_project: dict[str, list[Candidate]] = {}
    for candidate in page.candidates:
        by_project.setdefault(candidate.project, []).append(candidate)
    for candidates in by_project.values():
        for verdict in guard.check_candidates(candidates):
            if not verdict.passes:
                held[verdict.subject.filename] = verdict
    if not held:
        return PageJudged({})
    everything = [
        candidate
        for entry in page.view.entries().values()
        for candidate in [candidate_of(entry, project=page.project, index=page.index, source=page.source)]
        if candidate is not None
    ]
    _hold_sdists(held, everything)
    refuse = guard.policy.cooling.on_hold == "refuse" and _holds_newest(held, everything)
    return PageJudged(held, refuse)


def check_file(guard: Guard, candidates: Sequence[Candidate]) -> Verdict:
    """Judge a file by all that was said of it, once more when it is asked for: the strictest counts.

    Args:
        guard: The judge's.
        candidates: One for each index that lists it; at least one.

    Raises:
        StoreError: The store doesn't answer.
    """
    verdicts = [guard.check_candidate(candidate) for candidate in candidates]
    return max(verdicts, key=lambda verdict: (verdict.decision, verdict.opens_at is None))


def check_archive(
    guard: Guard, archive: Archive, ladder: Callable[[], Ladder] | None, handed_out: str
) -> Verdict:
    """Judge a file that is here.

    Args:
        guard: The judge's.
        archive: The file.
        ladder: Tells how this machine confines builds; without it, builds are somebody else's matter.
        handed_out: `metadata.digest` of what was served in advance of a wheel; empty if nothing was.

    Raises:
        StoreError: The store doesn't answer.
    """
    verdict = guard.check_archive(archive)
    if ladder is not None and archive.kind is not ArchiveKind.WHEEL:
        verdict = guard.check_build(verdict, ladder)
    if verdict.passes and handed_out and _own_metadata(archive) != handed_out:
        message = "its METADATA is not what its index served in advance, from which dependencies were chosen"
        verdict = _refused(guard, archive, OTHER_METADATA, message)
        guard.log([verdict], stage="archive")
    return verdict


def other_metadata(guard: Guard, candidate: Candidate) -> Verdict:
    """Return the verdict about a wheel whose metadata comes in another form than its index promised."""
    message = "the metadata that its index serves in advance is not what it promises"
    return _refused(guard, candidate, OTHER_METADATA, message)


def _own_metadata(archive: Archive) -> str:
    try:
        return digest(wheel_metadata(archive.path, archive.project))
    except ArchiveError:
        return ""


def other_bytes(guard: Guard, archive: Archive, candidate: Candidate) -> Verdict:
    """Return the verdict about a file that isn't what its index promises; it is logged.

    It isn't observed: what was cut off on its way would otherwise block the real file for ever.

    Raises:
        StoreError: The store doesn't answer.
    """
    if candidate.sha256 and candidate.sha256 != archive.sha256:
        message = f"the index promises sha256 {candidate.sha256}, the downloaded bytes have {archive.sha256}"
    else:
        message = f"the index promises {candidate.size} bytes, {archive.size} came"
    verdict = _refused(guard, archive, hash_mutation.NAME, message, severity=Severity.CRITICAL)
    guard.log([verdict], stage="archive")
    return verdict


def _refused(
    guard: Guard,
    subject: Subject,
    signal: str,
    message: str,
    *,
    severity: Severity = Severity.HIGH,
    unverifiable: bool = False,
) -> Verdict:
    finding = Finding(signal, severity, Confidence.HIGH, message, unverifiable=unverifiable)
    now: datetime = guard.now()
    approvals = guard.store.approvals(subject.project) if subject.project else ()
    return decide(subject, [finding], policy=guard.policy, approvals=approvals, now=now)


def _hold_sdists(held: dict[str, Verdict], everything: Sequence[Candidate]) -> None:
    wheels = {
        (candidate.project, release_of(candidate)): held[candidate.filename]
        for candidate in everything
        if candidate.is_wheel and candidate.filename in held
    }
    for candidate in everything if wheels else ():
        if not candidate.is_wheel and candidate.filename not in held:
            verdict = wheels.get((candidate.project, release_of(candidate)))
            if verdict is not None:
                held[candidate.filename] = verdict


def _holds_newest(held: Mapping[str, Verdict], everything: Sequence[Candidate]) -> bool:
    """Tell whether nothing is left of the release that would be chosen by who asks for the newest."""
    releases: dict[object, list[Candidate]] = {}
    for candidate in everything:
        if not candidate.yanked:
            releases.setdefault(release_of(candidate), []).append(candidate)
    versions = [release for release in releases if not isinstance(release, str)]
    final = [version for version in versions if not getattr(version, "is_prerelease", False)]
    newest = max(final or versions, default=None)  # type: ignore[type-var]
    return newest is not None and all(file.filename in held for file in releases[newest])


def decided(verdict: Verdict) -> bool:
    """Tell whether a verdict has anything to be told."""
    return verdict.decision is not Decision.ALLOW or verdict.approval is not None or bool(verdict.exception)
