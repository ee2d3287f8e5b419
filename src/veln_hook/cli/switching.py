"""``VELN_HOOK=off`` for commands that run an installer: the one documented way around, told and logged."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

from veln_hook import clock
from veln_hook.errors import PolicyError, VelnHookError
from veln_hook.model import Decision, VerdictRecord
from veln_hook.policy.loading import PolicySources, load_policy
from veln_hook.policy.switch import SwitchState, asks_for_off, switch_state
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veln_hook.cli.console import Console
    from veln_hook.policy.settings import Policy

_HARMLESS = re.compile(
    r"--?[a-zA-Z-]+|[a-zA-Z0-9._-]+(\[[a-zA-Z0-9._,-]*\])?([=<>!~]=[0-9a-zA-Z.,*+!=<>~]*)?"
)
"""An option without its value, or a project with extras and versions."""


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


def is_off(switch: SwitchState, policy: Policy, words: Sequence[str], console: Console) -> bool:
    """Tell whether protection is off, and then tell the user and the log.

    Args:
        switch: What became of the wish.
        policy: For the store whose log it is.
        words: The command, for the log.
        console: For what is told.
    """
    if switch.refused:
        console.line(f"veln-hook: VELN_HOOK=off is not honoured here: locked by {switch.locked_by}")
    if not switch.off:
        return False
    from veln_hook.store import open_store  # noqa: PLC0415 - rarely needed

    console.line("veln-hook: switched off by VELN_HOOK=off; nothing of this run is judged")
    # A store that fails is no reason to refuse what was switched off.
    with contextlib.suppress(VelnHookError):
        store = open_store(policy.store_url)
        try:
            store.record([_switched_off(words)])
        finally:
            store.close()
    return True


def _switched_off(words: Sequence[str]) -> VerdictRecord:
    # Names and versions only: URLs and the values of options can hold passwords.
    told = " ".join(word if _HARMLESS.fullmatch(word) else "..." for word in words)
    return VerdictRecord(
        at=clock.now(),
        decision=Decision.ALLOW,
        stage="switch",
        project="",
        version="",
        filename="",
        sha256="",
        index="",
        reason=f"VELN_HOOK=off: {printable(told)}",
        author=os.environ.get("USER", "") or str(os.getuid() if hasattr(os, "getuid") else ""),
    )
