"""Whatever a lock holds, reading it ends in pins or in one error; comparing them with an index raises nothing."""

from __future__ import annotations

import os

import fuzzing
import pytest
from hypothesis import strategies as st

from support.lock_files import WRITERS, Locked, LockedFile
from veln_hook.errors import UsageError
from veln_hook.locks.comparing import Indexes, compare
from veln_hook.locks.reading import read_lock
from veln_hook.model import Candidate, Source

FILES = [
    LockedFile("demo-2.0.tar.gz", "a" * 64, "https://files.example/demo-2.0.tar.gz"),
    LockedFile("demo-2.0-py3-none-any.whl", "b" * 64, "https://files.example/demo-2.0-py3-none-any.whl"),
]
RELEASES = [Locked("demo", "2.0", FILES), Locked("acme", "1.0", FILES[:1])]
NAMES = [name for name in WRITERS if name != "requirements.txt"]
SEEDS = {name: WRITERS[name](RELEASES) for name in NAMES}
VALUES = [
    "0", "-1", "1e999", "nan", "true", '""', '"x"', '"\\u0000"', '"\\u202e"', '"https://["', '"a/../b"', "[]", "[[]]",
    "[1]", "{}", "{ x = 1 }", "1979-05-27", "'''\n'''", '"sha256:"', '"sha256:' + "0" * 64 + '"', '"' + "9" * 5000 + '"',
    "[{ url = 3 }]", '{ registry = "x" }', '{ git = "" }', '{ url = "http://x:y" }', '"demo==2.0"',
]  # fmt: skip
LISTED = [
    Candidate("demo", "2.0", file.filename, file.url, Source.INDEX, "https://pypi.org/simple/", file.sha256)
    for file in FILES
]


def check(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    try:
        pins = read_lock(path).pins
    except UsageError as error:
        told, advice = str(error), error.advice
        pins = ()
    else:
        told, advice = "", "none"
    assert told == "" or told.isprintable()
    assert advice
    for pin in pins:
        assert pin.project
        for offered in ([], LISTED):
            looked = compare(pin, offered, Indexes(["https://pypi.org/simple"]))
            assert looked
            for one in looked:
                assert all(finding.message.isprintable() for finding in one.findings)
                assert one.candidate.project == pin.project or one.candidate in offered


@pytest.mark.parametrize("name", NAMES)
def test_every_seed_is_read(tmp_path, name):
    check(str(tmp_path), name, SEEDS[name])
    assert read_lock(str(tmp_path / name)).pins


@pytest.mark.parametrize("name", NAMES)
def test_values_of_any_type(tmp_path, name):
    lines = SEEDS[name].splitlines()
    places = [number for number, line in enumerate(lines) if "=" in line]

    def test(changes):
        changed = list(lines)
        for place, value in changes:
            number = places[place % len(places)]
            changed[number] = f"{changed[number].partition('=')[0]}= {value}"
        check(str(tmp_path), name, "\n".join(changed))

    change = st.tuples(st.integers(0, 200), st.sampled_from(VALUES))
    fuzzing.in_rounds(test, examples=150, changes=st.lists(change, min_size=1, max_size=4))


@pytest.mark.parametrize("name", NAMES)
def test_words_in_other_places(tmp_path, name):
    def test(cuts):
        text = SEEDS[name]
        for start, length, to in cuts:
            begin = start % len(text)
            piece = text[begin : begin + length]
            text = text[:begin] + text[begin + length :]
            text = text[: to % (len(text) + 1)] + piece + text[to % (len(text) + 1) :] or " "
        check(str(tmp_path), name, text)

    cut = st.tuples(st.integers(0, 5000), st.integers(0, 60), st.integers(0, 5000))
    fuzzing.in_rounds(test, examples=150, cuts=st.lists(cut, min_size=1, max_size=4))


@pytest.mark.parametrize("name", NAMES)
def test_noise(tmp_path, name):
    def test(text):
        check(str(tmp_path), name, text)

    fuzzing.in_rounds(test, examples=80, text=st.one_of(st.binary(max_size=200), st.text(max_size=200)))
