"""Requests for approvals in the shared store: the tables of version 2, and what asks for them.

Rules of this module, besides those of ``postgres_schema``: who asks is who the
database knows, so nobody grants a request of their own, whatever name is given.
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

_NOW = "(floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
_DEFINER = "SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp"
_UID = "md5(clock_timestamp()::text || random()::text)::uuid"
_MAX_ID = 2**63 - 1

TABLES = (
    """\
CREATE TABLE veln_hook.request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project text NOT NULL,
    version text NOT NULL,
    files text NOT NULL,
    sha256s text[] NOT NULL CHECK (array_length(sha256s, 1) BETWEEN 1 AND 1000),
    index_url text NOT NULL,
    reason text NOT NULL,
    author text NOT NULL,
    created_at bigint NOT NULL,
    login text NOT NULL,
    refused_at bigint,
    refused_by text,
    refusal text
)""",
    f"""\
CREATE FUNCTION veln_hook.add_request(project text, version text, files text, sha256s text[], index_url text,
    reason text, author text, created_at bigint, machine text) RETURNS bigint
    LANGUAGE plpgsql {_DEFINER} AS $$
#variable_conflict use_variable
DECLARE
    number bigint;
BEGIN
    INSERT INTO request (project, version, files, sha256s, index_url, reason, author, created_at, login)
        VALUES (project, version, files, sha256s, index_url, reason, author, created_at, session_user)
        RETURNING id INTO number;
    PERFORM append_row({_UID}, {_NOW}, 'hold', 'approval', project, version, '', '', index_url,
        format('request %s: %s', number, reason), NULL, NULL, author, '[]', identity(machine));
    RETURN number;
END $$""",
    f"""\
CREATE FUNCTION veln_hook.refuse_request(number bigint, who text, why text, machine text)
    RETURNS boolean LANGUAGE plpgsql {_DEFINER} AS $$
DECLARE
    ended request;
BEGIN
    UPDATE request SET refused_at = {_NOW}, refused_by = session_user, refusal = why
        WHERE id = number AND refused_at IS NULL RETURNING * INTO ended;
    IF ended.id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM append_row({_UID}, {_NOW}, 'hold', 'approval', ended.project, ended.version, '', '',
        ended.index_url, format('request %s refused: %s', number, why), NULL, NULL, who, '[]', identity(machine));
    RETURN true;
END $$""",
    # The second pair of eyes must not be the first one.
    f"""\
CREATE FUNCTION veln_hook.not_by_who_asked() RETURNS trigger LANGUAGE plpgsql {_DEFINER} AS $$
BEGIN
    IF EXISTS (SELECT FROM request AS r WHERE r.login = session_user AND r.refused_at IS NULL
        AND r.project = NEW.project AND NEW.sha256 = ANY (r.sha256s)) THEN
        RAISE EXCEPTION 'who asked for an approval can not give it' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$""",
    """\
CREATE TRIGGER not_by_who_asked BEFORE INSERT ON veln_hook.approval
    FOR EACH ROW EXECUTE FUNCTION veln_hook.not_by_who_asked()""",
    """\
REVOKE ALL ON FUNCTION veln_hook.add_request, veln_hook.refuse_request, veln_hook.not_by_who_asked
    FROM PUBLIC""",
    "GRANT SELECT ON veln_hook.request TO veln_hook_machine",
    "GRANT EXECUTE ON FUNCTION veln_hook.add_request TO veln_hook_machine",
    "GRANT EXECUTE ON FUNCTION veln_hook.refuse_request TO veln_hook_approver",
)
"""Statements that take the tables of version 1 to version 2."""

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
        project, version, files, *rest = codec.request_values(request)
        sha256s = [codec.to_server_text(sha256) for _, sha256 in request.files]

        def work(connection: Connection, about: About) -> tuple[int, str]:
            query = "SELECT veln_hook.add_request(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            row = connection.execute(
                query, (project, version, files, sha256s, *rest, about.machine)
            ).fetchone()
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
