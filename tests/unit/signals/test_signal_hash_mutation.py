from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from veln_hook.model import Archive, ArchiveKind, Candidate, Confidence, Observation, Origin, Severity, Source
from veln_hook.policy.settings import Policy
from veln_hook.signals import ArchiveContext, CandidateContext
from veln_hook.signals.release import hash_mutation

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
INDEX = "https://pypi.org/simple/"
NAME = "demo-1.0-py3-none-any.whl"
A, B = "ab" * 32, "cd" * 32


def candidate(**changes):
    fields = {"source": Source.INDEX, "index": INDEX, "sha256": B, **changes}
    return Candidate("demo", "1.0", NAME, f"https://x/{NAME}", **fields)


def seen(sha256=A, index=INDEX, filename=NAME):
    return Observation("demo", "1.0", filename, sha256, index, NOW - timedelta(days=3), "m")


def of_candidates(subject, *observations):
    known = {}
    for observation in observations:
        known.setdefault(observation.filename, []).append(observation)
    context = CandidateContext(
        now=NOW, policy=Policy(), observations=known, machine="m", store_started_at=NOW, store_persistent=True
    )
    return [found for _, found in hash_mutation.veln_hook_examine_candidates([subject], context)]


def of_archive(subject, *observations, sha256=B, origin=Origin.FETCHED):
    archive = Archive("/x", ArchiveKind.WHEEL, origin, NAME, "demo", "1.0", sha256, 5, subject)
    context = ArchiveContext(NOW, Policy(), observations, (), (), "/p", (), NOW, True)
    return list(hash_mutation.veln_hook_examine_archive(archive, context))


@pytest.mark.parametrize("look", [of_candidates, of_archive])
def test_other_bytes_under_a_known_name_show_both_hashes_and_dates(look):
    (found,) = look(candidate(), seen())
    assert (found.severity, found.confidence, found.signal) == (
        Severity.CRITICAL,
        Confidence.HIGH,
        "hash-mutation",
    )
    assert found.message == (
        f"bytes changed under a known filename: sha256 {A} on 2026-04-28T12:00 UTC, {B} on 2026-05-01T12:00 UTC"
    )
    assert found.opens_at is None


@pytest.mark.parametrize("look", [of_candidates, of_archive])
@pytest.mark.parametrize(
    "observation",
    [
        seen(B),
        seen(B.upper()),
        seen(""),
        seen(index="https://mirror/"),
        seen(index=""),
        seen(filename="demo-1.0.tar.gz"),
    ],
)
def test_only_another_hash_on_the_same_index_is_a_change(look, observation):
    assert look(candidate(), observation) == []
    assert look(candidate()) == []


def test_one_earlier_sight_among_many_is_enough():
    assert of_candidates(candidate(), seen(B), seen(""), seen(A))


def test_where_no_hash_is_promised_the_bytes_tell():
    assert of_candidates(candidate(sha256=""), seen()) == []
    assert of_archive(candidate(sha256=""), seen())


def test_bytes_that_break_the_promise():
    (found,) = of_archive(candidate(sha256=A))
    assert found.message == f"the index promises sha256 {A}, the downloaded bytes have {B}"
    assert of_archive(candidate(sha256=B.upper())) == []


@pytest.mark.parametrize("source", [Source.DIRECT_URL, Source.LOCK, Source.LOCAL_FILE, Source.VCS])
def test_a_url_is_no_promise_of_an_index(source):
    assert of_archive(candidate(source=source, sha256=A), seen()) == []


@pytest.mark.parametrize("origin", [Origin.BUILT, Origin.CACHED_BUILD, Origin.TREE])
def test_what_was_built_here_may_differ(origin):
    assert of_archive(candidate(), seen(), origin=origin) == []
    assert of_archive(None, seen()) == []


def test_without_an_index_there_is_nothing_to_compare():
    assert of_candidates(candidate(index=""), seen(index="")) == []
    assert of_archive(candidate(index=""), seen(index="")) == []


@pytest.mark.parametrize("nonsense", ["none", "5", "x" * 64, "ab" * 31, "\ud800"])
def test_what_is_no_hash_is_no_promise(nonsense):
    assert of_candidates(candidate(), seen(nonsense)) == []
    assert of_candidates(candidate(sha256=nonsense), seen()) == []
    assert of_archive(candidate(sha256=nonsense), seen(nonsense)) == []
    assert of_archive(candidate(sha256=nonsense), seen())  # the bytes themselves still tell
