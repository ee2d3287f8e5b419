"""Show what was held, blocked, warned of, approved or switched off on this machine, the newest first."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from veln_hook import clock, paths
from veln_hook.cli import following
from veln_hook.cli.parsing import span
from veln_hook.model import ExitStatus
from veln_hook.report.json_form import record_object
from veln_hook.report.text import table, when

if TYPE_CHECKING:
    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import VerdictRecord

HELP = "what was held, blocked, approved"
USAGE = "log [options] [NAME]"
_DEFAULT_LIMIT = 50


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``log``."""
    parser.add_argument("project", metavar="NAME", nargs="?", help="only this project")
    parser.add_argument("--since", metavar="SPAN", default="", help='only as long ago as this, such as "7d"')
    parser.add_argument(
        "--follow",
        action="store_true",
        help="print the audit log as it is written, until stopped",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=_positive,
        default=_DEFAULT_LIMIT,
        help=f"at most so many lines (default: {_DEFAULT_LIMIT})",
    )


def run(invocation: Invocation) -> ExitStatus:
    """Show the verdict log, or follow the audit log."""
    args, console = invocation.args, invocation.console
    if args.follow:
        audit = invocation.policy().audit
        following.follow(Path(audit.file) if audit.file else paths.audit_file(), console.line)
        return ExitStatus.OK
    since = clock.now() - span(args.since, "--since") if args.since else None
    policy = invocation.policy()
    with invocation.store(policy) as store:
        project = canonicalize_name(args.project) if args.project else None
        records = list(store.log(project=project, since=since, limit=args.limit))
    for record in records:
        console.result(record_object(record))
    rows = [
        (
            when(record.at),
            record.decision.name,
            record.stage,
            f"{record.project} {record.version}".strip() or record.filename,
            record.filename,
            _reason(record),
        )
        for record in records
    ]
    head = () if console.quiet else ("at", "verdict", "stage", "release", "file", "reason")
    for line in table(rows, head) if rows else ():
        console.line(line)
    if not rows:
        console.note("nothing in the log" + (" that fits" if args.project or args.since else ""))
    return ExitStatus.OK


def _reason(record: VerdictRecord) -> str:
    if record.approval_id is None:
        return record.reason
    if record.stage == "approval":
        return f"{record.reason} (approval {record.approval_id} by {record.author})"
    return f"passed by approval {record.approval_id} of {record.author}; {record.reason}"


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number
