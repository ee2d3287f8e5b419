"""What the ways in ask: the one guard of a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from veln_hook import clock, paths
from veln_hook.feed import Feed
from veln_hook.guard.advice import Advice
from veln_hook.guard.archives import Archives
from veln_hook.guard.builds import unconfined_build
from veln_hook.guard.candidates import Candidates
from veln_hook.guard.situation import Situation
from veln_hook.model import Candidate, VerdictRecord
from veln_hook.policy.decide import decide
from veln_hook.signals import SignalManager
from veln_hook.source.client import Scanner
from veln_hook.source.remembering import StoredFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from veln_hook.archive import WheelContents
    from veln_hook.guard.candidates import Settled
    from veln_hook.history import ProjectPage
    from veln_hook.model import Archive, Finding, Subject, Verdict
    from veln_hook.policy.settings import Policy
    from veln_hook.sandbox.ladder import Ladder
    from veln_hook.source.baseline import BaselineSource
    from veln_hook.store import Store


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
        direct_builds: Tells what would be installed of an sdist or a directory without a build whose wheel is
            judged; for those who watch uv (``archive.direct_build``).
        feed: What the world knows of releases; by default this user's. The guard closes it.

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
        direct_builds: Callable[[str], WheelContents] | None = None,
        feed: Feed | None = None,
    ) -> None:
        self.policy = policy
        self.store = store
        self.now = now
        if signals is None:
            signals = SignalManager()
            signals.load_plugins(policy.plugins)
        self.signals = signals
        info = store.info()
        self._advice = Advice(
            Feed(paths.feed_file()) if feed is None else feed,
            policy,
            None if baselines is None else baselines.installed,
        )
        situation = Situation(
            policy=policy,
            store=store,
            now=now,
            signals=signals,
            prefix=prefix,
            machine=store.machine_id(),
            started_at=info.started_at,
            persistent=info.persistent,
            advice=self._advice,
        )
        self._scanner = Scanner(StoredFiles(store)) if scanner is None else scanner
        self._candidates = Candidates(situation)
        self.archives = Archives(
            situation,
            self._candidates,
            self._scanner,
            baselines=baselines,
            on_slow=on_slow,
            direct_builds=direct_builds,
        )
        """For who looks at archives without deciding about an install (``veln-hook scan`` and its like)."""

    def close(self) -> None:
        """End the process that reads code, and close the feed. Calling twice is harmless."""
        self._scanner.close()
        self._advice.close()

    def settled(self, project: str, pages: Sequence[ProjectPage] = ()) -> Settled | None:
        """Return which files of a project need no look before pip wants one of them.

        ``None`` where a signal or the policy has a say about every file.

        Args:
            project: Normalized name.
            pages: What the pages say of it.

        Raises:
            StoreError: The store doesn't answer.
            PolicyError: The list of popular names can't be read.
        """
        return self._candidates.settled(project, pages)

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
        return self._candidates.check(candidates)

    def with_findings(self, verdict: Verdict, findings: Sequence[Finding], *, sha256: str = "") -> Verdict:
        """Judge a candidate once more, with what no signal found; nothing of it is remembered.

        Args:
            verdict: About the candidate, as ``check_candidates`` returned it.
            findings: What else is known.
            sha256: The bytes that are meant, if they are others than the candidate's: approvals and
                exceptions are of exact bytes.

        Raises:
            StoreError: The store doesn't answer.
        """
        subject = verdict.subject
        if sha256 and isinstance(subject, Candidate):
            subject = subject._replace(sha256=sha256)
        everything = [*(ruling.finding for ruling in verdict.rulings), *findings]
        approvals = self.store.approvals(subject.project) if subject.project else ()
        return decide(subject, everything, policy=self.policy, approvals=approvals, now=self.now())

    def check_archive(self, archive: Archive) -> Verdict:
        """Judge an archive before anything of it is unpacked, built or run, and log the verdict.

        An archive that can't be read is held, with the reason as its finding.

        Raises:
            StoreError: The store doesn't answer.
        """
        verdict = self.archives.check(archive)
        self.log([verdict], stage="archive")
        return verdict

    def read_ahead(self, path: str, sha256: str) -> None:
        """Begin to read an archive that ``check_archive`` will be asked about; a head start and nothing else.

        Args:
            path: Absolute, of the file.
            sha256: What an index promises of it. Without it nothing is read: whether these bytes are known
                couldn't be told without reading them twice.
        """
        self.archives.read_ahead(path, sha256)

    def check_build(self, verdict: Verdict, find: Callable[[], Ladder]) -> Verdict:
        """Judge whether an archive that passed may be built on this machine, and log what comes of it.

        Args:
            verdict: About an sdist or a source tree, by its contents (``check_archive``).
            find: Tells which rung of the sandbox this machine has; asked only where something depends on it.

        Returns:
            The same verdict where the build will be confined, where the policy wants it unconfined, and where
            nothing will be built. Otherwise one with a further ruling, by ``sandbox.builds``.

        Raises:
            StoreError: The store doesn't answer.
        """
        if self.policy.sandbox.builds == "off" or not verdict.passes:
            return verdict
        ladder = find()
        if ladder.rung is not None:
            return verdict
        subject = verdict.subject
        findings = [*(ruling.finding for ruling in verdict.rulings), unconfined_build(ladder)]
        approvals = self.store.approvals(subject.project) if subject.project else ()
        judged = decide(subject, findings, policy=self.policy, approvals=approvals, now=self.now())
        self.log([judged], stage="archive")
        return judged

    def observe(self, candidates: Iterable[Candidate]) -> None:
        """Remember that this machine wanted these files, whether or not they were let through.

        Raises:
            StoreError: The store doesn't answer.
        """
        self._candidates.observe(candidates)

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
