"""What is asked of the shared store's server: one question, and so one answer to wait for, each.

Rules of this module: nothing is remembered here; every write is a call of one
of the database's functions (``postgres_schema``), which are what the roles may
do; all of them can be called again with the same arguments.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from veln_hook.policy.matching import without_secrets
from veln_hook.store import codec, postgres_chain, postgres_schema
from veln_hook.store.interface import StoreInfo
from veln_hook.store.postgres_line import Budget, Line, parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from psycopg import Connection

    from veln_hook.model import Approval, Observation, VerdictRecord
    from veln_hook.store.postgres_line import About

ALL_VOTES = 10_000
"""As many machines as a server ever keeps of a file."""
_MAX_ID = 2**63 - 1
_EXACT = 10_000
"""Up to so many rows are counted; of more the database's own estimate is told."""

# The first sight, this machine's own, and as many others as can count: not all ten thousand of a fleet.
_SIGHTINGS = """\
SELECT f.project, f.filename, f.sha256, f.index_url, m.name, f.version, s.first_seen, f.last_seen
FROM veln_hook.file AS f
CROSS JOIN LATERAL (
    SELECT f.first_machine AS machine, f.first_seen
    UNION (SELECT machine, first_seen FROM veln_hook.sighting WHERE file = f.id AND %(votes)s > 1
        AND machine <> f.first_machine LIMIT %(votes)s)
    UNION SELECT machine, first_seen FROM veln_hook.sighting WHERE file = f.id
        AND machine = (SELECT id FROM veln_hook.machine WHERE name = %(me)s) AND machine <> f.first_machine
) AS s
JOIN veln_hook.machine AS m ON m.id = s.machine
WHERE f.project = %(project)s"""
_APPROVALS = """\
SELECT id, project, version, filename, sha256, reason, author, created_at, expires_at, revoked_at, login
FROM veln_hook.approval"""
_NEWEST = " ORDER BY created_at DESC, id DESC"
_LOG = """\
SELECT id, at, decision, stage, project, version, filename, sha256, index_url, reason, opens_at, approval_id,
author, findings FROM veln_hook.verdict_log WHERE at >= %s AND (%s::text IS NULL OR project = %s)
ORDER BY at DESC, id DESC LIMIT %s"""
_CHAIN = """\
SELECT id, uid::text, at::text, decision, stage, project, version, filename, sha256, index_url, reason,
opens_at::text, approval_id::text, author, findings, machine, login, received_at::text, hash
FROM veln_hook.verdict_log WHERE id > %s AND id <= %s ORDER BY id"""
_CHAIN_ROWS = 10_000
"""How many rows of the log are read at a time."""


class Known(NamedTuple):
    """What the server knows of one project."""

    observations: list[Observation]
    """The oldest first."""
    refreshed: dict[tuple[str, str, str], int]
    """By filename, sha256 and index: when any machine last told of it, microseconds since 1970."""
    approvals: list[Approval]
    """The newest first."""


class Rights(NamedTuple):
    """Who a login is."""

    login: str
    roles: tuple[str, ...]
    """Of ours, those it belongs to."""


class Outgoing(NamedTuple):
    """A record on its way, with the name that lets it be sent twice and be written once."""

    uid: str
    record: VerdictRecord


class Server:
    """The server that ``url`` names, asked as this machine.

    Args:
        url: ``postgresql://...``.
        budget: How long may be waited for it.
        machine: What this machine calls itself.
        votes: How many machines' observations of one file are wanted.

    Raises:
        StoreError: The URL can't be understood.
    """

    def __init__(self, url: str, budget: Budget, *, machine: str = "", votes: int = ALL_VOTES) -> None:
        self.location = without_secrets(url)
        self.identity = server_identity(url)
        self._line = Line(url, budget, machine=machine)
        self._votes = max(1, votes)

    @property
    def line(self) -> Line:
        """What others ask the same server by."""
        return self._line

    def close(self) -> None:
        """Let the connection go. Calling twice is harmless."""
        self._line.close()

    def about(self) -> About:
        """Return what the server says of itself.

        Raises:
            UnreachableError: It doesn't answer; so does every method here.
            StoreError: It refuses, or its tables don't fit; so does every method here.
        """
        return self._line.ask(lambda _, about: about)

    def rights(self) -> Rights:
        """Return who this login is."""
        roles = (postgres_schema.MACHINE, postgres_schema.APPROVER, postgres_schema.ADMIN)
        query = "SELECT session_user, " + ", ".join("pg_has_role(%s, 'member')" for _ in roles)
        row = self._line.ask(lambda connection, _: connection.execute(query.encode(), roles).fetchone())
        if row is None:
            return Rights("", ())
        return Rights(str(row[0]), tuple(role for role, has in zip(roles, row[1:]) if has))

    def info(self) -> StoreInfo:
        """Describe it; numbers of rows above ten thousand are estimates."""

        def work(connection: Connection, about: About) -> StoreInfo:
            sightings, approvals = (_count(connection, table) for table in ("sighting", "approval"))
            return StoreInfo(
                location=self.location,
                schema=about.version,
                started_at=codec.from_micros(about.started_at),
                observations=sightings,
                approvals=approvals,
                persistent=True,
            )

        return self._line.ask(work)

    def project(self, project: str) -> Known:
        """Return what is known of a project, as far as it can count."""

        def work(connection: Connection, about: About) -> Known:
            name = codec.to_server_text(project)
            values = {"votes": min(self._votes, about.votes_kept), "me": about.machine, "project": name}
            with connection.pipeline():
                seen = connection.execute(_SIGHTINGS, values)
                approved = connection.execute(f"{_APPROVALS} WHERE project = %s{_NEWEST}", (name,))
                rows, approvals = seen.fetchall(), approved.fetchall()
            rows.sort(key=lambda row: (row[6], row[:6]))
            return Known(
                [codec.observation_from(row[:7]) for row in rows],
                {(row[1], row[2], row[3]): row[7] for row in rows},
                [_approval(row) for row in approvals],
            )

        return self._line.ask(work)

    def approvals(self) -> list[Approval]:
        """Return the approvals of every project, ended ones too, the newest first."""
        rows = self._line.ask(lambda connection, _: connection.execute(_APPROVALS + _NEWEST).fetchall())
        return [_approval(row) for row in rows]

    def add_approval(self, approval: Approval) -> Approval:
        """Store the approval, and log that; only for ``veln_hook_approver``."""
        values = [_storable(value) for value in codec.approval_values(approval)]
        uid = str(uuid.uuid4())

        def work(connection: Connection, about: About) -> tuple[int, str]:
            query = "SELECT veln_hook.add_approval(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            row = connection.execute(query, (uid, *values, about.machine)).fetchone()
            return int(row[0]) if row is not None else 0, connection.info.user

        number, login = self._line.ask(work)
        return replace(approval, id=number, shared=True, login=login)

    def revoke_approval(self, number: int, at: datetime, *, who: str = "") -> bool:
        """End an approval, and log that; only for ``veln_hook_approver``."""
        if not 0 < number <= _MAX_ID:
            return False

        def work(connection: Connection, about: About) -> bool:
            query = "SELECT veln_hook.revoke_approval(%s, %s, %s, %s)"
            row = connection.execute(
                query, (number, codec.to_micros(at), codec.to_server_text(who), about.machine)
            ).fetchone()
            return row is not None and bool(row[0])

        return self._line.ask(work)

    def prune_approvals(self, now: datetime) -> int:
        """Delete approvals that have ended; only for ``veln_hook_approver``."""
        return self._one("SELECT veln_hook.prune_approvals(%s)", (codec.to_micros(now),))

    def observe(self, observations: Sequence[Observation], *, at_most: float | None = None) -> int:
        """Write observations; return how many were new."""
        columns = [
            [_storable(value) for value in column]
            for column in zip(
                *(
                    (
                        o.project,
                        o.version,
                        o.filename,
                        o.sha256,
                        o.index,
                        o.machine,
                        codec.to_micros(o.first_seen),
                    )
                    for o in observations
                )
            )
        ]
        if not columns:
            return 0
        query = "SELECT veln_hook.observe(%s, %s, %s, %s, %s, %s, %s::bigint[])"
        return self._one(query, columns, at_most=at_most)

    def append(self, outgoing: Sequence[Outgoing], *, at_most: float | None = None) -> None:
        """Append to the log what isn't in it yet."""
        if not outgoing:
            return
        rows = [(each.uid, *codec.record_values(each.record)) for each in outgoing]
        columns = [[_storable(value) for value in column] for column in zip(*rows)]

        def work(connection: Connection, about: About) -> None:
            query = (
                "SELECT veln_hook.append(%s, %s::uuid[], %s::bigint[], %s, %s, %s, %s, %s, %s, %s, %s,"
                " %s::bigint[], %s::bigint[], %s, %s)"
            )
            connection.execute(query, (about.machine, *columns))

        self._line.ask(work, at_most=at_most)

    def log(
        self, *, project: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> list[VerdictRecord]:
        """Return records of every machine, the newest first; only for ``veln_hook_approver``."""
        name = None if project is None else codec.to_server_text(project)
        bounds = (-_MAX_ID if since is None else codec.to_micros(since), name, name)
        most = None if limit is None else max(0, min(limit, _MAX_ID))
        rows = self._line.ask(lambda connection, _: connection.execute(_LOG, (*bounds, most)).fetchall())
        return [codec.record_from(row) for row in rows]

    def verify_log(self, expected: postgres_chain.Link | None = None) -> postgres_chain.ChainReport:
        """Compute the log's chain again; only for ``veln_hook_approver``."""
        query = "SELECT id, hash, anchor_id, anchor_hash FROM veln_hook.log_head"
        row = self._line.ask(lambda connection, _: connection.execute(query).fetchone())
        if row is None:
            nothing = postgres_chain.Link(0, hashlib.sha256().hexdigest())
            return postgres_chain.ChainReport(0, nothing, nothing, "the log's head is missing")
        head = postgres_chain.Link(row[0], bytes(row[1]).hex())
        anchor = postgres_chain.Link(row[2], bytes(row[3]).hex())
        rows = self._chain_rows(anchor.number, head.number)
        return postgres_chain.verify(rows, anchor=anchor, head=head, expected=expected)

    def _chain_rows(self, first: int, last: int) -> Iterator[Sequence[Any]]:
        while True:
            bounds = (first, last)
            rows = self._line.ask(
                lambda connection, _, bounds=bounds: connection.execute(  # type: ignore[misc]
                    f"{_CHAIN} LIMIT {_CHAIN_ROWS}", bounds
                ).fetchall()
            )
            yield from rows
            if len(rows) < _CHAIN_ROWS:
                return
            first = rows[-1][0]

    def _one(self, query: str, values: Iterable[Any], *, at_most: float | None = None) -> int:
        given = tuple(values)

        def work(connection: Connection, about: About) -> int:
            del about
            row = connection.execute(query.encode(), given).fetchone()
            return int(row[0]) if row is not None else 0

        return self._line.ask(work, at_most=at_most)


class Administration:
    """What only ``veln_hook_admin`` does.

    Args:
        url: Of an administrator's login.
        seconds: How long may be waited in all.

    Raises:
        StoreError: The URL can't be understood.
    """

    def __init__(self, url: str, seconds: float = 60.0) -> None:
        self._line = Line(url, Budget(seconds), bare=True)

    def close(self) -> None:
        """Let the connection go."""
        self._line.close()

    def init(self) -> tuple[int, int]:
        """Make roles and tables, or bring them to the newest version; return the version before and now.

        Raises:
            StoreError: The server doesn't answer or refuses; so does every method here.
        """
        return self._line.ask(lambda connection, _: postgres_schema.begin(connection))

    def configure(self, *, votes: str | None, votes_kept: int | None, late: Optional[int] = None) -> None:
        """Set what is given, and leave the rest.

        Args:
            votes: Who has a vote: ``machine`` (by the id that each machine says it has) or ``login``.
            votes_kept: How many machines are kept of each file.
            late: By how many microseconds a first sight may lie before its arrival.
        """

        def work(connection: Connection, about: About) -> None:
            del about
            connection.execute(
                "UPDATE veln_hook.about SET votes = coalesce(%s, votes),"
                " votes_kept = coalesce(%s, votes_kept), late = coalesce(%s, late)",
                (votes, votes_kept, late),
            )

        self._line.ask(work)

    def prune(self, *, log_before: datetime, unseen_since: datetime) -> tuple[int, int]:
        """Delete old log records, and files that no machine has seen for long.

        Returns:
            How many files, and how many records.
        """

        def work(connection: Connection, about: About) -> tuple[int, int]:
            del about
            row = connection.execute(
                "SELECT files, records FROM veln_hook.prune(%s, %s)",
                (codec.to_micros(log_before), codec.to_micros(unseen_since)),
            ).fetchone()
            return (0, 0) if row is None else (int(row[0]), int(row[1]))

        return self._line.ask(work)


def server_identity(url: str) -> str:
    """Return which server and database a URL names, for what is kept of it; it tells no secret."""
    wanted = parameters(url)
    place = [str(wanted.get(name, "")) for name in ("service", "host", "hostaddr", "port", "dbname")]
    return hashlib.sha256("\n".join(place).encode()).hexdigest()


def _storable(value: Any) -> Any:
    return codec.to_server_text(value) if isinstance(value, str) else value


def _approval(row: Sequence[Any]) -> Approval:
    return replace(codec.approval_from(row), shared=True)


def _count(connection: Connection, table: str) -> int:
    counted = f"SELECT count(*) FROM veln_hook.{table}"  # noqa: S608 - one of our own tables
    query = (
        f"SELECT CASE WHEN c.reltuples > %s THEN c.reltuples::bigint ELSE ({counted}) END"  # noqa: S608
        " FROM pg_class AS c WHERE c.oid = %s::regclass"
    )
    row = connection.execute(query.encode(), (_EXACT, f"veln_hook.{table}")).fetchone()
    return 0 if row is None else int(row[0])
