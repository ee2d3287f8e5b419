"""Candidates: files that an index offers, judged before any of them is downloaded."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from veln_hook import __version__
from veln_hook.guard.popular import load_popular
from veln_hook.model import Decision, Finding, Verdict
from veln_hook.policy.decide import decide
from veln_hook.signals import CandidateContext
from veln_hook.signals.release import dependency_confusion, overwrite, similar_name
from veln_hook.signals.release.cooling import settled_before

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from veln_hook.guard.situation import Situation
    from veln_hook.history import ProjectPage
    from veln_hook.model import Candidate, Observation
    from veln_hook.signals.release.name_likeness import PopularNames


class Settled(NamedTuple):
    """Which files of a project need no look: old ones of which nothing else is known.

    A page can list thousands of files and pip wants one of them, so most are
    passed over by this and judged only if pip comes to want them.
    """

    instant: datetime
    """Uploaded earlier than this is older than any threshold; aware, UTC."""
    before: str
    """The same as a page spells it: ``2026-11-22T16:00:00.000000Z``."""
    filenames: frozenset[str]
    """Seen before: whether the bytes changed must be looked at."""
    sha256s: frozenset[str]
    """An earlier run found something in these."""

    def by_age(self, uploaded: object) -> bool:
        """Tell whether an ``upload-time`` is old, as pip read it or as a page spells it.

        Any form but PyPI's needs a look.
        """
        if isinstance(uploaded, datetime):
            return uploaded.tzinfo is not None and uploaded < self.instant
        return (
            isinstance(uploaded, str)
            and uploaded < self.before
            and len(uploaded) == len(self.before)
            and uploaded[10] == "T"
            and uploaded[-1] == "Z"
        )


class Candidates:
    """Judges candidates, and remembers that they were seen."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    def settled(self, project: str, pages: Sequence[ProjectPage] = ()) -> Settled | None:
        """Return which files of a project need no look; see ``Guard.settled``.

        Raises:
            StoreError: The store doesn't answer.
            PolicyError: The list of popular names can't be read.
        """
        if self._concerns_all(project, pages):
            return None
        if self._situation.policy.cooling.min_observations or not self._situation.signals.only_built_in:
            return None
        now = self._situation.now()
        if self._situation.advice.wants_every_look(project, now):
            return None
        instant = settled_before(self._situation.policy, now)
        return Settled(
            instant=instant,
            before=f"{instant.replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
            filenames=frozenset(seen.filename for seen in self._situation.store.observations(project)),
            sha256s=self._situation.store.archive_hashes(),
        )

    def _concerns_all(self, project: str, pages: Sequence[ProjectPage]) -> bool:
        """Tell whether a signal holds every file of the project, so that none may be passed over."""
        situation = self._situation
        if dependency_confusion.allowed_places(situation.policy, project):
            return True
        young = situation.now() - similar_name.YOUNG
        return any(page.is_younger_than(young) for page in pages) and bool(self._popular.resembled(project))

    @cached_property
    def _popular(self) -> PopularNames:
        return load_popular(self._situation.policy.popular_file)

    def check(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Judge candidates of one project; see ``Guard.check_candidates``.

        Raises:
            StoreError: The store doesn't answer.
        """
        if not candidates:
            return []
        situation = self._situation
        now = situation.now()
        project = candidates[0].project
        known = _by_filename(situation.store.observations(project))
        told = situation.advice.of(project, now)
        repairs = situation.advice.repairs(candidates, now)
        context = CandidateContext(
            now=now,
            policy=situation.policy,
            observations=known,
            machine=situation.machine,
            store_started_at=situation.started_at,
            store_persistent=situation.persistent,
            advisories=(*told.malware, *repairs.advisories),
            feed=told.state,
            installed=repairs.installed,
            popular=lambda: self._popular,
        )
        findings: dict[Candidate, list[Finding]] = {}
        for candidate, finding in situation.signals.examine_candidates(candidates, context):
            findings.setdefault(candidate, []).append(finding)
        for candidate, remembered in self._remembered(candidates):
            findings.setdefault(candidate, []).extend(remembered)
        self._note_first_sights(candidates, known, now)
        if not findings:
            return [Verdict(Decision.ALLOW, candidate) for candidate in candidates]
        approvals = situation.store.approvals(project)
        return [
            decide(candidate, findings[candidate], policy=situation.policy, approvals=approvals, now=now)
            if candidate in findings
            else Verdict(Decision.ALLOW, candidate)
            for candidate in candidates
        ]

    def observe(self, candidates: Iterable[Candidate]) -> None:
        """Remember that this machine wanted these files.

        Raises:
            StoreError: The store doesn't answer.
        """
        situation = self._situation
        now = situation.now()
        situation.store.observe(
            [
                situation.observation(candidate, candidate.index, now)
                for candidate in candidates
                if candidate.project and not candidate.source.is_local
            ]
        )

    def _remembered(self, candidates: Sequence[Candidate]) -> Iterable[tuple[Candidate, tuple[Finding, ...]]]:
        by_hash: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            if candidate.sha256:
                by_hash.setdefault(candidate.sha256, []).append(candidate)
        for memory in self._situation.store.archive_memories(by_hash) if by_hash else ():
            if memory.version != __version__:
                continue
            for candidate in by_hash[memory.sha256]:
                # Members are foreign to one project; another's own wheel may be the same bytes.
                yield (
                    candidate,
                    tuple(
                        finding
                        for finding in memory.findings
                        if finding.signal != overwrite.NAME or finding.evidence == candidate.project
                    ),
                )

    def _note_first_sights(
        self, candidates: Sequence[Candidate], known: Mapping[str, Sequence[Observation]], now: datetime
    ) -> None:
        """Start the clock of files whose index tells no time."""
        fresh = [
            self._situation.observation(candidate, candidate.index, now)
            for candidate in candidates
            if candidate.upload_time is None
            and not candidate.source.is_local
            and (candidate.sha256 or candidate.index)
            and not any(
                o.index == candidate.index
                and o.sha256 == candidate.sha256
                and o.machine == self._situation.machine
                # A sight that lies in the future is stored anew, or it would hold for ever.
                and o.first_seen <= now
                for o in known.get(candidate.filename, ())
            )
        ]
        if fresh:
            self._situation.store.observe(fresh)


def _by_filename(observations: Iterable[Observation]) -> dict[str, list[Observation]]:
    known: dict[str, list[Observation]] = {}
    for observation in observations:
        known.setdefault(observation.filename, []).append(observation)
    return known
