"""The shared log's chain: computed by the database, checked from the rows."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_records import NOON, approval, observation, record

pytest.importorskip("psycopg")

from veln_hook.store.postgres_chain import Link, spelled
from veln_hook.store.postgres_server import Administration, Outgoing


def outgoing(*reasons):
    return [Outgoing(str(uuid.uuid4()), record(reason=reason, author="\u00e9\u4e2d")) for reason in reasons]


@pytest.fixture
def written(fleet):
    fleet.server(machine="m1").append(outgoing("a", "b", "c", "d", "e"))
    return fleet


def tampered(fleet, *statements):
    """Change the log as somebody could who has the database's own rights."""
    fleet.sql("ALTER TABLE veln_hook.verdict_log DISABLE TRIGGER ALL", *statements)


def test_an_untouched_log_is_good(written):
    report = written.server().verify_log()
    assert (report.rows, report.problem, report.head.number) == (5, "", 5)
    assert written.server().verify_log(report.head).problem == ""


def test_an_empty_log_is_good(fleet):
    report = fleet.server().verify_log()
    assert (report.rows, report.problem) == (0, "")


@pytest.mark.parametrize(
    "column", ["uid", "at", "decision", "stage", "project", "version", "filename", "sha256", "index_url", "reason",
               "opens_at", "approval_id", "author", "findings", "machine", "login", "received_at", "hash"]
)  # fmt: skip
def test_a_change_of_any_column_is_found(written, column):
    value = {
        "uid": "'00000000-0000-0000-0000-000000000000'",
        "hash": "sha256('x')",
        **dict.fromkeys(("at", "opens_at", "approval_id", "received_at"), "1"),
    }.get(column, "'x'")
    tampered(written, f"UPDATE veln_hook.verdict_log SET {column} = {value} WHERE id = 3")
    assert written.server().verify_log().problem == "row 3 is not what was written"


@pytest.mark.parametrize(
    "row, problem", [(1, "row 1 is missing"), (3, "row 3 is missing"), (5, "ends with row 5")]
)
def test_a_deleted_row_is_found(written, row, problem):
    tampered(written, f"DELETE FROM veln_hook.verdict_log WHERE id = {row}")
    assert problem in written.server().verify_log().problem


def test_text_that_moves_from_one_column_to_the_next_is_found(written):
    tampered(written, "UPDATE veln_hook.verdict_log SET project = 'lite', version = 'llm1.82.6' WHERE id = 2")
    assert "row 2" in written.server().verify_log().problem


def test_an_end_that_was_cut_off_is_found_by_who_noted_it(written):
    noted = written.server().verify_log().head
    tampered(
        written,
        "DELETE FROM veln_hook.verdict_log WHERE id = 5",
        "UPDATE veln_hook.log_head SET id = 4, hash = (SELECT hash FROM veln_hook.verdict_log WHERE id = 4)",
    )
    assert written.server().verify_log().problem == ""
    assert "row 5, which was noted earlier, is gone" in written.server().verify_log(noted).problem


def test_a_log_that_was_written_anew_is_found_by_who_noted_a_row(written):
    noted = written.server().verify_log().head
    tampered(
        written,
        "DELETE FROM veln_hook.verdict_log",
        "UPDATE veln_hook.log_head SET id = 0, hash = sha256('')",
    )
    written.server().append(outgoing("a", "b", "c", "d", "forged", "f"))
    assert written.server().verify_log().problem == ""
    assert "row 5 is not the one that was noted" in written.server().verify_log(noted).problem


def test_even_the_owner_changes_the_log_only_by_retention(written):
    import psycopg

    for statement in (
        "UPDATE veln_hook.verdict_log SET reason = 'x'",
        "DELETE FROM veln_hook.verdict_log",
        "TRUNCATE veln_hook.verdict_log",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
            written.sql(statement)
    assert written.server().verify_log().problem == ""


def test_what_is_sent_twice_is_written_once(written):
    server = written.server()
    again = outgoing("once")
    server.append(again)
    server.append([*again, *outgoing("more")])
    assert [each.reason for each in server.log()][:2] == ["more", "once"]
    assert server.verify_log().rows == 7


def test_many_writers_make_one_chain(fleet):
    def write(number):
        server = fleet.server(machine=f"m{number}")
        for turn in range(10):
            server.append(outgoing(f"{number}-{turn}", "second"))
            server.add_approval(approval(project=f"p{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    report = fleet.server().verify_log()
    assert (report.rows, report.problem) == (8 * 10 * 3, "")


def test_retention_deletes_from_the_beginning_and_the_rest_is_still_a_chain(written):
    written.sql(
        "ALTER TABLE veln_hook.verdict_log DISABLE TRIGGER ALL",
        "UPDATE veln_hook.verdict_log SET received_at = 0 WHERE id IN (1, 2, 4)",
        "ALTER TABLE veln_hook.verdict_log ENABLE TRIGGER ALL",
    )
    now = datetime.now(timezone.utc)
    administration = Administration(written.admin_url)
    assert administration.prune(log_before=now - timedelta(days=1), unseen_since=NOON) == (0, 2)
    assert administration.prune(log_before=now - timedelta(days=1), unseen_since=NOON) == (0, 0)
    administration.close()
    rows = written.sql("SELECT id, stage FROM veln_hook.verdict_log ORDER BY id")
    assert rows == [(3, "candidate"), (4, "candidate"), (5, "candidate"), (6, "admin")]
    report = written.server().verify_log()
    assert report.anchor.number == 2
    # Row 4 is not what was written, as this test has changed it; row 3 follows what was deleted.
    assert report.problem == "row 4 is not what was written"
    assert report.rows == 1


def test_retention_of_everything_leaves_a_chain_that_goes_on(written):
    administration = Administration(written.admin_url)
    assert administration.prune(
        log_before=datetime.now(timezone.utc) + timedelta(days=1), unseen_since=NOON
    ) == (0, 5)
    administration.close()
    written.server().append(outgoing("next"))
    report = written.server().verify_log()
    assert (report.rows, report.problem, report.anchor.number, report.head.number) == (2, "", 5, 7)
    assert "deleted by age" in written.server().verify_log(Link(1, "0" * 64)).problem


def test_files_that_nobody_sees_are_forgotten_with_who_saw_them(fleet):
    server = fleet.server(fleet.url())
    server.observe(
        [observation(machine="a"), observation(machine="a", filename="new"), observation(machine="b")]
    )
    fleet.sql("UPDATE veln_hook.file SET last_seen = 0 WHERE filename <> 'new'")
    administration = Administration(fleet.admin_url)
    assert administration.prune(log_before=NOON, unseen_since=NOON) == (1, 0)
    administration.close()
    assert [each.filename for each in server.project("litellm").observations] == ["new"]
    assert fleet.sql("SELECT name FROM veln_hook.machine") == [("a",)]
    # Who is still here sees it anew.
    server.observe([observation(machine="b")])
    assert len(server.project("litellm").observations) == 2


def test_a_file_that_is_still_seen_stays(fleet):
    server = fleet.server(fleet.url())
    server.observe([observation(machine="a")])
    fleet.sql("UPDATE veln_hook.file SET last_seen = 0")
    server.observe([observation(machine="a")])
    administration = Administration(fleet.admin_url)
    assert administration.prune(log_before=NOON, unseen_since=NOON) == (0, 0)
    administration.close()


fields = st.lists(
    st.one_of(st.none(), st.text(st.characters(exclude_categories=("Cs",)), max_size=8)),
    min_size=1,
    max_size=6,
)


@given(fields, fields)
def test_different_rows_have_different_spellings(one, other):
    assert (spelled(one) == spelled(other)) == (one == other)


def test_the_database_spells_as_we_do(fleet):
    for row in (["a", "", None, "\u00e9\u4e2d\U0001f40d", "1:a,", "-"], [None], [""]):
        ours = spelled(row).hex()
        theirs = fleet.cluster.sql(
            "SELECT encode(veln_hook.spelled({}), 'hex')".format(
                ", ".join("NULL::text" if each is None else f"'{each}'" for each in row)
            ),
            database=fleet.database,
        )
        assert theirs == [(ours,)]
