"""From the policy's ``store.url`` to a store.

Rules of this module: a store that can't be written must not stop an install,
because nothing that the decision rests on is lost (what is unknown is held);
a store that could be forged must.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from veln_hook import paths
from veln_hook.errors import StoreError
from veln_hook.store import connecting, files
from veln_hook.store.audit import AuditLog
from veln_hook.store.overlay import OverlayStore
from veln_hook.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from veln_hook.policy.settings import AuditPolicy
    from veln_hook.store.interface import Store


def open_store(url: str = "", *, path: Path | None = None, audit: AuditPolicy | None = None) -> Store:
    """Open the store that the policy names; close it after use.

    Where the file can't be written (read-only home, full disk), the store still
    works for this process: it reads what can be read, keeps the rest in memory,
    and says so in ``info()``.

    Args:
        url: The policy's ``store.url``; only the empty one is known, which means SQLite.
        path: The file, if not ``paths.store_file()``.
        audit: Where records are told besides; without it, nowhere.

    Raises:
        StoreError: The URL is of another kind, the file could be somebody else's or is of a
            newer schema, or another process locks it for too long.
    """
    if url:
        # Not the whole URL: it may carry a password.
        scheme = url.partition("://")[0] if "://" in url else "that"
        raise StoreError(
            f"this version knows no store but SQLite, so 'store.url' can't be a {scheme} URL",
            advice="Take 'store.url' out of the policy; a later release adds postgresql.",
        )
    store = _opened(paths.store_file() if path is None else path)
    if audit is not None:
        file = Path(audit.file) if audit.file else paths.audit_file()
        store.told = AuditLog(file, syslog=audit.syslog).tell
    return store


def _opened(target: Path) -> SqliteStore | OverlayStore:
    try:
        return SqliteStore(target)
    except files.UnwritableError as error:
        problem = str(error)
    try:
        connection = connecting.to_read(target)
    except (sqlite3.Error, files.UnwritableError):
        return OverlayStore(str(target), problem)
    try:
        return OverlayStore(str(target), problem, connection)
    except StoreError:
        return OverlayStore(str(target), problem)
