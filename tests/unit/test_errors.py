from __future__ import annotations

import inspect
import re

import pytest

from veln_hook import errors
from veln_hook.errors import ArchiveError, PolicyError, SignalError, StoreError, UsageError, VelnHookError

ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, VelnHookError) and kind.__module__ == errors.__name__
]


def test_each_kind_has_a_slug_of_its_own():
    slugs = [kind.slug for kind in ALL]
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", slug) for slug in slugs)


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.__name__)
def test_each_kind_advises_in_one_line(kind):
    assert kind.advice
    assert "\n" not in kind.advice


def test_advice_can_be_given_for_one_error_alone():
    error = StoreError("broken", advice="Look there.")
    assert (str(error), error.advice) == ("broken", "Look there.")
    assert StoreError("other").advice == StoreError.advice != "Look there."


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"path": "/p.toml"}, "/p.toml: bad"),
        ({"path": "/p.toml", "line": 3}, "/p.toml:3: bad"),
        ({"path": "/p.toml", "line": 3, "key": "cooling.min_age"}, "/p.toml:3: cooling.min_age: bad"),
        ({"path": "environment", "key": "cooling.min_age"}, "environment: cooling.min_age: bad"),
    ],
)
def test_a_policy_error_names_file_line_and_key(arguments, text):
    error = PolicyError("bad", **arguments)
    assert str(error) == text
    assert error.line == arguments.get("line")


def test_what_is_wrong_with_input_is_a_value_error_too():
    assert issubclass(PolicyError, ValueError)
    assert issubclass(UsageError, ValueError)


def test_an_archive_error_collects_issues_and_a_signal_error_names_the_signal():
    assert ArchiveError("bad", issues=("one", "two")).issues == ("one", "two")
    assert ArchiveError("bad").issues == ()
    assert SignalError("cooling", "failed").signal == "cooling"
