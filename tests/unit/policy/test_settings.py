from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from veln_hook.model import Confidence, Decision, Severity
from veln_hook.policy.durations import parse_duration
from veln_hook.policy.matching import parse_exemption, url_key, without_secrets
from veln_hook.policy.settings import CoolingPolicy, IndexPolicy, Policy, PolicyException

PYPI = "https://pypi.org/simple/"
PRIVATE = "https://packages.acme.example/simple/"


def test_the_defaults_are_those_of_the_design():
    policy = Policy()
    decision = policy.decisions.decision
    assert policy.min_age_for("litellm", "1.0", PYPI) == (timedelta(hours=2), "cooling.min_age", "default")
    assert {decision(Severity.CRITICAL, confidence) for confidence in Confidence} == {Decision.BLOCK}
    assert [decision(Severity.HIGH, c) for c in Confidence] == [Decision.WARN, Decision.HOLD, Decision.HOLD]
    assert {decision(Severity.MEDIUM, confidence) for confidence in Confidence} == {Decision.WARN}
    assert {decision(Severity.LOW, confidence) for confidence in Confidence} == {Decision.ALLOW}
    assert policy.missing_upload_time_for(PYPI).value == "first-seen"
    assert policy.approvals_accept == "local"


@pytest.mark.parametrize(
    ("entry", "project", "version", "covered"),
    [
        ("acme-*", "acme-tools", "1", True),
        ("acme-*", "acme", "1", False),
        ("acme-*", "not-acme-tools", "1", False),
        ("Acme_*", "acme-tools", "1", True),
        ("foo.bar", "foo-bar", "1", True),
        ("foo", "foobar", "1", False),
        ("litellm==1.82.8", "litellm", "1.82.8", True),
        ("litellm ==1.82.8", "litellm", "1.82.80", False),
        ("foo>=2,<3", "foo", "2.5", True),
        ("foo>=2,<3", "foo", "3.0", False),
        ("foo>=2", "foo", "3.0rc1", True),
        ("foo>=2", "foo", "", False),
        ("foo>=2", "foo", "not a version", False),
        ("foo", "foo", "not a version", True),
        ("*", "anything", "1", True),
    ],
)
def test_exempt(entry, project, version, covered):
    assert parse_exemption(entry).covers(project, version) is covered
    policy = Policy(cooling=CoolingPolicy(exempt=(entry,)), origins={"cooling.exempt": "user"})
    applied = policy.min_age_for(project, version, PYPI)
    expected = (
        (timedelta(), "cooling.exempt", "user")
        if covered
        else (timedelta(hours=2), "cooling.min_age", "default")
    )
    assert applied == expected


@pytest.mark.parametrize(
    "entry", ["", "[a-z]*", "foo 1.0", "foo==", "foo=1", "-x", "foo bar", "foo>=2;x", "f\x00o"]
)
def test_no_exemption(entry):
    with pytest.raises(ValueError, match="not a"):
        parse_exemption(entry)


@pytest.mark.parametrize(
    ("configured", "asked", "matches"),
    [
        (PYPI, "https://pypi.org/simple/", True),
        (PYPI, "https://pypi.org/simple", True),
        ("https://pypi.org/simple", PYPI, True),
        (PYPI, "https://pypi.org/simple/litellm/", True),
        (PYPI, "HTTPS://PyPI.org:443/simple/", True),
        (PYPI, "https://user:secret@pypi.org/simple/", True),
        ("https://user@pypi.org/simple/", PYPI, True),
        (PYPI, "https://pypi.org./simple/?x=1#y", True),
        (PYPI, "https://pypi.org/%73imple/", True),
        (PYPI, "https://pypi.org/simple-evil/", False),
        (PYPI, "https://pypi.org/", False),
        (PYPI, "https://pypi.org.evil.example/simple/", False),
        (PYPI, "https://pypi.org@evil.example/simple/", False),
        (PYPI, "https://pypi.org/simple/../evil/", False),
        (PYPI, "https://pypi.org/simple/%2e%2e/evil/", False),
        (PYPI, "http://pypi.org/simple/", False),
        (PYPI, "https://pypi.org:8443/simple/", False),
        (PYPI, "https://pypi.org/Simple/", False),
        (PYPI, "https://pypi.org:port/simple/", False),
        (PYPI, "", False),
        ("file:///srv/index", "file:///srv/index/foo/", True),
    ],
)
def test_an_index_is_matched_by_whole_path_segments(configured, asked, matches):
    found = Policy(indexes=(IndexPolicy(configured),)).index_for(asked)
    assert (found is not None) is matches


@pytest.mark.parametrize("turned", [False, True])
def test_the_longest_index_wins(turned):
    short, long = IndexPolicy("https://x.example/a/"), IndexPolicy("https://x.example/a/b")
    policy = Policy(indexes=(long, short) if turned else (short, long))
    assert policy.index_for("https://x.example/a/b/c/") is long
    assert policy.index_for("https://x.example/a/c/") is short


def test_project_wins_over_index_wins_over_global():
    policy = Policy(
        cooling=CoolingPolicy(min_age=timedelta(hours=5), projects={"foo-bar": timedelta(days=3)}),
        indexes=(IndexPolicy(PRIVATE, min_age=timedelta(hours=1), missing_upload_time="allow"),),
        origins={
            "cooling.projects.foo-bar": "user",
            f"indexes.{PRIVATE}": "system",
            "cooling.min_age": "project",
        },
    )
    assert policy.min_age_for("Foo_Bar", "1", PRIVATE) == (
        timedelta(days=3),
        "cooling.projects.foo-bar",
        "user",
    )
    assert policy.min_age_for("other", "1", PRIVATE) == (timedelta(hours=1), "indexes.min_age", "system")
    assert policy.min_age_for("other", "1", PYPI) == (timedelta(hours=5), "cooling.min_age", "project")
    assert policy.missing_upload_time_for(PRIVATE) == ("allow", "indexes.missing_upload_time", "system")
    assert policy.missing_upload_time_for(PYPI) == ("first-seen", "cooling.missing_upload_time", "default")


def test_locks_reach_into_sections():
    policy = Policy(locked=frozenset({"cooling", "decisions.high"}), lock_layers={"cooling": "system"})
    assert policy.is_locked("cooling.min_age")
    assert policy.is_locked("cooling.projects.foo")
    assert policy.is_locked("decisions.high.low")
    assert not policy.is_locked("decisions.low.low")
    assert not policy.is_locked("coolingx")
    assert policy.locked_by("cooling.min_age") == "system"
    assert policy.locked_by("store.url") == ""
    assert Policy(locked=frozenset({"*"})).is_locked("switch")


def test_to_dict_is_json_without_passwords():
    policy = Policy(
        indexes=(IndexPolicy("https://me:hunter2@x.example/simple/", upstream=PYPI),),
        exceptions=(PolicyException("a" * 64, "known", datetime(2027, 1, 1, tzinfo=timezone.utc)),),
        store_url="postgresql://me:hunter2@db/veln?password=hunter2",
        origins={"indexes.https://me:hunter2@x.example/simple/": "user"},
    )
    told = json.dumps(policy.to_dict())
    assert "hunter2" not in told
    assert "postgresql://me:****@db/veln" in told
    assert parse_duration(policy.to_dict()["cooling"]["min_age"]) == timedelta(hours=2)
    assert policy.to_dict()["exceptions"][0]["expires"] == "2027-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("", ""),
        ("https://x.example/a?b=c", "https://x.example/a?b=c"),
        ("postgresql://me:p%40ss@db:5432/x", "postgresql://me:****@db:5432/x"),
        (
            "postgresql://db/x?user=me&password=p&sslmode=require",
            "postgresql://db/x?user=me&password=****&sslmode=require",
        ),
        ("postgresql://[", "****"),
    ],
)
def test_without_secrets(url, safe):
    assert without_secrets(url) == safe


def test_url_key_refuses_what_is_no_url():
    with pytest.raises(ValueError, match=r"[Pp]ort"):
        url_key("https://x:99999/")


@pytest.mark.parametrize(
    ("accept", "url", "count"),
    [
        ("local", "", True),
        ("local", "postgresql://db/x", True),
        ("shared", "", False),
        ("shared", "postgresql://db/x", True),
        ("none", "postgresql://db/x", False),
    ],
)
def test_whether_an_approval_from_here_can_count(accept, url, count):
    assert Policy(approvals_accept=accept, store_url=url).approvals_count is count
