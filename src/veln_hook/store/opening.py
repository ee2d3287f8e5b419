"""From the policy's ``store.url`` to a store.

Rules of this module: a store that can't be written must not stop an install,
because nothing that the decision rests on is lost (what is unknown is held);
a store that could be forged must.
"""

from __future__ import annotations

import sqlite3
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from veln_hook import paths
from veln_hook.errors import StoreError
from veln_hook.policy.settings import SharingPolicy
from veln_hook.store import connecting, files
from veln_hook.store.audit import AuditLog
from veln_hook.store.overlay import OverlayStore
from veln_hook.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from veln_hook.policy.settings import AuditPolicy, Policy
    from veln_hook.store.interface import Store
    from veln_hook.store.postgres_server import Administration, Server

_COPY = "shared.sqlite3"
"""What this machine keeps of a shared store, beside its own file."""


def open_store(
    url: str = "",
    *,
    path: Path | None = None,
    audit: AuditPolicy | None = None,
    sharing: SharingPolicy | None = None,
    votes: int = 0,
    trust_local: bool = True,
) -> Store:
    """Open a store; close it after use. ``open_policy_store`` is what most callers want.

    Where the file can't be written (read-only home, full disk), the store still
    works for this process: it reads what can be read, keeps the rest in memory,
    and says so in ``info()``. A shared store is first asked when something is wanted of it.

    Args:
        url: The policy's ``store.url``: empty for SQLite, or ``postgresql://...``.
        path: The file, if not ``paths.store_file()``.
        audit: Where records are told besides; without it, nowhere.
        sharing: How a shared store is used; by default as ``SharingPolicy()`` says.
        votes: The policy's ``cooling.min_observations``.
        trust_local: Whether first sights of this machine's own file count beside a shared store's.

    Raises:
        StoreError: The URL is of another kind or needs what isn't installed, the file could be somebody
            else's or is of a newer schema, or another process locks it for too long.
    """
    target = paths.store_file() if path is None else path
    store: Store = _opened(target)
    if url:
        try:
            store = _shared(store, target, url, sharing or SharingPolicy(), votes, trust_local=trust_local)
        except BaseException:
            store.close()
            raise
    if audit is not None:
        file = Path(audit.file) if audit.file else paths.audit_file()
        store.told = AuditLog(file, syslog=audit.syslog).tell
    return store


def open_policy_store(policy: Policy, *, audited: bool = True) -> Store:
    """Open the store that the policy names; close it after use.

    Args:
        policy: The settings in force.
        audited: Whether the audit log is told what is recorded.

    Raises:
        StoreError: See ``open_store``.
    """
    return open_store(
        policy.store_url,
        audit=policy.audit if audited else None,
        sharing=policy.sharing,
        votes=policy.cooling.min_observations,
        trust_local=policy.approvals_accept == "local",
    )


def require_postgres(url: str) -> None:
    """Return if ``url`` is of a kind that can be used here.

    Raises:
        StoreError: It isn't; the message doesn't show it, as it may hold a password.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        scheme = url.partition("://")[0] if "://" in url else "that"
        raise StoreError(
            f"there is no store of the kind that a {scheme} URL names",
            advice="'store.url' is empty for SQLite, or postgresql://...",
        )
    # Found first, imported later: an ImportError inside of it is another matter than its absence.
    if find_spec("psycopg") is None:
        raise StoreError(
            "a shared store needs psycopg, which is not installed here",
            advice="Run: python -m pip install 'veln-hook[postgres]'",
        )
    try:
        import_module("psycopg")
    except ImportError as error:  # without its C parts and without the system's libpq
        raise StoreError(
            f"psycopg can't be loaded: {' '.join(str(error).split())}",
            advice="Run: python -m pip install 'veln-hook[postgres]'",
        ) from error


def open_server(url: str, *, seconds: float = 60.0) -> Server:
    """Return what asks a shared store's server, without anything of this machine between; close it after use.

    Args:
        url: ``postgresql://...``.
        seconds: How long it may be waited for, in all.

    Raises:
        StoreError: See ``require_postgres``.
    """
    require_postgres(url)
    from veln_hook.store import postgres_line, postgres_server  # noqa: PLC0415 - see ``_shared``

    return postgres_server.Server(url, postgres_line.Budget(seconds))


def open_administration(url: str) -> Administration:
    """Return what makes a shared store's tables; close it after use.

    Raises:
        StoreError: See ``require_postgres``.
    """
    require_postgres(url)
    from veln_hook.store.postgres_server import Administration  # noqa: PLC0415 - see ``_shared``

    return Administration(url)


def waiting_here(url: str) -> int:
    """Return how many observations and records wait on this machine to be sent to a shared store.

    Raises:
        StoreError: The file that holds them could be somebody else's.
    """
    from veln_hook.store import postgres_copy, postgres_server  # noqa: PLC0415 - see ``_shared``

    copy = postgres_copy.LocalCopy(paths.store_file().with_name(_COPY))
    try:
        return copy.count(postgres_server.server_identity(url))
    finally:
        copy.close()


def _shared(
    local: Store, target: Path, url: str, sharing: SharingPolicy, votes: int, *, trust_local: bool
) -> Store:
    require_postgres(url)
    # Not above: it costs a tenth of a second, and most machines have no use for it. In pip's process this is
    # when a run begins, before pip forbids imports.
    from veln_hook.store.postgres import SharedStore  # noqa: PLC0415
    from veln_hook.store.postgres_copy import LocalCopy  # noqa: PLC0415

    copy = LocalCopy(target.with_name(_COPY))
    try:
        return SharedStore(local, copy, url, sharing, votes=votes, trust_local=trust_local)
    except BaseException:
        copy.close()
        raise


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
