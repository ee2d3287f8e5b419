"""What is written is what is read back."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_records import NOON, finding

from veln_hook.model import Confidence, Finding, Severity
from veln_hook.store import codec

EARLIEST, LATEST = (end.replace(tzinfo=timezone.utc) for end in (datetime.min, datetime.max))  # noqa: DTZ901
# Lone surrogates too: archive members are named by strangers.
anything = st.text(st.characters(exclude_categories=()), max_size=30)
moments = st.datetimes(timezones=st.just(timezone.utc))
findings = st.builds(
    Finding,
    signal=anything,
    severity=st.sampled_from(Severity),
    confidence=st.sampled_from(Confidence),
    message=anything,
    opens_at=st.none() | moments,
    unverifiable=st.booleans(),
    path=anything,
    line=st.none() | st.integers(),
    reach=st.sampled_from(["", "startup", "build", "import", "script", "call"]),
    new=st.none() | st.booleans(),
    evidence=anything,
)


@given(st.lists(findings, max_size=4))
def test_findings_survive_exactly(written):
    text = codec.findings_to_json(written)
    assert codec.findings_from_json(text) == tuple(written)
    assert text.isascii()
    assert "\n" not in text


@given(findings)
def test_a_finding_survives_as_a_dict_of_plain_json(written):
    data = codec.finding_to_dict(written)
    assert json.loads(json.dumps(data)) == data
    assert codec.finding_from_dict(data) == written


def test_what_a_finding_does_not_need_is_left_out():
    assert set(codec.finding_to_dict(finding())) == {"signal", "severity", "confidence", "message"}


def test_a_key_of_a_later_version_is_skipped():
    data = {**codec.finding_to_dict(finding()), "colour": "red"}
    assert codec.finding_from_dict(data) == finding()


def test_an_unknown_severity_is_an_error():
    with pytest.raises(KeyError):
        codec.finding_from_dict({**codec.finding_to_dict(finding()), "severity": "fatal"})


@given(st.datetimes(timezones=st.timezones() if hasattr(st, "timezones") else st.just(timezone.utc)))
def test_a_moment_survives_to_the_microsecond(moment):
    try:
        expected = moment.astimezone(timezone.utc)
    except OverflowError:
        return
    read = codec.from_micros(codec.to_micros(moment))
    assert read == expected
    assert read.tzinfo is timezone.utc


@pytest.mark.parametrize(
    "moment, read",
    [
        (LATEST.replace(tzinfo=timezone(-12 * timedelta(hours=1))), LATEST),
        (EARLIEST.replace(tzinfo=timezone(12 * timedelta(hours=1))), EARLIEST),
    ],
)
def test_a_time_that_utc_cannot_hold_becomes_the_nearest_that_it_can(moment, read):
    assert codec.from_micros(codec.to_micros(moment)) == read


def test_a_time_without_a_zone_is_a_bug_of_the_caller():
    with pytest.raises(TypeError):
        codec.to_micros(NOON.replace(tzinfo=None))


@given(anything)
def test_any_text_can_be_stored_and_storable_text_is_unchanged(text):
    stored = codec.to_text(text)
    stored.encode("utf-8")
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert stored == text
