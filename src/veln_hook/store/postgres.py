"""The store that many machines share: PostgreSQL, with this machine's own file behind it.

Shared are observations, approvals, and of the verdict log what others should
know of (``audit.matters``). What was found in archives stays on the machine
that read them: one machine's word that code is harmless is none for another.

Rules of this module:

* Reading asks the server, once a project. If it gives no answer, the policy's
  ``store.unreachable`` decides: ``hold`` raises, ``local`` goes on with the copy.
* Writing asks nobody to wait: it is kept here at once and sent when the store
  is closed, or by a later process. Only approvals are written while one waits.
* An approval counts from the server alone, or from the copy of it. What the
  local file has of its own sleeps as long as the store is shared.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Callable, Optional, TypeVar

from veln_hook import clock
from veln_hook.errors import StoreError
from veln_hook.store import codec, postgres_sending
from veln_hook.store.audit import matters
from veln_hook.store.postgres_copy import Kept
from veln_hook.store.postgres_line import Budget, UnreachableError
from veln_hook.store.postgres_requests import Requests
from veln_hook.store.postgres_server import Known, Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from veln_hook.model import Approval, Observation, VerdictRecord
    from veln_hook.policy.settings import SharingPolicy
    from veln_hook.store.interface import ArchiveMemory, Scan, Store, StoreInfo, Team
    from veln_hook.store.postgres_copy import LocalCopy

logger = logging.getLogger("veln_hook")

_Answer = TypeVar("_Answer")
_Key = tuple[str, str, str, str, str]

FRESH_S = 2.0
"""So long an answer serves again: the questions about one project follow each other."""
REFRESHED = timedelta(days=30)
"""A file that some machine told of since isn't told of again; see ``observe`` in the schema."""
_FLUSH_S = 30.0
_FLUSH_ROWS = 200
_MAX_BYTES = 2_000
"""Names longer than this together fit no index of the database; no real file has such."""


class SharedStore:
    """A shared store, and this machine's own; the store owns both.

    Args:
        local: This machine's own.
        copy: What is kept here of the server's.
        url: ``postgresql://...``.
        sharing: The policy's word on waiting, and on a server that doesn't answer.
        votes: How many machines' observations the policy asks for.
        trust_local: Whether first sights count that only this machine's own file tells of.

    Raises:
        StoreError: The URL can't be understood.
    """

    def __init__(
        self,
        local: Store,
        copy: LocalCopy,
        url: str,
        sharing: SharingPolicy,
        *,
        votes: int = 0,
        trust_local: bool = True,
    ) -> None:
        self.told: Optional[Callable[[Sequence[VerdictRecord]], None]] = None
        self._local = local
        self._copy = copy
        self._own = local.machine_id()
        self._lasts = local.info().persistent
        budget = Budget(sharing.timeout.total_seconds())
        self._server = Server(url, budget, machine=self._own, votes=votes)
        self.team: Optional[Team] = Requests(self._server.line)
        self._go_on = sharing.unreachable == "local"
        self._votes = votes
        self._trust_local = trust_local
        self._mutex = threading.RLock()
        self._machine = ""
        self._recent: dict[str, tuple[float, Known]] = {}
        self._learnt: dict[str, Kept] = {}
        self._pending: dict[_Key, Observation] = {}
        self._flushed = time.monotonic()
        self._problem = ""
        self._closed = False

    def close(self) -> None:
        """Send what is to be sent, keep what was learnt, release the files. Calling twice is harmless."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            with suppress(StoreError):
                self._flush()
            with suppress(StoreError):
                self._keep_learnt()
            self._server.close()
            self._copy.close()
            self._local.close()

    def _open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _answer(self, ask: Callable[[], _Answer], instead: Callable[[], _Answer]) -> _Answer:
        """Ask the server; if it gives no answer, do as the policy says."""
        try:
            return ask()
        except UnreachableError as error:
            if not self._go_on:
                raise
            if not self._problem:
                self._problem = f"{error}; this machine goes on with what it knows"
                logger.warning("veln-hook: %s", self._problem)
            return instead()

    # -- what it is ----------------------------------------------------------------------------------------

    def info(self) -> StoreInfo:
        """Describe the server's store; this machine's own where the policy lets it go on without.

        Raises:
            StoreError: So does every method. Here: the policy asks for more machines than the server keeps.
        """
        with self._mutex:
            self._open()
            self.machine_id()
            if self._pending:
                with suppress(UnreachableError):
                    self._flush()
            local = self._local.info()
            info = self._answer(self._server.info, lambda: replace(local, problem=self._problem))
            # The local file's predecessor is told of here, too: its first sights are gone.
            problem = info.problem or local.problem
            return replace(info, set_aside=local.set_aside, persistent=local.persistent, problem=problem)

    def machine_id(self) -> str:
        """Return what this machine is called in the shared store."""
        with self._mutex:
            self._open()
            if not self._machine:
                self._machine = self._answer(self._introduced, lambda: "")
            # Where the server wasn't reached, it is asked again the next time.
            return self._machine or self._copy.machine(self._server.identity) or self._own

    def _introduced(self) -> str:
        about = self._server.about()
        if self._votes > about.votes_kept:
            raise StoreError(
                f"the policy asks that {self._votes} machines have seen a file, and the shared store keeps "
                f"{about.votes_kept} of each",
                advice="Lower 'cooling.min_observations', or raise 'veln-hook store init --votes-kept'.",
            )
        return about.machine

    # -- observations --------------------------------------------------------------------------------------

    def observations(self, project: str) -> Sequence[Observation]:
        """Return observations of the project's files: the first, this machine's, and as many as can count."""
        with self._mutex:
            self._open()
            mine = self.machine_id()
            known = self._answer(lambda: self._known(project), lambda: self._kept(project))
            name = codec.to_text(project)
            more = [each for each in self._pending.values() if each.project == name]
            if self._trust_local:
                local = self._local.observations(project)
                more += [each._replace(machine=mine) for each in local if each.machine in (self._own, mine)]
            if not more:
                return known.observations
            found: dict[_Key, Observation] = {}
            for each in (*known.observations, *more):
                _add(found, each)
            return sorted(found.values(), key=lambda each: (each.first_seen, each))

    def _known(self, project: str) -> Known:
        found = self._recent.get(project)
        if found is not None and time.monotonic() - found[0] < FRESH_S:
            return found[1]
        known = self._server.project(project)
        self._recent[project] = (time.monotonic(), known)
        if self._go_on:  # where a server that doesn't answer holds everything, no copy is ever looked at
            self._learnt[project] = Kept(clock.now(), known.observations, known.approvals)
        return known

    def _kept(self, project: str) -> Known:
        kept = self._copy.known(self._server.identity, project, clock.now())
        return Known(kept.observations, {}, [replace(each, shared=True) for each in kept.approvals])

    def projects(self) -> frozenset[str]:
        """Return every project of which this machine has observed a file."""
        return self._local.projects()

    def observe(self, observations: Iterable[Observation]) -> None:
        """Remember these here at once, and there as soon as that costs no wait."""
        rows = list(observations)
        with self._mutex:
            self._open()
            if not rows:
                return
            self._local.observe(rows)
            for each in rows:
                if self._is_news(each):
                    _add(self._pending, codec.observation_from(codec.observation_values(each)))
            self._flush_now_and_then()

    def _is_news(self, observation: Observation) -> bool:
        if not self._lasts and observation.machine == self._own:
            return False  # the next process here has another id, and would vote once more
        o = observation
        if len(f"{o.project}{o.filename}{o.sha256}{o.index}".encode("utf-8", "replace")) > _MAX_BYTES:
            return False
        known = self._recent.get(observation.project)
        if known is None:
            return True
        told = known[1].refreshed.get((o.filename, o.sha256, o.index))
        if told is None or codec.to_micros(o.first_seen - REFRESHED) > told:
            return True
        return not any(
            each.machine == o.machine
            and (each.filename, each.sha256, each.index) == (o.filename, o.sha256, o.index)
            and each.first_seen <= o.first_seen
            for each in known[1].observations
        )

    # -- approvals -----------------------------------------------------------------------------------------

    def approvals(self, project: str | None = None) -> Sequence[Approval]:
        """Return the server's approvals, ended ones too, the newest first; ``None``: of every project."""
        with self._mutex:
            self._open()
            if project is None:
                return self._answer(self._server.approvals, self._kept_approvals)
            return list(self._answer(lambda: self._known(project), lambda: self._kept(project)).approvals)

    def _kept_approvals(self) -> list[Approval]:
        kept = self._copy.known(self._server.identity, None, clock.now())
        found = [replace(each, shared=True) for each in kept.approvals]
        return sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)

    def add_approval(self, approval: Approval) -> Approval:
        """Store the approval on the server, whatever the policy says of one that doesn't answer."""
        with self._mutex:
            self._open()
            self._recent.clear()
            return self._server.add_approval(approval)

    def revoke_approval(self, approval_id: int, at: datetime) -> bool:
        """Mark it revoked on the server; return whether there was an unrevoked one with that id."""
        with self._mutex:
            self._open()
            self._recent.clear()
            return self._server.revoke_approval(approval_id, at)

    def prune_approvals(self, now: datetime) -> int:
        """Delete approvals on the server that are expired or revoked at ``now``; return how many."""
        with self._mutex:
            self._open()
            self._recent.clear()
            return self._server.prune_approvals(now)

    # -- the verdict log -----------------------------------------------------------------------------------

    def record(self, records: Iterable[VerdictRecord]) -> None:
        """Append to this machine's log, and let what others should know wait to be sent."""
        records = list(records)
        with self._mutex:
            self._open()
            if not records:
                return
            if self.told is not None:
                self.told(records)
            self._local.record(records)
            # The database itself tells of approvals.
            outgoing = [each for each in records if matters(each) and each.stage != "approval"]
            self._copy.put_records(self._server.identity, [(str(uuid.uuid4()), each) for each in outgoing])
            self._flush_now_and_then()

    def log(
        self, *, project: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> Sequence[VerdictRecord]:
        """Return this machine's log records, the newest first."""
        with self._mutex:
            self._open()
            return self._local.log(project=project, since=since, limit=limit)

    # -- sending -------------------------------------------------------------------------------------------

    def _flush_now_and_then(self) -> None:
        """Send in the midst of a process that lasts long, or has much to tell."""
        if len(self._pending) >= _FLUSH_ROWS or time.monotonic() - self._flushed > _FLUSH_S:
            with suppress(StoreError):
                self._flush()
            with suppress(StoreError):
                self._keep_learnt()

    def _keep_learnt(self) -> None:
        if self._machine and self._learnt:
            learnt, self._learnt = self._learnt, {}
            self._copy.keep(self._server.identity, self._machine, learnt, clock.now())
        self._recent.clear()

    def _flush(self) -> None:
        """Send what waits; what can't be sent goes on waiting.

        Raises:
            StoreError: The server doesn't answer, or nothing can be kept here.
        """
        self._flushed = time.monotonic()
        if self._pending:
            pending = list(self._pending.values())
            self._pending.clear()
            self._recent.clear()
            postgres_sending.send(self._server, self._copy, pending)
        postgres_sending.send_waiting(self._server, self._copy)

    # -- what stays here -----------------------------------------------------------------------------------

    def remember_archive(self, memory: ArchiveMemory) -> None:
        """Keep what was found in an archive, on this machine."""
        self._local.remember_archive(memory)

    def archive_memories(self, sha256s: Iterable[str]) -> Sequence[ArchiveMemory]:
        """Return what this machine remembers of these archives; unknown ones are simply absent."""
        return self._local.archive_memories(sha256s)

    def archive_hashes(self) -> frozenset[str]:
        """Return the sha256 of every archive that this machine remembers something of."""
        return self._local.archive_hashes()

    def forget_archive(self, sha256: str) -> None:
        """Drop what this machine remembers of an archive."""
        self._local.forget_archive(sha256)

    def remember_scan(self, scan: Scan) -> None:
        """Keep what an archive's code does, on this machine."""
        self._local.remember_scan(scan)

    def scan(self, sha256: str) -> Scan | None:
        """Return what this machine remembers of an archive's code."""
        return self._local.scan(sha256)

    def scans(self, project: str) -> Sequence[Scan]:
        """Return what this machine remembers of the project's archives."""
        return self._local.scans(project)

    def remember_file_scans(self, facts: Mapping[str, bytes], rules: int) -> None:
        """Keep what single files do, on this machine."""
        self._local.remember_file_scans(facts, rules)

    def file_scans(self, sha256s: Iterable[str], rules: int) -> Mapping[str, bytes]:
        """Return what this machine remembers of these files by these rules."""
        return self._local.file_scans(sha256s, rules)


def _add(found: dict[_Key, Observation], each: Observation) -> None:
    key = (each.project, each.filename, each.sha256, each.index, each.machine)
    earlier = found.get(key)
    if earlier is None or each.first_seen < earlier.first_seen:
        found[key] = each
