from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.simple_pages import (
    BEFORE,
    OLD,
    STYLES,
    YOUNG,
    by_definition,
    encoded,
    file_of,
    is_sifted,
    opened,
    page_of,
    view,
)


@pytest.mark.parametrize("style", STYLES[:2])
def test_an_ordinary_page_is_told_from_its_bytes(style):
    body = encoded(page_of(*OLD), **style)
    assert is_sifted(body)
    assert opened(body) == {}


@pytest.mark.parametrize("style", STYLES)
def test_what_is_young_is_found(style):
    body = encoded(page_of(*OLD, YOUNG, *[file_of(f"demo-0.{number}.zip") for number in range(60)]), **style)
    assert list(opened(body)) == [YOUNG["filename"]]


@pytest.mark.parametrize(
    ("uploaded", "is_open"),
    [
        ("2026-11-22T15:59:59.999999Z", False),
        ("2026-11-22T16:00:00.000000Z", True),
        ("2026-11-22T15:59:59Z", False),
        ("2026-11-22T16:00:00Z", True),
        ("2026-11-22T17:59:59+02:00", False),
        ("2026-11-21T23:00:00-12:00", False),
        ("2026-11-22T05:00:00-12:00", True),
        ("2026-11-21T23:59:59.999999999Z", False),
        ("2024-02-29T00:00:00Z", False),
        ("2025-02-29T00:00:00Z", True),
        ("2025-04-31T00:00:00Z", True),
        ("2025-13-01T00:00:00Z", True),
        ("2025-00-01T00:00:00Z", True),
        ("2025-01-00T00:00:00Z", True),
        ("2025-01-01T24:00:00Z", True),
        ("2027-01-01T00:00:00Z", True),
        ("2026-12-01T00:00:00Z", True),
        ("1999-12-31T00:00:00Z", False),
        ("2000-01-01T00:00:00Z", False),
        ("12026-01-01T00:00:00Z", True),
        ("2026-01-01", True),
        ("", True),
        (None, True),
        (0, True),
        ([], True),
    ],
)
def test_when_a_file_was_uploaded(uploaded, is_open):
    changed = file_of("demo-1.5.zip", uploaded)
    body = encoded(page_of(*OLD, changed))
    assert bool(opened(body)) is is_open
    assert opened(body) == by_definition(body)
    del changed["upload-time"]
    assert list(opened(encoded(page_of(*OLD, changed)))) == ["demo-1.5.zip"]


@given(st.dates(date(2000, 1, 1), date(2100, 12, 31)), st.dates(date(2000, 1, 1), date(2101, 1, 1)))
@example(date(2026, 1, 1), date(2026, 1, 1))
@example(date(2026, 1, 31), date(2026, 2, 1))
@example(date(2099, 12, 31), date(2100, 1, 1))
def test_every_day_against_every_other(uploaded, limit):
    body = encoded(page_of(*OLD, file_of("demo-1.5.zip", f"{uploaded}T23:59:59Z")))
    names = {each.filename for each in view(body).open_entries(before=f"{limit}T00:00:00Z")}
    assert ("demo-1.5.zip" in names) is (uploaded >= limit)


@pytest.mark.parametrize("style", STYLES)
def test_files_that_are_asked_for_are_found_by_name_and_by_hash(style):
    body = encoded(page_of(*OLD), **style)
    third, fifth = OLD[3], OLD[5]
    wanted = {
        "filenames": {third["filename"], "other-1.0.zip"},
        "sha256s": {fifth["hashes"]["sha256"], "0" * 64},
    }
    assert opened(body, **wanted).keys() == {third["filename"], fifth["filename"]}
    assert opened(body, **wanted) == by_definition(body, **wanted)
    upper = body.replace(fifth["hashes"]["sha256"].encode(), fifth["hashes"]["sha256"].upper().encode())
    assert opened(upper, **wanted).keys() == {third["filename"], fifth["filename"]}


def test_very_many_files_that_are_asked_for():
    files = [file_of(f"demo-0.{number}.zip") for number in range(300)]
    names = {file["filename"] for file in files}
    assert opened(encoded(page_of(*files)), filenames=names).keys() == names


def test_one_view_answers_several_questions():
    one = view(page_of(*OLD, YOUNG))
    assert one.project == "demo"
    assert [each.filename for each in one.open_entries(before=BEFORE)] == [YOUNG["filename"]]
    assert [each.filename for each in one.open_entries(before=BEFORE, sha256s={"0" * 64})] == [
        YOUNG["filename"]
    ]
    assert one.open_entries(before="2027-01-01T00:00:00Z") == []
    assert len(one.open_entries(before="2000-01-01T00:00:00Z")) == len(OLD) + 1
    assert one.entry(YOUNG["filename"]) == one.entries()[YOUNG["filename"]]
    assert one.entry(OLD[0]["filename"]) == one.entries()[OLD[0]["filename"]]
    assert one.entry("other-1.0.zip") is None
    with pytest.raises(ValueError):
        one.open_entries(before="yesterday")


@pytest.mark.parametrize("number", [0, 5, len(OLD) - 1])
def test_an_entry_has_what_the_page_says(number):
    digest = "AB" * 32
    files = [
        {**file, "core-metadata": {"sha256": digest}, "data-dist-info-metadata": {"sha256": digest}}
        for file in OLD
    ]
    found = view(page_of(*files)).entry(OLD[number]["filename"])
    assert is_sifted(encoded(page_of(*files)))
    assert (found.filename, found.url) == (OLD[number]["filename"], OLD[number]["url"])
    assert found.sha256 == OLD[number]["hashes"]["sha256"]
    assert (found.has_metadata, found.metadata_sha256, found.flaw) == (True, digest.lower(), "")


def test_files_elsewhere_on_the_page_are_none():
    inner = {"x": [OLD[0], YOUNG], "y": {"files": [YOUNG]}}
    body = encoded({**inner, **page_of(*OLD), "z": inner})
    assert opened(body) == {}
    assert json.loads(view(body).without({OLD[0]["filename"]})) == {**inner, **page_of(*OLD[1:]), "z": inner}


def test_a_page_that_begins_with_something_else():
    body = encoded(
        {"meta": {"api-version": "1.0"}, "name": "demo", "versions": ["10.0"], "files": [*OLD, YOUNG]}
    )
    assert is_sifted(body)
    assert list(opened(body)) == [YOUNG["filename"]]
    rest = json.loads(view(body).without({OLD[0]["filename"], YOUNG["filename"]}))
    assert (rest["files"], rest["versions"]) == (OLD[1:], [])


def test_entries_of_different_shapes():
    files = []
    for number in range(400):
        file = file_of(f"demo-{number}.0.zip")
        if number % 2:
            del file["requires-python"]
        if number % 3 == 0:
            file["url"] = file["url"].replace("files.pythonhosted.org", "cdn.example")
        files.append(file)
    body = encoded(page_of(*files, YOUNG))
    assert is_sifted(body)
    assert list(opened(body)) == [YOUNG["filename"]]
    assert json.loads(view(body).without({"demo-7.0.zip", "demo-9.0.zip"}))["files"] == [
        *(file for file in files if file["filename"] not in {"demo-7.0.zip", "demo-9.0.zip"}),
        YOUNG,
    ]
