"""From a path to a connection with a current schema, whatever lies there now.

Rules of this module:

* A file is judged before it is written: checked (``files``), opened without
  ever being created by SQLite itself, and looked into (``schema.inspect``).
* Only with the lock held exclusively is a database made, or a damaged one
  renamed, and only after looking again: another process may have done it.
* Damage is what SQLite reports as plain ``DatabaseError``; the trouble of the
  moment (locked, full, read-only) is its ``OperationalError``. That holds in
  every Python; error codes exist from 3.11 on only.
"""

from __future__ import annotations

import enum
import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Optional

from veln_hook import clock
from veln_hook.errors import StoreError
from veln_hook.store import files, schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_SECONDS = 10.0
_ALONE_SECONDS = 10.0
"""How long the others are waited for who use a store that is missing or damaged."""
_TURN_SECONDS = 0.1
_JOURNAL_LIMIT = 4 * 1024 * 1024
"""Bytes that a -wal keeps after a burst; the rest is given back."""


class _Found(enum.Enum):
    NOTHING = "nothing"
    EMPTY = "empty"
    DAMAGED = "damaged"
    CURRENT = "current"


def in_memory() -> sqlite3.Connection:
    """Return a connection to a new store in memory.

    Raises:
        sqlite3.Error: There is no memory for it.
    """
    connection = _connect(":memory:")
    schema.create(connection, started_at=clock.now())
    return connection


def to_write(path: Path, lock: files.StoreLock, *, thoroughly: bool = False) -> sqlite3.Connection:
    """Return a connection to the store at ``path``, made, migrated or begun anew as need be.

    Args:
        path: Its directory exists.
        lock: Of this path; held shared when this returns, and to be held as long as the connection is.
        thoroughly: Look at every page, with the lock held exclusively.

    Raises:
        sqlite3.Error: SQLite can't open or write it.
        UnwritableError: This process can't write it.
        StoreError: It could be somebody else's, is of a newer schema, or is being made for too long.
    """
    deadline = time.monotonic() + _ALONE_SECONDS
    while True:
        if not thoroughly:
            if not lock.shared():
                raise StoreError(f"another process has been making {path} for too long", advice="Try again.")
            found, connection = _look(path)
            if found is _Found.CURRENT and connection is not None:
                return connection
            if connection is not None:
                connection.close()
        if lock.exclusive(_TURN_SECONDS):
            break
        # Whoever made it meanwhile holds the lock as long as it is used: then another look finds it.
        if time.monotonic() >= deadline:
            raise files.UnwritableError(f"{path} is missing or damaged, and another process still uses it")
    found, connection = _look(path, thoroughly=thoroughly)
    if found is not _Found.CURRENT or connection is None:
        connection = _begin(path, connection)
    lock.shared()
    return connection


def _look(path: Path, *, thoroughly: bool = False) -> tuple[_Found, Optional[sqlite3.Connection]]:
    """Tell what lies at ``path``, with a connection to it unless it is missing or damaged."""
    if not files.check(path):
        return _Found.NOTHING, None
    if not files.is_writable(path):
        raise files.UnwritableError(f"{path} can't be written: permission denied, or a read-only file system")
    connection = _connect(files.uri(path, "mode=rw"))
    try:
        state = schema.inspect(connection, thoroughly=thoroughly)
        if state is schema.State.OLDER:
            schema.migrate(connection)
        _settle(connection)
    except sqlite3.Error as error:
        connection.close()
        if not is_damage(error):
            raise
        return _Found.DAMAGED, None
    except BaseException:
        connection.close()
        raise
    return (_Found.EMPTY if state is schema.State.EMPTY else _Found.CURRENT), connection


def _begin(path: Path, connection: sqlite3.Connection | None) -> sqlite3.Connection:
    """Make the store; ``connection`` is to an empty file, or ``None`` if there is none to keep."""
    aside = ""
    if connection is None:
        # A -wal that lost its database would be taken for the new one's.
        left = (path, *(files.sidecar(path, ending) for ending in ("-wal", "-journal")))
        if any(files.has_content(each) for each in left):
            aside = files.set_aside(path, clock.now())
        files.create(path)
        connection = _connect(files.uri(path, "mode=rw"))
    try:
        if not files.on_network(path.parent):
            use_wal(connection)
        _settle(connection)
        schema.create(connection, started_at=clock.now(), set_aside=aside)
    except BaseException:
        connection.close()
        raise
    return connection


def use_wal(connection: sqlite3.Connection) -> bool:
    """Turn the write-ahead log on where the file system can do it; return whether it is on.

    Raises:
        sqlite3.Error: Not even the ordinary journal can be used.
    """
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError:
        (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    return bool(mode == "wal")


def _settle(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal":
        # A power cut may cost the last transactions, never the file; so no commit waits for the disk.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}")


def to_read(path: Path) -> sqlite3.Connection:
    """Return a connection to a store that this process can't write; its schema is current.

    Raises:
        sqlite3.Error: The file is missing, can't be read, or is damaged.
        StoreError: It could be somebody else's, or is of a newer schema.
    """
    if not files.check(path):
        raise sqlite3.OperationalError(f"{path} does not exist")
    try:
        return _readable(path, "mode=ro")
    except sqlite3.OperationalError:
        # Reading a WAL file needs the -shm beside it, which can't be made here. Without a -wal everything is
        # in the database, and calling it immutable tells SQLite to look no further. With one, that would
        # show an old state, in which a revoked approval still stands; better none.
        if files.has_content(files.sidecar(path, "-wal")):
            raise
    return _readable(path, "mode=ro&immutable=1")


def _readable(path: Path, query: str) -> sqlite3.Connection:
    connection = _connect(files.uri(path, query))
    try:
        state = schema.inspect(connection)
        if state is schema.State.OLDER:
            return _migrated_copy(connection)
    except BaseException:
        connection.close()
        raise
    if state is schema.State.EMPTY:
        connection.close()
        raise sqlite3.OperationalError(f"{path} is empty")
    return connection


def _migrated_copy(connection: sqlite3.Connection) -> sqlite3.Connection:
    copy = _connect(":memory:")
    try:
        connection.backup(copy)
        schema.migrate(copy)
    except BaseException:
        copy.close()
        raise
    connection.close()
    return copy


def _connect(target: str) -> sqlite3.Connection:
    # isolation_level=None: Python starts no transactions of its own.
    return sqlite3.connect(
        target,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=target.startswith("file:"),
    )


def roll_back(connection: sqlite3.Connection) -> None:
    """Leave the transaction, if there is one."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool) -> Iterator[sqlite3.Connection]:
    """Give the connection for a block; what it writes counts when the block ends well.

    Args:
        connection: Outside any transaction.
        write: Whether anything is written.

    Raises:
        sqlite3.Error: The file does not answer.
    """
    try:
        if write:
            connection.execute("BEGIN IMMEDIATE")
        yield connection
        if write:
            connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether the error means that the file's contents are wrong, now and later."""
    return type(error) is sqlite3.DatabaseError or "Could not decode" in str(error)


def translated(error: sqlite3.Error, location: str, *, opening: bool = False) -> StoreError:
    """Return what to raise in place of an error of SQLite."""
    text = str(error)
    if is_damage(error):
        return StoreError(f"{location} is damaged: {text}")
    if "locked" in text:
        return StoreError(
            f"{location} is locked: another process has been writing it for {_BUSY_SECONDS:.0f} s",
            advice="Try again.",
        )
    if opening:
        return files.UnwritableError(f"{location} can't be used: {text}")
    if "full" in text:
        return StoreError(
            f"{location} can't be written: {text}", advice="Make room on that disk, then try again."
        )
    return StoreError(f"{location} can't be used: {text}")
