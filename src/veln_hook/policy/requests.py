"""What became of a request for approvals. PURE, as ``decide``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from veln_hook.model import Approval, ApprovalRequest
    from veln_hook.policy.settings import Policy

OPEN, GRANTED, REFUSED = "open", "granted", "refused"


class State(NamedTuple):
    """What became of a request."""

    word: str
    """``open``, ``granted`` or ``refused``."""
    people: tuple[str, ...] = ()
    """Who has approved all of its files so far."""


def state(request: ApprovalRequest, approvals: Iterable[Approval], policy: Policy, now: datetime) -> State:
    """Tell what became of a request.

    Args:
        request: The request.
        approvals: Of any files.
        policy: Says how many people have to approve.
        now: Aware, UTC.
    """
    if request.refused_at is not None:
        return State(REFUSED)
    project = canonicalize_name(request.project)
    given = [
        approval
        for approval in approvals
        if approval.is_active(now) and canonicalize_name(approval.project) == project
    ]
    of_each = [
        {approval.person for approval in given if approval.sha256 == sha256} for _, sha256 in request.files
    ]
    people = tuple(sorted(set.intersection(*of_each))) if of_each else ()
    enough = bool(of_each) and all(len(each) >= policy.approvals_people for each in of_each)
    return State(GRANTED if enough else OPEN, people)
