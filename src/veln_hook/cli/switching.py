"""``VELN_HOOK=off`` for commands that run an installer: the one documented way around, told and logged."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from veln_hook.errors import VelnHookError
from veln_hook.report.switching import switched_off

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.cli.console import Console
    from veln_hook.policy.settings import Policy
    from veln_hook.policy.switch import SwitchState


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
    from veln_hook.store import open_policy_store  # noqa: PLC0415 - rarely needed

    console.line("veln-hook: switched off by VELN_HOOK=off; nothing of this run is judged")
    # A store that fails is no reason to refuse what was switched off.
    with contextlib.suppress(VelnHookError):
        store = open_policy_store(policy)
        try:
            store.record([switched_off(words)])
        finally:
            store.close()
    return True
