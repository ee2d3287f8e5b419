"""Which releases an advisory is about, after OSV's evaluation rules and PEP 440."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from veln_hook.feed.advisories import Advisory, unpacked


def about(*events, versions=(), **more):
    return Advisory("GHSA-1", "weak", more.pop("malware", False), tuple(versions), tuple(events), **more)


BEFORE = (("introduced", "0"), ("fixed", "1.26.17"))
TWO = (("introduced", "2.0.0"), ("fixed", "2.0.6"), ("introduced", "0"), ("fixed", "1.26.17"))
LAST = (("introduced", "1.0"), ("last_affected", "1.5"))


@pytest.mark.parametrize(
    ("events", "version", "affected"),
    [
        (BEFORE, "1.26.16", True),
        (BEFORE, "1.26.17", False),
        (BEFORE, "1.26.17rc1", True),
        (BEFORE, "0.dev0", True),
        (BEFORE, "2", False),
        (TWO, "2.0.5", True),
        (TWO, "2.0.0", True),
        (TWO, "2.0.0rc1", False),
        (TWO, "2.0.6", False),
        (TWO, "1.26.20", False),
        (TWO, "1.0", True),
        (LAST, "1.5", True),
        (LAST, "1.5.0", True),
        (LAST, "1.5.post1", False),
        (LAST, "1.5+local", True),
        (LAST, "0.9", False),
        ((("introduced", "1.0"),), "999", True),
        ((("introduced", "1.0"), ("fixed", "2.0"), ("introduced", "2.0")), "2.0", True),
        ((("fixed", "1.5"), ("introduced", "1.0")), "1.2", True),
        (BEFORE, "not-a-version", False),
        (BEFORE, "1" * 6000, False),
        (BEFORE, "", False),
    ],
)
def test_ranges(events, version, affected):
    assert about(events).affects(version) is affected


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("1.82.8", True),
        ("1.82.8.0", True),
        ("v1.82.8", True),
        ("1.82.8+cu118", True),
        ("1.82.80", False),
        ("1.82.8rc1", False),
        ("1.82.8.post1", False),
        ("2004d", True),
        ("2004D", False),
        ("", False),
    ],
)
def test_listed_versions(version, affected):
    assert about(versions=["1.82.8", "2004d"]).affects(version) is affected


def test_a_listed_local_version_says_nothing_of_the_public_one():
    assert about(versions=["1.0+evil"]).affects("1.0+evil")
    assert not about(versions=["1.0+evil"]).affects("1.0")


def test_a_version_nobody_can_order_may_lie_in_any_range_of_malware():
    assert about(LAST, malware=True).affects("2004d")
    assert not about(LAST).affects("2004d")
    assert not about(LAST, malware=True).affects("")


def test_everything_has_no_need_of_a_version():
    whole = about(malware=True, everything=True)
    assert whole.affects("")
    assert whole.affects("any thing")


@pytest.mark.parametrize(
    ("version", "installed", "repairs"),
    [
        ("2.0.6", "2.0.5", True),
        ("2.0.6.0", "2.0.5", True),
        ("1.26.17", "1.26.16", True),
        ("2.0.6", "1.26.16", True),  # the other branch's repair is one of this release, too
        ("2.0.7", "2.0.5", False),  # it has the repair, but no advisory names it
        ("2.0.6.post1", "2.0.5", False),
        ("2.0.6+local", "2.0.5", False),
        ("2.0.6", "2.0.6", False),
        ("2.0.6", "2.0.7", False),
        ("2.0.6", "1.26.17", False),  # isn't affected any more
        ("1.26.17", "2.0.5", False),  # going back repairs nothing
        ("2.0.6", "", False),
        ("2.0.6", "unknown", False),
    ],
)
def test_a_repair_is_just_what_the_advisory_names(version, installed, repairs):
    assert about(TWO).repairs(version, installed) is repairs


def test_what_is_affected_itself_repairs_nothing():
    assert not about(TWO, versions=["2.0.6"]).repairs("2.0.6", "2.0.5")


def test_what_could_not_be_read_whole_repairs_nothing():
    assert not about(TWO, sure=False).repairs("2.0.6", "2.0.5")


texts = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}((a|b|rc|\.post|\.dev)[0-9])?", fullmatch=True)


@given(introduced=texts, fixed=texts, version=texts)
def test_a_simple_range_is_what_pep_440_says(introduced, fixed, version):
    # OSV: "0" is before every other version, also before 0.dev0.
    within = (introduced == "0" or Version(version) >= Version(introduced)) and not (
        Version(version) >= Version(fixed) and Version(introduced) < Version(fixed)
    )
    if Version(introduced) >= Version(fixed) and introduced != "0":
        within = Version(version) >= Version(introduced)
    if introduced == "0":
        within = Version(version) < Version(fixed)
    assert about((("introduced", introduced), ("fixed", fixed))).affects(version) is within


@given(
    st.builds(
        Advisory,
        id=st.just("MAL-1"),
        summary=st.text(),
        malware=st.booleans(),
        versions=st.lists(texts).map(tuple),
        ranges=st.lists(st.lists(st.tuples(st.sampled_from(["introduced", "fixed"]), texts)).map(tuple)).map(
            tuple
        ),
        everything=st.booleans(),
        sure=st.booleans(),
    )
)
def test_what_is_packed_is_unpacked(advisory):
    assert unpacked("MAL-1", advisory.packed(), malware=advisory.malware) == advisory


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"summary": 1}', "[" * 100000])
def test_what_nobody_packed_is_an_error(text):
    with pytest.raises(ValueError, match=r".*"):
        unpacked("MAL-1", text, malware=True)
