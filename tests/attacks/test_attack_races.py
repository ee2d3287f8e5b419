"""Addresses that change in memory while a guard looks at them: none gets out, however often it is tried."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attack_columns
import attack_tools
import attack_world
import common
import pytest
import run as _every_attack  # noqa: F401 - importing it fills the list

if TYPE_CHECKING:
    from collections.abc import Callable

RUNGS = ("namespaces", "bubblewrap", "netns-supervisor", "supervisor")
USERS = attack_world.users()
RACES = tuple(name for name in common.NAMED if name.startswith("race_"))
FEW, MANY = 2_000, 100_000

pytestmark = pytest.mark.skipif(
    attack_tools.compiler() is None, reason="a race is a C program; there is no compiler"
)


def _race(world: attack_world.World, rung: str, races: tuple[str, ...], tries: int) -> attack_columns.Outcome:
    more = {"race_tries": tries, "race_seconds": 800}
    return attack_columns.run(world, attack_columns.Column(rung), attacks=races, seconds=850, extra=more)


def _none_got_out(outcome: attack_columns.Outcome, races: tuple[str, ...], tries: int) -> None:
    for race in races:
        assert f"tries {tries}, " in outcome.said.get(race, ""), outcome.describe([race])
    assert not outcome.opened, outcome.describe(sorted(outcome.opened))


@pytest.mark.slow
def test_without_the_sandbox_every_race_is_won(make_world: Callable[..., Any]):
    # One at a time: a race needs both processors.
    world = make_world(USERS[-1])
    for race in RACES:
        outcome = _race(world, "", (race,), FEW)
        if race not in outcome.opened:
            outcome = _race(world, "", (race,), FEW * 10)
        assert race in outcome.opened, outcome.describe([race])


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS[-1:], ids=lambda user: user.name)
@pytest.mark.parametrize("rung", RUNGS[2:])
def test_no_race_is_won_in_a_few_tries(make_world: Callable[..., Any], rung: str, user: attack_world.User):
    outcome = _race(make_world(user, rung), rung, RACES, FEW)
    _none_got_out(outcome, RACES, FEW)
    # Both addresses were really seen: some went to the good one, some were refused.
    numbers = re.search(r"connected (\d+), refused (\d+)", outcome.said["race_connect"])
    assert numbers is not None
    assert 0 < int(numbers[1]) < FEW, outcome.describe(["race_connect"])


@pytest.mark.slow
@pytest.mark.parametrize("race", RACES)
@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
@pytest.mark.parametrize("rung", RUNGS)
def test_no_race_is_won_in_many_tries(
    make_world: Callable[..., Any], rung: str, user: attack_world.User, race: str
):
    _none_got_out(_race(make_world(user, rung), rung, (race,), MANY), (race,), MANY)
