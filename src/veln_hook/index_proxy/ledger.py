"""What passed and what was held, and what of it a person is told when the command has ended.

An index page is cut without a word, and a resolver takes what is left: only what it used in the end shows
which of the held releases it would have taken.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.index_proxy.candidates import order_of
from veln_hook.index_proxy.judging import decided
from veln_hook.model import Candidate, Decision, ExitStatus, Verdict, exit_status, strictest
from veln_hook.source.baseline import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veln_hook.guard import Guard

_MAX_PROJECTS = 10_000
_MAX_RELEASES = 200
"""Held releases of one project that are kept: of a day's uploads, nobody is told more than a few."""
_MAX_TOLD = 3
"""Held releases of a project that are told where none of it could be used."""
_MAX_REFUSED = 1000
_MAX_NOTES = 50


class Told(NamedTuple):
    """What a person is told of one release."""

    verdict: Verdict
    instead: str
    """Version that was used instead; empty if none was."""


class Ledger:
    """Notes what happens in a gate. Usable from any thread; its size is bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, dict[str, dict[str, Verdict]]] = {}
        """By project, page and version: the verdicts as the page was last seen."""
        self._refused: dict[str, Verdict] = {}
        """By URL or filename: what was asked for and not given."""
        self._files: dict[str, dict[str, Verdict]] = {}
        """By project and version: what was given, as a file."""
        self._metadata: dict[str, set[str]] = {}
        """By project: versions of which only the metadata was given."""
        self._notes: dict[str, None] = {}
        self._failures: list[ExitStatus] = []
        """What is no verdict and has an exit status all the same."""
        self._recorded: set[tuple[str, str, Decision]] = set()

    def page(self, project: str, page: str, held: Iterable[Verdict]) -> None:
        """Note what of a page was held, in place of what was noted of it before.

        Args:
            project: Normalized.
            page: Its URL.
            held: The verdicts; those about sdists that a wheel holds are the wheel's.
        """
        releases: dict[str, Verdict] = {}
        for verdict in held:
            version = verdict.subject.version or verdict.subject.filename
            known = releases.get(version)
            if known is None or _strictness(verdict) > _strictness(known):
                releases[version] = verdict
        if len(releases) > _MAX_RELEASES:
            newest = sorted(releases, key=order_of, reverse=True)[:_MAX_RELEASES]
            releases = {version: releases[version] for version in newest}
        with self._lock:
            pages = self._held.setdefault(project, {})
            pages.pop(page, None)
            if releases:
                pages[page] = releases
            if not pages:
                del self._held[project]
            _trim(self._held, _MAX_PROJECTS)

    def refused(self, verdict: Verdict) -> None:
        """Note that a file was asked for and not given."""
        with self._lock:
            self._refused[verdict.subject.filename] = verdict
            _trim(self._refused, _MAX_REFUSED)

    def used(self, verdict: Verdict, *, file: bool) -> None:
        """Note that a file was given, or its metadata."""
        subject = verdict.subject
        with self._lock:
            self._refused.pop(subject.filename, None)
            if not file:
                self._metadata.setdefault(subject.project, set()).add(subject.version)
                _trim(self._metadata, _MAX_PROJECTS)
                return
            versions = self._files.setdefault(subject.project, {})
            known = versions.get(subject.version)
            if known is None or _strictness(verdict) > _strictness(known) or decided(verdict):
                versions[subject.version] = verdict
            _trim(versions, _MAX_RELEASES)
            _trim(self._files, _MAX_PROJECTS)

    def note(self, line: str) -> None:
        """Note a refusal that is no verdict, as one line."""
        with self._lock:
            if len(self._notes) < _MAX_NOTES:
                self._notes[line] = None

    def broke(self, line: str) -> None:
        """Note a failure of our own, as one line: the exit status is 78."""
        self._fail(ExitStatus.BROKEN, line)

    def unread(self, line: str) -> None:
        """Note what an index sent and nobody can judge, as one line: a person has to look (77)."""
        self._fail(ExitStatus.NEEDS_REVIEW, line)

    def notes(self) -> list[str]:
        """Return what was refused without a verdict, a line each: hosts, unknown files, our own failures."""
        with self._lock:
            return list(self._notes)

    def told(self) -> list[Told]:
        """Return what a person is told: the newest held release that is newer than what was used, and so on.

        Per project that is one release where another was used instead, and the newest three where none was.
        Besides, every file that was asked for and refused, and every warning about one that was given.
        """
        with self._lock:
            refused = {verdict.subject.release: Told(verdict, "") for verdict in self._refused.values()}
            told = list(refused.values())
            for project, pages in self._held.items():
                told += [each for each in self._of_project(project, pages) if _release(each) not in refused]
            told += [
                Told(verdict, "")
                for versions in self._files.values()
                for verdict in versions.values()
                if verdict.decision is Decision.WARN
            ]
        return told

    def lifted(self) -> list[Verdict]:
        """Return what was given only because a person approved it, or because the policy has an exception."""
        with self._lock:
            return [
                verdict
                for versions in self._files.values()
                for verdict in versions.values()
                if verdict.passes and (verdict.approval is not None or verdict.exception)
            ]

    def exit_status(self) -> ExitStatus:
        """Return the exit status of a command that failed; OK if it failed for its own reasons."""
        judged = exit_status([each.verdict for each in self.told() if not each.verdict.passes])
        with self._lock:
            return strictest({judged, *self._failures})

    def record(self, guard: Guard) -> None:
        """Write what a person is told of candidates to the log, and that this machine wanted them; each once.

        Verdicts about archives are in the log already.

        Raises:
            StoreError: The store doesn't answer.
        """
        verdicts = [
            verdict
            for verdict in [*(each.verdict for each in self.told()), *self.lifted()]
            if isinstance(verdict.subject, Candidate)
        ]
        with self._lock:
            fresh = [verdict for verdict in verdicts if _mark(verdict) not in self._recorded]
            if len(self._recorded) > _MAX_PROJECTS:
                self._recorded.clear()
            self._recorded.update(map(_mark, fresh))
        if fresh:
            guard.log(fresh, stage="candidate")
            guard.observe([v.subject for v in fresh if not v.passes and isinstance(v.subject, Candidate)])

    def _fail(self, status: ExitStatus, line: str) -> None:
        with self._lock:
            if status not in self._failures:
                self._failures.append(status)
        self.note(line)

    def _of_project(self, project: str, pages: dict[str, dict[str, Verdict]]) -> list[Told]:
        held: dict[str, Verdict] = {}
        for releases in pages.values():
            for version, verdict in releases.items():
                known = held.get(version)
                if known is None or _strictness(verdict) > _strictness(known):
                    held[version] = verdict
        # What was only looked into may not have been taken; it counts where no file came.
        versions = set(self._files.get(project, ())) or self._metadata.get(project, set())
        used = max(versions, key=order_of, default="")
        newest = sorted((version for version in held if version not in versions), key=order_of, reverse=True)
        if not _is_prerelease(used):
            newest = [version for version in newest if not _is_prerelease(version)] or (
                [] if used else newest
            )
        if used:
            newer = [version for version in newest if order_of(version) > order_of(used)]
            return [Told(held[version], used) for version in newer[:1]]
        return [Told(held[version], "") for version in newest[:_MAX_TOLD]]


def _release(told: Told) -> str:
    return told.verdict.subject.release


def _strictness(verdict: Verdict) -> tuple[Decision, bool, float]:
    """What needs a person comes before what opens by itself, and that before what opens sooner."""
    opens_at = verdict.opens_at
    return verdict.decision, opens_at is None, opens_at.timestamp() if opens_at is not None else 0.0


def _is_prerelease(version: str) -> bool:
    parsed = version_of(version)
    return parsed is not None and parsed.is_prerelease


def _mark(verdict: Verdict) -> tuple[str, str, Decision]:
    return verdict.subject.filename, verdict.subject.sha256, verdict.decision


def _trim(table: dict[str, Any], most: int) -> None:
    while len(table) > most:
        del table[next(iter(table))]
