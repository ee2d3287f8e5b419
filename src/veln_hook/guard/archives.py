"""Archives: files and trees that are here, judged before anything of them is unpacked, built or run."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook import __version__, paths
from veln_hook.archive import WheelContents, wheel_contents
from veln_hook.errors import ArchiveError, StoreError
from veln_hook.model import ArchiveKind, Confidence, Decision, Finding, Origin, Severity, Source
from veln_hook.policy.decide import decide
from veln_hook.signals import ArchiveContext
from veln_hook.signals.release import hash_mutation, known_malware
from veln_hook.signals.source import would_hold_if_new
from veln_hook.source.baseline import Baseline, choices, vouched_by
from veln_hook.source.facts import RULES
from veln_hook.source.remembering import pack, unpack
from veln_hook.store import ArchiveMemory, Scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from veln_hook.guard.candidates import Candidates
    from veln_hook.guard.situation import Situation
    from veln_hook.model import Archive, Verdict
    from veln_hook.source.baseline import BaselineSource
    from veln_hook.source.client import Scanner
    from veln_hook.source.facts import ArchiveFacts

logger = logging.getLogger("veln_hook")


class Look(NamedTuple):
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


class Archives:
    """Judges archives by what is in them, and remembers what their code can do.

    Args:
        situation: What is judged with.
        candidates: Judges the releases that an archive is compared with.
        scanner: Reads code.
        baselines: Where those releases come from; without it, from the store only.
        on_slow: Told of an archive whose code takes longer than a second to read.
        direct_builds: Tells what of an sdist or a directory is installed without its wheel being judged.
    """

    def __init__(
        self,
        situation: Situation,
        candidates: Candidates,
        scanner: Scanner,
        *,
        baselines: BaselineSource | None = None,
        on_slow: Callable[[Archive], None] | None = None,
        direct_builds: Callable[[str], WheelContents] | None = None,
    ) -> None:
        self._situation = situation
        self._candidates = candidates
        self._scanner = scanner
        self._baselines = baselines
        self._on_slow = on_slow
        self._contents_of_source = direct_builds

    def check(self, archive: Archive) -> Verdict:
        """Judge an archive; see ``Guard.check_archive``, which logs the verdict besides.

        Raises:
            StoreError: The store doesn't answer.
        """
        now = self._situation.now()
        look = self.look(archive, now)
        verdict = self.judged(look)
        if look.facts is not None and (not verdict.passes or would_hold_if_new(look.facts)):
            baseline = self.baseline(archive, now)
            if baseline is not None:
                context = replace(look.context, baseline=baseline.facts, baseline_version=baseline.version)
                verdict = self.judged(look._replace(context=context))
        self._remember(archive, verdict)
        self._remember_scan(look, verdict)
        if archive.origin is Origin.FETCHED:
            self._situation.store.observe([self._situation.observation(archive, _served_by(archive), now)])
        return verdict

    def read_ahead(self, path: str, sha256: str) -> None:
        """Begin to read an archive, if its code isn't known; see ``Guard.read_ahead``."""
        try:
            known = self._situation.store.scan(sha256) if sha256 else None
        except StoreError:
            return  # it is asked again when the archive is judged, and that is where it counts
        if sha256 and (known is None or known.rules != RULES):
            self._scanner.scan_ahead(path, sha256)

    def look(self, archive: Archive, now: datetime) -> Look:
        """Gather what is known of an archive.

        Args:
            archive: What it is about.
            now: Aware, UTC.

        Raises:
            StoreError: The store doesn't answer.
        """
        findings: list[Finding] = []
        contents = WheelContents()
        contents_of = wheel_contents if archive.kind is ArchiveKind.WHEEL else self._contents_of_source
        if contents_of is not None:
            try:
                contents = contents_of(archive.path)
            except ArchiveError as error:
                findings.append(_unreadable(error))
        known = self._situation.store.scan(archive.sha256) if archive.sha256 else None
        facts = _remembered(known)
        if facts is None and not findings:
            known = known and replace(known, facts=b"")
            try:
                facts = self._scanner.scan(
                    archive.path, size=archive.size, sha256=archive.sha256, slow=self._slow(archive)
                )
            except ArchiveError as error:
                findings.append(_unreadable(error))
        observations = self._situation.store.observations(archive.project)
        told = self._situation.advice.of(archive.project, now)
        context = ArchiveContext(
            now=now,
            policy=self._situation.policy,
            observations=[
                o
                for o in observations
                if o.filename == archive.filename or (archive.sha256 and o.sha256 == archive.sha256)
            ],
            members=contents.members,
            commands=contents.commands,
            prefix=self._situation.prefix,
            policy_files=[str(path) for path in paths.policy_files()],
            store_started_at=self._situation.started_at,
            store_persistent=self._situation.persistent,
            claims=contents.claims,
            facts=facts,
            advisories=told.malware,
            feed=told.state,
        )
        return Look(archive, context, tuple(findings), known)

    def _slow(self, archive: Archive) -> Callable[[], None] | None:
        on_slow = self._on_slow
        return None if on_slow is None else lambda: on_slow(archive)

    def judged(self, look: Look) -> Verdict:
        """Return the verdict about what was gathered; nothing is remembered or logged.

        Raises:
            StoreError: The store doesn't answer.
        """
        archive = look.archive
        findings = [*look.findings, *self._situation.signals.examine_archive(archive, look.context)]
        approvals = self._situation.store.approvals(archive.project) if findings and archive.project else ()
        return decide(
            archive, findings, policy=self._situation.policy, approvals=approvals, now=look.context.now
        )

    def baseline(self, archive: Archive, now: datetime) -> Baseline | None:
        """Return what an archive is compared with: installed, remembered, or to be had from its index.

        Args:
            archive: What it is about.
            now: Aware, UTC.

        Raises:
            StoreError: The store doesn't answer.
        """
        if not archive.project or not archive.version:
            return None
        # What was read before the feed named it is malware all the same, and so is what is installed.
        malware = self._situation.advice.of(archive.project, now).malware
        scans = [
            scan
            for scan in self._situation.store.scans(archive.project)
            if not any(advisory.affects(scan.version) for advisory in malware)
        ]
        for scan in choices(
            scans,
            archive,
            installed=self._situation.advice.installed_of(archive.project),
            policy=self._situation.policy,
            approvals=self._situation.store.approvals(archive.project),
            now=now,
        ):
            kept = self._situation.store.scan(scan.sha256)
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

    def _fetched_baseline(self, archive: Archive, now: datetime) -> Baseline | None:
        """Judge a release that was fetched to compare with; it has none of its own, so all it does counts."""
        if not vouched_by(archive) or archive.candidate is None:
            return None
        if not self._candidates.check([archive.candidate])[0].passes:
            return None
        look = self.look(archive, now)
        verdict = self.judged(look)
        self._remember_scan(look, verdict)
        if look.facts is None or not verdict.passes:
            return None
        return Baseline(archive.version, look.facts)

    def _remember_scan(self, look: Look, verdict: Verdict) -> None:
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
            self._situation.store.remember_scan(replace(scan, facts=packed))

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
            # And a feed is asked each time, as it may take back what it said.
            and ruling.finding.signal not in (hash_mutation.NAME, known_malware.NAME)
        )
        if holding:
            self._situation.store.remember_archive(ArchiveMemory(archive.sha256, __version__, holding))
        elif self._situation.store.archive_memories([archive.sha256]):
            self._situation.store.forget_archive(archive.sha256)


def _remembered(known: Scan | None) -> ArchiveFacts | None:
    """Return what is remembered of an archive's code, unless this Python may read more of it."""
    facts = unpack(known.facts) if known is not None and known.rules == RULES else None
    if facts is not None and facts.unparsed and facts.python < sys.version_info[:2]:
        return None
    return facts


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
