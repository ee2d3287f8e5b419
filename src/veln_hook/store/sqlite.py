"""The store in one SQLite file, or in memory.

Rules of this module:

* Nothing is remembered between calls but the connection: several processes
  write the same file, and every answer is the file's.
* One short transaction a call; a writing one starts with BEGIN IMMEDIATE, so
  it waits for other writers at its start and never fails in its middle.
* Only ``StoreError`` leaves. Damage that shows only in use makes that call
  fail, but the file is replaced at once, so that the next run works.
* A connection may be used from several threads (the gate has them); a mutex
  makes their calls one after the other.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from veln_hook.errors import StoreError
from veln_hook.store import codec, connecting, files
from veln_hook.store.interface import ArchiveMemory, StoreInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from veln_hook.model import Approval, Observation, VerdictRecord
    from veln_hook.store.interface import Scan, Team

MEMORY = ":memory:"
LOG_KEPT = 100_000
"""How many of the newest log records are kept."""
SCANS_KEPT = 2_000
"""How many archives' code is remembered."""
FILE_SCANS_KEPT = 50_000
"""How many single files' code is remembered."""

_TRIM_EVERY = 1000
_MAX_ID = 2**63 - 1

_INSERT_OBSERVATION = """\
INSERT OR IGNORE INTO observation (project, filename, sha256, index_url, machine, version, first_seen)
VALUES (?, ?, ?, ?, ?, ?, ?)"""
# A second statement rather than ON CONFLICT DO UPDATE: SQLite older than 3.24 lacks that, and the number of
# rows that were new can be told only so.
_MAKE_EARLIER = """\
UPDATE observation SET first_seen = ? WHERE project = ? AND filename = ? AND sha256 = ? AND index_url = ?
AND machine = ? AND first_seen > ?"""
OBSERVATIONS_OF = """\
SELECT project, filename, sha256, index_url, machine, version, first_seen
FROM observation WHERE project = ?"""
_APPROVALS = """\
SELECT id, project, version, filename, sha256, reason, author, created_at, expires_at, revoked_at
FROM approval"""
_NEWEST_APPROVAL = " ORDER BY created_at DESC, id DESC"
_INSERT_APPROVAL = """\
INSERT INTO approval (project, version, filename, sha256, reason, author, created_at, expires_at, revoked_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_INSERT_RECORD = """\
INSERT INTO verdict_log (at, decision, stage, project, version, filename, sha256, index_url, reason, opens_at,
approval_id, author, findings) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
LOG = """\
SELECT id, at, decision, stage, project, version, filename, sha256, index_url, reason, opens_at, approval_id,
author, findings FROM verdict_log WHERE at >= ?"""
LOG_OF_PROJECT = " AND project = ?"
NEWEST_RECORD = " ORDER BY at DESC, id DESC LIMIT ?"
_INSERT_SCAN = """\
INSERT OR REPLACE INTO scan (sha256, rules, project, version, filename, index_url, uploaded_at, decision,
scanned_at, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_SCAN = """\
SELECT sha256, rules, project, version, filename, index_url, uploaded_at, decision, scanned_at, facts
FROM scan WHERE sha256 = ?"""
_SCANS = """\
SELECT sha256, rules, project, version, filename, index_url, uploaded_at, decision, scanned_at, x''
FROM scan WHERE project = ? ORDER BY scanned_at DESC, id DESC"""
_INSERT_FILE_SCAN = "INSERT OR REPLACE INTO file_scan (sha256, rules, facts) VALUES (?, ?, ?)"
_MANY = 500
"""Values in one query; SQLite takes 999."""


class SqliteStore:
    """A store in the file ``path``, made if it is not there, or in memory for ``":memory:"``.

    A damaged file is renamed and a new one begun. ``open_store`` is what most
    callers want: it also copes with a file that can't be written.

    Args:
        path: The file, or ``":memory:"``.
        log_kept: How many of the newest log records to keep.
        scans_kept: How many archives' code to remember.
        file_scans_kept: How many files' code to remember.
        connection: To a current schema; the store then owns it, and ``path`` is ``":memory:"``.

    Raises:
        UnwritableError: The file can't be made or written here.
        StoreError: Its file could be somebody else's, is of a newer schema, or does not answer.
    """

    def __init__(
        self,
        path: Union[Path, str],
        *,
        log_kept: int = LOG_KEPT,
        scans_kept: int = SCANS_KEPT,
        file_scans_kept: int = FILE_SCANS_KEPT,
        connection: sqlite3.Connection | None = None,
    ) -> None:
        self._mutex = threading.RLock()
        self._path = None if path == MEMORY else Path(path)
        self._log_kept = log_kept
        self.told: Optional[Callable[[Sequence[VerdictRecord]], None]] = None
        self.team: Optional[Team] = None
        self._scans_kept, self._file_scans_kept = scans_kept, file_scans_kept
        self._connection = connection
        self._lock: files.StoreLock | None = None
        if connection is not None:
            return
        try:
            if self._path is None:
                self._connection = connecting.in_memory()
            else:
                files.make_directory(self._path.parent)
                self._lock = files.StoreLock(files.sidecar(self._path, ".lock"))
                self._connection = connecting.to_write(self._path, self._lock)
        except sqlite3.Error as error:
            self.close()
            raise connecting.translated(error, str(path), opening=True) from error
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _using(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            connection = self._connection
            if connection is None:
                raise StoreError("the store is closed")
            try:
                with connecting.transaction(connection, write=write):
                    yield connection
            except sqlite3.Error as error:
                raise self._failure(error) from error
            except UnicodeDecodeError as error:  # SQLite's message about damage, or a text of the file
                raise self._failure(sqlite3.DatabaseError(str(error))) from error
            except (ValueError, TypeError, LookupError, OverflowError) as error:
                raise StoreError(f"a row of {self._location} can't be understood: {error}") from error

    def _failure(self, error: sqlite3.Error) -> StoreError:
        """Return what to raise; a damaged file is replaced first."""
        if self._path is None or self._lock is None or not connecting.is_damage(error):
            return connecting.translated(error, self._location)
        lock, path = self._lock, self._path
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        try:
            self._connection = connecting.to_write(path, lock, thoroughly=True)
        except (StoreError, sqlite3.Error):
            lock.shared()
        return StoreError(
            f"{path} is damaged: {error}",
            advice="It was moved aside; run the command again, and approve again what was approved.",
        )

    def close(self) -> None:
        """Release the file. Calling twice is harmless."""
        with self._mutex:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()
            if self._lock is not None:
                self._lock.release()

    # -- what it is ----------------------------------------------------------------------------------------

    @property
    def _location(self) -> str:
        return MEMORY if self._path is None else str(self._path)

    def info(self) -> StoreInfo:
        """Describe the store."""
        with self._using() as connection:
            meta = dict(connection.execute("SELECT key, value FROM meta"))
            (approvals,) = connection.execute("SELECT count(*) FROM approval").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            set_aside = meta.get("set_aside", "")
            return StoreInfo(
                location=self._location,
                schema=version,
                started_at=codec.from_micros(int(meta["started_at"])),
                observations=int(meta["observations"]),
                approvals=approvals,
                persistent=self._path is not None,
                set_aside=set_aside if set_aside and files.has_content(Path(set_aside)) else "",
            )

    def machine_id(self) -> str:
        """Return the opaque id this machine's observations carry."""
        with self._using() as connection:
            (value,) = connection.execute("SELECT value FROM meta WHERE key = 'machine'").fetchone()
            return str(value)

    # -- observations --------------------------------------------------------------------------------------

    def observations(self, project: str) -> Sequence[Observation]:
        """Return all observations of the project's files, the oldest first, from every machine and index."""
        with self._using() as connection:
            rows = connection.execute(OBSERVATIONS_OF, (codec.to_text(project),)).fetchall()
            # Sorted here: in SQL it would need a second index of the biggest table.
            rows.sort(key=lambda row: (row[6], row[:6]))
            return [codec.observation_from(row) for row in rows]

    def projects(self) -> frozenset[str]:
        """Return every project of which a file was observed."""
        with self._using() as connection:
            return frozenset(
                str(row[0]) for row in connection.execute("SELECT DISTINCT project FROM observation")
            )

    def observe(self, observations: Iterable[Observation]) -> None:
        """Remember these; one already known (same machine, index, file, sha256) keeps its earliest time."""
        rows = [codec.observation_values(observation) for observation in observations]
        if not rows:
            return
        with self._using(write=True) as connection:
            added = connection.executemany(_INSERT_OBSERVATION, rows).rowcount
            if added < len(rows):
                connection.executemany(_MAKE_EARLIER, [(row[6], *row[:5], row[6]) for row in rows])
            if added > 0:
                connection.execute(
                    "UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE key = 'observations'", (added,)
                )

    # -- approvals -----------------------------------------------------------------------------------------

    def approvals(self, project: str | None = None) -> Sequence[Approval]:
        """Return approvals, ended ones too, the newest first; ``None`` means of every project."""
        with self._using() as connection:
            if project is None:
                found = connection.execute(_APPROVALS + _NEWEST_APPROVAL)
            else:
                query = _APPROVALS + " WHERE project = ?" + _NEWEST_APPROVAL
                found = connection.execute(query, (codec.to_text(project),))
            return [codec.approval_from(row) for row in found.fetchall()]

    def add_approval(self, approval: Approval) -> Approval:
        """Store the approval and return it with its ``id``, as this machine's own."""
        values = codec.approval_values(approval)
        with self._using(write=True) as connection:
            number = connection.execute(_INSERT_APPROVAL, values).lastrowid
        return replace(approval, id=int(number or 0), shared=False)

    def revoke_approval(self, approval_id: int, at: datetime) -> bool:
        """Mark it revoked from ``at`` on; return whether there was an unrevoked one with that id."""
        if not 0 < approval_id <= _MAX_ID:
            return False
        values = (codec.to_micros(at), approval_id)
        with self._using(write=True) as connection:
            query = "UPDATE approval SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
            return connection.execute(query, values).rowcount > 0

    def prune_approvals(self, now: datetime) -> int:
        """Delete approvals that are expired or revoked at ``now``; return how many."""
        values = (codec.to_micros(now), codec.to_micros(now))
        with self._using(write=True) as connection:
            query = "DELETE FROM approval WHERE expires_at <= ? OR revoked_at <= ?"
            return connection.execute(query, values).rowcount

    # -- the verdict log -----------------------------------------------------------------------------------

    def record(self, records: Iterable[VerdictRecord]) -> None:
        """Append to the verdict log; now and then, drop what is older than the newest ones that are kept."""
        records = list(records)
        rows = [codec.record_values(record) for record in records]
        if not rows:
            return
        if self.told is not None:
            self.told(records)
        with self._using(write=True) as connection:
            connection.executemany(_INSERT_RECORD, rows)
            (last,) = connection.execute("SELECT max(id) FROM verdict_log").fetchone()
            if last // _TRIM_EVERY > (last - len(rows)) // _TRIM_EVERY:
                connection.execute("DELETE FROM verdict_log WHERE id <= ?", (last - self._log_kept,))

    def log(
        self, *, project: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> Sequence[VerdictRecord]:
        """Return log records, the newest first by the time they carry."""
        query = LOG
        values: list[Any] = [-_MAX_ID if since is None else codec.to_micros(since)]
        if project is not None:
            query += LOG_OF_PROJECT
            values.append(codec.to_text(project))
        values.append(-1 if limit is None else max(0, min(limit, _MAX_ID)))
        with self._using() as connection:
            return [
                codec.record_from(row) for row in connection.execute(query + NEWEST_RECORD, values).fetchall()
            ]

    # -- what was found in archives ------------------------------------------------------------------------

    def remember_archive(self, memory: ArchiveMemory) -> None:
        """Keep what was found in an archive; replaces what was kept for the same sha256."""
        row = (
            codec.to_text(memory.sha256),
            codec.to_text(memory.version),
            codec.findings_to_json(memory.findings),
        )
        with self._using(write=True) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO archive (sha256, version, findings) VALUES (?, ?, ?)", row
            )

    def archive_memories(self, sha256s: Iterable[str]) -> Sequence[ArchiveMemory]:
        """Return what is remembered of these archives; unknown ones are simply absent."""
        wanted = dict.fromkeys(codec.to_text(sha256) for sha256 in sha256s)
        with self._using() as connection:
            query = "SELECT sha256, version, findings FROM archive WHERE sha256 = ?"
            rows = [row for sha256 in wanted for row in connection.execute(query, (sha256,)).fetchall()]
            return [ArchiveMemory(row[0], row[1], codec.findings_from_json(row[2])) for row in rows]

    def archive_hashes(self) -> frozenset[str]:
        """Return the sha256 of every archive that something is remembered of."""
        with self._using() as connection:
            return frozenset(row[0] for row in connection.execute("SELECT sha256 FROM archive"))

    def forget_archive(self, sha256: str) -> None:
        """Drop what is remembered of an archive."""
        with self._using(write=True) as connection:
            connection.execute("DELETE FROM archive WHERE sha256 = ?", (codec.to_text(sha256),))

    # -- the scan cache ------------------------------------------------------------------------------------

    def remember_scan(self, scan: Scan) -> None:
        """Keep what an archive's code does; replaces what was kept for the same sha256. The oldest go."""
        row = codec.scan_values(scan)
        with self._using(write=True) as connection:
            _drop_older_rules(connection, scan.rules)
            connection.execute(_INSERT_SCAN, row)
            _keep_newest(connection, "scan", self._scans_kept)

    def scan(self, sha256: str) -> Scan | None:
        """Return what is remembered of an archive's code, by whichever rules."""
        with self._using() as connection:
            row = connection.execute(_SCAN, (codec.to_text(sha256),)).fetchone()
            return None if row is None else codec.scan_from(row)

    def scans(self, project: str) -> Sequence[Scan]:
        """Return what is remembered of the project's archives, without the facts, the newest first."""
        with self._using() as connection:
            return [codec.scan_from(row) for row in connection.execute(_SCANS, (codec.to_text(project),))]

    def remember_file_scans(self, facts: Mapping[str, bytes], rules: int) -> None:
        """Keep what single files do, by their sha256. The oldest go."""
        rows = [(codec.to_text(sha256), rules, blob) for sha256, blob in facts.items()]
        if not rows:
            return
        with self._using(write=True) as connection:
            _drop_older_rules(connection, rules)
            connection.executemany(_INSERT_FILE_SCAN, rows)
            _keep_newest(connection, "file_scan", self._file_scans_kept)

    def file_scans(self, sha256s: Iterable[str], rules: int) -> Mapping[str, bytes]:
        """Return what is remembered of these files by these rules; unknown ones are simply absent."""
        wanted = list(dict.fromkeys(codec.to_text(sha256) for sha256 in sha256s))
        found: dict[str, Any] = {}
        with self._using() as connection:
            for start in range(0, len(wanted), _MANY):
                part = wanted[start : start + _MANY]
                marks = ",".join("?" * len(part))
                query = f"SELECT sha256, facts FROM file_scan WHERE rules = ? AND sha256 IN ({marks})"  # noqa: S608 - question marks
                found.update(connection.execute(query, (rules, *part)).fetchall())
        return {sha256: blob for sha256, blob in found.items() if isinstance(blob, bytes)}

    # -- for the overlay -----------------------------------------------------------------------------------

    def number_after(self, other: SqliteStore) -> None:
        """Make this empty store number its approvals and log records after those of ``other``.

        Raises:
            StoreError: One of the two does not answer.
        """
        with other._using() as connection:
            highest = connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
        with self._using(write=True) as connection:
            connection.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", highest)


def _drop_older_rules(connection: sqlite3.Connection, rules: int) -> None:
    """Delete what older rules found, once: looking for it in a big table would cost every run."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'scan_rules'").fetchone()
    if row is not None and row[0].isdecimal() and int(row[0]) >= rules:
        return
    connection.execute("DELETE FROM scan WHERE rules < ?", (rules,))
    connection.execute("DELETE FROM file_scan WHERE rules < ?", (rules,))
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('scan_rules', ?)", (str(rules),))


def _keep_newest(connection: sqlite3.Connection, table: str, kept: int) -> None:
    """Delete the rows with the lowest numbers; replaced ones leave gaps, so a few less may stay."""
    connection.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (kept,))  # noqa: S608 - ours
