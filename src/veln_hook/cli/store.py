"""Make the shared store's tables and roles, tell how it is, and delete what is old."""

from __future__ import annotations

import argparse
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from veln_hook import clock
from veln_hook.cli.parsing import add_common, span
from veln_hook.errors import StoreError, UsageError
from veln_hook.model import ExitStatus
from veln_hook.policy.durations import format_duration
from veln_hook.policy.matching import without_secrets
from veln_hook.report.text import when

if TYPE_CHECKING:
    from veln_hook.cli.invocation import Invocation

HELP = "set up, look at or prune the shared store"
USAGE = "store [options] init | status | prune"
DEFAULT_LOG = "365d"
DEFAULT_UNSEEN = "400d"
"""Longer than a year, so that what is used once a year stays known."""
_SHORTEST_UNSEEN = timedelta(days=60)
"""That a file is still seen is told once in 30 days."""
_MAX_VOTES = 10_000


def add(parser: argparse.ArgumentParser) -> None:
    """Add ``init``, ``status`` and ``prune``."""
    actions = parser.add_subparsers(prog="veln-hook store", dest="action", metavar="ACTION", required=True)
    init = actions.add_parser(
        "init",
        help="make or upgrade tables and roles",
        description="Make tables and roles in the database, or bring them to this version.",
    )
    init.add_argument(
        "--votes",
        choices=("machine", "login"),
        help="who counts once for min_observations: each machine by its own id (default), or each login",
    )
    init.add_argument(
        "--votes-kept",
        metavar="N",
        type=_votes,
        help="how many machines are kept of each file (default: 100)",
    )
    init.add_argument(
        "--late",
        metavar="SPAN",
        default="",
        help="by how much a first sight may predate its arrival (default: 1d)",
    )
    init.set_defaults(run=run_init)
    status = actions.add_parser(
        "status", help="how the store is", description="Tell how the store is, and what this login may do."
    )
    status.set_defaults(run=run_status)
    prune = actions.add_parser(
        "prune",
        help="delete what is old",
        description="Delete old records of the shared log, and files that no machine has seen for long.",
    )
    prune.add_argument(
        "--log",
        metavar="SPAN",
        default=DEFAULT_LOG,
        help=f"keep the log for so long (default: {DEFAULT_LOG})",
    )
    prune.add_argument(
        "--unseen",
        metavar="SPAN",
        default=DEFAULT_UNSEEN,
        help=f"keep a file that nobody sees any more for so long (default: {DEFAULT_UNSEEN})",
    )
    prune.set_defaults(run=run_prune)
    for action in (init, status, prune):
        action.add_argument(
            "--url",
            default="",
            help="the database, if not the policy's 'store.url'; for an administrator's login",
        )
        add_common(action)


def run_init(invocation: Invocation) -> ExitStatus:
    """Make or upgrade the tables and roles."""
    from veln_hook.store import opening  # noqa: PLC0415 - as ``Invocation.store``

    args, console = invocation.args, invocation.console
    url = _url(invocation)
    late = span(args.late, "--late") // timedelta(microseconds=1) if args.late else None
    administration = opening.open_administration(url)
    try:
        before, now = administration.init()
        administration.configure(votes=args.votes, votes_kept=args.votes_kept, late=late)
    finally:
        administration.close()
    console.result({"location": without_secrets(url), "schema_before": before, "schema": now})
    done = "made" if not before else "brought up to date" if before < now else "already up to date"
    console.line(f"the tables of {without_secrets(url)} are {done} (version {now})")
    console.note("give each machine a login of its own, or all of them one; and each approver:")
    console.note("      CREATE ROLE laptop17 LOGIN PASSWORD '...' IN ROLE veln_hook_machine;")
    console.note("      CREATE ROLE ada LOGIN PASSWORD '...' IN ROLE veln_hook_approver;")
    return ExitStatus.OK


def run_status(invocation: Invocation) -> ExitStatus:
    """Tell how the store is."""
    from veln_hook.store import opening  # noqa: PLC0415 - as ``Invocation.store``

    console = invocation.console
    policy = invocation.policy()
    url = invocation.args.url or policy.store_url
    if not url:
        with invocation.store(policy) as store:
            info = store.info()
        console.result({"location": info.location, "schema": info.schema, "shared": False})
        console.line(f"{info.location}: this machine's own (schema {info.schema}); nothing is shared")
        return ExitStatus.OK
    server = opening.open_server(url, seconds=policy.sharing.timeout.total_seconds())
    try:
        began = time.monotonic()
        rights = server.rights()
        connected = time.monotonic()
        info = server.info()
        answered = time.monotonic()
    finally:
        server.close()
    waiting = opening.waiting_here(url)
    console.result(
        {
            "location": info.location,
            "schema": info.schema,
            "shared": True,
            "login": rights.login,
            "roles": list(rights.roles),
            "started_at": info.started_at.isoformat(),
            "observations": info.observations,
            "approvals": info.approvals,
            "waiting": waiting,
            "connect_ms": round((connected - began) * 1000, 1),
            "answer_ms": round((answered - connected) * 1000, 1),
        }
    )
    console.line(f"{info.location}, since {when(info.started_at)} (schema {info.schema})")
    console.line(
        f"  {info.observations} observations, {info.approvals} approvals; {waiting} wait here to be sent"
    )
    console.line(f"  login {rights.login}: {', '.join(rights.roles) or 'no role of veln-hook'}")
    console.line(
        f"  connected in {(connected - began) * 1000:.0f} ms, answered in {(answered - connected) * 1000:.0f}"
    )
    console.line(
        f"  a process waits {format_duration(policy.sharing.timeout)} at most; "
        f"if there is no answer: {policy.sharing.unreachable}"
    )
    return ExitStatus.OK


def run_prune(invocation: Invocation) -> ExitStatus:
    """Delete what is old."""
    from veln_hook.store import opening  # noqa: PLC0415 - as ``Invocation.store``

    args, console = invocation.args, invocation.console
    log, unseen = span(args.log, "--log"), span(args.unseen, "--unseen")
    if unseen < _SHORTEST_UNSEEN:
        raise UsageError(
            f"--unseen {args.unseen}: that a file is still in use is told once in 30 days",
            advice=f"Write {format_duration(_SHORTEST_UNSEEN)} or more.",
        )
    administration = opening.open_administration(_url(invocation))
    now = clock.now()
    try:
        files, records = administration.prune(log_before=now - log, unseen_since=now - unseen)
    except OverflowError as error:
        raise UsageError("the calendar doesn't reach back that far") from error
    finally:
        administration.close()
    console.result({"files": files, "records": records})
    console.line(f"deleted {files} files and {records} records of the log")
    return ExitStatus.OK


def _url(invocation: Invocation) -> str:
    url: str = invocation.args.url or invocation.policy().store_url
    if not url:
        raise StoreError(
            "no shared store is named",
            advice="Give --url postgresql://..., or set 'store.url' in the policy.",
        )
    return url


def _votes(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(_MAX_VOTES)) + 1 else 0
    if not 0 < number <= _MAX_VOTES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MAX_VOTES}")
    return number
