"""Tables that many begin at once, and tables of another version."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from store_records import approval, environment, observation

psycopg = pytest.importorskip("psycopg")

from veln_hook.errors import StoreError  # noqa: E402
from veln_hook.store import postgres_schema  # noqa: E402
from veln_hook.store.postgres_server import Administration  # noqa: E402

RACER = """
import sys, time
from pathlib import Path
from datetime import timedelta
import store_records as r
from veln_hook.policy.settings import SharingPolicy
from veln_hook.store import open_store
from veln_hook.store.postgres_server import Administration
name, url, directory, start = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
time.sleep(max(0, start - time.time()))
administration = Administration(url)
print(administration.init()[0], end="")
administration.close()
store = open_store(url, path=Path(directory) / name / "store.sqlite3", sharing=SharingPolicy(timedelta(seconds=50)), votes=50)
for cycle in range(10):
    store.observe([
        r.observation(project="shared", filename=f"f{cycle}", machine=name),
        r.observation(project=name, filename=f"{name}-{cycle}", machine=name),
    ])
    store.record([r.record(project=name, reason=str(cycle))])
    number = store.add_approval(r.approval(project=name, reason=str(cycle))).id
    if cycle % 2:
        assert store.revoke_approval(number, r.NOON)
    assert any(each.id == number for each in store.approvals(name))
store.close()
"""


def test_sixteen_processes_that_begin_at_once_lose_nothing_and_double_nothing(cluster, tmp_path):
    database = cluster.make_database()
    url = cluster.url(database)
    start = time.time() + 1
    workers = 16
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", RACER, f"m{number}", url, str(tmp_path), str(start)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(workers)
    ]
    said = [each.communicate(timeout=300) for each in running]
    assert [error for _, error in said] == [""] * workers
    # One of them made the tables, the others found them made.
    assert sorted(before for before, _ in said) == ["0", *["1"] * (workers - 1)]

    from veln_hook.store.postgres_line import Budget
    from veln_hook.store.postgres_server import Server

    server = Server(url, Budget(50), votes=50)
    machines = {f"m{number}" for number in range(workers)}
    shared = server.project("shared").observations
    assert len(shared) == workers * 10
    assert {each.machine for each in shared} == machines
    for name in machines:
        assert {each.filename for each in server.project(name).observations} == {
            f"{name}-{each}" for each in range(10)
        }
        approvals = server.project(name).approvals
        assert sorted(int(each.reason) for each in approvals) == list(range(10))
        assert all((each.revoked_at is not None) == int(each.reason) % 2 for each in approvals)
        told = [each.reason for each in server.log(project=name) if each.stage == "candidate"]
        assert sorted(map(int, told)) == list(range(10))
    report = server.verify_log()
    # Each cycle: a verdict, an approval, and every other one a revocation.
    assert (report.problem, report.rows) == ("", workers * (10 + 10 + 5))
    assert server.info().observations == workers * 20
    server.close()


def test_a_database_without_tables_says_who_makes_them(cluster, tmp_path):
    from support.shared_store import Fleet

    fleet = Fleet.__new__(Fleet)  # only for its way to open a machine
    fleet.__dict__.update(cluster=cluster, directory=tmp_path)
    from contextlib import ExitStack

    with ExitStack() as stack:
        fleet._stack = stack
        store = fleet.machine("m", url=cluster.url(cluster.make_database()), unreachable="local")
        with pytest.raises(StoreError, match="no tables of veln-hook yet") as caught:
            store.observations("litellm")
        assert "veln-hook store init" in caught.value.advice


def test_older_tables_are_refused_to_a_machine_and_migrated_for_an_administrator(fleet, monkeypatch):
    step = ("CREATE TABLE veln_hook.added (x int)",)
    monkeypatch.setattr(postgres_schema, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(postgres_schema.migrate, "__defaults__", ((*postgres_schema.MIGRATIONS, step),))
    for unreachable in ("hold", "local"):
        machine = fleet.machine(unreachable, unreachable=unreachable)
        with pytest.raises(
            StoreError, match="tables are of version 1, and this veln-hook needs version 2"
        ) as caught:
            machine.observations("litellm")
        assert "veln-hook store init" in caught.value.advice
    admin = fleet.machine("admin", url=fleet.admin_url)
    assert admin.info().schema == 2
    assert fleet.sql("SELECT version FROM veln_hook.about") == [(2,)]
    assert fleet.sql("SELECT count(*) FROM veln_hook.added") == [(0,)]


def test_many_migrate_at_once(fleet):
    from concurrent.futures import ThreadPoolExecutor

    step = ("CREATE TABLE veln_hook.added (x int)", "SELECT pg_sleep(0.2)")

    def migrate(_):
        with psycopg.connect(fleet.admin_url, autocommit=True) as connection:
            return postgres_schema.migrate(connection, (*postgres_schema.MIGRATIONS, step))

    with ThreadPoolExecutor(8) as pool:
        found = sorted(pool.map(migrate, range(8)))
    assert found == [(1, 2), *[(2, 2)] * 7]


def test_a_migration_that_fails_changes_nothing(fleet):
    step = ("CREATE TABLE veln_hook.added (x int)", "SELECT 1 / 0")
    with psycopg.connect(fleet.admin_url, autocommit=True) as connection, pytest.raises(psycopg.Error):
        postgres_schema.migrate(connection, (*postgres_schema.MIGRATIONS, step))
    assert fleet.sql("SELECT version, to_regclass('veln_hook.added') FROM veln_hook.about") == [(1, None)]


def test_newer_tables_serve_as_far_as_they_say(fleet):
    fleet.sql("UPDATE veln_hook.about SET version = 7, oldest = 1")
    machine = fleet.machine("m")
    machine.observe([observation()])
    assert machine.info().schema == 7
    fleet.sql("UPDATE veln_hook.about SET oldest = 2")
    for unreachable in ("hold", "local"):
        with pytest.raises(StoreError, match="a newer veln-hook made") as caught:
            fleet.machine("n", unreachable=unreachable).approvals()
        assert "Upgrade" in caught.value.advice
    with pytest.raises(StoreError, match="a newer veln-hook made"):
        Administration(fleet.admin_url).init()


def test_init_by_somebody_who_may_not_is_refused(cluster):
    database = cluster.make_database()
    stranger = cluster.make_login()
    with pytest.raises(StoreError, match="refuses that to this login") as caught:
        Administration(cluster.url(database, stranger, tcp=True)).init()
    assert "superuser" in caught.value.advice
    assert cluster.sql("SELECT to_regnamespace('veln_hook')", database=database) == [(None,)]


def test_init_twice_keeps_what_is_there(fleet):
    fleet.server().add_approval(approval())
    administration = Administration(fleet.admin_url)
    assert administration.init() == (1, 1)
    administration.close()
    assert len(fleet.server().approvals()) == 1


def test_a_database_in_another_encoding_is_refused(cluster):
    cluster.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with pytest.raises(StoreError, match="UTF-8"):
        Administration(cluster.url("latin")).init()


def test_an_owner_who_may_create_roles_is_administrator_enough(cluster, tmp_path):
    login = cluster.make_login()
    database = cluster.make_database()
    cluster.sql(f"ALTER ROLE {login} CREATEROLE", f"ALTER DATABASE {database} OWNER TO {login}")
    administration = Administration(cluster.url(database, login, tcp=True))
    assert administration.init() == (0, 1)
    assert administration.init() == (1, 1)
    administration.configure(votes="login", votes_kept=5)
    administration.close()
    assert cluster.sql("SELECT votes, votes_kept FROM veln_hook.about", database=database) == [("login", 5)]
    owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'veln_hook'"
    assert cluster.sql(owner, database=database) == [("veln_hook_admin",)]
