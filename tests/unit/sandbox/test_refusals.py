"""What a confined command says of itself can't forge a report, nor grow it without end."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veln_hook.sandbox import refusals

PORTS = st.none() | st.integers(0, 65535)


def told(noted: refusals.Refusals, *, timed_out: bool = False, confined: bool = True) -> refusals.Told:
    with tempfile.TemporaryFile() as file:
        refusals.write(file.fileno(), noted, timed_out=timed_out, confined=confined)
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        return refusals.read(file.read().decode("ascii"))


def test_attempts_are_counted_by_host_port_and_process():
    noted = refusals.Refusals()
    for _ in range(3):
        noted.add("evil.example", None, "python")
    noted.add("evil.example", 443, "python")
    assert told(noted).rows == [("evil.example", None, "python", 3), ("evil.example", 443, "python", 1)]


@given(st.lists(st.tuples(st.text(), PORTS, st.text())), st.booleans(), st.booleans())
def test_whatever_the_names_are_the_report_reads_back(attempts, timed_out, confined):
    noted = refusals.Refusals()
    for host, port, process in attempts:
        noted.add(host, port, process)
    back = told(noted, timed_out=timed_out, confined=confined)
    assert (back.timed_out, back.confined) == (timed_out, confined)
    assert [count for *_, count in back.rows] == [count for *_, count in noted.rows()]
    for host, _, process, _ in back.rows:
        assert (host + process).isascii()
        assert (host + process).isprintable()
        assert " " not in host + process


def test_a_flood_is_bounded():
    noted = refusals.Refusals()
    for number in range(100_000):
        noted.add(f"{number}.example", None, "x")
    assert len(noted.rows()) < 1000


@pytest.mark.parametrize(
    "text", ["what", "refused x - a b", "refused 1 - a", "done 1 - a b", "refused 1 2 3 4 5"]
)
def test_something_else_is_no_report(text):
    with pytest.raises(ValueError):
        refusals.read(text)
