"""The one orchestrator: gather facts, ask the signals, let the policy decide, remember.

Both ways in (pip's adapter in-process, later the gate for other installers) call
``check_candidates`` and ``check_archive``; nothing about a decision lives anywhere else.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook import __version__, clock, paths
from veln_hook.archive import WheelContents, wheel_contents
from veln_hook.errors import ArchiveError, StoreError
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
from veln_hook.signals.source import would_hold_if_new
from veln_hook.source.baseline import Baseline, choices, vouched_by
from veln_hook.source.client import Scanner
from veln_hook.source.facts import RULES
from veln_hook.source.remembering import StoredFiles, pack, unpack
from veln_hook.store import ArchiveMemory, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from veln_hook.model import Archive, Subject
    from veln_hook.policy.settings import Policy
    from veln_hook.source.baseline import BaselineSource
    from veln_hook.source.facts import ArchiveFacts
    from veln_hook.store import Store

logger = logging.getLogger("veln_hook")


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


class _Look(NamedTuple):
    """What was gathered about an archive before anybody judged it."""

    archive: Archive
    context: ArchiveContext
    findings: tuple[Finding, ...]
    """Why something of it could not be read."""
    known: Optional[Scan]
    """What the store has of it; its facts are those in use, or empty."""

    @property
    def facts(self) -> ArchiveFacts | None:
        """What its code does, if that could be told."""
        return self.context.facts


class Guard:
    """Judges candidates and archives under one policy, with one store; close it after use.

    Args:
        policy: The settings in force.
        store: What is remembered. The guard doesn't close it.
        signals: Registered signals; by default the built-in ones and the plugins
            that the policy enables.
        prefix: ``sys.prefix`` of the environment installed into.
        now: The clock.
        scanner: Reads code; by default one that starts a process with the first archive.
        baselines: Where the releases before an archive's come from; without it, from the store only.
        on_slow: Told of an archive whose code takes longer than a second to read.

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
        scanner: Scanner | None = None,
        baselines: BaselineSource | None = None,
        on_slow: Callable[[Archive], None] | None = None,
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
        self._scanner = Scanner(StoredFiles(store)) if scanner is None else scanner
        self._baselines = baselines
        self._on_slow = on_slow

    def close(self) -> None:
        """End the process that reads code. Calling twice is harmless."""
        self._scanner.close()

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
        look = self._look(archive, now)
        verdict = self._judged(look)
        if look.facts is not None and (not verdict.passes or would_hold_if_new(look.facts)):
            baseline = self._baseline(archive, now)
            if baseline is not None:
                context = replace(look.context, baseline=baseline.facts, baseline_version=baseline.version)
                verdict = self._judged(look._replace(context=context))
        self._remember(archive, verdict)
        self._remember_scan(look, verdict)
        if archive.origin is Origin.FETCHED:
            self.store.observe([self._observation(archive, _served_by(archive), now)])
        self.log([verdict], stage="archive")
        return verdict

    def _look(self, archive: Archive, now: datetime) -> _Look:
        """Gather what is known of an archive."""
        findings: list[Finding] = []
        contents = WheelContents()
        if archive.kind is ArchiveKind.WHEEL:
            try:
                contents = wheel_contents(archive.path)
            except ArchiveError as error:
                findings.append(_unreadable(error))
        known = self.store.scan(archive.sha256) if archive.sha256 else None
        facts = unpack(known.facts) if known is not None and known.rules == RULES else None
        if facts is None and not findings:
            known = known and replace(known, facts=b"")
            try:
                facts = self._scanner.scan(archive.path, size=archive.size, slow=self._slow(archive))
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
            facts=facts,
        )
        return _Look(archive, context, tuple(findings), known)

    def _slow(self, archive: Archive) -> Callable[[], None] | None:
        on_slow = self._on_slow
        return None if on_slow is None else lambda: on_slow(archive)

    def _judged(self, look: _Look) -> Verdict:
        archive = look.archive
        findings = [*look.findings, *self.signals.examine_archive(archive, look.context)]
        approvals = self.store.approvals(archive.project) if findings and archive.project else ()
        return decide(archive, findings, policy=self.policy, approvals=approvals, now=look.context.now)

    def _baseline(self, archive: Archive, now: datetime) -> Baseline | None:
        """Return what the archive is compared with: installed, remembered, or to be had from its index."""
        if not archive.project or not archive.version:
            return None
        scans = self.store.scans(archive.project)
        for scan in choices(
            scans,
            archive,
            installed=self._installed(archive.project),
            policy=self.policy,
            approvals=self.store.approvals(archive.project),
            now=now,
        ):
            kept = self.store.scan(scan.sha256)
            facts = None if kept is None else unpack(kept.facts)
            if facts is not None:
                return Baseline(scan.version, facts)
        if self._baselines is None:
            return None
        # What was held before is held again: fetching it each time would change nothing.
        without = {scan.sha256 for scan in scans if scan.rules == RULES and scan.decision > Decision.WARN}
        try:
            with self._baselines.previous(archive, without={archive.sha256, *without}) as fetched:
                return None if fetched is None else self._fetched_baseline(fetched, now)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - without a baseline everything counts, which is the safe side
            logger.debug("veln-hook: nothing to compare %s with: %r", archive.release, error)
            return None

    def _installed(self, project: str) -> str:
        if self._baselines is None:
            return ""
        try:
            return self._baselines.installed(project)
        except Exception as error:  # noqa: BLE001 - as above
            logger.debug("veln-hook: what is installed of %s can't be told: %r", project, error)
            return ""

    def _fetched_baseline(self, archive: Archive, now: datetime) -> Baseline | None:
        """Judge a release that was fetched to compare with; it has none of its own, so all it does counts."""
        if not vouched_by(archive) or archive.candidate is None:
            return None
        if not self.check_candidate(archive.candidate).passes:
            return None
        look = self._look(archive, now)
        verdict = self._judged(look)
        self._remember_scan(look, verdict)
        if look.facts is None or not verdict.passes:
            return None
        return Baseline(archive.version, look.facts)

    def _remember_scan(self, look: _Look, verdict: Verdict) -> None:
        archive, known = look.archive, look.known
        if look.facts is None or not archive.sha256:
            return
        index, candidate = vouched_by(archive), archive.candidate
        scan = Scan(
            sha256=archive.sha256,
            rules=RULES,
            project=archive.project,
            version=archive.version,
            filename=archive.filename,
            decision=verdict.decision,
            scanned_at=look.context.now if known is None else min(known.scanned_at, look.context.now),
            index=index,
            uploaded_at=candidate.upload_time if candidate is not None and index else None,
        )
        if known is not None and known.index and not index and known.project == scan.project:
            # The same bytes, given as a file this time: they are still the ones that an index promises.
            scan = replace(scan, index=known.index, uploaded_at=known.uploaded_at)
        if known is None or replace(known, facts=b"") != scan or not known.facts:
            packed = known.facts if known is not None and known.facts else pack(look.facts)
            self.store.remember_scan(replace(scan, facts=packed))

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
