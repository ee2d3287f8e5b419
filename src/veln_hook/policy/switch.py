"""``VELN_HOOK=off``: the one documented way around, unless a lock forbids it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from veln_hook.errors import PolicyError
from veln_hook.policy.loading import PolicySources, load_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.policy.settings import Policy

VARIABLE = "VELN_HOOK"
_OFF = frozenset({"off", "0", "false", "no"})


class SwitchState(NamedTuple):
    """What became of the wish to switch protection off."""

    off: bool
    refused: bool
    """It was asked for, and is locked."""
    locked_by: str
    """The layer whose lock forbids it; empty if it was not refused."""


def asks_for_off(environ: Mapping[str, str]) -> bool:
    """Tell whether the variable says off; a value nobody knows leaves protection on."""
    return environ.get(VARIABLE, "").strip().lower() in _OFF


def switch_state(environ: Mapping[str, str], policy: Policy) -> SwitchState:
    """Tell whether protection is off."""
    if not asks_for_off(environ):
        return SwitchState(off=False, refused=False, locked_by="")
    if policy.is_locked("switch"):
        return SwitchState(off=False, refused=True, locked_by=policy.locked_by("switch"))
    return SwitchState(off=True, refused=False, locked_by="")


def policy_and_switch(environ: Mapping[str, str]) -> tuple[Policy, SwitchState]:
    """Read the policy, and whether protection is switched off.

    Raises:
        PolicyError: The policy can't be read, and nothing is switched off.
    """
    try:
        policy = load_policy(environ=environ)
    except PolicyError:
        # A project's broken file, or a broken variable, must not take the documented way around away;
        # whether it is locked is for the administrators' and the user's files to say.
        if not asks_for_off(environ):
            raise
        policy = load_policy(environ={}, sources=PolicySources(environment=None, project=None))
        switch = switch_state(environ, policy)
        if not switch.off:
            raise
        return policy, switch
    return policy, switch_state(environ, policy)
