"""What the commands share that ask for approvals, and grant or refuse them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from veln_hook.store import Store, Team


def team_of(store: Store) -> Team:
    """Return what the store has for a team.

    Raises:
        UsageError: It is one machine's.
    """
    if store.team is None:
        raise UsageError(
            "this machine's store is shared with nobody, so there is nobody to ask",
            advice="'veln-hook approve' approves for this machine; docs/fleet.md tells of shared stores.",
        )
    return store.team


def unknown(number: int) -> UsageError:
    """Return the error that there is no such open request."""
    return UsageError(f"no open request {number}", advice="'veln-hook requests list' shows the numbers.")
