from __future__ import annotations

import json
import re
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

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
from veln_hook.index.entries import json_entry
from veln_hook.index.sieve import sift
from veln_hook.names import parse_filename

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
    file = file_of(name, draw(_times), hashes={"sha256": draw(_hashes)})
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
        dict(sorted(page_of(*files, versions=versions).items(), reverse=turned)), **style
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


@settings(max_examples=150)
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


@settings(max_examples=200)
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
    body = encoded(page_of(*OLD))
    found = sift(body, PAGE, date(2026, 11, 22), lambda file: json_entry(file, PAGE), hashes=True)
    (template,) = found.templates
    assert not re.search(rb"[^\\]\*|[^\\]\+[^!]", template.pattern.pattern)
