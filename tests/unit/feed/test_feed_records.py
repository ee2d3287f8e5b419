"""One record of anybody's, from bytes to what is kept."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.feeds import RECORDS, events, record
from veln_hook.feed.records import RecordError, instant, read_record

REAL = sorted(RECORDS.glob("*.json"))


def read(made):
    return read_record(made if isinstance(made, bytes) else json.dumps(made).encode())


def only(made):
    ((project, advisory),) = read(made).affected
    return project, advisory


def test_there_are_real_records():
    assert len(REAL) == 10


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_records_are_read_whole(path):
    found = read_record(path.read_bytes())
    assert found.id == path.stem
    assert found.modified is not None
    assert found.malware is path.stem.startswith("MAL-")
    assert all(advisory.sure for _, advisory in found.affected)
    assert bool(found.affected) is not found.withdrawn


def test_names_are_normalized_and_kept_once():
    made = record("GHSA-1", "Zope.Interface", "1.0")
    made["affected"] += record("GHSA-1", "zope_interface", ranges=[events(("introduced", "2"))])["affected"]
    project, advisory = only(made)
    assert project == "zope-interface"
    assert advisory.affects("1.0")
    assert advisory.affects("3")
    assert not advisory.affects("1.5")


def test_other_ecosystems_are_passed_over():
    made = record()
    made["affected"][0]["package"]["ecosystem"] = "npm"
    assert read(made).affected == ()
    made["affected"][0]["package"]["ecosystem"] = "PyPI:some-index"
    assert len(read(made).affected) == 1


def test_malware_that_tells_no_version_is_so_in_all():
    assert only(record())[1].everything
    assert only(record(ranges=[events(("introduced", "0"), kind="GIT")]))[1].everything
    assert only(record(ranges=[events(("introduced", "2004d"))]))[1].everything
    assert only(record("MAL-1", "demo", "1.0", ranges=[events(("fixed", "2"))]))[1].everything
    assert only(record(ranges=[{"type": "ECOSYSTEM"}]))[1].everything


def test_a_weakness_that_tells_no_version_is_in_none():
    _, advisory = only(record("GHSA-1"))
    assert not advisory.everything
    assert not advisory.affects("1.0")
    _, unsure = only(record("GHSA-1", ranges=[events(("introduced", "2004d"), ("fixed", "3"))]))
    assert not unsure.sure


def test_withdrawn_records_say_nothing():
    found = read(record(withdrawn="2026-05-01T00:00:00Z"))
    assert found.withdrawn
    assert found.affected == ()
    assert not read(record(withdrawn="")).withdrawn


def test_a_summary_is_one_short_line():
    _, advisory = only(record(summary="a\x1b[31m\nb\u202ec" + "x" * 5000))
    assert advisory.summary.startswith("a [31m b c")
    assert advisory.summary.isprintable()
    assert len(advisory.summary) == 200
    assert only(record(summary=None, details="what it does"))[1].summary == "what it does"
    assert only(record(summary=["no", "text"]))[1].summary == ""


@pytest.mark.parametrize(
    "made",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 200_000,
        b'{"id": "MAL-1", "x": ' + b"[" * 200_000,
        b"null",
        {},
        {"id": 3},
        {"id": "MAL-1\x1b[31m"},
        {"id": "../../MAL-1"},
        {"id": "M" * 200},
        {"id": "MAL-1"},
        {"id": "MAL-1", "affected": {}},
        {"id": "MAL-1", "affected": ["demo"]},
        record(project="de mo"),
        record(project=""),
        record(project="x" * 300),
        record(project="../demo"),
        record(withdrawn=1),
        record(ranges="all"),
        record(ranges=["all"]),
        record(ranges=[{"type": "ECOSYSTEM", "events": {"introduced": "0"}}]),
        record(ranges=[{"type": "ECOSYSTEM", "events": ["0"]}]),
        record(ranges=[{"type": "ECOSYSTEM", "events": [{"introduced": 0}]}]),
        record("MAL-1", "demo", ""),
        record("MAL-1", "demo", "1" * 300),
        {"id": "MAL-1", "affected": [{"package": {"name": "demo"}}]},
        {"id": "MAL-1", "affected": [{"package": "demo"}]},
        {"id": "MAL-1", "affected": [{"package": {"ecosystem": "PyPI", "name": 1}}]},
        {"id": "MAL-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "demo"}, "versions": [1.0]}]},
        {"id": "MAL-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "demo"}, "versions": "1.0"}]},
        {
            "id": "MAL-1",
            "affected": [{"package": {"ecosystem": "PyPI", "name": "demo"}, "versions": ["1"] * 60_000}],
        },
    ],
    ids=lambda made: str(made)[:60],
)
def test_what_is_no_record_is_an_error(made):
    with pytest.raises(RecordError):
        read(made)


def test_numbers_of_a_million_digits_cost_nothing():
    made = b'{"id": "GHSA-1", "affected": [], "x": ' + b"9" * 4_000_000 + b"}"
    assert read(made).id == "GHSA-1"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["package", "ecosystem", "name", "versions", "ranges", "events", "introduced", "type"]), inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(json_values, json_values, st.sampled_from(["id", "withdrawn", "affected", "summary", "modified"]))
def test_odd_types_are_read_or_refused_and_nothing_else(value, inner, field):
    made = {**record("MAL-2026-1", "demo", "1.0"), field: value}
    for candidate in (made, {**made, "affected": [inner]}, {**made, "affected": [{"package": inner}]}):
        try:
            read_record(json.dumps(candidate).encode())
        except RecordError:
            continue


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-26T09:53:17Z", datetime(2026, 3, 26, 9, 53, 17, tzinfo=timezone.utc)),
        ("2023-10-10T14:28:19.389317Z", datetime(2023, 10, 10, 14, 28, 19, 389317, tzinfo=timezone.utc)),
        ("2026-03-26T09:50:43.996758996Z", datetime(2026, 3, 26, 9, 50, 43, 996758, tzinfo=timezone.utc)),
        ("2026-03-26t09:50:43+02:00", datetime(2026, 3, 26, 7, 50, 43, tzinfo=timezone.utc)),
        ("2026-03-26T09:50:43-02:30", datetime(2026, 3, 26, 12, 20, 43, tzinfo=timezone.utc)),
        ("0001-01-01T00:00:00+01:00", None),
        ("2026-13-26T09:53:17Z", None),
        ("2026-03-26", None),
        ("2026-03-26T09:53:17", None),
        (3, None),
        (None, None),
    ],
)
def test_times(text, moment):
    assert instant(text) == moment
