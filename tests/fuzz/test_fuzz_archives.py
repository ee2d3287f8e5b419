from __future__ import annotations

import fuzz_archives
import fuzzing
import pytest
from hypothesis import strategies as st

SEEDS = fuzz_archives.seeds()
CHANGE = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFFFF))


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_a_seed_is_honest_and_read_whole(tmp_path, number):
    path = tmp_path / "archive"
    path.write_bytes(SEEDS[number])
    problems = []
    found = {
        member.name: member.read(1 << 20)
        for member in fuzz_archives.iter_members(str(path), problems=problems)
    }
    assert not any(problem.fatal for problem in problems), problems
    assert found.get("demo/holes") == bytes(1024) + b"0123456789" + bytes(3062) or sorted(
        content for name, content in found.items() if "link" not in name
    ) == sorted(content for _, content in fuzz_archives.FILES)


def test_a_changed_archive_ends_in_members_and_problems(tmp_path):
    def test(seed, other, changes):
        fuzz_archives.check(fuzz_archives.mutated(SEEDS[seed], changes, SEEDS[other]), str(tmp_path))

    number = st.integers(0, len(SEEDS) - 1)
    fuzzing.in_rounds(test, seed=number, other=number, changes=st.lists(CHANGE, min_size=1, max_size=6))


@pytest.mark.parametrize(
    "magic", [b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"]\0\0"]
)
def test_noise_ends_in_problems(tmp_path, magic):
    def test(noise):
        fuzz_archives.check(magic + noise, str(tmp_path))

    fuzzing.in_rounds(test, noise=st.binary(max_size=2000))


def test_an_archive_cut_off_anywhere(tmp_path):
    for seed in SEEDS:
        for end in range(0, len(seed), max(1, len(seed) // 60)):
            fuzz_archives.check(seed[:end], str(tmp_path))
