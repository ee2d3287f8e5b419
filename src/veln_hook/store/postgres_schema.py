"""The tables, functions and roles of the shared store in PostgreSQL, version by version.

Rules of this module:

* A version that was released never changes. A change is a new list of
  statements at the end of ``MIGRATIONS``, and a line in the history below.
* Nobody but the owner writes a table. Each role may call the functions that are
  its business; they run as the owner, with a fixed search path, and look at
  ``session_user``, which no client can set.
* A migration is one transaction behind one lock of the database: of many
  processes that begin at once one does it, the others find it done.
* An older client goes on with newer tables down to ``about.oldest``: a fleet is
  not upgraded in one moment.

History:

* 1 (0.7): about, machine, file, sighting, approval, verdict_log, log_head, request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.errors import StoreError
from veln_hook.store import postgres_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

SCHEMA = "veln_hook"
ADMIN, APPROVER, MACHINE = "veln_hook_admin", "veln_hook_approver", "veln_hook_machine"
OLDEST_SERVER = 110000
"""PostgreSQL 11 is the first with ``sha256``."""
_LOCK = 0x76656C6E
"""Number of the lock that whoever makes or changes the tables holds: the letters ``veln``."""

_ROLES = """\
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['veln_hook_admin', 'veln_hook_approver', 'veln_hook_machine'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            -- The init of another database was faster.
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
    END LOOP;
    IF NOT pg_has_role('veln_hook_approver', 'veln_hook_machine', 'member') THEN
        GRANT veln_hook_machine TO veln_hook_approver;
    END IF;
    -- From 16 on, who made a role is its member, and still may not act as it.
    IF NOT pg_has_role(session_user, 'veln_hook_admin', CASE
        WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END) THEN
        EXECUTE format('GRANT veln_hook_admin TO %I', session_user);
    END IF;
END $$"""

MIGRATIONS: tuple[tuple[str, ...], ...] = ((*postgres_tables.VERSION_1, *postgres_tables.REQUESTS),)
"""The statements at place N take the tables from version N to N + 1."""

SCHEMA_VERSION = len(MIGRATIONS)


def begin(connection: Connection, migrations: Sequence[tuple[str, ...]] = MIGRATIONS) -> tuple[int, int]:
    """Make the roles and the schema where they are missing, and bring the tables to the newest version.

    All of it happens or nothing, and many may do it at once.

    Args:
        connection: Of somebody who may create roles and schemas; in autocommit mode.
        migrations: What there is; for tests.

    Returns:
        The version of the tables before, 0 if there were none, and now.

    Raises:
        psycopg.Error: The server refuses.
        StoreError: It is too old, doesn't keep texts as UTF-8, or has tables of a newer version.
    """
    if connection.info.server_version < OLDEST_SERVER:
        raise StoreError(
            f"PostgreSQL {connection.info.server_version // 10000} is too old; 11 is the oldest that will do",
            advice="Upgrade it, or name another server in 'store.url'.",
        )
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise StoreError(
            "the database does not keep texts as UTF-8",
            advice="Make one that does: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.",
        )
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute(_ROLES)
        row = connection.execute("SELECT to_regnamespace('veln_hook') IS NULL").fetchone()
        if row is not None and row[0]:
            connection.execute("CREATE SCHEMA veln_hook AUTHORIZATION veln_hook_admin")
        return _migrate(connection, migrations)


def migrate(connection: Connection, migrations: Sequence[tuple[str, ...]] = MIGRATIONS) -> tuple[int, int]:
    """Bring the tables to the newest version; like ``begin``, but the roles and the schema must be there."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        return _migrate(connection, migrations)


def _migrate(connection: Connection, migrations: Sequence[tuple[str, ...]]) -> tuple[int, int]:
    connection.execute("SET LOCAL ROLE veln_hook_admin")
    # Asked behind the lock: another process may have done it meanwhile.
    row = connection.execute("SELECT to_regclass('veln_hook.about') IS NOT NULL").fetchone()
    version = 0
    if row is not None and row[0]:
        found = connection.execute("SELECT version FROM veln_hook.about").fetchone()
        version = 0 if found is None else int(found[0])
    if version > len(migrations):
        raise newer(version, len(migrations))
    for statements in migrations[version:]:
        for statement in statements:
            connection.execute(statement.encode())
    if version < len(migrations):
        connection.execute("UPDATE veln_hook.about SET version = %s", (len(migrations),))
    return version, len(migrations)


def newer(version: int, known: int = SCHEMA_VERSION) -> StoreError:
    """Return the error that tables of a newer version lead to."""
    return StoreError(
        f"a newer veln-hook made the shared store's tables (version {version}, this one knows {known})",
        advice="Upgrade veln-hook here.",
    )
