"""Texts of a TOML file and what they stand under, against the standard library's reader."""

from __future__ import annotations

import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from veln_hook.source.toml import texts

_SIMPLE = st.text("ab\\ '\"#.=[]{}\n\u00e9", max_size=6)
_TREES = st.recursive(
    _SIMPLE | st.integers(-9, 9) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.'\" ", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def _quoted(text, draw):
    """Write a string, in any of the ways in which it can be."""
    plain = "".join(
        f"\\u{ord(each):04x}" if each in '"\\\n' or draw(st.integers(0, 4)) == 0 else each for each in text
    )
    forms = [
        f'"{plain}"',
        f'"""\n{plain}"""',
        f'"""\\\n  {plain}"""' if text[:1] not in (" ", "\n") else f'"{plain}"',
    ]
    if "'" not in text:
        forms.append(f"'''\n{text}'''")
        forms += [] if "\n" in text else [f"'{text}'"]
    return draw(st.sampled_from(forms))


def _key(text, draw):
    if text and set(text) <= set("ab") and draw(st.booleans()):
        return text
    forms = ['"' + text.replace('"', '\\"') + '"'] + ([f"'{text}'"] if "'" not in text else [])
    return draw(st.sampled_from(forms))


def _value(value, draw):
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{_key(key, draw)} = {_value(each, draw)}" for key, each in value.items())
            + " }"
        )
    if isinstance(value, list):
        line = draw(st.sampled_from(["", "\n", " # no 'text'\n  "]))
        return f"[{line}" + "".join(f"{_value(each, draw)},{line}" for each in value) + "]"
    return _quoted(value, draw) if isinstance(value, str) else str(value).lower()


@st.composite
def _files(draw):
    """A file of TOML with tables, inline tables and arrays."""
    top = draw(st.dictionaries(st.text("ab.'\" ", max_size=3), _TREES, max_size=4))
    lines, tables = [], []
    for key, value in top.items():
        if isinstance(value, dict) and draw(st.booleans()):
            tables.append(f"[ {_key(key, draw)} ]  # [b]")
            tables += [f"  {_key(inner, draw)} = {_value(each, draw)}" for inner, each in value.items()]
        else:
            lines.append(f"{_key(key, draw)}={_value(value, draw)}")
    return "\n".join([*lines, *tables, ""])


def _expected(value, place=()):
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _expected(each, (*place, key))
    elif isinstance(value, list):
        for each in value:
            yield from _expected(each, place)
    elif isinstance(value, str):
        yield ".".join(place), value


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there is no tomllib")
@given(_files())
@example(
    "[[a.b]]\nc.'d'.\"e\" = [['x'], [{f = 'y'}, {g.h = 'z'}]]\n[a.i]\nj = 1979-05-27T07:32:00Z\nk = 'l'\n"
)
@example('a = """b\\""" c""""\nd = "e"\n')
@example("a = '''b\\''''\r\nd = 'e'\r\n")
@settings(max_examples=300)
def test_as_the_standard_library_reads_it(toml):
    import tomllib

    assert sorted(texts(toml)) == sorted(_expected(tomllib.loads(toml)))


@pytest.mark.parametrize(
    ("toml", "found"),
    [
        ("a = {\n  b = 'c', # d\n  e = 'f',\n}\ng = 'h'", [("a.b", "c"), ("a.e", "f"), ("g", "h")]),
        ('a = "\\x41\\e"', [("a", "A\x1b")]),
        ("a = 'b' 'c'\nthis is none\nd = 'e'", [("a", "b"), ("a", "c"), ("d", "e")]),
        ("]}a = ]'b'}\n[c]\nd = 'e'", [("a", "b"), ("c.d", "e")]),
    ],
)
def test_newer_versions_and_none(toml, found):
    assert list(texts(toml)) == found
