"""What ``scan``, ``audit`` and ``review`` share: contents judged as an install would, leaving no trace."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from veln_hook.archive import describe_archive, describe_tree
from veln_hook.errors import ArchiveError, UsageError
from veln_hook.guard import Guard
from veln_hook.model import Decision, Origin
from veln_hook.policy.decide import counting
from veln_hook.report.contents import Contents, contents_lines, contents_object
from veln_hook.report.sarif import sarif_log
from veln_hook.source.baseline import Baseline, version_of
from veln_hook.source.facts import RULES
from veln_hook.source.remembering import unpack

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from veln_hook.cli.console import Console
    from veln_hook.feed import Advisory
    from veln_hook.model import Archive, ExitStatus, Observation
    from veln_hook.source.facts import ArchiveFacts


class Examiner(Guard):
    """Judges contents by the same signals, policy, exceptions and approvals as an install.

    Nothing is logged and no archive is remembered: looking at a file must not
    change what the next install decides. What single files of source do is kept
    by their hash, which only saves time.
    """

    def examine(
        self, archive: Archive, baseline: Baseline | None = None, *, remembered: bool = False
    ) -> tuple[Contents, ArchiveFacts | None]:
        """Judge an archive.

        Args:
            archive: What it is about.
            baseline: What it is compared with.
            remembered: Without one, take what an install here would.

        Returns:
            The verdict and what it was compared with; what the code does, if that could be told.
        """
        now = self.now()
        look = self.archives.look(archive, now)
        if baseline is None and remembered and look.facts is not None:
            baseline = self.archives.baseline(archive, now)
        if baseline is not None:
            context = replace(look.context, baseline=baseline.facts, baseline_version=baseline.version)
            look = look._replace(context=context)
        verdict = self.archives.judged(look)
        return Contents(archive.path, verdict, baseline.version if baseline else ""), look.facts

    def same_release(self, project: str, version: str) -> Baseline | None:
        """Return what was read of a release that an install here let pass, by itself or by an approval."""
        now = self.now()
        approvals = self.store.approvals(project)
        for scan in self.store.scans(project):
            if scan.version != version or scan.rules != RULES:
                continue
            given = counting(project, scan.sha256, policy=self.policy, approvals=approvals, now=now)
            if scan.decision > Decision.WARN and len(given) < self.policy.approvals_people:
                continue
            kept = self.store.scan(scan.sha256)
            facts = None if kept is None else unpack(kept.facts)
            if facts is not None:
                return Baseline(version, facts)
        return None

    def weaknesses(self, project: str, version: str) -> tuple[Advisory, ...]:
        """Return what the feed says of a release's weaknesses; what it says of malware is a finding."""
        if not project or not version:
            return ()
        return tuple(each for each in self._advice.weaknesses(project) if each.affects(version))

    def seen(self, project: str, version: str) -> tuple[Observation, ...]:
        """Return where and when files of a release were seen, the first first; nothing if they never were."""
        if not project or not version:
            return ()
        wanted = version_of(version)
        return tuple(
            each
            for each in self.store.observations(project)
            if each.version == version or (wanted is not None and version_of(each.version) == wanted)
        )

    def as_baseline(self, archive: Archive, name: str) -> Baseline:
        """Read an archive to compare with.

        Raises:
            UsageError: It can't be read whole.
        """
        try:
            facts = self._scanner.scan(archive.path, size=archive.size)
        except ArchiveError as error:
            raise UsageError(f"{name} can't be compared with: {error}", advice=_OTHER) from error
        fatal = next((problem for problem in facts.problems if problem.fatal), None)
        if fatal is not None:
            raise UsageError(f"{name} can't be compared with: {fatal.message}", advice=_OTHER)
        return Baseline(name, facts)


_OTHER = "Name another archive or release with --baseline, or none with '--baseline none'."


def describe(path: str) -> Archive:
    """Describe what a user names: a wheel, an sdist or a directory.

    Raises:
        UsageError: There is no such thing, or it can't be read.
    """
    if not os.path.lexists(path):
        raise UsageError(f"{path}: there is no such file or directory", advice="Check the path.")
    if os.path.isdir(path):
        if not os.access(path, os.R_OK | os.X_OK):
            raise UsageError(f"{path}: permission denied", advice="Run it as somebody who may read it.")
        return describe_tree(path)
    try:
        archive = describe_archive(path, origin=Origin.FETCHED)
    except ArchiveError as error:
        raise UsageError(str(error), advice="Name a wheel, an sdist or a directory.") from error
    if os.path.getsize(path) == 0:
        raise UsageError(f"{path} is empty", advice="Name a wheel, an sdist or a directory.")
    return archive


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--all`` and ``--sarif``."""
    parser.add_argument(
        "--all", action="store_true", help="tell every finding, not only what is WARN or worse"
    )
    parser.add_argument("--sarif", action="store_true", help="a SARIF 2.1.0 log on stdout, and nothing else")


def begin_report(console: Console, *, sarif: bool) -> None:
    """Keep standard output for a SARIF log, if one is wanted.

    Raises:
        UsageError: JSON is wanted, too.
    """
    if sarif and console.as_json:
        raise UsageError("--json and --sarif both want standard output", advice="Ask for one of them.")
    if sarif:
        console.mute()


def tell_contents(console: Console, contents: Contents, *, everything: bool) -> None:
    """Tell one path or distribution, as text and for JSON."""
    console.result(contents_object(contents))
    verdict = contents.verdict
    head, *more = contents_lines(contents, everything=everything)
    show = console.note if verdict.decision is Decision.ALLOW and not everything else console.line
    show(console.palette.decision(head, verdict.decision))
    for line in more:
        show(line)


def finish_report(console: Console, found: Sequence[Contents], status: ExitStatus, *, sarif: bool) -> None:
    """Write the SARIF log, if one is wanted."""
    if sarif:
        console.document(sarif_log(found, console.errors, exit_status=int(status)))
