"""What a page says of its project, in every form an index could give it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from veln_hook.index.page_facts import html_page_facts, html_status, json_page_facts, json_status

NAME, OTHER = "demo-1.0-py3-none-any.whl", "demo-1.1.tar.gz"
TIME = "2026-05-01T12:00:00.123456Z"
BEFORE = datetime(2026, 5, 1, tzinfo=timezone.utc)


def body(*files, separators=None, **more) -> bytes:
    return json.dumps(
        {"meta": {"api-version": "1.4"}, "files": list(files), **more}, separators=separators
    ).encode()


def entry(filename=NAME, **more):
    fields = {"filename": filename, "url": f"https://x/{filename}", "hashes": {"sha256": "ab" * 32}}
    return {**fields, "upload-time": TIME, **more}


def told(content: bytes) -> tuple[list[str], list[str]]:
    """Return the names of all files of known age, and of those with attestations."""
    page = json_page_facts(content)
    names = [name for name in (NAME, OTHER) if page.release(name) is not None]
    return names, sorted(page.attested)


@pytest.mark.parametrize("separators", [None, (",", ":"), (" , ", " : ")])
def test_attestations_belong_to_the_file_they_stand_with(separators):
    content = body(entry(), entry(OTHER, provenance="https://x/provenance"), separators=separators)
    assert told(content) == ([NAME, OTHER], [OTHER])
    content = body(entry(provenance="https://x/provenance"), entry(OTHER), separators=separators)
    assert told(content) == ([NAME, OTHER], [NAME])


def test_as_pypi_orders_its_keys():
    first = {"core-metadata": {"sha256": "cd" * 32}, **dict(sorted(entry(provenance="https://x/p").items()))}
    second = {"core-metadata": False, **dict(sorted(entry(OTHER, provenance=None).items()))}
    assert told(body(first, second)) == ([NAME, OTHER], [NAME])


def test_as_no_index_should_order_its_keys():
    files = [dict(reversed(list(entry(provenance="https://x/p").items()))), entry(OTHER)]
    assert told(body(*files)) == ([NAME, OTHER], [NAME])


@pytest.mark.parametrize("value", [None, False, "", 7, {"url": "https://x"}])
def test_what_is_no_url_is_no_attestation(value):
    content = body(entry(provenance=value), entry(OTHER, provenance="https://x/p"))
    assert told(content) == ([NAME, OTHER], [OTHER])


@pytest.mark.parametrize(
    "reason",
    ["filename", "upload-time", "provenance", '"filename": "x"', '"provenance": "https://x"', "grün", "\\"],
)
def test_what_a_maintainer_writes_into_the_page_is_not_taken_for_keys(reason):
    content = body(entry(yanked=reason), entry(OTHER, provenance="https://x/p"))
    assert told(content) == ([NAME, OTHER], [OTHER])
    ascii_no = json.dumps(json.loads(content), ensure_ascii=False).encode()
    assert told(ascii_no) == ([NAME, OTHER], [OTHER])


def test_a_name_that_is_spelled_with_escapes_is_read():
    content = body(entry(provenance="https://x/p"), entry(OTHER)).replace(b'"demo-1.0', b'"\\u0064emo-1.0')
    assert told(content) == ([NAME, OTHER], [NAME])


@pytest.mark.parametrize(
    "time", ["2026-05-01T14:00:00+02:00", "2026-05-01T12:00:00.5Z", "2026-05-01 12:00:00"]
)
def test_other_spellings_of_a_time_count(time):
    page = json_page_facts(body(entry(**{"upload-time": time}), entry(OTHER)))
    release = page.release(NAME)
    assert release is not None
    assert release.files[0].uploaded == datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
    assert page.is_younger_than(BEFORE)
    assert not page.is_younger_than(BEFORE + timedelta(days=1))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"files": 7}',
        b'{"files": [7, {}, {"filename": 7}]}',
        b"[" * 100_000,
        b'"filename"',
        b"\xff",
    ],
)
def test_what_is_no_page_says_nothing(content):
    assert told(content) == ([], [])
    assert json_page_facts(content).status == ("", "")


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({"status": "active"}, ("active", "")),
        ({"status": "quarantined", "reason": "malware {really}"}, ("quarantined", "malware {really}")),
        ({"status": "quarantined", "reason": "malware"}, ("quarantined", "malware")),
        ({"status": "archived", "reason": 7}, ("archived", "")),
        ({"status": "frobnicated"}, ("frobnicated", "")),
        ({"status": ["quarantined"]}, ("", "")),
        ("quarantined", ("", "")),
        (None, ("", "")),
    ],
)
def test_the_status_of_a_json_page(status, found):
    assert json_status(body(entry(), **{"project-status": status})) == found


def test_a_status_within_a_text_is_none():
    assert json_status(body(entry(yanked='"project-status": {"status": "quarantined"}'))) == ("", "")


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ('<meta name="pypi:project-status" content="quarantined">', ("quarantined", "")),
        ("<META content='archived' name='pypi:project-status'/>", ("archived", "")),
        (
            '<meta name="pypi:project-status" content="deprecated"><meta name="pypi:project-status-reason" '
            + 'content="use other">',
            ("deprecated", "use other"),
        ),
        ("<meta name=pypi:project-status content=quarantined>", ("quarantined", "")),
        ('<meta name="pypi:repository-version" content="1.4">', ("", "")),
        ('<meta name="pypi:project-status">', ("", "")),
    ],
)
def test_the_status_of_an_html_page(tags, found):
    content = f"<!DOCTYPE html><html><head>{tags}</head><body></body></html>".encode()
    assert html_status(content) == found
    assert html_page_facts(content).status == found
