"""From records to the index file, which takes the place of the old one only when it is whole.

Rules of this module: a record that can't be read is counted and told, never passed over in silence; a source
of which too many can't be read, or that knows far less than what is there, replaces nothing.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook.errors import FeedError, StoreError
from veln_hook.feed import schema
from veln_hook.feed.advisories import canonical
from veln_hook.feed.reading import Feed, FeedInfo
from veln_hook.feed.records import RecordError, read_record
from veln_hook.store import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from veln_hook.feed.records import Record
    from veln_hook.feed.sources import Raw

MAX_UNREADABLE = 0.01
"""Share of the records; OSV's own have none. Ten are let pass in any case."""
_FEW = 10
_TOLD = 20
_STALE_S = 3600.0
"""Age of a file of an import that was killed; no import takes that long."""
_AHEAD = timedelta(days=1)
"""A record that was changed later than that from now doesn't tell how old the feed is."""
_STEP = 500
_BY_PROJECT = ("malware", "weaknesses", "fixes")


class Origin(NamedTuple):
    """Where records come from."""

    source: str
    """URL without credentials, or path."""
    etag: str = ""
    fresh: bool = False
    """A server has just given them as its newest; else they are as old as the newest of them."""


class Outcome(NamedTuple):
    """What an import has made."""

    info: FeedInfo
    unreadable: tuple[str, ...]
    """Names and reasons, the first of them."""


def build(
    path: Path,
    records: Iterable[Raw],
    origin: Origin,
    *,
    now: datetime,
    add: bool = False,
    shrink: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Make the index file of records, and put it in the old one's place.

    Args:
        path: Of the index file.
        records: What it is made of.
        origin: Where they come from.
        now: Aware, UTC.
        add: Keep what the old one has, unless a record is newer here. What is added stays in later imports.
        shrink: Let it know less than half of the malware that the old one knows, or be older; and let go of
            what was added to that.
        progress: Told how many records were read.

    Raises:
        FeedError: The records can't be read, are too few or too bad, or the file can't be written. Then the
            old one is as it was.
    """
    old = _old(path, strict=add)
    try:
        files.make_directory(path.parent)
        files.check(path)
        _remove_leftovers(path, now)
        target = files.sidecar(path, f".new-{os.getpid()}-{os.urandom(4).hex()}")
        files.create(target)
    except (StoreError, OSError) as error:
        advice = _WRITE_ADVICE
        if isinstance(error, StoreError) and not isinstance(error, files.UnwritableError):
            advice = error.advice
        raise FeedError(f"the feed can't be written: {error}", advice=advice) from error
    try:
        with closing(_connected(target)) as connection:
            builder = _Builder(connection, own=add)
            try:
                if old is not None and not shrink:
                    builder.keep(path)
                builder.take(records, progress)
                info = builder.finish(path, origin, old, now)
            except sqlite3.Error as error:
                raise FeedError(f"the feed can't be written: {error}", advice=_WRITE_ADVICE) from error
        _check_size(info, old, builder, shrink=shrink or add)
        _replace(target, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(target)
        raise
    return Outcome(info._replace(size=path.stat().st_size), tuple(builder.unreadable))


def confirm(path: Path, now: datetime) -> None:
    """Note that the server has nothing newer: the feed is true as of now.

    Raises:
        FeedError: There is none, or it can't be written.
    """
    target = files.sidecar(path, f".new-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        files.create(target)
        # A copy: readers hold the old one for a file that never changes.
        with open(path, "rb") as old, open(target, "r+b") as new:
            while piece := old.read(1 << 20):
                new.write(piece)
        with closing(_connected(target)) as connection:
            rows = [(now.isoformat(), key) for key in (schema.AS_OF, schema.CHECKED_AT)]
            connection.executemany("UPDATE meta SET value = ? WHERE key = ?", rows)
            connection.commit()
        _replace(target, path)
    except (OSError, sqlite3.Error, StoreError) as error:
        with suppress(OSError):
            os.unlink(target)
        raise FeedError(f"the feed can't be written: {error}", advice=_WRITE_ADVICE) from error


_WRITE_ADVICE = "Make the directory of the store writable, and room on its disk; then try again."
_REFUSED_ADVICE = "What was there is kept. Look at the source; 'veln-hook feed status' tells what is in use."


def _old(path: Path, *, strict: bool) -> Optional[FeedInfo]:
    """Return what is there now; ``None`` if it is nothing, or nothing that can be read, unless ``strict``."""
    feed = Feed(path)
    try:
        return feed.info()
    except FeedError:
        if strict:
            raise
        return None
    finally:
        feed.close()


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(files.uri(path, "mode=rw"), uri=True)
    # It is thrown away unless it is whole; what a journal is for can't happen to it.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


class _Builder:
    """Fills one index file."""

    def __init__(self, connection: sqlite3.Connection, *, own: bool) -> None:
        self._connection = connection
        self.read = 0
        self.unreadable: list[str] = []
        self.unreadable_count = 0
        self._own = own
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION}")
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")
        connection.executescript(schema.CREATE)

    def keep(self, path: Path) -> None:
        """Take over what is there: everything, if something is to be added; else what was added before."""
        which = "" if self._own else " WHERE id IN (SELECT id FROM old.records WHERE own)"
        tables = ("records", *_BY_PROJECT)
        self._connection.execute("ATTACH DATABASE ? AS old", (files.uri(path, "mode=ro&immutable=1"),))
        try:
            for table in tables:
                self._connection.execute(f"INSERT INTO {table} SELECT * FROM old.{table}{which}")  # noqa: S608 - our own words
        except sqlite3.Error:
            if self._own:
                raise
            for table in tables:  # what is damaged keeps nothing, and must not keep a new one away
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - as above
        self._connection.commit()
        self._connection.execute("DETACH DATABASE old")

    def take(self, records: Iterable[Raw], progress: Callable[[int], None] | None) -> None:
        """Read records, those that can be."""
        for raw in records:
            self.read += 1
            if progress is not None and self.read % _STEP == 0:
                progress(self.read)
            if raw.problem:
                self._note(raw, raw.problem)
                continue
            try:
                self._put(read_record(raw.data))
            except RecordError as error:
                self._note(raw, str(error))

    def _note(self, raw: Raw, problem: str) -> None:
        self.unreadable_count += 1
        if len(self.unreadable) < _TOLD:
            self.unreadable.append(f"{raw.name[-100:]}: {problem}")

    def _put(self, record: Record) -> None:
        modified = record.modified.isoformat(timespec="microseconds") if record.modified else ""
        known = self._connection.execute(
            "SELECT modified, withdrawn, projects FROM records WHERE id = ?", (record.id,)
        ).fetchone()
        if known is not None:
            # Of two with one id the newer counts; of two that are as old, the one that isn't withdrawn.
            if (modified, not record.withdrawn) < (known[0], not known[1]):
                return
            self._connection.execute("DELETE FROM records WHERE id = ?", (record.id,))
            for table in _BY_PROJECT:
                self._connection.executemany(
                    f"DELETE FROM {table} WHERE project = ? AND id = ?",  # noqa: S608 - our own words
                    [(project, record.id) for project in known[2].split()],
                )
        self._connection.execute(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)",
            (
                record.id,
                modified,
                record.malware,
                record.withdrawn,
                " ".join(project for project, _ in record.affected),
                self._own,
            ),
        )
        self._connection.executemany(
            f"INSERT INTO {'malware' if record.malware else 'weaknesses'} VALUES (?, ?, ?)",  # noqa: S608 - as above
            [(project, record.id, advisory.packed()) for project, advisory in record.affected],
        )
        if not record.malware:
            self._connection.executemany(
                "INSERT OR IGNORE INTO fixes VALUES (?, ?, ?)",
                [
                    (project, canonical(version), record.id)
                    for project, advisory in record.affected
                    for version in advisory.fixed()
                ],
            )

    def _count(self, where: str) -> int:
        (count,) = self._connection.execute(f"SELECT count(*) FROM records WHERE {where}").fetchone()  # noqa: S608 - our own words
        return int(count)

    def _last(self, limit: str, where: str) -> Optional[str]:
        (last,) = self._connection.execute(
            f"SELECT max(modified) FROM records WHERE modified <= ? AND {where}",  # noqa: S608 - our own words
            (limit,),
        ).fetchone()
        return str(last) if last else None

    def finish(self, path: Path, origin: Origin, old: FeedInfo | None, now: datetime) -> FeedInfo:
        """Write what is known of the feed itself, and return it."""
        limit = (now + _AHEAD).isoformat(timespec="microseconds")
        # A record that was added makes nothing else newer; where there are no others, it is all there is.
        last = self._last(limit, "NOT own") or self._last(limit, "own")
        newest = datetime.fromisoformat(last) if last else None
        unreadable, checked_at = self.unreadable_count, now
        as_of = now if origin.fresh else min(newest or datetime.fromtimestamp(0, now.tzinfo), now)
        if self._own and old is not None:  # the feed itself is what it was
            as_of, checked_at, origin = old.as_of, old.checked_at, Origin(old.source, old.etag)
            self.unreadable = [*old.unreadable_names, *self.unreadable][:_TOLD]
            unreadable += old.unreadable
        info = FeedInfo(
            path=str(path),
            as_of=as_of,
            checked_at=checked_at,
            imported_at=now,
            newest=newest,
            source=origin.source,
            etag=origin.etag,
            records=self._count("1"),
            malware=self._count("malware AND NOT withdrawn"),
            withdrawn=self._count("withdrawn"),
            unreadable=unreadable,
            unreadable_names=tuple(self.unreadable),
            size=0,
        )
        rows = {
            schema.AS_OF: info.as_of.isoformat(),
            schema.CHECKED_AT: checked_at.isoformat(),
            schema.IMPORTED_AT: now.isoformat(),
            schema.NEWEST: newest.isoformat() if newest else "",
            schema.SOURCE: info.source,
            schema.ETAG: info.etag,
            schema.RECORDS: str(info.records),
            schema.MALWARE: str(info.malware),
            schema.WITHDRAWN: str(info.withdrawn),
            schema.UNREADABLE: str(info.unreadable),
            schema.UNREADABLE_NAMES: json.dumps(info.unreadable_names),
        }
        self._connection.executemany("INSERT INTO meta VALUES (?, ?)", rows.items())
        self._connection.commit()
        return info


def _check_size(info: FeedInfo, old: FeedInfo | None, builder: _Builder, *, shrink: bool) -> None:
    """Refuse what would leave less known than was.

    Raises:
        FeedError: It would.
    """
    if builder.unreadable_count > max(_FEW, builder.read * MAX_UNREADABLE):
        raise FeedError(
            f"{builder.unreadable_count} of {builder.read} records can't be read: {builder.unreadable[0]}",
            advice=_REFUSED_ADVICE,
        )
    if builder.read == builder.unreadable_count:
        told = builder.unreadable[0] if builder.unreadable else "it has none"
        raise FeedError(f"no record can be read: {told}", advice=_REFUSED_ADVICE)
    if old is None or shrink:
        return
    advice = "What was there is kept. '--add' adds to it, '--replace' takes this one all the same."
    if info.malware * 2 < old.malware:
        raise FeedError(
            f"it knows {info.malware} records of malware where {old.malware} are known now", advice=advice
        )
    if old.newest is not None and (info.newest is None or info.newest < old.newest):
        # A server that gives an old one again takes back what is known since.
        raise FeedError(
            f"it is older than what is here: its newest record is of {_minute(info.newest)}, "
            f"the newest here of {_minute(old.newest)}",
            advice=advice,
        )


def _minute(moment: datetime | None) -> str:
    return "no time" if moment is None else f"{moment.isoformat()[:16]} UTC"


def _replace(target: Path, path: Path) -> None:
    with open(target, "rb") as file:
        os.fsync(file.fileno())
    os.replace(target, path)


def _remove_leftovers(path: Path, now: datetime) -> None:
    """Delete what imports left that were killed."""
    for other in path.parent.glob(f"{path.name}.new-*"):
        with suppress(OSError):
            if now.timestamp() - other.lstat().st_mtime > _STALE_S:
                other.unlink()
