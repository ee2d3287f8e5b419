"""What any store can do. One implementation a module; callers know this face only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Optional, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from veln_hook.model import Approval, ApprovalRequest, Decision, Finding, Observation, VerdictRecord


@dataclass(frozen=True)
class StoreInfo:
    """What ``status`` tells about a store."""

    location: str
    """Path or URL, without credentials."""
    schema: int
    started_at: datetime
    """When the store was made: first-seen times can't be older than this."""
    observations: int
    approvals: int
    persistent: bool
    """Whether what is written now is still there in the next process (false on a read-only home)."""
    set_aside: str = ""
    """Path of a corrupt predecessor that was moved away, if that has happened and it is still there."""
    problem: str = ""
    """Why nothing persists, in one sentence; empty if it does, or if the store is in memory on purpose."""


@dataclass(frozen=True)
class ArchiveMemory:
    """What an earlier run found in the archive with this sha256."""

    sha256: str
    version: str
    """Version of veln-hook that looked; findings of another version are not reused."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Scan:
    """What the code in the archive with this sha256 does, and what was decided about it."""

    sha256: str
    rules: int
    """``source.facts.RULES`` of who read it; facts by other rules are not reused."""
    project: str
    """Normalized."""
    version: str
    filename: str
    decision: Decision
    """Of the last verdict about the archive."""
    scanned_at: datetime
    """When it was first read here."""
    index: str = ""
    """The index that promised this very sha256; empty if none did."""
    uploaded_at: Optional[datetime] = None
    """As that index told it."""
    facts: bytes = b""
    """Packed by whoever made them; opaque here."""


class Team(Protocol):
    """What a store that many machines share has besides; every method may raise ``StoreError``."""

    def requests(self) -> Sequence[ApprovalRequest]:
        """Return the requests for approvals, refused ones too, the newest first."""
        ...

    def add_request(self, request: ApprovalRequest) -> ApprovalRequest:
        """Store the request, and log that; return it with its ``id``."""
        ...

    def refuse_request(self, request_id: int, *, author: str, reason: str) -> bool:
        """Mark it refused, and log that; return whether there was one with that id that wasn't."""
        ...


class Store(Protocol):
    """Every method may raise ``StoreError``; nothing else.

    Attributes:
        told: Given every record of the verdict log besides; see ``audit``.
        team: What is shared with others; ``None`` where the store is one machine's.
    """

    told: Optional[Callable[[Sequence[VerdictRecord]], None]]
    team: Optional[Team]

    def info(self) -> StoreInfo:
        """Describe the store."""
        ...

    def machine_id(self) -> str:
        """Return the opaque id this machine's observations carry."""
        ...

    def observations(self, project: str) -> Sequence[Observation]:
        """Return all observations of the project's files, the oldest first, from every machine and index.

        A store that many machines share may leave out machines beyond those that can count; the first
        sight of each file and this machine's own are always there.
        """
        ...

    def projects(self) -> frozenset[str]:
        """Return every project of which this machine has observed a file; others' may be among them."""
        ...

    def observe(self, observations: Iterable[Observation]) -> None:
        """Remember these; one already known (same machine, index, filename, sha256) keeps its first time.

        A stored time that lies after the new one (the clock was wrong then) is
        replaced by the new one, so a jumping clock can't hold a file for ever.
        """
        ...

    def approvals(self, project: str | None = None) -> Sequence[Approval]:
        """Return approvals, revoked and expired ones too, the newest first; ``None``: of every project."""
        ...

    def add_approval(self, approval: Approval) -> Approval:
        """Store the approval and return it with its ``id``."""
        ...

    def revoke_approval(self, approval_id: int, at: datetime) -> bool:
        """Mark it revoked from ``at`` on; return whether there was an unrevoked one with that id."""
        ...

    def prune_approvals(self, now: datetime) -> int:
        """Delete approvals expired or revoked at ``now``; return how many. The log keeps their use."""
        ...

    def record(self, records: Iterable[VerdictRecord]) -> None:
        """Append to the verdict log."""
        ...

    def log(
        self, *, project: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> Sequence[VerdictRecord]:
        """Return log records, the newest first."""
        ...

    def remember_archive(self, memory: ArchiveMemory) -> None:
        """Keep what was found in an archive; replaces what was kept for the same sha256."""
        ...

    def archive_memories(self, sha256s: Iterable[str]) -> Sequence[ArchiveMemory]:
        """Return what is remembered of these archives; unknown ones are simply absent."""
        ...

    def archive_hashes(self) -> frozenset[str]:
        """Return the sha256 of every archive that something is remembered of; usually there is none."""
        ...

    def forget_archive(self, sha256: str) -> None:
        """Drop what is remembered of an archive."""
        ...

    def remember_scan(self, scan: Scan) -> None:
        """Keep what an archive's code does; replaces what was kept for the same sha256. The oldest go."""
        ...

    def scan(self, sha256: str) -> Scan | None:
        """Return what is remembered of an archive's code, by whichever rules."""
        ...

    def scans(self, project: str) -> Sequence[Scan]:
        """Return what is remembered of the project's archives, without the facts, the newest first."""
        ...

    def remember_file_scans(self, facts: Mapping[str, bytes], rules: int) -> None:
        """Keep what single files do, by their sha256. The oldest go."""
        ...

    def file_scans(self, sha256s: Iterable[str], rules: int) -> Mapping[str, bytes]:
        """Return what is remembered of these files by these rules; unknown ones are simply absent."""
        ...

    def close(self) -> None:
        """Release the file, having sent what is to be sent. Calling twice is harmless."""
        ...
