"""The command line in this process: parsing, JSON, exit statuses, with a real store and real policy files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from veln_hook import paths
from veln_hook.cli.dispatch import COMMANDS, load
from veln_hook.cli.parsing import make_parser, release, span
from veln_hook.cli.passing import FOREIGN
from veln_hook.errors import UsageError
from veln_hook.model import (
    Approval,
    Confidence,
    Decision,
    Finding,
    Severity,
    VerdictRecord,
)
from veln_hook.store import ArchiveMemory, open_store

SRC = Path(__file__).resolve().parents[3] / "src"
NOW = datetime.now(timezone.utc)
SHA = "ab" * 32


pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def store():
    opened = open_store()
    yield opened
    opened.close()


def write_policy(text):
    path = paths.user_policy()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def approval(**changes):
    told = {
        "project": "demo",
        "version": "2.0",
        "filename": "demo-2.0-py3-none-any.whl",
        "sha256": SHA,
        "reason": "looked at it",
        "author": "ada@host",
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=1),
    }
    return Approval(**{**told, **changes})


def record(**changes):
    told = {
        "at": NOW,
        "decision": Decision.HOLD,
        "stage": "candidate",
        "project": "demo",
        "version": "2.0",
        "filename": "demo-2.0-py3-none-any.whl",
        "sha256": SHA,
        "index": "https://pypi.org/simple/",
        "reason": "uploaded 5 min ago",
    }
    return VerdictRecord(**{**told, **changes})


# Parsing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Demo.Pkg==1.0", ("demo-pkg", "1.0")),
        (" a == 1.0rc1 ", ("a", "1.0rc1")),
        ("a==1.0+x.1", ("a", "1.0+x.1")),
    ],
)
def test_a_release_is_a_name_and_one_version(text, expected):
    assert release(text) == expected


@pytest.mark.parametrize(
    "text", ["demo", "demo==", "==1", "demo>=1", "demo==1.*", "demo===1", "de mo==1", "a==b", ""]
)
def test_what_is_no_release_is_a_usage_error(text):
    with pytest.raises(UsageError):
        release(text)


@pytest.mark.parametrize("text", ["0", "-1d", "soon", "7", ""])
def test_a_span_is_longer_than_nothing(text):
    with pytest.raises(UsageError):
        span(text, "--since")


def test_every_command_tells_its_help(run):
    for name in COMMANDS:
        if name in FOREIGN:
            continue  # it is uv's own, and told by uv
        status, out, err = run(name, "--help")
        assert (status, err) == (0, "")
        assert out.startswith(f"usage: veln-hook {name}")


def test_common_options_stand_before_or_after_the_command():
    parser = make_parser(load())
    for argv in (["--json", "-q", "log"], ["log", "--json", "-q"], ["--json", "log", "-q"]):
        args = parser.parse_args(argv)
        assert (args.json, args.quiet, args.no_color) == (True, True, False)
    args = parser.parse_args(["-q", "approvals", "--no-color", "list", "--json"])
    assert (args.json, args.quiet, args.no_color) == (True, True, True)


def test_options_are_not_abbreviated(run):
    assert run("log", "--lim", "1")[0] == 2


# Exit statuses and errors


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["bogus"],
        ["check"],
        ["check", "--bogus"],
        ["run"],
        ["run", "--json-lines", "--", "true"],
        ["run", "--timeout", "soon", "--", "true"],
        ["run", "--env", "A=b", "--", "true"],
        ["run", "--write", "absent", "--", "true"],
        ["run", "--read", "", "--", "true"],
        ["run", "--allow", "https://a.example/", "--", "true"],
        ["run", "--allow", "", "--", "true"],
        ["run", "--", ""],
        ["explain", "demo"],
        ["approve", "demo==1"],
        ["approve", "demo==1", "--reason", " "],
        ["approve", "demo==1", "--reason", "x", "--expires", "never"],
        ["approve", "demo==1", "--reason", "x", "--sha256", "abc", "--filename", "demo-1.tar.gz"],
        ["approve", "demo==1", "--reason", "x", "--sha256", SHA],
        ["approve", "demo==1", "--reason", "x", "--sha256", SHA, "--filename", "other-1.tar.gz"],
        ["approvals"],
        ["approvals", "revoke", "x"],
        ["approvals", "revoke", "7"],
        ["log", "--limit", "0"],
        ["log", "--since", "yesterday"],
        ["policy", "validate", "absent.toml"],
    ],
)
def test_a_user_s_mistake_is_two_lines_and_exit_status_2(run, argv):
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 2
    assert "docs/errors.md#usage" in err


def test_a_usage_error_is_json_too(run):
    status, out, err = run("request", "demo", "--json")
    assert (status, err) == (2, "")
    told = json.loads(out)
    assert (told["schema"], told["command"], told["results"]) == (1, "request", [])
    assert [error["slug"] for error in told["errors"]] == ["usage"]
    assert "--reason" in told["errors"][0]["message"]


@pytest.mark.parametrize("argv", [["log"], ["check", "demo"], ["approvals", "list"], ["policy", "show"]])
def test_a_broken_policy_is_78_with_file_line_and_key(run, argv):
    path = write_policy('[cooling]\nmin_age = "soon"\n')
    status, out, err = run(*argv)
    assert (status, out) == (78, "")
    assert f"error: {path}:2: cooling.min_age:" in err
    status, out, _ = run(*argv, "--json")
    (error,) = json.loads(out)["errors"]
    assert status == 78
    assert (error["slug"], error["path"], error["line"], error["key"]) == (
        "policy",
        str(path),
        2,
        "cooling.min_age",
    )


def test_a_store_that_does_not_answer_is_78(run):
    write_policy('[store]\nurl = "postgresql://me:secret@127.0.0.1:1/db"\n')
    status, out, err = run("approvals", "list")
    assert (status, out) == (78, "")
    assert "docs/errors.md#store" in err
    assert "secret" not in err


def test_version(run):
    status, out, _ = run("--version")
    assert status == 0
    assert out.startswith("veln-hook ")


def test_a_reader_that_goes_away_is_no_traceback(store):
    store.record([record(reason="x" * 200, version=f"1.{n}") for n in range(2000)])
    command = f"{sys.executable} -m veln_hook log --limit 2000 | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (141, "")
    assert done.stdout.startswith("at ")


# approvals


def test_approvals_are_listed_revoked_and_pruned(run, store):
    store.add_approval(approval())
    store.add_approval(approval(version="1.0", expires_at=NOW - timedelta(days=1)))
    status, out, _ = run("approvals", "list")
    assert status == 0
    assert "demo 2.0" in out
    assert "demo 1.0" not in out
    assert "expired" in run("approvals", "list", "--all")[1]
    assert run("approvals", "revoke", "1")[:2] == (0, "revoked 1: demo 2.0\n")
    assert run("approvals", "revoke", "1")[0] == 2  # it can't be revoked twice
    assert "revoked" in run("approvals", "list", "demo", "--all")[1]
    assert run("approvals", "prune")[:2] == (0, "deleted 2 expired or revoked approvals\n")
    assert store.approvals() == []
    assert [line.reason for line in store.log()] == ["approval revoked"]


def test_approvals_as_json(run, store):
    store.add_approval(approval())
    status, out, _ = run("approvals", "list", "--json")
    told = json.loads(out)
    assert (status, told["command"]) == (0, "approvals list")
    (one,) = told["results"]
    assert one["id"] == 1
    assert one["active"] is True
    assert datetime.fromisoformat(one["expires_at"]) == NOW + timedelta(days=1)
    told = json.loads(run("approvals", "revoke", "1", "9", "--json")[1])
    assert told["results"][0]["active"] is False
    assert told["errors"][0]["slug"] == "usage"


def test_of_several_numbers_the_known_ones_are_revoked(run, store):
    store.add_approval(approval())
    status, _, err = run("approvals", "revoke", "9", "1")
    assert status == 2
    assert "no unrevoked approval 9" in err
    assert not store.approvals()[0].is_active(datetime.now(timezone.utc))


# approve, as far as no index is asked


def test_a_file_that_no_index_lists_is_approved_by_its_hash(run, store):
    arguments = ["--sha256", SHA.upper(), "--filename", "demo-2.0.tar.gz"]
    status, out, _ = run("approve", "Demo==2.0", "--reason", "built by us", "--expires", "7d", *arguments)
    assert status == 0
    assert SHA in out
    (one,) = store.approvals("demo")
    assert (one.project, one.version, one.filename, one.sha256) == ("demo", "2.0", "demo-2.0.tar.gz", SHA)
    assert one.expires_at - one.created_at == timedelta(days=7)
    assert "@" in one.author
    (line,) = store.log()
    assert (line.stage, line.approval_id, line.reason) == ("approval", one.id, "approved: built by us")
    assert store.observations("demo") == []  # nobody saw the file


def test_an_approval_lasts_ninety_days_by_default(run, store):
    run("approve", "demo==2.0", "--reason", "x", "--sha256", SHA, "--filename", "demo-2.0.tar.gz")
    (one,) = store.approvals()
    assert one.expires_at - one.created_at == timedelta(days=90)


def test_what_is_blocked_is_not_approved(run, store):
    from veln_hook import __version__

    known = Finding("malware", Severity.CRITICAL, Confidence.HIGH, "known malware")
    store.remember_archive(ArchiveMemory(SHA, __version__, (known,)))
    arguments = ["approve", "demo==2.0", "--reason", "x", "--sha256", SHA, "--filename", "demo-2.0.tar.gz"]
    status, out, _ = run(*arguments)
    assert status == 1
    assert out.startswith("BLOCK demo 2.0  known malware")
    assert store.approvals() == []
    told = json.loads(run(*arguments, "--json")[1])
    assert told["results"][0]["verdict"] == "block"


@pytest.mark.parametrize("accept", ["shared", "none"])
def test_an_approval_that_would_not_count_is_refused(run, store, accept):
    write_policy(f'[approvals]\naccept = "{accept}"\n')
    status, _, err = run(
        "approve", "demo==2.0", "--reason", "x", "--sha256", SHA, "--filename", "demo-2.0.tar.gz"
    )
    assert status == 2
    assert accept in err
    assert store.approvals() == []


def test_an_approval_that_would_be_forgotten_is_refused(run, tmp_path):
    (tmp_path / "state").write_text("not a directory")
    status, _, err = run(
        "approve", "demo==2.0", "--reason", "x", "--sha256", SHA, "--filename", "demo-2.0.tar.gz"
    )
    assert status == 78
    assert "would be forgotten" in err


# log


def test_the_log_is_told_newest_first(run, store):
    store.record(
        [
            record(at=NOW - timedelta(days=9), version="1.0"),
            record(at=NOW - timedelta(hours=1), approval_id=4, author="ada@host", decision=Decision.ALLOW),
            record(project="other", version="3", reason="evil\x1b[31m\nname"),
        ]
    )
    status, out, _ = run("log")
    assert status == 0
    assert [line.split()[5:7] for line in out.splitlines()[1:]] == [
        ["other", "3"],
        ["demo", "2.0"],
        ["demo", "1.0"],
    ]
    assert "\x1b" not in out
    assert "passed by approval 4 of ada@host" in out
    assert len(run("log", "Demo", "-q")[1].splitlines()) == 2
    assert "demo 1.0" not in run("log", "--since", "7d")[1]
    assert len(json.loads(run("log", "--limit", "1", "--json")[1])["results"]) == 1


def test_an_empty_log_says_so(run):
    assert run("log")[1] == "nothing in the log\n"
    assert run("log", "-q")[1] == ""
    assert json.loads(run("log", "--json")[1]) == {"schema": 1, "command": "log", "results": [], "errors": []}


# policy


def test_policy_show_tells_each_layer(run):
    write_policy('[cooling]\nmin_age = "3 days"\n[cooling.projects]\nlitellm = "7d"\n')
    status, out, _ = run("policy", "show")
    assert status == 0
    lines = {line.split()[0]: line.split()[2:] for line in out.splitlines()}
    assert lines["cooling.min_age"] == ["P3D", "(user)"]
    assert lines["cooling.projects.litellm"] == ["P7D", "(user)"]
    assert lines["decisions.high.low"] == ["warn", "(default)"]
    told = json.loads(run("policy", "show", "--json")[1])
    assert told["results"][0]["cooling"]["min_age"] == "P3D"


def test_policy_show_tells_what_is_ignored(run, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.veln-hook.cooling]\nmin_age = "0"\n')
    out = run("policy", "show")[1]
    assert "ignored: cooling.min_age" in out
    assert "pyproject.toml:2" in out


def test_policy_validate_tells_everything_that_is_wrong(run, tmp_path):
    assert run("policy", "validate")[0] == 0
    path = write_policy('[cooling]\nmin_agee = "2h"\non_hold = "shrug"\n')
    status, _, err = run("policy", "validate")
    assert status == 78
    assert f"{path}:2: cooling.min_agee" in err
    assert f"{path}:3: cooling.on_hold" in err
    told = json.loads(run("policy", "validate", "--json")[1])
    assert [(error["line"], error["slug"]) for error in told["errors"]] == [(2, "policy"), (3, "policy")]
    assert told["results"] == [{"layer": "user", "path": str(path), "problems": 2}]


def test_policy_validate_takes_a_file_for_a_layer(run, tmp_path):
    path = tmp_path / "site.toml"
    path.write_text('[lock]\nkeys = ["cooling"]\n')
    assert run("policy", "validate", str(path))[0] == 0
    assert run("policy", "validate", str(path), "--layer", "environment")[0] == 78


def test_policy_validate_sees_what_only_shows_when_layers_meet(run, monkeypatch):
    write_policy('[lock]\nkeys = ["cooling.min_age"]\n')
    monkeypatch.setenv("VELN_HOOK_COOLING_MIN_AGE", "0")
    status, _, err = run("policy", "validate")
    assert status == 78
    assert "locked" in err


def test_policy_paths(run):
    path = write_policy("")
    status, out, _ = run("policy", "paths")
    assert status == 0
    assert f"user         there   {path}" in out
    told = json.loads(run("policy", "paths", "--json")[1])
    assert [one["layer"] for one in told["results"]] == ["system", "user", "environment", "project"]
