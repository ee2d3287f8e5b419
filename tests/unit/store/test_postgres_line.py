"""The line to the server: which server it is, how it proves who it is, and what no message tells."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import threading

import pytest
from store_records import environment

from support.postgres import PASSWORD

psycopg = pytest.importorskip("psycopg")
trustme = pytest.importorskip("trustme")

from veln_hook.errors import StoreError  # noqa: E402
from veln_hook.store import open_store  # noqa: E402
from veln_hook.store.postgres_line import Budget, Line, UnreachableError, parameters  # noqa: E402
from veln_hook.store.postgres_server import Server, server_identity  # noqa: E402


@pytest.mark.parametrize(
    "url, mode",
    [
        ("postgresql://m@db.acme.example/veln", "verify-full"),
        ("postgresql://m@localhost,db.acme.example/veln", "verify-full"),
        ("postgresql:///veln?host=localhost&hostaddr=10.1.2.3", "verify-full"),
        ("postgresql://m@db.acme.example/veln?sslmode=require", "require"),
        ("postgresql://m@localhost/veln", "prefer"),
        ("postgresql://m@127.0.0.1:6000/veln", "prefer"),
        ("postgresql://m@[::1]/veln", "prefer"),
        ("postgresql:///veln?host=/run/postgresql", "prefer"),
        ("postgresql:///veln", "prefer"),
    ],
)
def test_another_machine_has_to_prove_who_it_is(url, mode):
    assert parameters(url)["sslmode"] == mode


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://m:pa%zzs3cret@h/veln",
        "postgresql://m:s3cret@h/veln?nosuch=s3cret",
        "postgresql://m:s3cret@[h/veln",
        "postgresql://m:s3cret@h:port/veln?sslmode=s3cret",
    ],
)
def test_a_url_that_can_not_be_read_is_not_repeated(url, tmp_path):
    with pytest.raises(StoreError) as caught:
        open_store(url, path=tmp_path / "store.sqlite3").info()
    shown = f"{caught.value} {caught.value.advice} {caught.value.__cause__}"
    assert "s3cret" not in shown


def test_no_message_holds_the_password(fleet, tmp_path):
    stranger = fleet.cluster.make_login()
    wrong = fleet.url().replace("pa%25", "wrong%25")
    closed = "postgresql://m:wrong-s3cret@127.0.0.1:1/veln"
    for url, secret in ((fleet.url(stranger), PASSWORD), (wrong, "wrong%/ss"), (closed, "wrong-s3cret")):
        store = fleet.machine("m", url=url)
        with pytest.raises(StoreError) as caught:
            store.observations("litellm")
        assert secret not in f"{caught.value} {caught.value.advice}"
    info = fleet.machine("n").info()
    assert PASSWORD not in info.location
    assert "pa%25" not in info.location


@pytest.fixture
def other():
    """A listener that must not be asked."""
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()
                    asked.set()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1], asked


@pytest.mark.parametrize("tcp", [False, True])
def test_no_variable_leads_to_another_server(fleet, other, monkeypatch, tmp_path, tcp):
    port, asked = other
    service = tmp_path / "services"
    service.write_text(
        f"[theirs]\nhost=127.0.0.1\nhostaddr=127.0.0.1\nport={port}\noptions=-csearch_path=x\n"
    )
    for name, value in {
        "PGHOST": "127.0.0.1",
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": str(port),
        "PGSERVICE": "theirs",
        "PGSERVICEFILE": str(service),
        "PGOPTIONS": "-c statement_timeout=1",
        "PGDATABASE": "elsewhere",
        "PGSSLMODE": "disable",
    }.items():
        monkeypatch.setenv(name, value)
    server = fleet.server(fleet.url(tcp=tcp), machine="m")
    assert server.about().machine == "m"
    assert server.info().observations == 0
    assert not asked.is_set()


def test_the_password_may_come_from_where_libpq_takes_it(fleet, monkeypatch):
    url = fleet.url().replace(":pa%25%2Fss%3Aw0rd@", "@")
    assert ":pa" not in url
    with pytest.raises(UnreachableError, match="no password supplied"):
        fleet.server(url).about()
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert fleet.server(url).about().version == 1


def test_one_database_is_one_database_whoever_asks(fleet):
    assert server_identity(fleet.url()) == server_identity(fleet.approver_url)
    assert server_identity(fleet.url()) != server_identity(fleet.url().replace(fleet.database, "another"))


@pytest.fixture
def encrypted(make_cluster, tmp_path):
    """A server that speaks TLS only, and the file with its authority."""
    made = make_cluster()
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    made.write("server.crt", "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems))
    made.write("server.key", leaf.private_key_pem.bytes().decode())
    made.write("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
    with open(made.data / "postgresql.conf", "a") as file:
        file.write("ssl = on\n")
    made.stop()
    made.start()
    authority.cert_pem.write_to_path(str(tmp_path / "root.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    return made


def test_a_server_is_asked_through_tls_and_only_if_it_is_the_right_one(encrypted, tmp_path):
    from support.shared_store import Fleet

    fleet = Fleet(encrypted, tmp_path)
    url = fleet.url().replace("127.0.0.1", "localhost")
    good = f"{url}?sslmode=verify-full&sslrootcert={tmp_path}/root.pem"
    server = fleet.server(good)
    server.about()
    _pid, encrypted_now = fleet.sql(
        "SELECT a.pid, s.ssl FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE application_name = 'veln-hook'"
    )[0]
    assert encrypted_now
    for bad in (
        f"{url}?sslmode=verify-full&sslrootcert={tmp_path}/other.pem",
        f"{fleet.url()}?sslmode=verify-full&sslrootcert={tmp_path}/root.pem",
        f"{url}?sslmode=disable",
    ):
        with pytest.raises(UnreachableError):
            fleet.server(bad).about()
    fleet.close()
    assert ssl.HAS_TLSv1_3


def test_without_psycopg_the_extra_is_named(tmp_path):
    code = """
import sys
sys.modules["psycopg"] = None
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from veln_hook.store import open_store
from veln_hook.errors import StoreError
try:
    open_store("postgresql://ada:s3cret@db/veln", path=Path(sys.argv[2]))
except StoreError as error:
    print(error, error.advice)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path), str(tmp_path / "store.sqlite3")],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "veln-hook[postgres]" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


def test_the_budget_comes_back_after_a_minute(monkeypatch):
    import time

    moment = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    budget = Budget(3)
    budget.spend(2)
    assert budget.left() == 1
    budget.spend(2)
    assert budget.left() == 0
    moment[0] += 61
    assert budget.left() == 3


def test_a_failure_of_ours_is_told_as_it_is(fleet):
    line = Line(fleet.url(), Budget(10))
    with pytest.raises(ZeroDivisionError):
        line.ask(lambda *_: 1 // 0)
    assert line.ask(lambda _, about: about.version) == 1
    line.close()
    line.close()


def test_a_server_can_be_asked_after_it_was_closed_which_opens_it_anew(fleet):
    server = Server(fleet.url(), Budget(10), machine="m")
    assert server.about().machine == "m"
    server.close()
    assert server.about().machine == "m"
    server.close()
