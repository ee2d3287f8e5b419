"""The index file as an install reads it: opened when a project is looked up, followed when it is replaced.

Rules of this module: nothing is imported late (pip 26.3 forbids it), nothing is written, and a file that
somebody else could have written is no feed. What can't be read is an error, never "nothing is known".
"""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook.errors import FeedError, StoreError
from veln_hook.feed import schema
from veln_hook.feed.advisories import Advisory, canonical, unpacked
from veln_hook.store import files

if TYPE_CHECKING:
    from pathlib import Path

_KEPT = 256
"""Projects whose malware is kept: a run asks for one several times."""
_MALWARE = "SELECT id, data FROM malware WHERE project = ?"
_WEAKNESSES = "SELECT id, data FROM weaknesses WHERE project = ?"
_REPAIRED = "SELECT id, data FROM fixes JOIN weaknesses USING (project, id) WHERE project = ? AND version = ?"


class FeedInfo(NamedTuple):
    """What is known of the feed itself."""

    path: str
    as_of: datetime
    """What it says is true as of then: its server gave or confirmed it, or its newest record. Aware UTC."""
    checked_at: datetime
    """When a server was asked last, or when it was imported."""
    imported_at: datetime
    newest: Optional[datetime]
    """When the newest record was changed."""
    source: str
    """URL without credentials, or path."""
    etag: str
    """What the server calls this version; empty for files."""
    records: int
    malware: int
    """Records about malware that count."""
    withdrawn: int
    unreadable: int
    unreadable_names: tuple[str, ...]
    """The first of them."""
    size: int
    """Bytes of the index file."""


class Feed:
    """The index file; for one thread at a time. Nothing is opened before the first question.

    Args:
        path: Of it; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._seen: tuple[int, ...] | None = None
        self._info: FeedInfo | None = None
        self._kept: dict[str, tuple[Advisory, ...]] = {}

    def info(self) -> FeedInfo | None:
        """Return what is known of the feed; ``None`` if there is none.

        Raises:
            FeedError: It can't be read, or could be somebody else's.
        """
        self._follow()
        return self._info

    def malware(self, project: str) -> tuple[Advisory, ...]:
        """Return what is said of malicious releases of a project; nothing where there is no feed.

        Args:
            project: Normalized name.

        Raises:
            FeedError: It can't be read, or could be somebody else's.
        """
        connection = self._follow()
        if connection is None or not project:
            return ()
        known = self._kept.get(project)
        if known is None:
            known = self._asked(connection, _MALWARE, (project,), malware=True)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[project] = known
        return known

    def weaknesses(self, project: str) -> tuple[Advisory, ...]:
        """Return what is said of the weaknesses of a project; takes milliseconds for some.

        Args:
            project: Normalized name.

        Raises:
            FeedError: It can't be read, or could be somebody else's.
        """
        connection = self._follow()
        return () if connection is None else self._asked(connection, _WEAKNESSES, (project,), malware=False)

    def repaired(self, project: str, version: str) -> tuple[Advisory, ...]:
        """Return the weaknesses of which a release is told to be the first without.

        Args:
            project: Normalized name.
            version: In any spelling.

        Raises:
            FeedError: It can't be read, or could be somebody else's.
        """
        connection, spelled = self._follow(), canonical(version)
        if connection is None or not spelled:
            return ()
        return self._asked(connection, _REPAIRED, (project, spelled), malware=False)

    def _asked(
        self, connection: sqlite3.Connection, question: str, words: tuple[str, ...], *, malware: bool
    ) -> tuple[Advisory, ...]:
        try:
            rows = connection.execute(question, words).fetchall()
            return tuple(unpacked(name, data, malware=malware) for name, data in rows)
        except (sqlite3.Error, ValueError) as error:
            raise _damaged(self.path, error) from error

    def close(self) -> None:
        """Close the file. Calling twice is harmless; a question opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._seen = self._info = None
        self._kept.clear()

    def _follow(self) -> sqlite3.Connection | None:
        """Return a connection to the file as it is now: a long-lived process must see a newer one."""
        seen = self._identity()
        if seen is None:
            self.close()
            return None
        if self._connection is None or seen != self._seen:
            self.close()
            self._open()
            self._seen = seen
        return self._connection

    def _identity(self) -> tuple[int, ...] | None:
        try:
            status = self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise FeedError(f"{self.path} can't be reached: {error.strerror or error}") from error
        # The change time moves with the mode and the owner, too.
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _open(self) -> None:
        try:
            files.check(self.path)
        except StoreError as error:
            raise FeedError(str(error), advice=error.advice) from error
        try:
            # Immutable: it is replaced as a whole and never written, so no lock and no journal is looked for.
            connection = sqlite3.connect(
                files.uri(self.path, "mode=ro&immutable=1"),
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._info = _read_info(connection, self.path)
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            raise _damaged(self.path, error) from error
        self._connection = connection


def _read_info(connection: sqlite3.Connection, path: Path) -> FeedInfo:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.APPLICATION:
        raise ValueError("it is no feed")
    if version != schema.VERSION:
        raise FeedError(f"{path} was made by another version of veln-hook (version {version} of the file)")
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    newest = meta[schema.NEWEST]
    return FeedInfo(
        path=str(path),
        as_of=_moment(meta[schema.AS_OF]),
        checked_at=_moment(meta[schema.CHECKED_AT]),
        imported_at=_moment(meta[schema.IMPORTED_AT]),
        newest=_moment(newest) if newest else None,
        source=meta[schema.SOURCE],
        etag=meta[schema.ETAG],
        records=int(meta[schema.RECORDS]),
        malware=int(meta[schema.MALWARE]),
        withdrawn=int(meta[schema.WITHDRAWN]),
        unreadable=int(meta[schema.UNREADABLE]),
        unreadable_names=tuple(map(str, json.loads(meta[schema.UNREADABLE_NAMES]))),
        size=path.stat().st_size,
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time has no zone")
    return moment


def _damaged(path: Path, error: Exception) -> FeedError:
    return FeedError(f"{path} is damaged: {error}")
