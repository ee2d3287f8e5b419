"""Show what was asked for, and refuse it; ``approve --request`` grants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook import clock
from veln_hook.cli import teams
from veln_hook.cli.approve import who
from veln_hook.cli.parsing import add_common
from veln_hook.errors import UsageError
from veln_hook.model import ExitStatus
from veln_hook.policy import requests
from veln_hook.report.json_form import request_object
from veln_hook.report.text import table, when

if TYPE_CHECKING:
    import argparse

    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import ApprovalRequest
    from veln_hook.policy.settings import Policy

HELP = "what was asked for, and refusing it"
USAGE = "requests [options] list | refuse ID --reason TEXT"


def add(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``refuse``."""
    actions = parser.add_subparsers(prog="veln-hook requests", dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="open requests", description="List what was asked for.")
    listing.add_argument("--all", action="store_true", help="granted and refused ones too")
    listing.set_defaults(run=run_list)
    refuse = actions.add_parser("refuse", help="refuse a request", description="Refuse a request.")
    refuse.add_argument("id", metavar="ID", type=int, help="the number that 'list' shows")
    refuse.add_argument("--reason", metavar="TEXT", required=True, help="why; who asked reads it")
    refuse.set_defaults(run=run_refuse)
    for action in (listing, refuse):
        add_common(action)


def run_list(invocation: Invocation) -> ExitStatus:
    """List requests, the newest first."""
    args, console = invocation.args, invocation.console
    policy, now = invocation.policy(), clock.now()
    with invocation.store(policy) as store:
        found = list(teams.team_of(store).requests())
        approvals = list(store.approvals()) if found else []
    rows = []
    for request in found:
        state = requests.state(request, approvals, policy, now)
        if not args.all and state.word != requests.OPEN:
            continue
        console.result(request_object(request, state.word, state.people))
        rows.append(
            (
                str(request.id),
                f"{request.project} {request.version}",
                _told(request, state, policy),
                request.person,
                when(request.created_at),
                request.reason,
            )
        )
    if rows:
        head = () if console.quiet else ("id", "release", "state", "asked by", "at", "reason")
        for line in table(rows, head):
            console.line(line)
    else:
        console.note("no requests" if args.all or not found else "no open requests; --all shows the others")
    return ExitStatus.OK


def run_refuse(invocation: Invocation) -> ExitStatus:
    """Refuse a request by number."""
    args, console = invocation.args, invocation.console
    reason = args.reason.strip()
    if not reason:
        raise UsageError("no reason is given", advice="Say in a few words why not.")
    with invocation.store(invocation.policy()) as store:
        if not teams.team_of(store).refuse_request(args.id, author=who(), reason=reason):
            raise teams.unknown(args.id)
    console.result({"id": args.id, "state": requests.REFUSED, "reason": reason})
    console.note(f"refused request {args.id}")
    return ExitStatus.OK


def _told(request: ApprovalRequest, state: requests.State, policy: Policy) -> str:
    if state.word == requests.REFUSED:
        return f"refused by {request.refused_by}: {request.refusal}"
    if state.word == requests.OPEN and state.people:
        return f"approved by {', '.join(state.people)}, {len(state.people)} of {policy.approvals_people}"
    return state.word
