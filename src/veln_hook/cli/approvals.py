"""Show, revoke and clean up approvals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from veln_hook import clock
from veln_hook.cli.approve import log_record, who
from veln_hook.cli.parsing import add_common
from veln_hook.errors import UsageError
from veln_hook.model import ExitStatus
from veln_hook.report.json_form import approval_object
from veln_hook.report.text import table, when

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import Approval

HELP = "list, revoke or prune approvals"
USAGE = "approvals [options] list [NAME] | revoke ID... | prune"
_SHOWN_SHA256 = 12


def add(parser: argparse.ArgumentParser) -> None:
    """Add ``list``, ``revoke`` and ``prune``."""
    actions = parser.add_subparsers(
        prog="veln-hook approvals", dest="action", metavar="ACTION", required=True
    )
    listing = actions.add_parser("list", help="approvals in force", description="List approvals in force.")
    listing.add_argument("project", metavar="NAME", nargs="?", help="only this project's")
    listing.add_argument("--all", action="store_true", help="expired and revoked ones too")
    listing.set_defaults(run=run_list)
    revoke = actions.add_parser("revoke", help="end approvals", description="End approvals now.")
    revoke.add_argument("ids", metavar="ID", nargs="+", type=int, help="the number that 'list' shows")
    revoke.set_defaults(run=run_revoke)
    prune = actions.add_parser(
        "prune", help="delete what has ended", description="Delete expired and revoked approvals."
    )
    prune.set_defaults(run=run_prune)
    for action in (listing, revoke, prune):
        add_common(action)


def run_list(invocation: Invocation) -> ExitStatus:
    """List approvals, the newest first."""
    args, console = invocation.args, invocation.console
    policy, now = invocation.policy(), clock.now()
    with invocation.store(policy) as store:
        found = list(store.approvals(canonicalize_name(args.project) if args.project else None))
    shown = [approval for approval in found if args.all or approval.is_active(now)]
    for approval in shown:
        console.result(approval_object(approval, now))
    rows = [
        (
            str(approval.id),
            f"{approval.project} {approval.version}",
            approval.filename,
            approval.sha256[:_SHOWN_SHA256],
            _state(approval, now),
            approval.author,
            approval.reason,
        )
        for approval in shown
    ]
    head = () if console.quiet else ("id", "release", "file", "sha256", "until", "by", "reason")
    if rows:
        for line in table(rows, head):
            console.line(line)
    else:
        console.note(
            "no approvals" if args.all or not found else "no approvals in force; --all shows the others"
        )
    if shown and not policy.approvals_count:
        console.note(f'none of them counts: the policy says approvals.accept = "{policy.approvals_accept}"')
    return ExitStatus.OK


def run_revoke(invocation: Invocation) -> ExitStatus:
    """Revoke approvals by number."""
    console, now = invocation.console, clock.now()
    policy = invocation.policy()
    unknown = []
    with invocation.store(policy) as store:
        known = {approval.id: approval for approval in store.approvals()}
        for number in invocation.args.ids:
            if not store.revoke_approval(number, now):
                unknown.append(number)
                continue
            store.record([log_record(known[number], "approval revoked", who(), now)])
            console.note(f"revoked {number}: {known[number].project} {known[number].version}")
        after = {approval.id: approval for approval in store.approvals()}
    for number in invocation.args.ids:
        if number not in unknown:
            console.result(approval_object(after[number], clock.now()))
    if unknown:
        raise UsageError(
            f"no unrevoked approval {', '.join(map(str, unknown))}",
            advice="'veln-hook approvals list' shows the numbers.",
        )
    return ExitStatus.OK


def run_prune(invocation: Invocation) -> ExitStatus:
    """Delete what has expired or was revoked; the log keeps that it was used."""
    console = invocation.console
    policy = invocation.policy()
    with invocation.store(policy) as store:
        count = store.prune_approvals(clock.now())
    console.result({"deleted": count})
    console.note(f"deleted {count} expired or revoked approval{'' if count == 1 else 's'}")
    return ExitStatus.OK


def _state(approval: Approval, now: datetime) -> str:
    if approval.revoked_at is not None and approval.revoked_at <= now:
        return f"revoked {when(approval.revoked_at)}"
    until = when(approval.expires_at, never="for ever")
    return until if approval.is_active(now) else f"expired {until}"
