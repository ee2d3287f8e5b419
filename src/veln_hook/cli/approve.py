"""Record a person's word that the exact files of a release may pass a hold.

An approval is bound to the sha256 of each file as the index lists it now: other
bytes under the same name are not approved. It lifts holds only, never a block.
"""

from __future__ import annotations

import contextlib
import getpass
import platform
import re
from typing import TYPE_CHECKING

from veln_hook import clock
from veln_hook.cli import asking
from veln_hook.cli.parsing import release, span
from veln_hook.errors import StoreError, UsageError
from veln_hook.guard import Guard
from veln_hook.model import (
    Approval,
    Candidate,
    Decision,
    ExitStatus,
    Source,
    VerdictRecord,
)
from veln_hook.names import parse_filename
from veln_hook.report.json_form import approval_object, verdict_object
from veln_hook.report.text import when
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from datetime import datetime

    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import Verdict
    from veln_hook.policy.settings import Policy
    from veln_hook.store import Store

HELP = "let the exact files of a held release pass"
USAGE = "approve [options] NAME==VERSION --reason TEXT"
DEFAULT_EXPIRES = "90d"
"""Long enough for a release that is in use; whoever wants it for ever can pin the hash in a lock file."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``approve``."""
    parser.add_argument("release", metavar="NAME==VERSION", help="the release")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; kept with the approval")
    parser.add_argument(
        "--expires",
        metavar="SPAN",
        default=DEFAULT_EXPIRES,
        help=f"for how long (default: {DEFAULT_EXPIRES})",
    )
    parser.add_argument(
        "--file", metavar="FILENAME", action="append", default=[], help="only this file of the release"
    )
    parser.add_argument("--sha256", metavar="HEX", default="", help="a file that no index lists: its hash")
    parser.add_argument("--filename", metavar="NAME", default="", help="and its name")
    asking.add_index_options(parser)


def run(invocation: Invocation) -> ExitStatus:
    """Approve the files of a release."""
    args, console = invocation.args, invocation.console
    project, version = release(args.release)
    reason = args.reason.strip()
    if not reason.strip(". "):  # as the message spells it
        raise UsageError("no reason is given", advice="Say in a few words why this release may pass.")
    lasts = span(args.expires, "--expires")
    policy = invocation.policy()
    _require_counting(policy)
    with invocation.store(policy) as store:
        info = store.info()
        if not info.persistent:
            raise StoreError(
                f"an approval would be forgotten at once: {info.problem or 'the store is in memory'}"
            )
        if args.sha256 or args.filename:
            verdicts = [_judge_unlisted(invocation, policy, store, project, version)]
        else:
            verdicts = _judge_listed(invocation, policy, store, project, version)
        blocked = [verdict for verdict in verdicts if verdict.decision is Decision.BLOCK]
        if blocked:
            for verdict in blocked:
                console.verdict(verdict)
                console.result(verdict_object(verdict))
            return ExitStatus.BLOCKED
        now = clock.now()
        given = _approve(store, verdicts, reason=reason, now=now, expires_at=now + lasts)
    _tell(invocation, given, verdicts, now)
    return ExitStatus.OK


def _require_counting(policy: Policy) -> None:
    if not policy.approvals_count:
        raise UsageError(
            f'the policy says approvals.accept = "{policy.approvals_accept}", '
            "so no approval of this machine's own would count",
            advice=f"It was set by {policy.origin('approvals.accept')}; see 'veln-hook policy show'.",
        )


def _judge_listed(
    invocation: Invocation, policy: Policy, store: Store, project: str, version: str
) -> list[Verdict]:
    args, console = invocation.args, invocation.console
    with asking.client(invocation, policy, store, fresh=True) as client:
        console.progress(f"asking for {project} {version} ...")
        verdicts = client.release(project, version)
    if args.file:
        listed = {verdict.subject.filename for verdict in verdicts}
        absent = [name for name in args.file if name not in listed]
        if absent:
            raise UsageError(
                f"{project} {version} has no file {printable(absent[0])}",
                advice=f"It has: {printable(', '.join(sorted(listed)))}.",
            )
        verdicts = [verdict for verdict in verdicts if verdict.subject.filename in args.file]
    bare = [verdict.subject.filename for verdict in verdicts if not verdict.subject.sha256]
    if len(bare) == len(verdicts):
        raise UsageError(
            f"the index promises no sha256 for {printable(', '.join(bare))}, so it can't be approved",
            advice="Download the file, look at it, and approve it with --sha256 HEX --filename NAME.",
        )
    for filename in bare:
        console.line(f"not approved, as the index promises no sha256 for it: {printable(filename)}")
    return [verdict for verdict in verdicts if verdict.subject.sha256]


def _judge_unlisted(
    invocation: Invocation, policy: Policy, store: Store, project: str, version: str
) -> Verdict:
    """Judge a file by what an earlier run found in it; there is nothing else to go by."""
    args = invocation.args
    sha256 = args.sha256.strip().lower()
    if not args.sha256 or not args.filename or args.file:
        raise UsageError("--sha256 and --filename go together, and without --file")
    if not _SHA256.fullmatch(sha256):
        raise UsageError(f"--sha256 {printable(args.sha256)}: not 64 hexadecimal digits")
    named = parse_filename(args.filename)
    if named is not None and named.project and named.project != project:
        raise UsageError(f"{printable(args.filename)} is a file of {named.project}, not of {project}")
    return Guard(policy, store).check_candidate(
        Candidate(
            project=project,
            version=version,
            filename=args.filename,
            url="",
            source=Source.LOCAL_FILE,
            sha256=sha256,
        )
    )


def _approve(
    store: Store, verdicts: Sequence[Verdict], *, reason: str, now: datetime, expires_at: datetime
) -> list[Approval]:
    given = []
    author = who()
    for verdict in verdicts:
        subject = verdict.subject
        approval = store.add_approval(
            Approval(
                project=subject.project,
                version=subject.version,
                filename=subject.filename,
                sha256=subject.sha256,
                reason=reason,
                author=author,
                created_at=now,
                expires_at=expires_at,
            )
        )
        given.append(approval)
    store.record([log_record(approval, f"approved: {reason}", author, now) for approval in given])
    return given


def log_record(approval: Approval, text: str, author: str, now: datetime) -> VerdictRecord:
    """Return a line of the verdict log about an approval itself."""
    return VerdictRecord(
        at=now,
        decision=Decision.ALLOW,
        stage="approval",
        project=approval.project,
        version=approval.version,
        filename=approval.filename,
        sha256=approval.sha256,
        index="",
        reason=text,
        approval_id=approval.id,
        author=author,
    )


def who() -> str:
    """Return ``login@host`` of whoever runs this; it is a note for colleagues, no proof."""
    login = "unknown"
    with contextlib.suppress(Exception):  # no such user id: KeyError, OSError or ImportError, by platform
        login = getpass.getuser()
    return printable(f"{login}@{platform.node() or 'unknown'}")


def _tell(
    invocation: Invocation, given: Sequence[Approval], verdicts: Sequence[Verdict], now: datetime
) -> None:
    console = invocation.console
    first = given[0]
    console.note(
        f"approved {first.project} {first.version} until {when(first.expires_at)}: {printable(first.reason)}"
    )
    for approval, verdict in zip(given, verdicts):
        console.result(approval_object(approval, now))
        subject = verdict.subject
        # What no index lists was judged by nothing here; it may well be held where pip has its bytes.
        listed = not isinstance(subject, Candidate) or bool(subject.index)
        lifted = "  (is not held now)" if listed and verdict.decision is not Decision.HOLD else ""
        console.note(
            f"      {approval.id:>4}  {printable(approval.filename)}  sha256 {approval.sha256}{lifted}"
        )
