"""Under Docker's default profile the supervisor's rung is what there is, and no attack gets through there either."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import attack_columns
import attack_world
import pytest
from test_attack_matrix import GATE_WORKS, _stopped
from test_attack_races import FEW, RACES, _none_got_out

if TYPE_CHECKING:
    from collections.abc import Callable

USERS = attack_world.users()
_FIND = "import sys; sys.path.insert(0, sys.argv[1]); from veln_hook.sandbox import ladder; print(ladder.find().rung)"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can put on the profile as a container has it"),
    pytest.mark.skipif(
        os.uname().machine != "x86_64", reason="the profile is written with the numbers of x86_64"
    ),
]


@pytest.fixture
def make_container(make_world: Callable[..., Any]) -> Callable[..., Any]:
    """Make worlds for the profile; a machine without Landlock has no rung there."""
    return lambda user: make_world(user, "supervisor")


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_the_supervisor_is_the_rung_there(make_container: Callable[..., Any], user: attack_world.User):
    world = make_container(user)
    command = [*world.docker_profile(), world.python, "-I", "-c", _FIND, f"{world.aside}/src"]
    found = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/", env={"PATH": os.defpath}
    )
    assert found.stdout.strip() == "Rung.SUPERVISOR", found


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_no_attack_gets_through_there(
    make_container: Callable[..., Any], make_gate: Callable[..., Any], user: attack_world.User
):
    world = make_container(user)
    gate = make_gate(world)
    column = attack_columns.Column("supervisor", docker=True)
    outcome = attack_columns.run(world, column, gate=gate.egress, extra={"allowed_port": gate.port})
    assert f"{world.nonce}:{GATE_WORKS}:".encode() in gate.front.everything(), outcome.describe([GATE_WORKS])
    _stopped(outcome, "supervisor")


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_no_race_is_won_there(make_container: Callable[..., Any], user: attack_world.User):
    more = {"race_tries": FEW * 10, "race_seconds": 800}
    column = attack_columns.Column("supervisor", docker=True)
    outcome = attack_columns.run(make_container(user), column, attacks=RACES, seconds=850, extra=more)
    _none_got_out(outcome, RACES, FEW * 10)
