"""What this machine keeps of the shared store: a copy to go on with, and what is still to be sent.

Rules of this module:

* It lies beside the store's own file and is made and checked like that: in it
  are approvals, so whoever can write it could approve.
* A copy ages: after a week nothing in it counts, or a revoked approval would
  stand for ever on a machine that never hears of it.
* It is a cache and a letter box. What can't be understood in it is not known,
  a damaged file is moved aside, and where it can't be written it is in memory.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from veln_hook import clock
from veln_hook.errors import StoreError
from veln_hook.store import codec, connecting, files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from veln_hook.model import Approval, Observation, VerdictRecord

KEPT_FOR = timedelta(days=7)
OUTBOX_KEPT = 100_000
"""How many things wait to be sent at most; as many as the verdict log keeps here."""
_VERSION = 1
_OWNER = 0x76656C6F
_TABLES = (
    "CREATE TABLE server (server TEXT PRIMARY KEY, machine TEXT NOT NULL) WITHOUT ROWID",
    """\
CREATE TABLE known (
    server TEXT NOT NULL,
    project TEXT NOT NULL,
    fetched_at INTEGER NOT NULL,
    observations TEXT NOT NULL,
    approvals TEXT NOT NULL,
    PRIMARY KEY (server, project)
) WITHOUT ROWID""",
    """\
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    server TEXT NOT NULL,
    uid TEXT NOT NULL,
    data TEXT NOT NULL
)""",
)
_ALONE_S = 1.0


class Kept(NamedTuple):
    """What was known of a project when the server last told."""

    at: datetime
    observations: list[Observation]
    approvals: list[Approval]


class Waiting(NamedTuple):
    """Something in the outbox."""

    number: int
    uid: str
    """Of a record; empty for an observation."""
    data: list[Any]
    """Columns, as ``codec`` writes them."""


class LocalCopy:
    """The copy in the file ``path``, made if it is not there.

    Raises:
        StoreError: The file could be somebody else's.
    """

    def __init__(self, path: Path) -> None:
        self._mutex = threading.Lock()
        self._location = str(path)
        self._lock: Optional[files.StoreLock] = None
        try:
            files.make_directory(path.parent)
            self._lock = files.StoreLock(files.sidecar(path, ".lock"))
            self._connection: Optional[sqlite3.Connection] = _opened(path, self._lock)
        except (files.UnwritableError, sqlite3.Error):
            self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            _make(self._connection)
            self._location = ":memory:"

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
                raise connecting.translated(error, self._location) from error

    def close(self) -> None:
        """Release the file. Calling twice is harmless."""
        with self._mutex:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            if self._lock is not None:
                self._lock.release()

    # -- what is known -------------------------------------------------------------------------------------

    def machine(self, server: str) -> str:
        """Return what this machine was called there; empty if that isn't known."""
        with self._using() as connection:
            row = connection.execute("SELECT machine FROM server WHERE server = ?", (server,)).fetchone()
            return "" if row is None else str(row[0])

    def keep(self, server: str, machine: str, known: Mapping[str, Kept], now: datetime) -> None:
        """Keep what the server told of these projects, and drop what is too old to count."""
        rows = [
            (
                server,
                codec.to_text(project),
                codec.to_micros(kept.at),
                json.dumps([codec.observation_values(each) for each in kept.observations]),
                json.dumps([[each.id, *codec.approval_values(each), each.login] for each in kept.approvals]),
            )
            for project, kept in known.items()
        ]
        with self._using(write=True) as connection:
            connection.execute("INSERT OR REPLACE INTO server VALUES (?, ?)", (server, machine))
            connection.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?)", rows)
            oldest = codec.to_micros(now - KEPT_FOR)
            connection.execute("DELETE FROM known WHERE fetched_at < ?", (oldest,))

    def known(self, server: str, project: str | None, now: datetime) -> Kept:
        """Return what is kept of a project, or of all (``None``), unless it is too old to count."""
        query = "SELECT observations, approvals FROM known WHERE server = ? AND fetched_at BETWEEN ? AND ?"
        # What was kept in the future was kept by a clock that was wrong, so its age can't be told.
        values: list[Any] = [server, codec.to_micros(now - KEPT_FOR), codec.to_micros(now)]
        if project is not None:
            query += " AND project = ?"
            values.append(codec.to_text(project))
        with self._using() as connection:
            rows = connection.execute(query, values).fetchall()
        found = Kept(now, [], [])
        for observations, approvals in rows:
            try:
                seen = [codec.observation_from(row) for row in json.loads(observations)]
                given = [codec.approval_from(row) for row in json.loads(approvals)]
            except (ValueError, TypeError, OverflowError):
                continue
            found.observations.extend(seen)
            found.approvals.extend(given)
        return found

    # -- what is to be sent --------------------------------------------------------------------------------

    def put_records(self, server: str, outgoing: Iterable[tuple[str, VerdictRecord]]) -> None:
        """Let records wait, each with the name it has on its way."""
        self._put(server, [(uid, codec.record_values(record)) for uid, record in outgoing])

    def put_observations(self, server: str, observations: Iterable[Observation]) -> None:
        """Let observations wait."""
        self._put(server, [("", codec.observation_values(each)) for each in observations])

    def _put(self, server: str, items: Sequence[tuple[str, Sequence[Any]]]) -> None:
        if not items:
            return
        with self._using(write=True) as connection:
            connection.executemany(
                "INSERT INTO outbox (server, uid, data) VALUES (?, ?, ?)",
                [(server, uid, json.dumps(data)) for uid, data in items],
            )
            connection.execute(
                "DELETE FROM outbox WHERE id <= (SELECT max(id) FROM outbox) - ?", (OUTBOX_KEPT,)
            )

    def waiting(self, server: str, most: int) -> list[Waiting]:
        """Return what has waited longest for this server."""
        with self._using() as connection:
            query = "SELECT id, uid, data FROM outbox WHERE server = ? ORDER BY id LIMIT ?"
            rows = connection.execute(query, (server, most)).fetchall()
        return [Waiting(number, uid, _columns(data)) for number, uid, data in rows]

    def sent(self, numbers: Iterable[int]) -> None:
        """Drop what need not be sent any more."""
        rows = [(number,) for number in numbers]
        if rows:
            with self._using(write=True) as connection:
                connection.executemany("DELETE FROM outbox WHERE id = ?", rows)

    def count(self, server: str) -> int:
        """Return how many things wait for this server."""
        with self._using() as connection:
            row = connection.execute("SELECT count(*) FROM outbox WHERE server = ?", (server,)).fetchone()
            return int(row[0])


def _columns(data: object) -> list[Any]:
    try:
        columns = json.loads(str(data))
    except ValueError:
        return []
    return columns if isinstance(columns, list) else []


def _opened(path: Path, lock: files.StoreLock) -> sqlite3.Connection:
    if not lock.shared(_ALONE_S):
        raise files.UnwritableError(f"{path} is being made by another process")
    try:
        return _connected(path)
    except sqlite3.Error as error:
        if not connecting.is_damage(error):
            raise
    if not lock.exclusive(_ALONE_S):
        raise files.UnwritableError(f"{path} is damaged, and another process still uses it")
    try:
        files.set_aside(path, clock.now())
        return _connected(path)
    finally:
        lock.shared(_ALONE_S)


def _connected(path: Path) -> sqlite3.Connection:
    if not files.check(path):
        files.create(path)
    if not files.is_writable(path):
        raise files.UnwritableError(f"{path} can't be written")
    connection = sqlite3.connect(
        files.uri(path, "mode=rw"), timeout=_ALONE_S, isolation_level=None, check_same_thread=False, uri=True
    )
    try:
        if _is_empty(connection):
            if not files.on_network(path.parent):
                connecting.use_wal(connection)
            _make(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_empty(connection: sqlite3.Connection) -> bool:
    # One look in one transaction: another process may be making the tables.
    connection.execute("BEGIN")
    tables = connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    connection.execute("COMMIT")
    if not tables and version == 0:
        return True
    if (version, owner) != (_VERSION, _OWNER):
        # A cache of another version is of no use to this one; it is put aside like a damaged one.
        raise sqlite3.DatabaseError("not a copy that this version knows")
    return False


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone() == (0,):
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_OWNER}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")
