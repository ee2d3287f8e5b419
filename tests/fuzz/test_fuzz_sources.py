from __future__ import annotations

import codecs

import fuzz_sources
import fuzzing
import pytest
from hypothesis import strategies as st

from support.selection import everyday

CHANGE = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFFFF))
NAME = st.sampled_from(fuzz_sources.NAMES)
SEEDS = fuzz_sources.seeds()


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_every_seed_is_read(number):
    fuzz_sources.check(fuzz_sources.named(SEEDS[number]))


def test_changed_sources_are_read():
    def test(seed, changes):
        fuzz_sources.check(fuzz_sources.named(fuzz_sources.mutated(SEEDS[seed], changes)))

    fuzzing.in_rounds(
        test,
        examples=80,
        seed=st.integers(0, len(SEEDS) - 1),
        changes=st.lists(CHANGE, min_size=1, max_size=8),
    )


def test_tokens_in_any_order_are_read():
    def test(files):
        fuzz_sources.check(
            [(name, "".join(tokens).encode("utf-8", "surrogatepass")) for name, tokens in files]
        )

    tokens = st.lists(st.sampled_from(fuzz_sources.TOKENS), max_size=40)
    fuzzing.in_rounds(test, examples=80, files=st.lists(st.tuples(NAME, tokens), min_size=1, max_size=3))


def test_noise_is_read():
    def test(files):
        fuzz_sources.check(files)

    fuzzing.in_rounds(test, examples=80, files=st.lists(st.tuples(NAME, st.binary(max_size=300)), max_size=3))


@pytest.mark.parametrize("kind", range(len(fuzz_sources.NESTS)))
@pytest.mark.parametrize("depth", everyday([15_000, 200, 3], 1))
def test_what_nests_is_read(kind, depth):
    fuzz_sources.check([("demo/__init__.py", fuzz_sources.nested(kind, depth).encode())])


@pytest.mark.parametrize("encoding", fuzz_sources.ENCODINGS)
@pytest.mark.parametrize(
    "declared",
    [
        "",
        "utf-8",
        "latin-1",
        "utf-16",
        "utf-7",
        "rot13",
        "idna",
        "punycode",
        "hex",
        "raw_unicode_escape",
        "x" * 3000,
        "../x",
    ],
)
def test_every_encoding_is_read(encoding, declared):
    text = f"# -*- coding: {declared} -*-\n" * bool(declared) + "\n".join(fuzz_sources.SNIPPETS[:6])
    data = text.encode(encoding, "replace")
    fuzz_sources.check(
        [("demo/__init__.py", data), ("setup.py", codecs.BOM_UTF8 + data), ("demo.pth", data[1:])]
    )
