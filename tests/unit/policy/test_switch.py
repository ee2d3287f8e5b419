from __future__ import annotations

import pytest

from veln_hook.policy.settings import Policy
from veln_hook.policy.switch import switch_state


@pytest.mark.parametrize("value", ["off", "OFF", "0", "false", "No", " off "])
def test_off(value):
    assert switch_state({"VELN_HOOK": value}, Policy()) == (True, False, "")


@pytest.mark.parametrize("value", ["on", "1", "", "true", "offf", "disable", "\x00"])
def test_anything_else_stays_on(value):
    assert switch_state({"VELN_HOOK": value}, Policy()) == (False, False, "")
    assert switch_state({}, Policy()) == (False, False, "")


@pytest.mark.parametrize("entry", ["switch", "*"])
def test_a_lock_refuses_and_says_whose_it_is(entry):
    policy = Policy(locked=frozenset({entry}), lock_layers={entry: "system"})
    assert switch_state({"VELN_HOOK": "off"}, policy) == (False, True, "system")
    assert switch_state({"VELN_HOOK": "on"}, policy) == (False, False, "")


def test_a_lock_of_something_else_does_not():
    assert switch_state({"VELN_HOOK": "off"}, Policy(locked=frozenset({"cooling"}))).off
