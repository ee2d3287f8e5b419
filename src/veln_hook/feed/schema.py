"""The index file: one SQLite file, made once, never written again, replaced as a whole.

Version 1. ``records`` has every record by its id (``projects``: normalized names, a blank between them;
``own``: it was added to the feed, whose updates leave it there), ``malware`` and ``weaknesses`` what those
that count say of each project, ``fixes`` which versions are the first without a weakness (spelled by
``advisories.canonical``), ``meta`` what is known of the feed itself.

An install reads ``malware`` by project. Some projects have hundreds of weaknesses, and lists of versions in
each, so those are read only where ``fixes`` has a version that matters.
"""

from __future__ import annotations

APPLICATION = 0x56484644
"""``PRAGMA application_id``: VHFD."""
VERSION = 1
"""``PRAGMA user_version``."""
CREATE = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE records (
    id TEXT PRIMARY KEY, modified TEXT NOT NULL, malware INTEGER NOT NULL, withdrawn INTEGER NOT NULL,
    projects TEXT NOT NULL, own INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE malware (
    project TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (project, id)
) WITHOUT ROWID;
CREATE TABLE weaknesses (
    project TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (project, id)
) WITHOUT ROWID;
CREATE TABLE fixes (
    project TEXT NOT NULL, version TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (project, version, id)
) WITHOUT ROWID;
"""
AS_OF, CHECKED_AT, IMPORTED_AT, NEWEST = "as_of", "checked_at", "imported_at", "newest"
SOURCE, ETAG, RECORDS, MALWARE = "source", "etag", "records", "malware"
WITHDRAWN, UNREADABLE, UNREADABLE_NAMES = "withdrawn", "unreadable", "unreadable_names"
"""Keys of ``meta``; ``FeedInfo`` says what each means."""
