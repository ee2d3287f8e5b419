"""The one orchestrator: gather facts, ask the signals, let the policy decide, remember.

Both ways in (pip's adapter in-process, later the gate for other installers) call
``check_candidates`` and ``check_archive``; nothing about a decision lives anywhere else.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from veln_hook import __version__, clock, paths
from veln_hook.archive import WheelContents, wheel_contents
from veln_hook.errors import ArchiveError
from veln_hook.model import (
    ArchiveKind,
    Candidate,
    Confidence,
    Decision,
    Finding,
    Observation,
    Origin,
    Severity,
    Source,
    Verdict,
    VerdictRecord,
)
from veln_hook.policy.decide import decide
from veln_hook.signals import ArchiveContext, CandidateContext, SignalManager
from veln_hook.signals.release import hash_mutation, overwrite
from veln_hook.signals.release.cooling import settled_before
from veln_hook.store import ArchiveMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from veln_hook.model import Archive, Subject
    from veln_hook.policy.settings import Policy
    from veln_hook.store import Store


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


class Guard:
    """Judges candidates and archives under one policy, with one store.

    Args:
        policy: The settings in force.
        store: What is remembered. The guard doesn't close it.
        signals: Registered signals; by default the built-in ones and the plugins
            that the policy enables.
        prefix: ``sys.prefix`` of the environment installed into.
        now: The clock.

    Raises:
        PluginError: The policy enables a plugin that can't be loaded.
    """

    def __init__(
        self,
        policy: Policy,
        store: Store,
        *,
        signals: SignalManager | None = None,
        prefix: str = sys.prefix,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.policy = policy
        self.store = store
        self.now = now
        self._prefix = prefix
        self._machine = store.machine_id()
        info = store.info()
        self._started_at, self._persistent = info.started_at, info.persistent
        if signals is None:
            signals = SignalManager()
            signals.load_plugins(policy.plugins)
        self.signals = signals

    def settled(self, project: str) -> Settled | None:
        """Return which files of a project need no look before pip wants one of them.

        ``None`` where a signal or the policy has a say about every file.

        Raises:
            StoreError: The store doesn't answer.
        """
        if self.policy.cooling.min_observations or not self.signals.only_built_in:
            return None
        instant = settled_before(self.policy, self.now())
        return Settled(
            instant=instant,
            before=f"{instant.replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
            filenames=frozenset(seen.filename for seen in self.store.observations(project)),
            sha256s=self.store.archive_hashes(),
        )

    def check_candidate(self, candidate: Candidate) -> Verdict:
        """Judge one candidate; see ``check_candidates``."""
        return self.check_candidates([candidate])[0]

    def check_candidates(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Judge candidates of one project before any is downloaded.

        Returns:
            A verdict for each, in their order.

        Raises:
            StoreError: The store doesn't answer.
        """
        if not candidates:
            return []
        now = self.now()
        project = candidates[0].project
        known = _by_filename(self.store.observations(project))
        context = CandidateContext(
            now=now,
            policy=self.policy,
            observations=known,
            machine=self._machine,
            store_started_at=self._started_at,
            store_persistent=self._persistent,
        )
        findings: dict[Candidate, list[Finding]] = {}
        for candidate, finding in self.signals.examine_candidates(candidates, context):
            findings.setdefault(candidate, []).append(finding)
        for candidate, remembered in self._remembered(candidates):
            findings.setdefault(candidate, []).extend(remembered)
        self._note_first_sights(candidates, known, now)
        if not findings:
            return [Verdict(Decision.ALLOW, candidate) for candidate in candidates]
        approvals = self.store.approvals(project)
        return [
            decide(candidate, findings[candidate], policy=self.policy, approvals=approvals, now=now)
            if candidate in findings
            else Verdict(Decision.ALLOW, candidate)
            for candidate in candidates
        ]

    def check_archive(self, archive: Archive) -> Verdict:
        """Judge an archive before anything of it is unpacked, built or run, and log the verdict.

        An archive that can't be read is held, with the reason as its finding.

        Raises:
            StoreError: The store doesn't answer.
        """
        now = self.now()
        findings: list[Finding] = []
        contents = WheelContents()
        if archive.kind is ArchiveKind.WHEEL:
            try:
                contents = wheel_contents(archive.path)
            except ArchiveError as error:
                findings.append(_unreadable(error))
        observations = self.store.observations(archive.project)
        context = ArchiveContext(
            now=now,
            policy=self.policy,
            observations=[
                o
                for o in observations
                if o.filename == archive.filename or (archive.sha256 and o.sha256 == archive.sha256)
            ],
            members=contents.members,
            commands=contents.commands,
            prefix=self._prefix,
            policy_files=[str(path) for path in paths.policy_files()],
            store_started_at=self._started_at,
            store_persistent=self._persistent,
            claims=contents.claims,
        )
        findings.extend(self.signals.examine_archive(archive, context))
        approvals = self.store.approvals(archive.project) if findings and archive.project else ()
        verdict = decide(archive, findings, policy=self.policy, approvals=approvals, now=now)
        self._remember(archive, verdict)
        if archive.origin is Origin.FETCHED:
            self.store.observe([self._observation(archive, _served_by(archive), now)])
        self.log([verdict], stage="archive")
        return verdict

    def observe(self, candidates: Iterable[Candidate]) -> None:
        """Remember that this machine wanted these files, whether or not they were let through.

        Raises:
            StoreError: The store doesn't answer.
        """
        now = self.now()
        self.store.observe(
            [self._observation(c, c.index, now) for c in candidates if c.project and not c.source.is_local]
        )

    def log(self, verdicts: Iterable[Verdict], *, stage: str) -> None:
        """Write verdicts to the log.

        Args:
            verdicts: What was decided.
            stage: ``candidate`` or ``archive``.

        Raises:
            StoreError: The store doesn't answer.
        """
        now = self.now()
        self.store.record([_record(verdict, stage, now) for verdict in verdicts])

    def _remembered(self, candidates: Sequence[Candidate]) -> Iterable[tuple[Candidate, tuple[Finding, ...]]]:
        by_hash: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            if candidate.sha256:
                by_hash.setdefault(candidate.sha256, []).append(candidate)
        for memory in self.store.archive_memories(by_hash) if by_hash else ():
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

    def _remember(self, archive: Archive, verdict: Verdict) -> None:
        if archive.origin is not Origin.FETCHED or not archive.sha256:
            return
        holding = tuple(
            ruling.finding
            for ruling in verdict.rulings
            # An unverifiable finding may be a bug that the next run is free of; ages change by themselves.
            if ruling.decision >= Decision.HOLD
            and not ruling.finding.unverifiable
            and ruling.finding.opens_at is None
            # That is about an index, not about the bytes: the same bytes may be the right ones elsewhere.
            and ruling.finding.signal != hash_mutation.NAME
        )
        if holding:
            self.store.remember_archive(ArchiveMemory(archive.sha256, __version__, holding))
        elif self.store.archive_memories([archive.sha256]):
            self.store.forget_archive(archive.sha256)

    def _note_first_sights(
        self, candidates: Sequence[Candidate], known: Mapping[str, Sequence[Observation]], now: datetime
    ) -> None:
        """Start the clock of files whose index tells no time."""
        fresh = [
            self._observation(candidate, candidate.index, now)
            for candidate in candidates
            if candidate.upload_time is None
            and not candidate.source.is_local
            and (candidate.sha256 or candidate.index)
            and not any(
                o.index == candidate.index
                and o.sha256 == candidate.sha256
                and o.machine == self._machine
                # A sight that lies in the future is stored anew, or it would hold for ever.
                and o.first_seen <= now
                for o in known.get(candidate.filename, ())
            )
        ]
        if fresh:
            self.store.observe(fresh)

    def _observation(self, file: Candidate | Archive, index: str, now: datetime) -> Observation:
        return Observation(
            project=file.project,
            version=file.version,
            filename=file.filename,
            sha256=file.sha256,
            index=index,
            first_seen=now,
            machine=self._machine,
        )


def _by_filename(observations: Iterable[Observation]) -> dict[str, list[Observation]]:
    known: dict[str, list[Observation]] = {}
    for observation in observations:
        known.setdefault(observation.filename, []).append(observation)
    return known


def _served_by(archive: Archive) -> str:
    """Return the index whose word these bytes are; empty if none gave them.

    A URL is looked up on the indexes, and its bytes may be anybody's: had they
    counted as the index's, one try of a forged URL would block the real file.
    """
    candidate = archive.candidate
    if candidate is None or (
        candidate.source not in (Source.INDEX, Source.FIND_LINKS)
        and candidate.sha256.lower() != archive.sha256
    ):
        return ""
    return candidate.index


def _unreadable(error: ArchiveError) -> Finding:
    return Finding(
        signal="archive",
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        message=str(error),
        unverifiable=True,
    )


def _record(verdict: Verdict, stage: str, now: datetime) -> VerdictRecord:
    subject: Subject = verdict.subject
    index = (
        subject.index
        if isinstance(subject, Candidate)
        else subject.candidate.index
        if subject.candidate
        else ""
    )
    approval = verdict.approval
    return VerdictRecord(
        at=now,
        decision=verdict.decision,
        stage=stage,
        project=subject.project,
        version=subject.version,
        filename=subject.filename,
        sha256=subject.sha256,
        index=index,
        reason="; ".join(ruling.finding.message for ruling in verdict.rulings[:3]),
        opens_at=verdict.opens_at,
        approval_id=approval.id if approval else None,
        author=approval.author if approval else "",
        findings=tuple(ruling.finding for ruling in verdict.rulings),
    )
