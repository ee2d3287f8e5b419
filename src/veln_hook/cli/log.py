"""Show what was held, blocked, warned of, approved or switched off on this machine, the newest first."""

from __future__ import annotations

import argparse
import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from veln_hook import clock, paths
from veln_hook.cli import following
from veln_hook.cli.parsing import span
from veln_hook.errors import StoreError, UsageError
from veln_hook.model import ExitStatus
from veln_hook.report.json_form import record_object
from veln_hook.report.text import table, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import VerdictRecord
    from veln_hook.policy.settings import Policy
    from veln_hook.store.postgres_chain import Link
    from veln_hook.store.postgres_server import Server

HELP = "what was held, blocked, approved"
USAGE = "log [options] [NAME]"
_DEFAULT_LIMIT = 50
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    parser.add_argument(
        "--shared", action="store_true", help="the shared store's log, of every machine; for approvers"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compute the chain of the shared store's log again; for approvers",
    )
    parser.add_argument(
        "--expect",
        metavar="ROW:HASH",
        type=_row,
        help="with --verify: an end that was noted earlier, which must still be part of it",
    )


def run(invocation: Invocation) -> ExitStatus:
    """Show the verdict log, or follow the audit log."""
    args, console = invocation.args, invocation.console
    if args.follow:
        audit = invocation.policy().audit
        following.follow(Path(audit.file) if audit.file else paths.audit_file(), console.line)
        return ExitStatus.OK
    if args.expect is not None and not args.verify:
        raise UsageError("--expect goes with --verify")
    if args.verify:
        return _verify(invocation)
    since = clock.now() - span(args.since, "--since") if args.since else None
    policy = invocation.policy()
    project = canonicalize_name(args.project) if args.project else None
    with _server(policy) if args.shared else invocation.store(policy) as store:
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


def _verify(invocation: Invocation) -> ExitStatus:
    """Compute the chain of the shared log again.

    Raises:
        StoreError: The log isn't what was written; or the server doesn't answer.
    """
    args, console = invocation.args, invocation.console
    with _server(invocation.policy()) as server:
        report = server.verify_log(args.expect)
    head = f"{report.head.number}:{report.head.hash}"
    console.result(
        {
            "rows": report.rows,
            "first": report.anchor.number + 1,
            "head": head,
            "problem": report.problem,
        }
    )
    if report.problem:
        raise StoreError(
            f"the log of the shared store can't be trusted: {report.problem}",
            advice="Somebody with the database's own rights changed it; ask who runs it for its backups.",
        )
    console.line(f"{report.rows} rows from number {report.anchor.number + 1} on are as they were written")
    console.note(f"note its end, and give it to --expect later: {head}")
    return ExitStatus.OK


@contextlib.contextmanager
def _server(policy: Policy) -> Iterator[Server]:
    from veln_hook.store.opening import open_server  # noqa: PLC0415 - as ``Invocation.store``

    if not policy.store_url:
        raise UsageError(
            "there is no shared store, and only its log is chained",
            advice="'veln-hook log' shows this machine's own; the policy's 'store.url' names a shared one.",
        )
    server = open_server(policy.store_url)
    try:
        yield server
    finally:
        server.close()


def _row(text: str) -> Link:
    from veln_hook.store.postgres_chain import Link  # noqa: PLC0415 - rarely needed

    number, colon, digest = text.partition(":")
    if not (colon and number.isascii() and number.isdigit() and _SHA256.fullmatch(digest)):
        raise argparse.ArgumentTypeError(f"{text!r} is not ROW:HASH, as --verify prints it")
    return Link(int(number), digest)


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
