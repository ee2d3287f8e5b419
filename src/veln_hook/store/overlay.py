"""A store that can be read but not written: what this process adds is kept in memory.

Rules of this module:

* Whoever asks gets one store: what was read from the file and what was added
  here are merged by the same rules as in one file.
* Nothing reaches the file; ``info().persistent`` is false.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional

from veln_hook.store.sqlite import MEMORY, SqliteStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from veln_hook.model import Approval, Observation, VerdictRecord
    from veln_hook.store.interface import ArchiveMemory, Scan, StoreInfo, Team


class OverlayStore:
    """A memory over a file, or over nothing.

    Args:
        location: What ``info`` names as the place.
        problem: Why the file can't be written, for ``info``.
        connection: To the file, with a current schema; then ours. ``None`` if it can't be read either.

    Raises:
        StoreError: The file does not answer.
    """

    def __init__(self, location: str, problem: str, connection: sqlite3.Connection | None = None) -> None:
        self._location, self._problem = location, problem
        self._upper = SqliteStore(MEMORY)
        self._base = self._upper if connection is None else SqliteStore(MEMORY, connection=connection)
        self._revoked: dict[int, datetime] = {}
        self._pruned: set[int] = set()
        self._forgotten: set[str] = set()
        self._layered = connection is not None
        self.told: Optional[Callable[[Sequence[VerdictRecord]], None]] = None
        self.team: Optional[Team] = None
        if self._layered:
            try:
                self._upper.number_after(self._base)
            except BaseException:
                self.close()
                raise

    def info(self) -> StoreInfo:
        """Describe the store; a file seen before and now is counted twice."""
        base = self._base.info()
        observations = base.observations
        if self._layered:
            observations += self._upper.info().observations
        return replace(
            base,
            location=self._location,
            observations=observations,
            approvals=len(self.approvals()),
            persistent=False,
            problem=self._problem,
        )

    def machine_id(self) -> str:
        """Return the opaque id this machine's observations carry."""
        return self._base.machine_id()

    def observations(self, project: str) -> Sequence[Observation]:
        """Return all observations of the project's files, the oldest first, from every machine and index."""
        found = self._upper.observations(project)
        if not self._layered:
            return found
        merged: dict[tuple[str, ...], Observation] = {}
        for each in sorted((*self._base.observations(project), *found), key=lambda each: each.first_seen):
            merged.setdefault((each.machine, each.index, each.filename, each.sha256), each)
        return list(merged.values())

    def projects(self) -> frozenset[str]:
        """Return every project of which a file was observed."""
        found = self._upper.projects()
        return found | self._base.projects() if self._layered else found

    def observe(self, observations: Iterable[Observation]) -> None:
        """Remember these until the store is closed; the earliest time of each counts."""
        self._upper.observe(observations)

    def approvals(self, project: str | None = None) -> Sequence[Approval]:
        """Return approvals, ended ones too, the newest first; ``None`` means of every project."""
        found = list(self._upper.approvals(project))
        if self._layered:
            found.extend(
                replace(each, revoked_at=self._revoked.get(each.id, each.revoked_at))
                for each in self._base.approvals(project)
                if each.id not in self._pruned
            )
        return sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)

    def add_approval(self, approval: Approval) -> Approval:
        """Keep the approval until the store is closed and return it with its ``id``."""
        return self._upper.add_approval(approval)

    def revoke_approval(self, approval_id: int, at: datetime) -> bool:
        """Mark it revoked from ``at`` on; return whether there was an unrevoked one with that id."""
        if self._upper.revoke_approval(approval_id, at):
            return True
        known = any(each.id == approval_id and each.revoked_at is None for each in self.approvals())
        if known:
            self._revoked[approval_id] = at
        return known

    def prune_approvals(self, now: datetime) -> int:
        """Leave out approvals that are expired or revoked at ``now``; return how many."""
        ended = {each.id for each in self.approvals() if not each.is_active(now)}
        self._upper.prune_approvals(now)
        self._pruned |= ended
        return len(ended)

    def record(self, records: Iterable[VerdictRecord]) -> None:
        """Append to the verdict log until the store is closed."""
        records = list(records)
        self._upper.record(records)
        if self.told is not None:
            self.told(records)

    def log(
        self, *, project: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> Sequence[VerdictRecord]:
        """Return log records, the newest first."""
        found = list(self._upper.log(project=project, since=since, limit=limit))
        if self._layered:
            found.extend(self._base.log(project=project, since=since, limit=limit))
            found.sort(key=lambda each: (each.at, each.id), reverse=True)
        return found if limit is None else found[: max(0, limit)]

    def remember_archive(self, memory: ArchiveMemory) -> None:
        """Keep what was found in an archive until the store is closed."""
        self._upper.remember_archive(memory)

    def archive_memories(self, sha256s: Iterable[str]) -> Sequence[ArchiveMemory]:
        """Return what is remembered of these archives; unknown ones are simply absent."""
        wanted = list(dict.fromkeys(sha256s))
        found = list(self._upper.archive_memories(wanted))
        if self._layered:
            hidden = self._forgotten | {each.sha256 for each in found}
            found.extend(self._base.archive_memories(each for each in wanted if each not in hidden))
        return found

    def archive_hashes(self) -> frozenset[str]:
        """Return the sha256 of every archive that something is remembered of."""
        kept = self._upper.archive_hashes()
        return kept | (self._base.archive_hashes() - self._forgotten) if self._layered else kept

    def forget_archive(self, sha256: str) -> None:
        """Drop what is remembered of an archive."""
        self._upper.forget_archive(sha256)
        self._forgotten.add(sha256)

    def remember_scan(self, scan: Scan) -> None:
        """Keep what an archive's code does until the store is closed."""
        self._upper.remember_scan(scan)

    def scan(self, sha256: str) -> Scan | None:
        """Return what is remembered of an archive's code, by whichever rules."""
        found = self._upper.scan(sha256)
        return self._base.scan(sha256) if found is None and self._layered else found

    def scans(self, project: str) -> Sequence[Scan]:
        """Return what is remembered of the project's archives, without the facts, the newest first."""
        found = list(self._upper.scans(project))
        if self._layered:
            hidden = {each.sha256 for each in found}
            found.extend(each for each in self._base.scans(project) if each.sha256 not in hidden)
            found.sort(key=lambda each: each.scanned_at, reverse=True)
        return found

    def remember_file_scans(self, facts: Mapping[str, bytes], rules: int) -> None:
        """Keep what single files do until the store is closed."""
        self._upper.remember_file_scans(facts, rules)

    def file_scans(self, sha256s: Iterable[str], rules: int) -> Mapping[str, bytes]:
        """Return what is remembered of these files by these rules; unknown ones are simply absent."""
        wanted = list(sha256s)
        found = self._upper.file_scans(wanted, rules)
        return {**self._base.file_scans(wanted, rules), **found} if self._layered else found

    def close(self) -> None:
        """Release the file. Calling twice is harmless."""
        self._upper.close()
        self._base.close()
