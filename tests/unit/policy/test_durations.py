from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veln_hook.policy.durations import MAX_DURATION, format_duration, iso_duration, parse_duration

DURATIONS = st.timedeltas(min_value=timedelta(), max_value=MAX_DURATION)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", timedelta(hours=2)),
        ("90 min", timedelta(minutes=90)),
        ("90m", timedelta(minutes=90)),
        ("3 days", timedelta(days=3)),
        (" 1 Day ", timedelta(days=1)),
        ("1d 12h", timedelta(hours=36)),
        ("1d12h", timedelta(hours=36)),
        ("1 day, 12 hours", timedelta(hours=36)),
        ("1w", timedelta(days=7)),
        ("1.5 h", timedelta(minutes=90)),
        ("PT2H", timedelta(hours=2)),
        ("P3D", timedelta(days=3)),
        ("P1DT12H", timedelta(hours=36)),
        ("p2w", timedelta(days=14)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("0", timedelta()),
        (0, timedelta()),
        ("0h", timedelta()),
        ("P36525D", MAX_DURATION),
        ("0.0000001 s", timedelta(microseconds=1)),  # only a zero is zero
    ],
)
def test_reads(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("2", "unit is missing"),
        (7200, "unit is missing"),
        ("1.5", "unit is missing"),
        (-1, "negative"),
        ("-2h", "negative"),
        ("\u22122h", "negative"),
        ("", "empty"),
        ("   ", "empty"),
        ("soon", "not a duration"),
        ("nan h", "not a duration"),
        ("2h soon", "not a duration"),
        ("2h,", "not a duration"),
        ("3 fortnights", "not a duration"),
        ("1e3 s", "not a duration"),
        ("\u0662h", "not a duration"),  # Arabic-Indic two
        ("2h 3h", "same unit twice"),
        ("P", "ISO 8601"),
        ("PT", "ISO 8601"),
        ("P3M", "ISO 8601"),
        ("P1Y", "ISO 8601"),
        ("P1DT", "ISO 8601"),
        ("P36526D", "hundred years"),
        ("9" * 90 + "h", "hundred years"),
        ("9" * 5000 + "h", "too long"),
        (float("nan"), "not a duration"),
        (2.5, "not a duration"),
        (True, "not a duration"),
        (False, "not a duration"),
        (None, "not a duration"),
        (["2h"], "not a duration"),
    ],
)
def test_refuses_and_shows_the_forms(text, complaint):
    with pytest.raises(ValueError, match=complaint) as raised:
        parse_duration(text)
    assert '"P3D"' in str(raised.value)


@given(DURATIONS)
def test_iso_goes_round_exactly(duration):
    assert parse_duration(iso_duration(duration)) == duration


@given(DURATIONS)
def test_what_people_see_can_be_read_and_is_within_the_second_unit(duration):
    read = parse_duration(format_duration(duration))
    assert abs(read - duration) <= max(timedelta(seconds=1), duration / 24)
    assert len(format_duration(duration).split()) in (2, 4)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text):
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert timedelta() <= duration <= MAX_DURATION


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(milliseconds=1), "1 s"),
        (timedelta(seconds=45), "45 s"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(minutes=1, seconds=30), "1 min 30 s"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=1, minutes=47, seconds=59, microseconds=1), "1 h 48 min"),
        (timedelta(hours=1, seconds=30), "1 h"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=3, hours=4, minutes=5), "3 days 4 h"),
        (timedelta(days=14), "14 days"),
    ],
)
def test_shows(duration, expected):
    assert format_duration(duration) == expected


def test_iso_refuses_a_negative():
    with pytest.raises(ValueError, match="negative"):
        iso_duration(timedelta(seconds=-1))
