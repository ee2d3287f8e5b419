"""What the guard makes of the feed: it is asked about everything, and what it can't say is never 'clean'."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from guard_records import INDEX, SHA, START, able, candidate

from support.feeds import advisory, record, write_feed
from veln_hook.feed import Feed
from veln_hook.model import Archive, ArchiveKind, Confidence, Decision, Finding, Origin, Severity, Source
from veln_hook.policy.settings import CoolingPolicy, FeedPolicy, Policy, PolicyException


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "feed.sqlite"


@pytest.fixture
def guard(machine, path):
    def make(policy=None):
        return machine.guard(policy, feed=Feed(path))

    return make


def archive(version="2.0", sha256=SHA, origin=Origin.FETCHED, subject=None):
    return Archive(
        "/x/demo.whl",
        ArchiveKind.SDIST,
        origin,
        f"demo-{version}.tar.gz",
        "demo",
        version,
        sha256,
        5,
        subject,
    )


def words(verdicts):
    return [verdict.decision.word for verdict in verdicts]


BAD = record("MAL-2026-1", "demo", "2.0")
YOUNG = timedelta(minutes=12)


def test_a_bad_release_is_blocked_however_old_it_is_and_no_other(guard, path):
    write_feed(path, BAD)
    asked = [
        candidate("1.0"),
        candidate("2.0", filename="demo-2.0.tar.gz"),
        candidate("2.0"),
        candidate("2.1"),
    ]
    assert words(guard().check_candidates(asked)) == ["allow", "block", "block", "allow"]


@pytest.mark.parametrize("source", list(Source))
def test_it_does_not_matter_where_it_comes_from(guard, path, source):
    write_feed(path, BAD)
    assert words(guard().check_candidates([candidate("2.0", source=source, index="")])) == ["block"]


@pytest.mark.parametrize("origin", list(Origin))
def test_nor_how_its_bytes_came_here(guard, path, origin):
    write_feed(path, BAD)
    assert guard().check_archive(archive(origin=origin)).decision is Decision.BLOCK
    assert guard().check_archive(archive("2.1", origin=origin)).decision is Decision.ALLOW


def test_old_files_of_a_project_with_malware_are_not_passed_over(guard, path):
    write_feed(path, BAD, advisory("GHSA-1", "acme-tools", "2.0"))
    assert guard().settled("demo") is None
    assert guard().settled("acme-tools") is not None
    assert guard().settled("other") is not None


def test_only_an_exception_lets_it_pass(guard, path, machine):
    write_feed(path, BAD)
    policy = Policy(exceptions=(PolicyException(SHA, "ours"),))
    assert words(guard(policy).check_candidates([candidate("2.0")])) == ["allow"]
    assert words(guard(Policy(feed=FeedPolicy(exempt=("demo",)))).check_candidates([candidate("2.0")])) == [
        "allow"
    ]


def test_what_the_feed_takes_back_is_forgotten(guard, path, machine):
    write_feed(path, BAD)
    assert guard().check_archive(archive()).decision is Decision.BLOCK
    assert not machine.store.archive_hashes()
    write_feed(
        path, {**BAD, "withdrawn": "2026-05-01T00:00:00Z", "modified": "2026-05-01T00:00:00Z"}, shrink=True
    )
    assert guard().check_archive(archive()).decision is Decision.ALLOW
    assert words(guard().check_candidates([candidate("2.0")])) == ["allow"]


def test_a_running_guard_sees_a_newer_feed(guard, path):
    one = guard()
    assert words(one.check_candidates([candidate("2.0")])) == ["allow"]
    write_feed(path, BAD)
    assert words(one.check_candidates([candidate("2.0")])) == ["block"]
    assert one.settled("demo") is None
    one.close()
    assert words(one.check_candidates([candidate("2.0")])) == ["block"]


def test_without_a_feed_nothing_changes_and_nothing_is_said(guard):
    verdict = guard().check_candidate(candidate("1.0"))
    assert (verdict.decision, verdict.rulings) == (Decision.ALLOW, ())


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        (FeedPolicy(required=True), "hold"),
        (FeedPolicy(max_age=timedelta(days=2)), "hold"),
        (FeedPolicy(required=True, on_stale="warn"), "warn"),
        (FeedPolicy(max_age=timedelta(days=2), on_stale="warn"), "warn"),
        (FeedPolicy(on_stale="hold"), "allow"),
    ],
)
def test_a_missing_feed_is_judged_where_the_policy_wants_one(guard, wanted, word):
    judge = guard(Policy(feed=wanted))
    assert words(judge.check_candidates([candidate("1.0")])) == [word]
    assert judge.check_archive(archive("1.0")).decision.word == word
    assert (judge.settled("demo") is None) is (word == "hold"), "old files would slip through"


@pytest.mark.parametrize(
    ("age", "word"), [(timedelta(days=1, hours=23), "allow"), (timedelta(days=2, seconds=1), "hold")]
)
def test_so_is_its_age(guard, path, age, word):
    write_feed(path, record("MAL-1", "other", modified="2026-03-01T00:00:00Z"), now=START - age)
    judge = guard(Policy(feed=FeedPolicy(max_age=timedelta(days=2))))
    (verdict,) = judge.check_candidates([candidate("1.0")])
    assert verdict.decision.word == word
    if word == "hold":
        assert verdict.rulings[0].finding.message == (
            "the feed of known malware is 2 days old (policy: 2 days); run 'veln-hook feed update'"
        )


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.chmod(0o666),
        lambda path: path.write_text("no database"),
        lambda path: os.truncate(path, 3000),
    ],
)
def test_a_feed_that_cannot_be_trusted_holds_everything(guard, path, damage):
    write_feed(path, BAD)
    damage(path)
    judge = guard(Policy(feed=FeedPolicy(on_stale="warn")))
    (verdict,) = judge.check_candidates([candidate("1.0")])
    assert verdict.decision is Decision.HOLD
    assert verdict.rulings[0].finding.unverifiable
    assert judge.check_archive(archive("1.0")).decision is Decision.HOLD
    assert judge.settled("other") is None


def fixing(machine, path, *, installed="1.0"):
    write_feed(path, advisory("GHSA-1", "demo", "2.0"))
    machine.releases.version = installed


def test_a_young_repair_of_what_is_installed_warns(guard, path, machine):
    fixing(machine, path)
    asked = [candidate("2.0", age=YOUNG), candidate("2.0.1", age=YOUNG), candidate("1.0")]
    assert words(guard().check_candidates(asked)) == ["warn", "hold", "allow"]


@pytest.mark.parametrize("installed", ["", "2.0", "3.0"])
def test_it_holds_where_nothing_is_repaired(guard, path, machine, installed):
    fixing(machine, path, installed=installed)
    assert words(guard().check_candidates([candidate("2.0", age=YOUNG)])) == ["hold"]


def test_it_holds_where_nobody_can_tell_what_is_installed(guard, path, machine, monkeypatch):
    fixing(machine, path)

    def broken(project):
        raise OSError("no such environment")

    monkeypatch.setattr(machine.releases, "installed", broken)
    assert words(guard().check_candidates([candidate("2.0", age=YOUNG)])) == ["hold"]


def test_its_contents_are_judged_as_any_others(guard, path, machine):
    fixing(machine, path)
    machine.says.findings = [Finding("says", Severity.HIGH, Confidence.HIGH, "it sends keys away")]
    subject = candidate("2.0", age=YOUNG, filename="demo-2.0.tar.gz")
    judge = guard()
    assert judge.check_candidate(subject).decision is Decision.WARN
    assert judge.check_archive(archive("2.0", subject=subject)).decision is Decision.HOLD


def test_a_repair_that_is_malware_is_blocked(guard, path, machine):
    write_feed(path, advisory("GHSA-1", "demo", "2.0"), BAD)
    machine.releases.version = "1.0"
    assert words(guard().check_candidates([candidate("2.0", age=YOUNG)])) == ["block"]


def test_what_is_installed_is_asked_only_where_it_matters(guard, path, machine, monkeypatch):
    asked = []
    monkeypatch.setattr(machine.releases, "installed", lambda project: asked.append(project) or "1.0")
    fixing(machine, path)
    guard().check_candidates([candidate("2.0"), candidate("2.1", age=YOUNG), candidate("1.9", age=YOUNG)])
    assert asked == []
    guard().check_candidates([candidate("2.0", age=YOUNG)])
    assert asked == ["demo"]
    guard(Policy(cooling=CoolingPolicy(security_fixes="hold"))).check_candidates(
        [candidate("2.0", age=YOUNG)]
    )
    assert asked == ["demo"]


def test_known_malware_is_no_baseline(guard, path, machine):
    """What was let through before the feed knew it must not make its own kind look harmless."""
    machine.reader.facts["/x/demo.whl"] = able("harmless")
    judge = guard()
    listed = candidate("2.0", filename="demo-2.0.tar.gz", index=INDEX)
    judge.check_archive(archive("2.0", subject=listed))
    later = archive("2.1", sha256="cd" * 32)
    assert judge.archives.baseline(later, START).version == "2.0"
    write_feed(path, BAD)
    assert judge.archives.baseline(later, START) is None
