"""The tables of the SQLite store, version by version.

Rules of this module:

* A version that was released never changes. A change of the tables is a new
  function at the end of ``MIGRATIONS``, a line in the history below, and a
  frozen ``tests/unit/store/schema_v<N>.sql``.
* ``PRAGMA user_version`` is the version of a file, ``PRAGMA application_id``
  says that the file is ours. Both are written in the transaction that makes
  the tables, so a file is of one version or of none, never between.
* A file of a newer version is refused, never written to.

History:

* 1 (0.1): observation, approval, verdict_log, archive, meta.
* 2 (0.2): scan, file_scan: what the code of archives and of single files does.
"""

from __future__ import annotations

import enum
import sqlite3
import uuid
from typing import TYPE_CHECKING, Callable

from veln_hook.errors import StoreError
from veln_hook.store.codec import to_micros

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

Migration = Callable[[sqlite3.Connection], None]
"""Takes a file from one version to the next, inside a transaction that the caller holds."""

APPLICATION_ID = 0x76656C6E
"""The letters ``veln``: what ``file(1)`` and we know the file by."""

VERSION_1 = (
    """\
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID""",
    # The primary key is the table: all files of one project lie side by side, so reading a project is one
    # range of pages however many millions of rows there are.
    """\
CREATE TABLE observation (
    project TEXT NOT NULL,
    filename TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    index_url TEXT NOT NULL,
    machine TEXT NOT NULL,
    version TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    PRIMARY KEY (project, filename, sha256, index_url, machine)
) WITHOUT ROWID""",
    # AUTOINCREMENT: the log names approvals by number, so the number of a deleted one must never come back.
    """\
CREATE TABLE approval (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    filename TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
)""",
    "CREATE INDEX approval_by_project ON approval (project, created_at)",
    """\
CREATE TABLE verdict_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    decision TEXT NOT NULL,
    stage TEXT NOT NULL,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    filename TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    index_url TEXT NOT NULL,
    reason TEXT NOT NULL,
    opens_at INTEGER,
    approval_id INTEGER,
    author TEXT NOT NULL,
    findings TEXT NOT NULL
)""",
    "CREATE INDEX verdict_log_by_time ON verdict_log (at)",
    "CREATE INDEX verdict_log_by_project ON verdict_log (project, at)",
    """\
CREATE TABLE archive (
    sha256 TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    findings TEXT NOT NULL
) WITHOUT ROWID""",
)

VERSION_2 = (
    # Numbered rows: a row written again gets a new number, so the lowest numbers are the oldest rows. The
    # facts come last, so that looking through the rest reads none of their pages.
    """\
CREATE TABLE scan (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    rules INTEGER NOT NULL,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    filename TEXT NOT NULL,
    index_url TEXT NOT NULL,
    uploaded_at INTEGER,
    decision TEXT NOT NULL,
    scanned_at INTEGER NOT NULL,
    facts BLOB NOT NULL
)""",
    "CREATE INDEX scan_by_project ON scan (project)",
    """\
CREATE TABLE file_scan (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    rules INTEGER NOT NULL,
    facts BLOB NOT NULL
)""",
)


def _to_version_1(connection: sqlite3.Connection) -> None:
    for statement in VERSION_1:
        connection.execute(statement)


def _to_version_2(connection: sqlite3.Connection) -> None:
    for statement in VERSION_2:
        connection.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (_to_version_1, _to_version_2)
"""The function at place N takes a file from version N to N + 1."""

SCHEMA_VERSION = len(MIGRATIONS)

CURRENT = frozenset((*VERSION_1, *VERSION_2))
"""What SQLite's list of tables and indexes must hold in a file of ``SCHEMA_VERSION``, to the letter."""


class State(enum.Enum):
    """What an intact file is."""

    EMPTY = "empty"
    """No tables yet: new, or its making was interrupted."""
    OLDER = "older"
    CURRENT = "current"


def inspect(connection: sqlite3.Connection, *, thoroughly: bool = False) -> State:
    """Tell what the file behind the connection is, reading two pages of it at most.

    Args:
        connection: To any SQLite file.
        thoroughly: Read every page and check it; seconds for a big file.

    Raises:
        sqlite3.DatabaseError: The file is damaged, or is not ours.
        sqlite3.OperationalError: It can't be read just now.
        StoreError: A newer version of this program made it.
    """
    try:
        return _inspect(connection, thoroughly)
    except ValueError as error:
        # Where names are garbage, Python fails to decode them, or even SQLite's message about them.
        raise sqlite3.DatabaseError(f"the file holds garbage: {error}") from error


def _inspect(connection: sqlite3.Connection, thoroughly: bool) -> State:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    # Reading the list of tables makes SQLite parse the whole schema, which is what finds most damage.
    made = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master")}
    if version == 0 and not made:
        return State.EMPTY
    if owner != APPLICATION_ID or version < 1:
        raise sqlite3.DatabaseError("this is not a store of veln-hook")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"a newer veln-hook made the store (its schema is {version}, this one knows {SCHEMA_VERSION})",
            advice="Upgrade veln-hook here, or move the store's file away.",
        )
    if thoroughly:
        (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(str(answer))
    if version < SCHEMA_VERSION:
        return State.OLDER
    kept = dict(connection.execute("SELECT key, value FROM meta")) if made >= CURRENT else {}
    if not (
        "machine" in kept and all(kept.get(key, "").isdecimal() for key in ("started_at", "observations"))
    ):
        raise sqlite3.DatabaseError("tables or rows that every store has are missing")
    return State.CURRENT


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring an older file to the newest version, all steps or none.

    Two processes may do this at once: the second finds nothing left to do.

    Raises:
        sqlite3.Error: A step failed; the file is as it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _apply(connection, migrations)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def create(connection: sqlite3.Connection, *, started_at: datetime, set_aside: str = "") -> None:
    """Make the tables in an empty file; does nothing if another process was faster.

    Args:
        connection: To an empty file, outside any transaction.
        started_at: Now.
        set_aside: Path of the damaged predecessor, if there was one.

    Raises:
        sqlite3.Error: The file can't be written; it is still empty.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            _apply(connection, MIGRATIONS)
            connection.executemany(
                "INSERT INTO meta (key, value) VALUES (?, ?)",
                (
                    ("machine", uuid.uuid4().hex),
                    ("started_at", str(to_micros(started_at))),
                    # Counting the rows of a big table reads all of it; ``info()`` is asked for in every run.
                    ("observations", "0"),
                    ("set_aside", set_aside),
                ),
            )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _apply(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    # Read again inside the transaction: another process may have migrated since the caller looked.
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for migration in migrations[version:]:
        migration(connection)
        version += 1
        connection.execute(f"PRAGMA user_version = {version}")
