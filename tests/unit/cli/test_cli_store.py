"""``veln-hook store``, and what ``log`` and ``approve`` do with a shared store."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from support.postgres import PASSWORD

pytest.importorskip("psycopg")


@pytest.fixture
def command(home):
    """Run a command of veln-hook from the tree, in a home of its own."""
    from support.cache import ROOT

    def run(*words, url="", **variables):
        environ = {**home.environ(), "PYTHONPATH": str(ROOT / "src"), **variables}
        if url:
            environ["VELN_HOOK_STORE_URL"] = url
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "veln_hook", *words],
            env=environ,
            cwd=home.work,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def results(done):
    return json.loads(done.stdout)["results"]


def test_init_makes_tables_and_roles_once(cluster, command):
    url = cluster.url(cluster.make_database())
    done = command("store", "init", "--url", url)
    assert done.returncode == 0, done.stderr
    assert "are made (version 1)" in done.stdout
    assert "IN ROLE veln_hook_machine" in done.stdout + done.stderr
    again = command(
        "store", "init", "--votes", "login", "--votes-kept", "7", "--late", "2d", "--json", url=url
    )
    assert results(again)[0]["schema_before"] == results(again)[0]["schema"] == 1
    database = url.partition("@/")[2].partition("?")[0]
    settings = cluster.sql("SELECT votes, votes_kept, late FROM veln_hook.about", database=database)
    assert settings == [("login", 7, 2 * 86_400_000_000)]
    command("store", "init", url=url)
    assert cluster.sql("SELECT votes, votes_kept, late FROM veln_hook.about", database=database) == settings


@pytest.mark.parametrize("number", ["0", "-1", "10001", "x", "99999999999999999999"])
def test_init_takes_a_number_that_makes_sense(command, number):
    done = command("store", "init", "--votes-kept", number, "--url", "postgresql:///x")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_status_tells_what_this_login_may(fleet, command):
    for url, roles in (
        (fleet.url(), ["veln_hook_machine"]),
        (fleet.approver_url, ["veln_hook_machine", "veln_hook_approver"]),
    ):
        (result,) = results(command("store", "status", "--json", url=url))
        assert result["roles"] == roles
        assert result["shared"] is True
        assert (result["observations"], result["approvals"], result["waiting"]) == (0, 0, 0)
        done = command("store", "status", url=url)
        assert done.returncode == 0
        assert "veln_hook_machine" in done.stdout
        assert PASSWORD not in done.stdout + done.stderr


def test_status_of_an_own_file(command):
    done = command("store", "status")
    assert done.returncode == 0
    assert "nothing is shared" in done.stdout


@pytest.mark.parametrize("action", ["init", "prune"])
def test_what_is_for_a_shared_store_needs_one(command, action):
    done = command("store", action)
    assert done.returncode == 78
    assert "no shared store is named" in done.stderr


def test_a_server_that_does_not_answer_is_one_line(command):
    url = "postgresql://m:s3cret@127.0.0.1:1/veln"
    for words in (
        ("store", "status"),
        ("store", "init"),
        ("store", "prune"),
        ("log", "--shared"),
        ("log", "--verify"),
        ("approvals", "list"),
    ):
        done = command(*words, url=url)
        assert done.returncode == 78
        assert "does not answer" in done.stderr
        assert "Traceback" not in done.stderr
        assert "s3cret" not in done.stdout + done.stderr


def test_status_and_doctor_tell_of_the_store(fleet, command):
    done = command("status", url=fleet.url())
    assert fleet.database in done.stdout
    broken = command("status", url="postgresql://m:s3cret@127.0.0.1:1/veln")
    assert "can't be used, so nothing is installed" in broken.stdout + broken.stderr
    local = command(
        "status", url="postgresql://m:s3cret@127.0.0.1:1/veln", VELN_HOOK_STORE_UNREACHABLE="local"
    )
    assert "goes on with what it knows" in local.stdout + local.stderr
    assert "s3cret" not in broken.stdout + broken.stderr + local.stdout + local.stderr


def test_prune_tells_what_it_deleted(fleet, command):
    from store_records_for_cli import observed_and_logged

    observed_and_logged(fleet)
    fleet.sql("UPDATE veln_hook.file SET last_seen = 0")
    done = command("store", "prune", "--json", "--url", fleet.admin_url)
    assert results(done) == [{"files": 1, "records": 0}]
    short = command("store", "prune", "--unseen", "20d", "--url", fleet.admin_url)
    assert short.returncode == 2
    far = command("store", "prune", "--log", "99y", "--url", fleet.admin_url)
    assert far.returncode in (0, 2)
    assert "Traceback" not in far.stderr


def test_the_log_is_verified_and_a_change_is_told(fleet, command):
    from store_records_for_cli import observed_and_logged

    observed_and_logged(fleet)
    shared = results(command("log", "--shared", "--json", url=fleet.approver_url))
    assert [each["reason"] for each in shared] == ["held"]
    (result,) = results(command("log", "--verify", "--json", url=fleet.approver_url))
    assert (result["rows"], result["problem"]) == (1, "")
    expected = command("log", "--verify", "--expect", result["head"], url=fleet.approver_url)
    assert expected.returncode == 0
    assert "1 rows" in expected.stdout
    fleet.sql(
        "ALTER TABLE veln_hook.verdict_log DISABLE TRIGGER ALL",
        "UPDATE veln_hook.verdict_log SET reason = 'nothing'",
    )
    changed = command("log", "--verify", url=fleet.approver_url)
    assert changed.returncode == 78
    assert "row 1 is not what was written" in changed.stderr


@pytest.mark.parametrize(
    "words", [("--expect", "1:zz", "--verify"), ("--expect", "1:" + "a" * 64), ("--verify",)]
)
def test_verifying_wrongly_is_a_matter_of_usage(command, words):
    done = command("log", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_only_an_approver_approves_and_then_everybody_knows(fleet, command):
    words = (
        "approve",
        "demo==1.0",
        "--reason",
        "read it",
        "--sha256",
        "ab" * 32,
        "--filename",
        "demo-1.0.tar.gz",
    )
    refused = command(*words, url=fleet.url())
    assert refused.returncode == 78
    assert "veln_hook_approver" in refused.stderr
    given = command(*words, url=fleet.approver_url)
    assert given.returncode == 0, given.stderr
    listed = results(command("approvals", "list", "--json", url=fleet.url()))
    assert [(each["project"], each["sha256"]) for each in listed] == [("demo", "ab" * 32)]
    number = str(listed[0]["id"])
    assert command("approvals", "revoke", number, url=fleet.url()).returncode == 78
    assert command("approvals", "revoke", number, url=fleet.approver_url).returncode == 0
    assert results(command("approvals", "list", "--json", url=fleet.url())) == []
    told = results(command("log", "--shared", "--json", url=fleet.approver_url))
    assert [each["reason"] for each in told] == ["approval revoked", "approved: read it"]
