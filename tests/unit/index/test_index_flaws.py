from __future__ import annotations

import json

import pytest

from support.simple_pages import (
    BEFORE,
    OLD,
    PAGE,
    STYLES,
    by_definition,
    encoded,
    file_of,
    opened,
    page_of,
    view,
)
from veln_hook.index.cutting import PageView
from veln_hook.index.limits import MAX_PAGE


@pytest.mark.parametrize(
    "more",
    [
        {"url": "https://files.pythonhosted.org/packages/aa/bb/demo-2.0.zip"},
        {"url": "https://files.pythonhosted.org/packages/demo-2.0.zip?/demo-1.0.zip"},
        {"url": "https://files.pythonhosted.org/packages/demo-2.0.zip#/demo-1.0.zip"},
        {"url": "https://files.pythonhosted.org/packages/demo-1.0.zip/"},
        {"url": "https://files.pythonhosted.org/packages/demo%2D2.0.zip"},
        {"url": "https://files.pythonhosted.org\\demo-1.0.zip"},
        {"url": "https://files.pythonhosted.org/packages/demo-1.0.zip "},
        {"url": "https://files.pythonhosted.org/packages/\tdemo-1.0.zip"},
        {"url": "https://files.pythonhosted.org:99999999/demo-1.0.zip"},
        {"url": "file:///packages/demo-1.0.zip"},
        {"url": "file://files.pythonhosted.org/packages/demo-1.0.zip"},
        {"url": "ftp://files.pythonhosted.org/demo-1.0.zip"},
        {"url": "http://[/demo-1.0.zip"},
        {"url": "demo-1.0.zip\ud800"},
        {"url": ""},
        {"filename": "demo-1.0.zip/"},
        {"filename": "x/demo-1.0.zip", "url": "https://files.pythonhosted.org/x%2Fdemo-1.0.zip"},
        {"core-metadata": True, "dist-info-metadata": False},
        {"core-metadata": {"sha256": "a" * 64}, "data-dist-info-metadata": {"sha256": "b" * 64}},
        {"core-metadata": True, "data-dist-info-metadata": 1},
    ],
)
def test_an_entry_with_two_meanings_is_flawed_and_found(more):
    body = encoded(page_of(*OLD, {**file_of("demo-1.0.zip"), **more}, *OLD[:0]))
    found = opened(body)
    assert found
    assert all(each.flaw for each in found.values())
    assert found == by_definition(body)
    rest = json.loads(view(body).without(found))
    assert rest["files"] == OLD


@pytest.mark.parametrize(
    "more",
    [
        {"url": "../../packages/demo-1.0.zip"},
        {"url": "/packages/demo-1.0.zip"},
        {"url": "//cdn.example/demo-1.0.zip"},
        {"url": "https://cdn.example/demo%2d1.0.zip?token=/x#sha256=00"},
        {"url": "https://cdn.example/a b/demo-1.0.zip"},
        {"filename": "demo-1.0+local.zip", "url": "https://cdn.example/demo-1.0%2Blocal.zip"},
        {"core-metadata": False, "data-dist-info-metadata": False},
        {"core-metadata": None, "dist-info-metadata": True},
        {"yanked": 'it\'s "broken", see https://x.example/?a#1 \u2026 \\'},
        {"yanked": '{"filename": "demo-2.0.zip", "upload-time": "2027-01-01T00:00:00Z"}'},
        {"requires-python": None},
        {"provenance": "https://pypi.org/integrity/x"},
        {"hashes": {}},
        {"hashes": {"md5": "00", "sha256": "ab" * 32}},
        {"x-more": {"filename": "demo-2.0.zip", "upload-time": "2027-01-01T00:00:00Z"}},
        {"x-more": [1, 2.5, True, None]},
    ],
)
@pytest.mark.parametrize("all_of_them", [False, True])
def test_an_unusual_entry_that_is_sound(more, all_of_them):
    changed = {**file_of("demo-1.0.zip"), **more}
    others = OLD if not all_of_them else [{**more, **file} for file in OLD]
    for style in STYLES:
        body = encoded(page_of(*others, changed), **style)
        assert opened(body) == {}
        assert view(body).entries()[changed["filename"]].flaw == ""
        assert json.loads(view(body).without({changed["filename"]})) == page_of(*others)


def test_one_name_for_two_files_is_a_flaw():
    twice = file_of("demo-1.0.zip", url="https://elsewhere.example/demo-1.0.zip")
    body = encoded(page_of(*OLD, twice, file_of("demo-1.0.zip")))
    assert [(each.filename, bool(each.flaw)) for each in view(body).open_entries(before=BEFORE)] == [
        ("demo-1.0.zip", True)
    ]
    assert json.loads(view(body).without({"demo-1.0.zip"})) == page_of(*OLD)
    same = encoded(page_of(*OLD, OLD[0]))
    assert opened(same) == {}
    assert json.loads(view(same).without({OLD[0]["filename"]})) == page_of(*OLD[1:])


def raw(files, head='{"files": [', tail='], "meta": {"api-version": "1.4"}, "name": "demo"}'):
    return (head + ", ".join(files) + tail).encode()


def member(old, new, file=OLD[3]):
    text = json.dumps(file)
    assert old in text
    return text.replace(old, new, 1)


TIME = '"upload-time": "2013-03-04T05:06:07.080910Z"'


@pytest.mark.parametrize(
    "odd",
    [
        member(TIME, TIME + ', "upload-time": "2027-01-01T00:00:00Z"'),
        member(TIME, TIME + r', "upload\u002dtime": "2027-01-01T00:00:00Z"'),
        member(TIME, TIME + r', "\u0075pload-time": "2027-01-01T00:00:00Z"'),
        member('"size": 12345', '"size": 12345, "url": "https://evil.example/x.zip"'),
        member('"size": 12345', r'"size": 12345, "filenam\u0065": "x.zip"'),
        member('{"sha256"', '{"sha256": "", "sha256"'),
        member('"size": 12345', '"size": NaN'),
        member('"size": 12345', '"size": -Infinity'),
        member('"size": 12345', '"size": ' + "9" * 5000),
        member('"size": 12345', '"size": 1' + ".5" + "9" * 5000),
        member('"size": 12345', '"size": 12345, "deep": ' + "[" * 100_000 + "]" * 100_000),
        member('"filename"', '"file"'),
        member('"url"', '"uri"'),
        member('"hashes"', '"hash"'),
        member('"filename": "demo-13.0-py3-none-any.whl"', '"filename": 13'),
        "null",
        "[]",
        '"demo-1.0.zip"',
        "1",
        "",
    ],
)
def test_what_parsers_read_differently_or_nobody_can_name_is_refused(odd):
    plain = [json.dumps(file) for file in OLD]
    for body in (raw([odd]), raw([odd, *plain]), raw([*plain, odd]), raw([*plain[:5], odd, *plain[5:]])):
        if odd or body != raw([]):
            with pytest.raises(ValueError):
                view(body).open_entries(before=BEFORE)
            with pytest.raises(ValueError):
                view(body).without({"demo-1.0.zip"})
            with pytest.raises(ValueError):
                view(body).entries()


PLAIN = raw([json.dumps(file) for file in OLD])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"5", b"null", b"{}", b'{"files": {}}', b'{"files": null}', b'{"files": "x"}', b"<html>",
        b'{"files": []', b'{"files": [],}', b'{"files": []} x', b'{"files": []}{}', b"{files: []}", b"[" * 200_000,
        b'{"files": ' * 100_000, b'{"files": [], "files": []}',
        PLAIN[:-1], PLAIN + b"x", PLAIN + PLAIN, b"x" + PLAIN, b"[" + PLAIN + b"]", PLAIN.replace(b"}, {", b"} {", 1),
        PLAIN.replace(b"}, {", b"}, , {", 1), PLAIN.replace(b"}, {", b"}{", 1), PLAIN.replace(b"}], ", b"},], "),
        PLAIN.replace(b'[{"', b'[, {"'), PLAIN.replace(b'"files"', b'"Files"'),
        PLAIN[:-1] + b', "files": []}', PLAIN[:-1] + rb', "fil\u0065s": []}',
        PLAIN[:-1] + b', "x": ' + json.dumps(OLD[0]).encode()[:-1] + b"}",
        b'{"x": ' + json.dumps(OLD[0]).encode() + b"}",
        PLAIN.decode().encode("utf-16"), PLAIN.decode().encode("utf-32"), b"\xef\xbb\xbf" + PLAIN, PLAIN + b"\0",
        PLAIN.replace(b"demo", b"d\xe9mo"),
    ],
)  # fmt: skip
def test_what_is_no_page_is_a_value_error(body):
    with pytest.raises(ValueError):
        view(body).open_entries(before=BEFORE)
    with pytest.raises(ValueError):
        view(body).without({OLD[0]["filename"]})
    with pytest.raises(ValueError):
        view(body).is_empty_without({OLD[0]["filename"]})
    with pytest.raises(ValueError):
        assert view(body).project == ""


def test_a_page_beyond_measure_is_refused():
    with pytest.raises(ValueError, match="large"):
        PageView.parse(b" " * (MAX_PAGE + 1), PAGE)
    for filler in (b"{},", b"[],", b"1.5,"):
        body = b'{"files": [], "x": [' + filler * ((MAX_PAGE - 100) // len(filler)) + b"0]}"
        with pytest.raises(ValueError, match="more values"):
            view(body).open_entries(before=BEFORE)
