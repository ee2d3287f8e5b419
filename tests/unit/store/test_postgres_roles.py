"""What each role may do in the shared store, asked of the database itself."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone

import pytest
from store_records import HOUR, NOON, approval, observation, record

psycopg = pytest.importorskip("psycopg")

from veln_hook.errors import StoreError  # noqa: E402
from veln_hook.store.postgres_server import Administration, Outgoing  # noqa: E402

TABLES = ("about", "machine", "file", "sighting", "approval", "verdict_log", "log_head", "request")


def refused(fleet, login, statement):
    """Run a statement as a login; tell whether the database refuses it for want of rights."""
    with psycopg.connect(fleet.cluster.url(fleet.database, login), autocommit=True) as connection:
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return True
    return False


@pytest.fixture
def used(fleet):
    """A store with something in every table."""
    server = fleet.server(machine="m1")
    server.observe([observation()])
    server.add_approval(approval())
    server.append([Outgoing(str(uuid.uuid4()), record())])
    return fleet


@pytest.mark.parametrize("role", ["machine", "approver"])
@pytest.mark.parametrize("table", TABLES)
def test_nobody_but_the_owner_writes_a_table(used, role, table):
    login = used.machine_login if role == "machine" else used.approver_login
    column = {"about": "votes", "log_head": "id", "machine": "name", "verdict_log": "reason"}.get(
        table, "first_seen"
    )
    column = "reason" if table in ("approval", "request") else column
    assert refused(used, login, f"DELETE FROM veln_hook.{table}")
    assert refused(used, login, f"UPDATE veln_hook.{table} SET {column} = {column}")
    assert refused(
        used, login, f"INSERT INTO veln_hook.{table} OVERRIDING SYSTEM VALUE SELECT * FROM veln_hook.{table}"
    )
    assert refused(used, login, f"TRUNCATE veln_hook.{table}")
    assert refused(used, login, f"ALTER TABLE veln_hook.{table} DISABLE TRIGGER ALL")


def test_a_machine_reads_what_it_needs_and_no_more(used):
    readable = {
        table for table in TABLES if not refused(used, used.machine_login, f"TABLE veln_hook.{table}")
    }
    assert readable == {"machine", "file", "sighting", "approval", "request"}
    assert refused(used, used.machine_login, "SELECT salt FROM veln_hook.about")
    assert not refused(used, used.machine_login, "SELECT version FROM veln_hook.about")


def test_an_approver_reads_the_log_too(used):
    readable = {
        table for table in TABLES if not refused(used, used.approver_login, f"TABLE veln_hook.{table}")
    }
    assert readable == {"machine", "file", "sighting", "approval", "request", "verdict_log", "log_head"}


@pytest.mark.parametrize(
    "call",
    [
        lambda server: server.add_approval(approval()),
        lambda server: server.revoke_approval(1, NOON),
        lambda server: server.prune_approvals(NOON),
        lambda server: server.log(),
        lambda server: server.verify_log(),
    ],
)
def test_a_machine_can_neither_approve_nor_read_the_log(used, call):
    with pytest.raises(StoreError, match="permission denied") as caught:
        call(used.server(used.url()))
    assert "veln_hook_approver" in caught.value.advice
    assert [each.revoked_at for each in used.server().approvals()] == [None]


def test_an_approver_can_not_prune_and_not_migrate(used):
    for work in (
        lambda: Administration(used.approver_url).prune(log_before=NOON, unseen_since=NOON),
        lambda: Administration(used.approver_url).configure(votes="login", votes_kept=1),
    ):
        with pytest.raises(StoreError, match="permission denied"):
            work()
    with pytest.raises(StoreError):
        Administration(used.approver_url).init()


def test_a_login_without_a_role_is_told_which_it_needs(fleet):
    stranger = fleet.cluster.make_login()
    with pytest.raises(StoreError, match="permission denied") as caught:
        fleet.machine("m", url=fleet.url(stranger)).observations("litellm")
    assert "veln_hook_machine" in caught.value.advice


def test_a_machine_can_not_tell_of_an_approval(used):
    server = used.server(used.url())
    with pytest.raises(StoreError, match="can not tell of approvals"):
        server.append([Outgoing(str(uuid.uuid4()), record(stage="approval", approval_id=1, author="ada"))])


def test_the_database_itself_tells_who_approved_and_revoked(fleet):
    server = fleet.server(machine="m1")
    given = server.add_approval(approval(author="somebody else"))
    assert server.revoke_approval(given.id, NOON, who="ada")
    assert fleet.sql("SELECT login, revoked_by FROM veln_hook.approval") == [(fleet.approver_login,) * 2]
    told = fleet.sql("SELECT stage, reason, login, approval_id FROM veln_hook.verdict_log ORDER BY id")
    assert told == [
        ("approval", "approved: looked at it", fleet.approver_login, given.id),
        ("approval", "approval revoked", fleet.approver_login, given.id),
    ]


def test_a_revocation_never_begins_in_the_future(fleet):
    server = fleet.server()
    given = server.add_approval(approval())
    assert server.revoke_approval(given.id, NOON + timedelta(days=3650))
    assert server.approvals()[0].revoked_at < datetime.now(timezone.utc) + timedelta(minutes=5)


def test_a_machine_can_not_make_a_file_older_than_its_arrival_less_a_day(fleet):
    server = fleet.server(fleet.url(), machine="liar")
    before = datetime.now(timezone.utc)
    server.observe(
        [
            observation(machine="liar", first_seen=NOON),
            observation(machine="liar", filename="f", first_seen=before + 999 * HOUR),
        ]
    )
    old, future = server.project("litellm").observations
    assert before - timedelta(days=1, minutes=1) < old.first_seen
    assert future.first_seen < before + HOUR


def test_with_votes_by_login_many_ids_of_one_login_are_one_machine(fleet):
    administration = Administration(fleet.admin_url)
    administration.configure(votes="login", votes_kept=None)
    administration.close()
    other = fleet.url(fleet.cluster.make_login("veln_hook_machine"))
    names = set()
    for url, machine in ((fleet.url(), "a"), (fleet.url(), "b"), (other, "a")):
        server = fleet.server(url, machine=machine)
        names.add(server.about().machine)
        server.observe([observation(machine=machine)])
    found = {each.machine for each in fleet.server().project("litellm").observations}
    assert found == names
    assert len(found) == 2
    assert not found & {"a", "b"}


def test_no_more_machines_are_kept_than_can_count(fleet):
    administration = Administration(fleet.admin_url)
    administration.configure(votes=None, votes_kept=3)
    administration.close()
    server = fleet.server(fleet.url())
    for name in "abcdef":
        server.observe([observation(machine=name)])
    assert fleet.sql("SELECT count(*) FROM veln_hook.sighting") == [(3,)]
    assert len(server.project("litellm").observations) == 3


def test_a_policy_that_asks_for_more_machines_than_are_kept_is_told(fleet):
    administration = Administration(fleet.admin_url)
    administration.configure(votes=None, votes_kept=3)
    administration.close()
    with pytest.raises(StoreError, match=r"asks that 4 machines .* keeps 3") as caught:
        fleet.machine("m", votes=4).info()
    assert "--votes-kept" in caught.value.advice
    assert fleet.machine("m", votes=3).info().persistent
