from __future__ import annotations

import json
import re
from datetime import date, datetime, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from veln_hook.index.cutting import PageView
from veln_hook.index.entries import json_entry
from veln_hook.index.limits import MAX_PAGE
from veln_hook.index.sieve import sift
from veln_hook.names import parse_filename

PAGE = "https://pypi.org/simple/demo/"
BEFORE = "2026-11-22T16:00:00.000000Z"
LIMIT = datetime(2026, 11, 22, 16, tzinfo=timezone.utc)
STYLES = [{}, {"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}]


def entry(name, uploaded="2026-05-01T12:00:00.123456Z", **more):
    return {
        "filename": name,
        "hashes": {"sha256": name.encode().hex()[:64].rjust(64, "0")},
        "requires-python": ">=3.9",
        "size": 12345,
        "upload-time": uploaded,
        "url": f"https://files.pythonhosted.org/packages/aa/bb/{name}",
        "yanked": False,
        **more,
    }


def page(*files, **more):
    return {"files": list(files), "meta": {"api-version": "1.4"}, "name": "Demo", **more}


def encoded(data, **style):
    return json.dumps(data, **style).encode()


def view(data, **style):
    return PageView.parse(data if isinstance(data, bytes) else encoded(data, **style), PAGE)


def is_sifted(body, day=date(2026, 11, 22)):
    return sift(body, PAGE, day, lambda file: json_entry(file, PAGE), hashes=False) is not None


def opened(body, **wanted):
    return {each.filename: each for each in view(body).open_entries(before=BEFORE, **wanted)}


def by_definition(body, filenames=frozenset(), sha256s=frozenset()):
    """What open_entries promises, from all entries, which are always parsed."""
    return {
        name: each
        for name, each in view(body).entries().items()
        if each.flaw
        or each.upload_time is None
        or each.upload_time >= LIMIT
        or name in filenames
        or each.sha256 in sha256s
    }


OLD = [
    entry(f"demo-{number}.0-py3-none-any.whl", f"20{number:02}-03-04T05:06:07.080910Z")
    for number in range(10, 26)
]
YOUNG = entry("demo-99.0.tar.gz", "2026-11-22T17:00:00.000000Z")


# Looking


@pytest.mark.parametrize("style", STYLES[:2])
def test_an_ordinary_page_is_told_from_its_bytes(style):
    body = encoded(page(*OLD), **style)
    assert is_sifted(body)
    assert opened(body) == {}


@pytest.mark.parametrize("style", STYLES)
def test_what_is_young_is_found(style):
    body = encoded(page(*OLD, YOUNG, *[entry(f"demo-0.{number}.zip") for number in range(60)]), **style)
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
    changed = entry("demo-1.5.zip", uploaded)
    body = encoded(page(*OLD, changed))
    assert bool(opened(body)) is is_open
    assert opened(body) == by_definition(body)
    del changed["upload-time"]
    assert list(opened(encoded(page(*OLD, changed)))) == ["demo-1.5.zip"]


@given(st.dates(date(2000, 1, 1), date(2100, 12, 31)), st.dates(date(2000, 1, 1), date(2101, 1, 1)))
@example(date(2026, 1, 1), date(2026, 1, 1))
@example(date(2026, 1, 31), date(2026, 2, 1))
@example(date(2099, 12, 31), date(2100, 1, 1))
def test_every_day_against_every_other(uploaded, limit):
    body = encoded(page(*OLD, entry("demo-1.5.zip", f"{uploaded}T23:59:59Z")))
    names = {each.filename for each in view(body).open_entries(before=f"{limit}T00:00:00Z")}
    assert ("demo-1.5.zip" in names) is (uploaded >= limit)


@pytest.mark.parametrize("style", STYLES)
def test_files_that_are_asked_for_are_found_by_name_and_by_hash(style):
    body = encoded(page(*OLD), **style)
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
    files = [entry(f"demo-0.{number}.zip") for number in range(300)]
    names = {file["filename"] for file in files}
    assert opened(encoded(page(*files)), filenames=names).keys() == names


def test_one_view_answers_several_questions():
    one = view(page(*OLD, YOUNG))
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
    found = view(page(*files)).entry(OLD[number]["filename"])
    assert is_sifted(encoded(page(*files)))
    assert (found.filename, found.url) == (OLD[number]["filename"], OLD[number]["url"])
    assert found.sha256 == OLD[number]["hashes"]["sha256"]
    assert (found.has_metadata, found.metadata_sha256, found.flaw) == (True, digest.lower(), "")


# What has two meanings


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
    body = encoded(page(*OLD, {**entry("demo-1.0.zip"), **more}, *OLD[:0]))
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
    changed = {**entry("demo-1.0.zip"), **more}
    others = OLD if not all_of_them else [{**more, **file} for file in OLD]
    for style in STYLES:
        body = encoded(page(*others, changed), **style)
        assert opened(body) == {}
        assert view(body).entries()[changed["filename"]].flaw == ""
        assert json.loads(view(body).without({changed["filename"]})) == page(*others)


def test_one_name_for_two_files_is_a_flaw():
    twice = entry("demo-1.0.zip", url="https://elsewhere.example/demo-1.0.zip")
    body = encoded(page(*OLD, twice, entry("demo-1.0.zip")))
    assert [(each.filename, bool(each.flaw)) for each in view(body).open_entries(before=BEFORE)] == [
        ("demo-1.0.zip", True)
    ]
    assert json.loads(view(body).without({"demo-1.0.zip"})) == page(*OLD)
    same = encoded(page(*OLD, OLD[0]))
    assert opened(same) == {}
    assert json.loads(view(same).without({OLD[0]["filename"]})) == page(*OLD[1:])


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


def test_files_elsewhere_on_the_page_are_none():
    inner = {"x": [OLD[0], YOUNG], "y": {"files": [YOUNG]}}
    body = encoded({**inner, **page(*OLD), "z": inner})
    assert opened(body) == {}
    assert json.loads(view(body).without({OLD[0]["filename"]})) == {**inner, **page(*OLD[1:]), "z": inner}


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
        file = entry(f"demo-{number}.0.zip")
        if number % 2:
            del file["requires-python"]
        if number % 3 == 0:
            file["url"] = file["url"].replace("files.pythonhosted.org", "cdn.example")
        files.append(file)
    body = encoded(page(*files, YOUNG))
    assert is_sifted(body)
    assert list(opened(body)) == [YOUNG["filename"]]
    assert json.loads(view(body).without({"demo-7.0.zip", "demo-9.0.zip"}))["files"] == [
        *(file for file in files if file["filename"] not in {"demo-7.0.zip", "demo-9.0.zip"}),
        YOUNG,
    ]


# Cutting


def test_nothing_to_cut_is_the_very_same_page():
    body = encoded(page(*OLD, versions=["1.0"]), indent=3)
    assert view(body).without(()) is body
    assert view(body).without({"other-1.0.zip"}) is body


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "dropped", [[0], [15], [3], [0, 1, 2], [14, 15], [0, 15], [4, 6], list(range(16)), list(range(1, 16))]
)
def test_of_every_other_byte_none_changes(style, dropped):
    body = encoded(page(*OLD), **style)
    names = {OLD[number]["filename"] for number in dropped}
    left = [file for file in OLD if file["filename"] not in names]
    if left or not style.get("indent"):  # json.dumps writes an empty list without a line break
        assert view(body).without(names) == encoded(page(*left), **style)
    assert json.loads(view(body).without(names)) == page(*left)
    assert view(body).is_empty_without(names) is (not left)


def test_a_page_without_files_has_lost_none():
    body = encoded(page(versions=["1.0"]))
    assert opened(body) == {}
    assert not view(body).is_empty_without({"demo-1.0.zip"})
    assert view(body).without({"demo-1.0.zip"}) == body


def test_versions_go_with_their_last_file():
    files = [
        entry("demo-1.0.zip"), entry("demo-1.0-py3-none-any.whl"), entry("demo-1.10.zip"), entry("demo-2.0rc1.zip"),
        entry("demo-2.0.zip"), entry("demo-2020.01.02.zip"), entry("demo-3.0.post1.zip"), entry("nonsense"),
    ]  # fmt: skip
    versions = ["1.0", "1.10", "1.1", "2.0rc1", "2.0", "2020.1.2", "3.post1", "9.9", "weird"]
    body = encoded(page(*files, versions=versions))

    def left(*names):
        return json.loads(view(body).without(names))["versions"]

    assert left("demo-1.0.zip") == versions
    assert left("demo-1.0.zip", "demo-1.0-py3-none-any.whl") == versions[1:]
    assert left("demo-2.0.zip") == [text for text in versions if text != "2.0"]
    assert left("demo-2020.01.02.zip", "demo-3.0.post1.zip") == [*versions[:5], "9.9", "weird"]
    assert left("nonsense") == versions
    assert left(*(file["filename"] for file in files)) == ["1.1", "9.9", "weird"]


def test_versions_that_are_no_list_of_texts_stay():
    for versions in (None, {}, "1.0", [1.0, "1.0"], [["1.0"]]):
        body = encoded(page(*OLD, entry("demo-1.0.zip"), versions=versions))
        assert json.loads(view(body).without({"demo-1.0.zip"})) == page(*OLD, versions=versions)


def test_very_many_files_are_cut():
    files = [entry(f"demo-{number}.0.zip") for number in range(500)]
    body = encoded(page(*files, versions=[f"{number}" for number in range(500)]))
    names = {file["filename"] for file in files[::2]}
    rest = json.loads(view(body).without(names))
    assert rest["files"] == files[1::2]
    assert rest["versions"] == [f"{number}" for number in range(1, 500, 2)]


# Any page

_texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    [
        '"upload-time": "2027-01-01T00:00:00Z"', "\\", '\\"', '"', '{"filename": "', "}, {", ", ", "]", "?#%/", "\u2028",
    ]
)  # fmt: skip
_names = st.sampled_from(
    [
        f"demo-{version}.{ending}"
        for version in ("1.0", "1.00", "2.0", "2.1rc1", "0x")
        for ending in ("zip", "tar.gz")
    ]
)
_times = st.sampled_from(
    [
        "2020-02-29T10:00:00Z",
        "2025-05-01T10:00:00.5Z",
        BEFORE,
        "2026-11-22T15:00:00Z",
        "2027-01-01T00:00:00Z",
        "x",
        None,
    ]
)
_hashes = st.sampled_from(["ab" * 32, "AB" * 32, "cd" * 32, "x", ""])


@st.composite
def _entries(draw):
    name = draw(_names)
    file = entry(name, draw(_times), hashes={"sha256": draw(_hashes)})
    if draw(st.booleans()):
        return file
    changes = {
        "yanked": _texts | st.booleans(),
        "url": st.sampled_from(
            [
                f"https://files.pythonhosted.org/x/{name}",
                f"https://x.example/{name}",
                f"../{name}",
                f"../%64emo{name[4:]}",
            ]
        )
        | st.builds("https://files.pythonhosted.org/{}".format, _names | _texts),
        "core-metadata": st.sampled_from([True, False, None, {"sha256": "ab" * 32}]),
        "data-dist-info-metadata": st.sampled_from([True, False, None, {"sha256": "ab" * 32}]),
        "requires-python": _texts | st.none(),
        "size": st.integers(-5, 10**12) | st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "more": st.recursive(
            _texts | st.integers(-(10**15), 10**15),
            lambda inner: st.lists(inner) | st.dictionaries(_texts, inner),
            max_leaves=4,
        ),
    }
    for key in draw(st.lists(st.sampled_from(sorted(changes)), max_size=3)):
        file[key] = draw(changes[key])
    for key in draw(
        st.lists(st.sampled_from(["yanked", "size", "requires-python", "upload-time"]), max_size=1)
    ):
        del file[key]
    return file


_pages = st.builds(
    lambda files, versions, style, turned: encoded(
        dict(sorted(page(*files, versions=versions).items(), reverse=turned)), **style
    ),
    st.lists(_entries(), max_size=12),
    st.lists(st.sampled_from(["1.0", "1", "2.0", "2.1rc1", "x"]), max_size=5),
    st.sampled_from(STYLES),
    st.booleans(),
)


def reference(body, names):
    """What without() promises, by json and packaging alone."""
    data = json.loads(body)

    def called(file):
        found = json_entry(file, PAGE)
        return {found.filename, found.url.rpartition("/")[2]} if found.flaw else {found.filename}

    def version(name):
        named = parse_filename(name)
        return normal(named.version) if named and named.version else None

    kept = [file for file in data["files"] if not called(file) & names]
    lost = {version(file["filename"]) for file in data["files"] if called(file) & names}
    lost -= {version(file["filename"]) for file in kept}
    return {
        **data,
        "files": kept,
        "versions": [text for text in data["versions"] if normal(text) not in lost],
    }


def normal(text):
    try:
        return Version(text)
    except InvalidVersion:
        return text


@settings(max_examples=150, deadline=None)
@given(
    _pages, st.sets(_names, max_size=4), st.sets(_hashes.filter(lambda digest: digest.islower()), max_size=2)
)
def test_any_page_is_looked_through_and_cut(body, names, hashes):
    assert opened(body, filenames=names, sha256s=hashes) == by_definition(body, names, hashes)
    looked_at = view(body)
    looked_at.open_entries(before=BEFORE)
    for one in (view(body), looked_at):
        rest = one.without(names)
        assert json.loads(rest) == reference(body, names)
        assert one.is_empty_without(names) is (
            bool(json.loads(body)["files"]) and not json.loads(rest)["files"]
        )
        assert all(one.entry(name) == view(body).entries().get(name) for name in names)


_spellings = ['"upload-time"', '"filename"', '"url"', '"sha256"', '"files"', "{", "}", "[", "]", ",", ", ", ":", '"', "\\", "\\\\", '\\"',
              "\\u0066", "2027-01-01T00:00:00Z", "demo-1.0.zip", "null", "1e5", " ", "\n", '"x": 1, ', '{"filename": "']  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    _pages,
    st.lists(
        st.tuples(st.integers(0, 5000), st.integers(0, 3), st.sampled_from(_spellings)),
        min_size=1,
        max_size=3,
    ),
)
def test_what_was_tampered_with_is_read_as_by_a_parser_or_refused(body, edits):
    for place, length, text in edits:
        start = place % (len(body) + 1)
        body = body[:start] + text.encode() + body[start + length :]
    try:
        json.loads(body)
        expected = by_definition(body)
    except ValueError:
        expected = None
    try:
        found = opened(body)
    except ValueError:
        found = None
    if expected is not None or is_json(body):
        assert found == expected


def is_json(body):
    try:
        json.loads(body, parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        return False
    return True


def test_every_template_is_a_bounded_expression():
    body = encoded(page(*OLD))
    found = sift(body, PAGE, date(2026, 11, 22), lambda file: json_entry(file, PAGE), hashes=True)
    (template,) = found.templates
    assert not re.search(rb"[^\\]\*|[^\\]\+[^!]", template.pattern.pattern)
