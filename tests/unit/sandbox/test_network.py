"""Questions and answers of the resolver that refuses every name."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veln_hook.sandbox import network

LABELS = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63), min_size=1, max_size=5
)


def question(labels: list[str], more: bytes = b"") -> bytes:
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    return struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + name + struct.pack(">HH", 1, 1) + more


@given(LABELS)
def test_the_name_that_is_asked_for_is_read(labels):
    assert network.question_name(question(labels)) == ".".join(labels)


@given(LABELS, st.binary(max_size=20))
def test_the_answer_is_that_it_does_not_exist(labels, more):
    asked = question(labels, more)
    answer = network.refusal(asked)
    number, flags, questions, answers, authorities, additional = struct.unpack_from(">HHHHHH", answer)
    assert (number, questions, answers, authorities, additional) == (0x1234, 1, 0, 0, 0)
    assert flags & 0x8000  # an answer
    assert flags & 0x0F == 3  # NXDOMAIN
    assert answer[12:] == question(labels)[12:]


@given(st.binary(max_size=100))
def test_anything_else_is_refused_without_harm(data):
    for function in (network.question_name, network.refusal):
        with contextlib.suppress(ValueError):
            function(data)


def test_a_name_of_pointers_is_none():
    with pytest.raises(ValueError):
        network.question_name(struct.pack(">HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1")


def test_no_process_has_a_socket_that_is_not_there():
    assert network.process_of("tcp", 0) == ""
