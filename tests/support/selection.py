"""Which of a test's parameters an everyday run has, and which only ``nox -s full``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

EVERYDAY_RUNGS = ("bubblewrap", "supervisor")
"""The ways of confining that everyday runs have where each does alike: one with namespaces, one without."""


def everyday(values: Iterable[Any], some: Collection[Any] | int) -> list[Any]:
    """Return parameters for ``parametrize`` or a fixture, all of them; but those that are left out are ``slow``.

    Args:
        values: The parameters; a tuple is one for each of several names.
        some: Which of them run every day; a number is that many of the first.
    """
    listed = list(values)
    chosen = listed[:some] if isinstance(some, int) else some
    return [value if value in chosen else _slow(value) for value in listed]


def _slow(value: Any) -> Any:
    values = value if type(value) is tuple else (value,)  # a named one is one value
    return pytest.param(*values, marks=pytest.mark.slow)
