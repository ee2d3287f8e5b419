"""Requests for approvals in the shared store.

Who asks is who the database knows, so nobody grants a request of their own, whatever name is given.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from veln_hook.store import codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from veln_hook.model import ApprovalRequest
    from veln_hook.store.postgres_line import About, Line

_MAX_ID = 2**63 - 1
_REQUESTS = """\
SELECT id, project, version, files, index_url, reason, author, created_at, login, refused_at, refused_by,
refusal FROM veln_hook.request ORDER BY id DESC LIMIT 1000"""


class Requests:
    """The team's requests, as ``store.interface.Team`` has them.

    Args:
        line: To the server.
    """

    def __init__(self, line: Line) -> None:
        self._line = line

    def requests(self) -> Sequence[ApprovalRequest]:
        """Return the newest thousand requests, refused ones too, the newest first."""
        rows = self._line.ask(lambda connection, _: connection.execute(_REQUESTS).fetchall())
        return [codec.request_from(row) for row in rows]

    def add_request(self, request: ApprovalRequest) -> ApprovalRequest:
        """Store the request, and log that; return it with its ``id``."""
        values = codec.request_values(request)

        def work(connection: Connection, about: About) -> tuple[int, str]:
            query = "SELECT veln_hook.add_request(%s, %s, %s, %s, %s, %s, %s, %s)"
            row = connection.execute(query, (*values, about.machine)).fetchone()
            return int(row[0]) if row is not None else 0, connection.info.user

        number, login = self._line.ask(work)
        return replace(request, id=number, login=login)

    def refuse_request(self, request_id: int, *, author: str, reason: str) -> bool:
        """Mark it refused, and log that; only for ``veln_hook_approver``."""
        if not 0 < request_id <= _MAX_ID:
            return False

        def work(connection: Connection, about: About) -> bool:
            query = "SELECT veln_hook.refuse_request(%s, %s, %s, %s)"
            values = (request_id, codec.to_server_text(author), codec.to_server_text(reason), about.machine)
            row = connection.execute(query, values).fetchone()
            return row is not None and bool(row[0])

        return self._line.ask(work)
