"""Constants are folded, and nothing that a constant can be makes folding slow, large or fail."""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import lzma
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from veln_hook.source import values
from veln_hook.source.values import MAX_FOLDED, UNKNOWN, Value

TEXT = "print('payload')"
DATA = TEXT.encode()

consts = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=30)
    | st.binary(max_size=30)
    | st.sampled_from(
        [
            "utf-8",
            "rot13",
            "zlib",
            "hex",
            "%s",
            "%99999d",
            "{}",
            "{0[1]}",
            "%*d",
            "utf-16",
            "idna",
            "punycode",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def size(value):
    if isinstance(value, int):
        return value.bit_length() // 8
    return len(value) if isinstance(value, (str, bytes, tuple, dict)) else 1


@pytest.mark.parametrize(
    "name, arguments, expected",
    [
        ("base64.b64decode", (base64.b64encode(DATA),), DATA),
        ("base64.b64decode", (base64.b64encode(DATA).decode(),), DATA),
        ("base64.urlsafe_b64decode", (base64.urlsafe_b64encode(DATA),), DATA),
        ("base64.b32decode", (base64.b32encode(DATA),), DATA),
        ("base64.b16decode", (base64.b16encode(DATA),), DATA),
        ("base64.b85decode", (base64.b85encode(DATA),), DATA),
        ("base64.a85decode", (base64.a85encode(DATA),), DATA),
        ("binascii.unhexlify", (DATA.hex(),), DATA),
        ("binascii.a2b_base64", (base64.b64encode(DATA),), DATA),
        ("bytes.fromhex", (DATA.hex(),), DATA),
        ("codecs.decode", (codecs.encode(TEXT, "rot13"), "rot13"), TEXT),
        ("codecs.decode", (DATA.hex(), "hex"), DATA),
        ("zlib.decompress", (zlib.compress(DATA),), DATA),
        ("gzip.decompress", (gzip.compress(DATA),), DATA),
        ("bz2.decompress", (bz2.compress(DATA),), DATA),
        ("lzma.decompress", (lzma.compress(DATA),), DATA),
        ("chr", (97,), "a"),
        ("bytes", ((112, 114),), b"pr"),
        ("int", ("ff", 16), 255),
        ("reversed", ("abc",), ("c", "b", "a")),
        ("no.such.function", ("abc",), UNKNOWN),
        ("base64.b64decode", ("a",), UNKNOWN),
        ("zlib.decompress", (b"no zlib",), UNKNOWN),
        ("chr", (-1,), UNKNOWN),
        ("chr", (UNKNOWN,), UNKNOWN),
        ("chr", (), UNKNOWN),
    ],
)
def test_calls(name, arguments, expected):
    assert values.call(name, arguments) == expected


@pytest.mark.parametrize(
    "receiver, name, arguments, expected",
    [
        ("", "join", (("a", "b"),), "ab"),
        (b"", "join", ((b"a", b"b"),), b"ab"),
        ("a-b", "replace", ("-", ""), "ab"),
        (DATA, "decode", (), TEXT),
        (DATA.hex(), "decode", ("hex",), DATA),
        ("a", "encode", (), b"a"),
        ("{}{}", "format", ("a", "b"), "ab"),
        ("{:>999999999}", "format", ("a",), UNKNOWN),
        ("a b", "split", (), ("a", "b")),
        (" a ", "strip", (), "a"),
        ("a", "zfill", (10**9,), UNKNOWN),
        ("a", "no_such_method", (), UNKNOWN),
        (7, "join", (("a",),), UNKNOWN),
        ("", "join", ((1, 2),), UNKNOWN),
        ("", "join", (UNKNOWN,), UNKNOWN),
    ],
)
def test_methods(receiver, name, arguments, expected):
    assert values.method(receiver, name, arguments) == expected


@pytest.mark.parametrize(
    "operator, left, right, expected",
    [
        ("Mult", "a", 3, "aaa"),
        ("Mult", "a", 10**9, UNKNOWN),
        ("BitXor", 5, 1, 4),
        ("Sub", 5, 1, 4),
        ("LShift", 1, 10**9, UNKNOWN),
        ("Mult", 2**63, 2**63, 2**126),
        ("Mult", 2**200, 2**200, UNKNOWN),
        ("FloorDiv", 1, 0, UNKNOWN),
        ("Mod", "%s-%s", ("a", "b"), "a-b"),
        ("Mod", "%999999999d", 1, UNKNOWN),
        ("Mod", "%*d", (10**9, 1), UNKNOWN),
        ("Mod", "%s", (), UNKNOWN),
        ("Pow", 10, 10**9, UNKNOWN),
    ],
)
def test_arithmetic(operator, left, right, expected):
    assert values.arithmetic(operator, left, right) == expected


def test_what_would_grow_is_not_known():
    big = "a" * MAX_FOLDED
    assert values.add(big, "b") is UNKNOWN
    assert values.method(big, "replace", ("a", "bb" * 10)) is UNKNOWN
    assert values.method(big, "join", (("a", "b", "c"),)) is UNKNOWN
    assert values.call("range", (10**12,)) is UNKNOWN
    bomb = zlib.compress(b"\0" * (100 << 20), 9)
    for name, data in (
        ("zlib", bomb),
        ("gzip", gzip.compress(b"\0" * (30 << 20))),
        ("bz2", bz2.compress(b"\0" * (30 << 20))),
    ):
        found = values.call(f"{name}.decompress", (data,))
        assert found is UNKNOWN or len(found) <= MAX_FOLDED


def test_templates_do_not_multiply_what_they_are_given():
    big = ("a" * (1 << 20),) * 100_000
    assert values.arithmetic("Mod", "%s", (big,)) is UNKNOWN
    assert values.arithmetic("Mod", "%(a)s", {"a": big}) is UNKNOWN
    assert values.method("{}", "format", (big,)) is UNKNOWN
    assert values.method("{0}" * 3000, "format", (big[0],)) is UNKNOWN
    assert len(Value(big).text) < 1 << 20
    assert Value((big, "a")).text == "a"


def test_subscripts():
    assert values.subscript("abc", slice(None, None, -1)) == "cba"
    assert values.subscript(("a", "b"), 1) == "b"
    assert values.subscript({"a": 1}, "a") == 1
    assert values.subscript({"a": 1}, ["a"]) is UNKNOWN
    assert values.subscript("abc", 9) is UNKNOWN
    assert values.subscript("abc", "x") is UNKNOWN
    assert values.subscript(7, 1) is UNKNOWN


@settings(max_examples=300)
@given(st.sampled_from(sorted(values._FOLDS)), st.lists(consts, max_size=3))
def test_a_call_never_raises_nor_grows(name, arguments):
    assert size(values.call(name, arguments)) <= MAX_FOLDED


@settings(max_examples=300)
@given(consts, st.sampled_from(sorted(values._METHODS)), st.lists(consts, max_size=3))
def test_a_method_never_raises_nor_grows(receiver, name, arguments):
    assert size(values.method(receiver, name, arguments)) <= MAX_FOLDED


@settings(max_examples=300)
@given(st.sampled_from(["Mod", "Mult", "Pow", "Div", *values._OPERATORS]), consts, consts)
@example("Mult", (), 1 << 63)
def test_an_operator_never_raises_nor_grows(operator, left, right):
    assert size(values.arithmetic(operator, left, right)) <= MAX_FOLDED
    assert size(values.add(left, right)) <= MAX_FOLDED


@settings(max_examples=200)
@given(consts, consts | st.builds(slice, consts, consts, consts))
def test_a_subscript_never_raises(container, index):
    values.subscript(container, index)


@given(consts)
def test_every_value_has_a_text(const):
    assert isinstance(Value(const).text, str)


def test_a_name_without_end_is_forgotten():
    assert Value(name="a" * 1000).name == ""
