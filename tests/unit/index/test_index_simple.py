from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from veln_hook.index import FileEntry, base_url, parse_json_page, parse_upload_time, strip_credentials

UTC = timezone.utc
PAGE = "https://pypi.org/simple/demo/"
NAME = "demo-1.0-py3-none-any.whl"
FILE = {
    "filename": NAME,
    "url": f"https://files.example/{NAME}",
    "hashes": {"sha256": "AB" * 32},
    "size": 12,
    "requires-python": ">=3.9",
    "upload-time": "2026-05-01T12:00:00.123456Z",
    "yanked": False,
}


def page(*files, **more):
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": list(files), **more}).encode()


def parse(*files):
    return parse_json_page(page(*files), PAGE)


# Times


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_what_isoformat_writes_is_read_back(moment, offset):
    zone = timezone(timedelta(minutes=offset))
    aware = moment.replace(tzinfo=zone)
    parsed = parse_upload_time(aware.isoformat())
    assert parsed == aware
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-05-01T12:00:00Z", 0),
        ("2026-05-01T12:00:00z", 0),
        ("2026-05-01t12:00:00Z", 0),
        ("2026-05-01 12:00:00+00:00", 0),
        ("2026-05-01T14:00:00+02:00", 0),
        ("2026-05-01T14:00:00+0200", 0),
        ("2026-05-01T12:00:00", 0),
        ("2026-05-01T12:00:00.1Z", 100_000),
        ("2026-05-01T12:00:00.12Z", 120_000),
        ("2026-05-01T12:00:00.123Z", 123_000),
        ("2026-05-01T12:00:00.123456Z", 123_456),
        ("2026-05-01T12:00:00.123456789Z", 123_456),
        ("2026-05-01T12:00:00.999999999", 999_999),
    ],
)
def test_every_spelling_of_an_instant(text, micros):
    assert parse_upload_time(text) == datetime(2026, 5, 1, 12, 0, 0, micros, tzinfo=UTC)


@pytest.mark.parametrize(
    "nonsense",
    [
        None, 0, 1.5, True, [], {}, b"2026-05-01T12:00:00Z", "", "now", "2026-05-01", "2026-13-01T12:00:00Z",
        "2026-02-30T12:00:00Z", "2026-05-01T25:00:00Z", "0000-01-01T00:00:00Z", "2026-05-01T12:00:00.Z",
        "2026-05-01T12:00:00.1234567890Z", "2026-05-01T12:00:00Z\n", " 2026-05-01T12:00:00Z", "2026-05-01T12:00Z",
        "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-05-01T12:00:00+99:00", "2026-05-01T12:00:00Z" * 2,
    ],
)  # fmt: skip
def test_what_is_no_time_is_unknown_and_never_an_error(nonsense):
    assert parse_upload_time(nonsense) is None


@given(st.one_of(st.text(), st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,12})?.{0,7}")))
@example("\u0662\u0660\u0662\u0666-\u0660\u0665-\u0660\u0661T\u0661\u0662:\u0660\u0660:\u0660\u0660Z")
def test_no_text_is_an_error(text):
    parsed = parse_upload_time(text)
    assert parsed is None or parsed.tzinfo is UTC


# Pages


def test_an_entry_has_what_the_page_says():
    assert parse(FILE) == {
        NAME: FileEntry(
            NAME,
            FILE["url"],
            "ab" * 32,
            datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC),
            12,
            ">=3.9",
            False,
        )
    }


@pytest.mark.parametrize(
    ("url", "absolute", "name"),
    [
        (f"../../files/{NAME}", f"https://pypi.org/files/{NAME}", NAME),
        (f"//cdn.example/{NAME}#sha256=00", f"https://cdn.example/{NAME}", NAME),
        (
            "https://x/demo-1.0%2Blocal-py3-none-any.whl",
            "https://x/demo-1.0%2Blocal-py3-none-any.whl",
            "demo-1.0+local-py3-none-any.whl",
        ),
        (f"https://x/a%2F{NAME}", f"https://x/a%2F{NAME}", NAME),
        (f"https://x/{NAME}?token=/other-1.0.tar.gz", f"https://x/{NAME}?token=/other-1.0.tar.gz", NAME),
    ],
)
def test_the_url_decides_the_name_as_it_does_for_pip(url, absolute, name):
    # pip goes by the URL and not by "filename", which could say anything.
    entries = parse({**FILE, "url": url, "filename": "innocent-0.1.tar.gz"})
    assert [(key, entry.url) for key, entry in entries.items()] == [(name, absolute)]


@pytest.mark.parametrize("key", ["hashes", "size", "requires-python", "upload-time", "yanked"])
@pytest.mark.parametrize(
    "value", [None, 7, -1.5, "\ud800", [], [1], {}, {"sha256": None}, {"sha256": 3}, True]
)
def test_a_field_of_the_wrong_type_counts_as_absent(key, value):
    (entry,) = parse({**FILE, key: value}).values()
    assert entry.sha256 in ("", "ab" * 32)
    assert entry.size is None or type(entry.size) is int
    assert entry.upload_time is None or entry.upload_time.tzinfo is UTC
    assert isinstance(entry.requires_python, str)
    assert isinstance(entry.yanked, bool)


@pytest.mark.parametrize(
    "file",
    ["x", None, 5, [], {}, {"url": None}, {"url": 5}, {**FILE, "url": "http://["}, {**FILE, "url": "//[/x"}],
)
def test_an_entry_without_a_url_is_left_out_and_the_others_stay(file):
    assert list(parse(file, FILE, file)) == [NAME]


def test_hostile_names_are_only_names():
    names = ["demo\ud800-1.0.tar.gz", "demo\x00-1.0.tar.gz", "..", "demo\x1b[2J-1.0.tar.gz"]
    entries = parse(*({**FILE, "url": f"https://x/{name}"} for name in names), FILE)
    assert NAME in entries


def test_the_last_of_two_entries_wins():
    later = {**FILE, "upload-time": "2026-05-02T00:00:00Z"}
    assert parse(FILE, later)[NAME].upload_time == datetime(2026, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"5", b"null", b"{}", b'{"files": {}}', b'{"files": null}', b'{"files": "x"}',
        b'{"files": []}\xff', b'\xff\xfe{"files"', b"<html>", b"[" * 200_000, b'{"files": ' * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_project_page_is_a_value_error(content):
    with pytest.raises(ValueError):
        parse_json_page(content, PAGE)


def test_numbers_beyond_measure():
    assert parse_json_page(page(FILE, extra=float("nan")), PAGE)
    body = page(FILE)[:-1] + b', "x": ' + b"9" * 5000 + b"}"
    with contextlib.suppress(ValueError):  # newer Pythons refuse the number, and with it the page
        assert parse_json_page(body, PAGE)
    (entry,) = parse({**FILE, "size": 10**300}).values()
    assert entry.size == 10**300


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*FILE, "core-metadata"]), _json))
def test_no_entry_is_an_error(file):
    parse(file, {**FILE, **file}, {**file, "url": FILE["url"]})


# URLs


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://user:pass@pypi.example/simple/", "https://pypi.example/simple/"),
        ("https://user:p@ss@pypi.example:8080/simple/?a=b#c", "https://pypi.example:8080/simple/?a=b"),
        ("https://token@pypi.example/", "https://pypi.example/"),
        ("https://pypi.example/a@b/", "https://pypi.example/a@b/"),
        ("file:///srv/simple/", "file:///srv/simple/"),
    ],
)
def test_credentials_never_stay(url, plain):
    assert strip_credentials(url) == plain


@pytest.mark.parametrize(
    ("url", "project", "base"),
    [
        ("https://u:p@pypi.org/simple/my-demo/", "my-demo", "https://pypi.org/simple/"),
        ("https://pypi.org/simple/My_Demo", "my-demo", "https://pypi.org/simple/"),
        ("https://pypi.org/simple/my%2Ddemo/?x=1", "my-demo", "https://pypi.org/simple/"),
        ("https://x.example/links.html", "demo", "https://x.example/links.html/"),
        ("https://x.example/links/", "", "https://x.example/links/"),
    ],
)
def test_a_pages_index_is_its_url_less_the_project(url, project, base):
    assert base_url(url, project) == base
