"""A shared store that fails: nobody waits for ever, the policy's word holds, and nothing is lost or doubled.

No time is measured here. That a wait ends is shown by its ending while the cause goes on.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from store_records import HOUR, NOON, approval, environment, observation, record

pytest.importorskip("psycopg")

from support.shared_store import Fleet
from veln_hook.errors import StoreError
from veln_hook.model import Decision
from veln_hook.store.postgres_copy import LocalCopy
from veln_hook.store.postgres_line import Budget, UnreachableError
from veln_hook.store.postgres_server import Server, server_identity


@contextlib.contextmanager
def silent_server():
    """Accept, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = []

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield f"postgresql://m@127.0.0.1:{listener.getsockname()[1]}/veln"
        for each in kept:
            each.close()


@contextlib.contextmanager
def full_backlog():
    """Let the connection itself hang, as an address does whose packets are dropped."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(8):
            each = socket.socket()
            each.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                each.connect(listener.getsockname())
            waiting.append(each)
        yield f"postgresql://m@127.0.0.1:{listener.getsockname()[1]}/veln"
        for each in waiting:
            each.close()


@contextlib.contextmanager
def nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"postgresql://m@127.0.0.1:{port}/veln"


@contextlib.contextmanager
def nonsense():
    """Answer with something that is no PostgreSQL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as each:
                        each.recv(1024)
                        each.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(range(256)) * 20)

        threading.Thread(target=accept, daemon=True).start()
        yield f"postgresql://m@127.0.0.1:{listener.getsockname()[1]}/veln"


FAILING = {"silent": silent_server, "black hole": full_backlog, "nobody": nobody_there, "nonsense": nonsense}


@pytest.mark.parametrize("kind", FAILING)
def test_a_server_that_gives_no_answer_holds(kind, tmp_path, fleet):
    with FAILING[kind]() as url:
        store = fleet.machine("m", url=url, timeout=0.5)
        for call in (
            store.info,
            store.machine_id,
            store.approvals,
            lambda: store.observations("litellm"),
            lambda: store.approvals("litellm"),
            lambda: store.add_approval(approval()),
            lambda: store.revoke_approval(1, NOON),
        ):
            with pytest.raises(UnreachableError, match=r"does not answer|did not answer") as caught:
                call()
            assert "store.unreachable" in caught.value.advice
        # Nobody waits for what only has to be told.
        store.observe([observation()])
        store.record([record()])
        store.close()
    copy = LocalCopy(tmp_path / "m" / "shared.sqlite3")
    assert copy.count(server_identity(url)) == 2
    copy.close()


@pytest.mark.parametrize("kind", FAILING)
def test_with_local_the_machine_goes_on(kind, tmp_path, fleet, caplog):
    with FAILING[kind]() as url:
        store = fleet.machine("m", url=url, timeout=0.5, unreachable="local")
        info = store.info()
        assert "goes on with what it knows" in info.problem
        assert info.persistent
        assert list(store.approvals()) == []
        assert list(store.observations("litellm")) == []
        mine = observation(machine=store.machine_id())
        store.observe([mine])
        assert list(store.observations("litellm")) == [mine]
        # An approval that is nowhere must not seem to be somewhere.
        with pytest.raises(UnreachableError):
            store.add_approval(approval())
        assert len([each for each in caplog.records if "goes on with what it knows" in each.message]) == 1
        store.close()


def test_one_budget_is_for_everything(fleet):
    with silent_server() as url:
        budget = Budget(0.4)
        server = Server(url, budget, machine="m")
        with pytest.raises(UnreachableError):
            server.about()
        assert budget.left() == 0
        server.close()


def test_a_process_ends_although_the_server_hangs():
    """At its end nothing waits for the thread that was left behind."""
    code = """
import sys
from pathlib import Path
from datetime import timedelta
from veln_hook.policy.settings import SharingPolicy
from veln_hook.store import open_store
store = open_store(sys.argv[1], path=Path(sys.argv[2]), sharing=SharingPolicy(timedelta(seconds=0.3)))
try:
    store.info()
except Exception as error:
    print(error)
store.close()
"""
    import tempfile

    with silent_server() as url, tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, url, f"{directory}/store.sqlite3"],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert "did not answer within 0.3 s" in done.stdout


# -- a real server that fails ----------------------------------------------------------------------------------


@pytest.fixture
def own(make_cluster, tmp_path):
    """A fleet on a server that may be stopped."""
    made = Fleet(make_cluster("max_connections = 8", "superuser_reserved_connections = 3"), tmp_path)
    made.any_time()
    yield made
    made.close()


@pytest.fixture
def prepared(own):
    """The same, after a machine has learnt of an approval."""
    server = own.server(machine="m0")
    server.add_approval(approval())
    server.observe([observation(machine="m0")])
    server.close()
    machine = own.machine("m", unreachable="local")
    assert machine.info().observations == 1
    assert len(machine.approvals("litellm")) == 1
    machine.close()
    return own


def hangs(fleet):
    stopped = fleet.cluster.suspend()
    return lambda: fleet.cluster.resume(stopped)


def stopped(fleet):
    fleet.cluster.stop()
    return fleet.cluster.start


def crashed(fleet):
    fleet.cluster.kill()
    return fleet.cluster.start


def out_of_connections(fleet):
    import psycopg

    held = []
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            held.append(psycopg.connect(fleet.url(fleet.machine_login)))

    def end():
        for each in held:
            each.close()

    return end


REAL = {"hangs": hangs, "stopped": stopped, "crashed": crashed, "out of connections": out_of_connections}


@pytest.mark.parametrize("how", REAL)
def test_a_real_server_that_fails_and_comes_back(how, prepared):
    mend = REAL[how](prepared)
    try:
        holding = prepared.machine("m", timeout=1)
        with pytest.raises(UnreachableError):
            holding.observations("litellm")
        holding.observe([observation(machine="m", filename="told later")])
        holding.record(
            [record(reason="told later"), record(decision=Decision.ALLOW, reason="of no interest")]
        )
        holding.close()

        local = prepared.machine("m", timeout=1, unreachable="local")
        assert "goes on" in local.info().problem
        assert [each.reason for each in local.approvals("litellm")] == ["looked at it"]
        assert local.approvals("litellm")[0].shared
        assert [each.shared for each in local.approvals()] == [True]
        assert {each.machine for each in local.observations("litellm")} >= {"m0"}
        local.close()
    finally:
        mend()
    late = prepared.machine("m")
    assert late.info().problem == ""
    late.close()
    assert "told later" in {each.filename for each in prepared.machine("n").observations("litellm")}
    told = [each.reason for each in prepared.server().log() if each.stage == "candidate"]
    assert told == ["told later"]
    assert prepared.server().verify_log().problem == ""


def test_a_server_that_can_only_be_read_is_read(prepared):
    prepared.cluster.sql(f"ALTER DATABASE {prepared.database} SET default_transaction_read_only = on")
    machine = prepared.machine("m", timeout=5)
    assert len(machine.approvals("litellm")) == 1
    assert len(machine.observations("litellm")) == 1
    machine.record([record(reason="waits")])
    machine.observe([observation(filename="waits", machine="m")])
    approver = prepared.machine("a", url=prepared.approver_url)
    with pytest.raises(UnreachableError, match="can't be written"):
        approver.add_approval(approval())
    machine.close()
    prepared.cluster.sql(f"ALTER DATABASE {prepared.database} RESET default_transaction_read_only")
    prepared.machine("m").close()
    assert "waits" in {each.reason for each in prepared.server().log()}
    assert "waits" in {each.filename for each in prepared.server().project("litellm").observations}


def test_a_table_that_somebody_locks_delays_what_is_told_and_nothing_else(prepared):
    import psycopg

    with psycopg.connect(prepared.admin_url) as other:
        other.execute("SELECT * FROM veln_hook.log_head FOR UPDATE")
        machine = prepared.machine("m", timeout=1)
        assert len(machine.approvals("litellm")) == 1
        machine.record([record(reason="behind a lock")])
        machine.close()
        other.rollback()
    prepared.machine("m").close()
    assert "behind a lock" in {each.reason for each in prepared.server().log()}


def test_a_connection_that_the_server_ended_is_made_again(prepared):
    machine = prepared.machine("m")
    assert len(machine.approvals()) == 1
    prepared.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'veln-hook'"
    )
    assert len(machine.approvals()) == 1


WRITER = """
import sys, time
from pathlib import Path
from datetime import timedelta
import store_records as r
from veln_hook.policy.settings import SharingPolicy
from veln_hook.store import open_store
name, url, directory, rounds = sys.argv[1:5]
path = Path(directory) / name / "store.sqlite3"
for number in range(int(rounds)):
    store = open_store(url, path=path, sharing=SharingPolicy(timedelta(seconds=2), "local"))
    store.observe([r.observation(project=name, filename=f"{name}-{number}", machine=store.machine_id())])
    store.record([r.record(project=name, reason=str(number))])
    store.close()
"""


def test_a_server_that_is_killed_in_the_midst_of_writing_loses_nothing_and_doubles_nothing(own):
    rounds, writers = 25, 4
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-c",
                WRITER,
                f"w{number}",
                own.url(),
                str(own.directory),
                str(rounds),
            ],
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(writers)
    ]
    for pause in (0.6, 0.3, 0.5):
        time.sleep(pause)
        own.cluster.kill()
        own.cluster.start()
    errors = [each.communicate(timeout=300)[1] for each in running]
    assert not [text for text in errors if "Traceback" in text]
    assert [each.returncode for each in running] == [0] * writers
    for number in range(writers):
        own.machine(f"w{number}").close()
    server = own.server(votes=10)
    for number in range(writers):
        name = f"w{number}"
        assert sorted(each.filename for each in server.project(name).observations) == sorted(
            f"{name}-{each}" for each in range(rounds)
        )
        assert sorted(int(each.reason) for each in server.log(project=name)) == list(range(rounds))
    assert server.verify_log().problem == ""


def test_what_the_copy_tells_is_too_old_after_a_week(prepared, monkeypatch):
    from veln_hook import clock

    prepared.cluster.stop()
    now = clock.now()
    for days, count in ((6, 1), (8, 0), (-1, 0)):
        monkeypatch.setattr(clock, "now", lambda days=days: now + timedelta(days=days))
        machine = prepared.machine("m", timeout=1, unreachable="local")
        assert len(machine.approvals("litellm")) == count
        monkeypatch.undo()
        machine.close()


def test_a_damaged_copy_is_moved_aside(prepared, tmp_path):
    path = tmp_path / "m" / "shared.sqlite3"
    path.write_bytes(b"not a database at all" * 100)
    machine = prepared.machine("m")
    assert len(machine.approvals("litellm")) == 1
    machine.record([record()])
    machine.close()
    assert len(list(path.parent.glob("shared.sqlite3.corrupt-*"))) == 1


def test_a_copy_that_others_can_write_is_refused(prepared, tmp_path):
    path = tmp_path / "m" / "shared.sqlite3"
    path.chmod(0o666)
    with pytest.raises(StoreError, match="can be written by other users"):
        prepared.machine("m")


def test_where_the_policy_holds_no_copy_is_kept_of_what_others_told(prepared):
    import sqlite3

    path = prepared.directory / "holding" / "shared.sqlite3"
    for word, kept in (("hold", 0), ("local", 1)):
        machine = prepared.machine("holding", unreachable=word)
        assert len(machine.approvals("litellm")) == 1
        machine.info()
        machine.close()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM known").fetchone() == (kept,)


def test_the_copy_of_one_server_is_nothing_for_another(prepared):
    prepared.cluster.stop()
    other = prepared.machine(
        "m", url=prepared.url().replace(prepared.database, "another"), timeout=1, unreachable="local"
    )
    assert list(other.approvals("litellm")) == []
    same = prepared.machine("m", url=prepared.approver_url, timeout=1, unreachable="local")
    assert len(same.approvals("litellm")) == 1


def test_what_the_server_refuses_does_not_hold_up_the_rest(prepared):
    machine = prepared.machine("m")
    machine.observe(
        [observation(filename="f" * 1900, machine="m"), observation(filename="good", machine="m")]
    )
    prepared.sql(
        "ALTER TABLE veln_hook.file ADD CONSTRAINT short CHECK (length(filename) < 1000)",
    )
    machine.close()
    found = {each.filename for each in prepared.server().project("litellm").observations}
    assert "good" in found
    copy = LocalCopy(prepared.directory / "m" / "shared.sqlite3")
    assert copy.count(server_identity(prepared.url())) == 0
    copy.close()


def test_what_somebody_else_wrote_into_the_copy_is_passed_over(prepared):
    import sqlite3

    machine = prepared.machine("m", timeout=1)
    machine.record([record(reason="good")])
    prepared.cluster.stop()
    machine.close()
    path = prepared.directory / "m" / "shared.sqlite3"
    here = server_identity(prepared.url())
    connection = sqlite3.connect(path)
    for uid, data in (
        ("", "nonsense"), ("", "{}"), ("", "[1]"), ("", '["p","f","s","i","m","v",null]'), ("", "[[],[],[],[],[],[],1]"),
        ("x", "[]"), ("00000000-0000-0000-0000-000000000000", "[1,2,3]"), ("'; DROP", "[]"), ("", '["p","f","s","i","m","v",1e300]'),
    ):  # fmt: skip
        connection.execute("INSERT INTO outbox (server, uid, data) VALUES (?, ?, ?)", (here, uid, data))
    connection.execute("UPDATE known SET approvals = 'nonsense', observations = '[[1]]'")
    connection.commit()
    connection.close()
    local = prepared.machine("m", timeout=1, unreachable="local")
    assert list(local.approvals("litellm")) == []
    assert list(local.observations("litellm")) == []
    local.close()
    prepared.cluster.start()
    prepared.machine("m").close()
    copy = LocalCopy(path)
    assert copy.count(here) == 0
    copy.close()
    assert "good" in {each.reason for each in prepared.server().log()}


def test_much_that_waits_is_sent_in_parts(prepared):
    prepared.cluster.stop()
    machine = prepared.machine("m", timeout=1)
    machine.observe([observation(filename=f"f{number}", machine="m") for number in range(700)])
    machine.record([record(reason=str(number)) for number in range(450)])
    machine.close()
    prepared.cluster.start()
    copy = LocalCopy(prepared.directory / "m" / "shared.sqlite3")
    here = server_identity(prepared.url())
    assert copy.count(here) == 1150
    for _ in range(60):  # each process sends what there is time for
        prepared.machine("m").close()
        if not copy.count(here):
            break
    assert copy.count(here) == 0
    copy.close()
    assert len(prepared.server().project("litellm").observations) == 701
    told = [int(each.reason) for each in prepared.server().log() if each.stage == "candidate"]
    assert sorted(told) == list(range(450))


def test_a_name_longer_than_any_real_one_is_not_sent(prepared):
    machine = prepared.machine("m")
    machine.observe([observation(filename="f" * 3000, machine=machine.machine_id(), first_seen=NOON + HOUR)])
    machine.close()
    assert len(prepared.server().project("litellm").observations) == 1
    again = prepared.machine("m")
    assert len(again.observations("litellm")) == 2
