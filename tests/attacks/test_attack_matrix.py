"""Every attack on every rung, as root and as somebody else; without the sandbox each of them gets through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attack_columns
import attack_tools
import attack_world
import common
import pytest
import run as _every_attack  # noqa: F401 - importing it fills the list
from attack_table import COMPILED, EXPECTED_OPEN, MAY_BE_CLOSED

from support.selection import EVERYDAY_RUNGS, everyday

if TYPE_CHECKING:
    from collections.abc import Callable

RUNGS = ("namespaces", "bubblewrap", "netns-supervisor", "supervisor")
USERS = attack_world.users()
EACH = [
    pytest.param(
        rung,
        user,
        id=f"{rung}-{user.name}",
        marks=() if user is USERS[-1] and rung in EVERYDAY_RUNGS else pytest.mark.slow,
    )
    for rung in RUNGS
    for user in USERS
]
"""For an ordinary user; root's, and the rungs that add least to the others, only in a full run."""
GATE_WORKS = "gate_legit"


def _names() -> set[str]:
    """Return the attacks that can be made here."""
    return set(common.ATTACKS) - (set() if attack_tools.compiler() else COMPILED) - {GATE_WORKS}


def _stopped(outcome: attack_columns.Outcome, rung: str) -> None:
    """Assert that all attacks were made and that none got through but those that are known to."""
    missing = sorted(_names() - set(outcome.said))
    assert not missing, outcome.describe(missing)
    assert outcome.told["status"] == 0, outcome.describe([])
    got_through = sorted(set(outcome.opened) - set(EXPECTED_OPEN.get(rung, {})) - {GATE_WORKS})
    assert not got_through, outcome.describe(got_through)
    assert not outcome.leftovers


@pytest.mark.parametrize("user", everyday(USERS, USERS[-1:]), ids=lambda user: user.name)
def test_without_the_sandbox_every_attack_gets_through(
    make_world: Callable[..., Any], user: attack_world.User
):
    outcome = attack_columns.run(make_world(user), attack_columns.Column())
    unshown = sorted(_names() - set(MAY_BE_CLOSED) - set(outcome.opened))
    if unshown:  # a port that one of them let go may have been another test's by then
        outcome = attack_columns.run(make_world(user), attack_columns.Column(), attacks=tuple(unshown))
        unshown = sorted(set(unshown) - set(outcome.opened))
    assert not unshown, outcome.describe(unshown)


@pytest.mark.parametrize(("rung", "user"), EACH)
def test_no_attack_gets_through(
    make_world: Callable[..., Any], make_gate: Callable[..., Any], rung: str, user: attack_world.User
):
    world = make_world(user, rung)
    gate = make_gate(world)
    column = attack_columns.Column(rung)
    outcome = attack_columns.run(world, column, gate=gate.egress, extra={"allowed_port": gate.port})
    arrived = gate.front.everything()
    assert f"{world.nonce}:{GATE_WORKS}:".encode() in arrived, outcome.describe([GATE_WORKS])
    assert f"{world.nonce}:gate_sni_front:".encode() not in arrived, outcome.describe(["gate_sni_front"])
    _stopped(outcome, rung)


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
@pytest.mark.parametrize("rung", RUNGS)
def test_no_attack_gets_through_without_a_route(
    make_world: Callable[..., Any], rung: str, user: attack_world.User
):
    _stopped(attack_columns.run(make_world(user, rung), attack_columns.Column(rung)), rung)


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
@pytest.mark.parametrize("rung", RUNGS)
def test_no_attack_gets_through_with_a_terminal(
    make_world: Callable[..., Any], rung: str, user: attack_world.User
):
    column = attack_columns.Column(rung, terminal=True)
    outcome = attack_columns.run(make_world(user, rung), column)
    outcome.opened.pop("terminal_device", None)  # it was given that terminal
    _stopped(outcome, rung)


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
@pytest.mark.parametrize("rung", RUNGS)
def test_no_attack_gets_through_where_processes_are_shown(
    make_world: Callable[..., Any], rung: str, user: attack_world.User
):
    outcome = attack_columns.run(make_world(user, rung), attack_columns.Column(rung, own_processes=True))
    outcome.opened.pop("other_cmdline", None)  # the price that `Confinement.own_processes` names
    _stopped(outcome, rung)
