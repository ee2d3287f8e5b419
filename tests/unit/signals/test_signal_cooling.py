from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from veln_hook.model import Archive, ArchiveKind, Candidate, Observation, Origin, Source
from veln_hook.policy.settings import CoolingPolicy, IndexPolicy, Policy
from veln_hook.signals import ArchiveContext, CandidateContext
from veln_hook.signals.release import cooling

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
AGE = timedelta(hours=2)
TICK = timedelta(microseconds=1)
INDEX = "https://pypi.org/simple/"
SHA, OTHER = "ab" * 32, "cd" * 32
NAME = "demo-1.0-py3-none-any.whl"
HERE = "here"
STARTED = NOW - timedelta(days=400)
LATEST = datetime.max.replace(tzinfo=timezone.utc)


def candidate(**changes):
    fields = {"index": INDEX, "sha256": SHA, **changes}
    return Candidate("demo", "1.0", NAME, f"https://x/{NAME}", **{"source": Source.INDEX, **fields})


def seen(ago, **changes):
    fields = {"sha256": SHA, "index": INDEX, "machine": HERE, "filename": NAME, **changes}
    return Observation(project="demo", version="1.0", first_seen=NOW - ago, **fields)


def policy(indexes=(), **cooling_fields):
    return Policy(cooling=CoolingPolicy(**{"min_age": AGE, **cooling_fields}), indexes=tuple(indexes))


def findings(*candidates, observations=(), rules=None, persistent=True, now=NOW, started=STARTED):
    known = {}
    for observation in observations:
        known.setdefault(observation.filename, []).append(observation)
    context = CandidateContext(
        now=now, policy=rules or policy(), observations=known, machine=HERE, store_started_at=started,
        store_persistent=persistent,
    )  # fmt: skip
    return list(cooling.veln_hook_examine_candidates(candidates, context))


def finding(*candidates, **more):
    found = findings(*candidates, **more)
    assert len(found) == 1
    assert found[0][0] is candidates[0]
    return found[0][1]


def archive_findings(
    subject, observations=(), rules=None, *, sha256=SHA, origin=Origin.FETCHED, persistent=True
):
    archive = Archive("/x", ArchiveKind.WHEEL, origin, NAME, "demo", "1.0", sha256, 5, subject)
    context = ArchiveContext(
        now=NOW, policy=rules or policy(), observations=observations, members=(), commands=(), prefix="/p",
        policy_files=(), store_started_at=STARTED, store_persistent=persistent,
    )  # fmt: skip
    return list(cooling.veln_hook_examine_archive(archive, context))


# The boundary


@pytest.mark.parametrize("age", [AGE, AGE + TICK, timedelta(days=9000)])
def test_exactly_old_enough_passes(age):
    assert findings(candidate(upload_time=NOW - age)) == []


@pytest.mark.parametrize("age", [AGE - TICK, timedelta(minutes=12), timedelta()])
def test_one_microsecond_younger_holds_until_the_age_is_reached(age):
    found = finding(candidate(upload_time=NOW - age))
    assert found.opens_at == NOW - age + AGE
    assert not found.unverifiable


def test_the_message_says_since_when_and_until_when():
    assert finding(candidate(upload_time=NOW - timedelta(minutes=12))).message == (
        "uploaded 12 min ago, cooling until 13:48 UTC (in 1 h 48 min; policy: 2 h)"
    )
    other_day = finding(candidate(upload_time=NOW), rules=policy(min_age=timedelta(days=3)))
    assert "2026-05-04 12:00 UTC" in other_day.message


def test_a_wait_is_rounded_up_and_an_age_down():
    message = finding(candidate(upload_time=NOW - timedelta(minutes=12, seconds=59))).message
    assert "uploaded 12 min ago" in message
    assert "in 1 h 48 min" in message
    assert "in 1 min" in finding(candidate(upload_time=NOW - AGE + TICK)).message


@pytest.mark.parametrize("ahead", [TICK, timedelta(hours=1), timedelta(days=9000)])
def test_a_time_in_the_future_holds_and_says_so(ahead):
    found = finding(candidate(upload_time=NOW + ahead))
    assert "lies in the future, so a clock is wrong" in found.message
    assert found.opens_at == NOW + ahead + AGE


def test_no_time_that_an_index_can_tell_is_an_error():
    first = datetime.min.replace(tzinfo=timezone.utc)
    assert finding(candidate(upload_time=LATEST)).opens_at == LATEST
    assert findings(candidate(upload_time=first)) == []


def test_no_age_that_a_policy_can_ask_for_is_an_error():
    for age in (timedelta(days=2_900_000), timedelta(days=900_000_000)):
        found = finding(candidate(upload_time=NOW - AGE), rules=policy(min_age=age))
        assert found.opens_at > NOW
        assert finding(candidate(), rules=policy(min_age=age)).opens_at > NOW


def test_age_zero_cools_nothing():
    rules = policy(min_age=timedelta())
    assert (
        findings(candidate(upload_time=NOW), candidate(), candidate(upload_time=NOW + AGE), rules=rules) == []
    )


def test_each_file_has_its_own_age():
    young, old = candidate(upload_time=NOW), candidate(upload_time=NOW - AGE)
    assert [one for one, _ in findings(old, young, old)] == [young]


# No upload time


def test_first_sight_holds_and_is_told_as_such():
    found = finding(candidate())
    assert found.message.startswith("no upload time, first seen here just now, cooling until 14:00 UTC")
    assert found.opens_at == NOW + AGE
    assert not found.unverifiable


@pytest.mark.parametrize(("ago", "held"), [(AGE - TICK, True), (AGE, False), (timedelta(days=3), False)])
def test_the_first_sight_ages_like_an_upload(ago, held):
    assert bool(findings(candidate(), observations=[seen(ago)])) is held


def test_the_oldest_sight_counts():
    assert findings(candidate(), observations=[seen(timedelta(minutes=1)), seen(AGE)]) == []


def test_with_a_hash_the_same_bytes_count_wherever_they_were_seen():
    elsewhere = seen(AGE, index="https://mirror/", machine="another")
    assert findings(candidate(), observations=[elsewhere]) == []


def test_with_a_hash_other_bytes_of_that_name_do_not_count():
    for other in (seen(AGE, sha256=OTHER), seen(AGE, sha256="")):
        assert finding(candidate(), observations=[other]).opens_at == NOW + AGE


def test_without_a_hash_index_and_name_are_the_identity():
    plain = candidate(sha256="")
    assert findings(plain, observations=[seen(AGE, sha256="")]) == []
    assert finding(plain, observations=[seen(AGE, sha256="", index="https://mirror/")])
    assert finding(plain, observations=[seen(AGE, sha256="", filename="demo-1.0.tar.gz")])


def test_a_sight_in_the_future_counts_as_now():
    found = finding(candidate(), observations=[seen(-timedelta(days=400))])
    assert found.opens_at == NOW + AGE
    assert "just now" in found.message


def test_a_store_that_forgets_names_the_way_out():
    assert "can't remember what it saw, so set 'upstream'" in finding(candidate(), persistent=False).message
    assert "upstream" not in finding(candidate()).message
    assert "upstream" not in finding(candidate(upload_time=NOW), persistent=False).message


def test_a_store_that_is_new_says_so_and_names_the_way_out():
    new = finding(candidate(), started=NOW - timedelta(minutes=3))
    assert "the store itself is new (since 11:57 UTC)" in new.message
    assert "set 'upstream'" in new.message
    assert "new" not in finding(candidate(), started=NOW - AGE).message


def test_mode_hold_is_a_hold_that_never_opens_by_itself():
    found = finding(
        candidate(), rules=policy(missing_upload_time="hold"), observations=[seen(timedelta(days=9))]
    )
    assert found.unverifiable
    assert found.opens_at is None


def test_mode_allow_passes_the_unknown_but_not_the_young():
    rules = policy(missing_upload_time="allow")
    assert findings(candidate(), rules=rules) == []
    assert finding(candidate(upload_time=NOW), rules=rules)


def test_the_mode_of_the_index_wins():
    rules = policy([IndexPolicy(INDEX, missing_upload_time="hold")], missing_upload_time="allow")
    assert finding(candidate(), rules=rules).unverifiable
    assert findings(candidate(index="https://mirror/"), rules=rules) == []


# Who is cooled


@pytest.mark.parametrize("source", [Source.LOCAL_FILE, Source.LOCAL_DIRECTORY, Source.VCS])
@pytest.mark.parametrize("mode", ["first-seen", "hold"])
def test_what_has_no_age_is_not_cooled(source, mode):
    assert findings(candidate(source=source, index=""), rules=policy(missing_upload_time=mode)) == []


@pytest.mark.parametrize("source", [Source.INDEX, Source.FIND_LINKS, Source.LOCK, Source.DIRECT_URL])
def test_what_comes_over_the_network_is(source):
    assert finding(candidate(source=source))
    assert finding(candidate(source=source, upload_time=NOW))


@pytest.mark.parametrize(
    ("exempt", "passes"),
    [("demo", True), ("d*", True), ("demo==1.0", True), ("demo<2,>=1", True), ("demo==1.1", False), ("dem", False), ("demo-*", False)],
)  # fmt: skip
def test_exemptions_by_name_and_version(exempt, passes):
    assert (findings(candidate(upload_time=NOW), rules=policy(exempt=(exempt,))) == []) is passes


def test_a_version_nobody_can_parse_is_covered_by_no_specifier():
    odd = candidate(upload_time=NOW)._replace(version="one")
    assert finding(odd, rules=policy(exempt=("demo>=0",)))


def test_ages_by_project_and_by_index():
    by_project = policy(projects={"demo": timedelta(days=3)})
    assert finding(candidate(upload_time=NOW - timedelta(days=2)), rules=by_project)
    by_index = policy([IndexPolicy(INDEX, min_age=timedelta(days=3))])
    assert finding(candidate(upload_time=NOW - timedelta(days=2)), rules=by_index)
    assert (
        findings(candidate(upload_time=NOW - timedelta(days=2), index="https://mirror/"), rules=by_index)
        == []
    )
    floor = policy(at_least={"demo": timedelta(days=3)})
    assert finding(candidate(upload_time=NOW - timedelta(days=2)), rules=floor)
    shorter = policy([IndexPolicy(INDEX, min_age=timedelta(minutes=1))])
    assert findings(candidate(upload_time=NOW - timedelta(minutes=2)), rules=shorter) == []


# Observations by machines


@pytest.mark.parametrize(
    ("machines", "held"),
    [((), True), (("b",), True), (("b", "c"), False), (("b", "b"), True), ((HERE, "b"), True)],
)
def test_distinct_machines_count_and_this_one_is_among_them(machines, held):
    rules = policy(min_observations=3)
    old = candidate(upload_time=NOW - AGE)
    found = findings(old, observations=[seen(TICK, machine=m) for m in machines], rules=rules)
    assert bool(found) is held
    if held:
        assert found[0][1].opens_at is None
        assert "of the 3 machines" in found[0][1].message


def test_sights_of_other_bytes_or_names_are_no_sights():
    rules = policy(min_observations=2)
    old = candidate(upload_time=NOW - AGE)
    others = [seen(AGE, machine="b", sha256=OTHER), seen(AGE, machine="b", filename="demo-1.0.tar.gz")]
    assert finding(old, observations=others, rules=rules)


def test_sights_of_a_file_without_a_hash_are_of_nobody_knows_what():
    rules = policy(min_observations=2)
    old = candidate(upload_time=NOW - AGE, sha256="")
    assert finding(old, observations=[seen(AGE, machine="b", sha256="")], rules=rules)


def test_an_exempt_project_needs_no_machines_and_age_zero_still_does():
    assert findings(candidate(), rules=policy(min_observations=9, exempt=("demo",))) == []
    assert finding(candidate(), rules=policy(min_observations=9, min_age=timedelta()))


def test_too_young_is_said_before_too_little_known():
    assert "uploaded" in finding(candidate(upload_time=NOW), rules=policy(min_observations=9)).message


# Direct URLs


def direct(**changes):
    return candidate(source=Source.DIRECT_URL, index="", **changes)


def test_a_url_with_a_hash_is_decided_before_it_is_fetched():
    assert finding(direct()).opens_at == NOW + AGE
    assert findings(direct(), observations=[seen(AGE, index="")]) == []


def test_a_url_without_a_hash_is_decided_on_its_bytes():
    plain = direct(sha256="")
    assert findings(plain) == []
    (found,) = archive_findings(plain)
    assert found.opens_at == NOW + AGE
    assert archive_findings(plain, [seen(AGE, index="")]) == []
    assert archive_findings(plain, [seen(AGE, index="", sha256=OTHER)])


def test_a_time_counts_for_the_bytes_it_was_told_of_only():
    dated = direct(upload_time=NOW - AGE)
    assert archive_findings(dated) == []
    assert archive_findings(dated, sha256=OTHER)


def test_modes_apply_to_bytes_too():
    plain = direct(sha256="")
    assert archive_findings(plain, rules=policy(missing_upload_time="allow")) == []
    assert archive_findings(plain, rules=policy(min_age=timedelta())) == []
    assert archive_findings(plain, rules=policy(exempt=("demo",))) == []
    (found,) = archive_findings(plain, rules=policy(missing_upload_time="hold"))
    assert found.unverifiable
    (found,) = archive_findings(plain, persistent=False)
    assert "upstream" in found.message


@pytest.mark.parametrize("source", [s for s in Source if s not in (Source.DIRECT_URL, Source.LOCK)])
def test_what_was_judged_as_a_candidate_is_not_judged_again(source):
    assert archive_findings(candidate(source=source)) == []


@pytest.mark.parametrize("origin", [Origin.BUILT, Origin.CACHED_BUILD])
def test_what_was_built_here_has_no_age(origin):
    assert archive_findings(direct(), origin=origin) == []
    assert archive_findings(None) == []
