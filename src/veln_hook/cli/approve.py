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
from veln_hook.cli import asking, listed, teams
from veln_hook.cli.parsing import release, span
from veln_hook.errors import StoreError, UsageError
from veln_hook.guard import Guard
from veln_hook.model import (
    Approval,
    ApprovalRequest,
    Candidate,
    Decision,
    ExitStatus,
    Source,
    VerdictRecord,
)
from veln_hook.names import parse_filename
from veln_hook.report.json_form import approval_object
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
USAGE = "approve [options] NAME==VERSION --reason TEXT | --request ID"
DEFAULT_EXPIRES = "90d"
"""Long enough for a release that is in use; whoever wants it for ever can pin the hash in a lock file."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``approve``."""
    parser.add_argument("release", metavar="NAME==VERSION", nargs="?", help="the release")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; kept with the approval")
    parser.add_argument(
        "--request", metavar="ID", type=int, help="what was asked for by this number, with its reason"
    )
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
    if (args.request is None) is (args.release is None):
        raise UsageError("either NAME==VERSION or --request ID has to be given")
    lasts = span(args.expires, "--expires")
    policy = invocation.policy()
    _require_counting(policy)
    with invocation.store(policy) as store:
        request = _asked_for(invocation, store) if args.request is not None else None
        project, version = release(args.release) if request is None else (request.project, request.version)
        reason = args.reason.strip() or (f"request {request.id}: {request.reason}" if request else "")
        if not reason.strip(". "):  # as the message spells it
            raise UsageError(
                "no reason is given", advice='Say in a few words why this release may pass: --reason "...".'
            )
        info = store.info()
        if not info.persistent:
            raise StoreError(
                f"an approval would be forgotten at once: {info.problem or 'the store is in memory'}"
            )
        if args.sha256 or args.filename:
            verdicts = [_judge_unlisted(invocation, policy, store, project, version)]
        else:
            verdicts = listed.judge(invocation, policy, store, project, version)
        if request is not None:
            verdicts = _of_request(verdicts, request)
        if listed.tell_blocked(console, verdicts):
            return ExitStatus.BLOCKED
        now = clock.now()
        given = _approve(store, verdicts, reason=reason, now=now, expires_at=now + lasts)
        people = _people(store, given, policy, now)
    _tell(invocation, given, verdicts, now)
    if len(people) < policy.approvals_people:
        console.line(
            f"{len(people)} of the {policy.approvals_people} people that the policy asks for have approved: "
            f"{printable(', '.join(people))}"
        )
    return ExitStatus.OK


def _asked_for(invocation: Invocation, store: Store) -> ApprovalRequest:
    """Return the request that is meant; its files are those that are approved."""
    args = invocation.args
    if args.file or args.sha256 or args.filename:
        raise UsageError("--request names its files itself")
    for request in teams.team_of(store).requests():
        if request.id == args.request and request.refused_at is None:
            return request
    raise teams.unknown(args.request)


def _of_request(verdicts: Sequence[Verdict], request: ApprovalRequest) -> list[Verdict]:
    """Return the verdicts about the files that were asked for.

    Raises:
        UsageError: The index doesn't list exactly these: whoever asked saw others, or named others.
    """
    listed_now = {(verdict.subject.filename, verdict.subject.sha256): verdict for verdict in verdicts}
    for filename, sha256 in request.files:
        if (filename, sha256) not in listed_now:
            raise UsageError(
                f"no index that is asked here lists {printable(filename)} "
                f"with the sha256 {printable(sha256)} of request {request.id}",
                advice=f"It was asked for from {printable(request.index or 'no index')}; "
                "name that with -i if you trust it, or refuse: 'veln-hook requests refuse'.",
            )
    return [listed_now[each] for each in request.files]


def _people(store: Store, given: Sequence[Approval], policy: Policy, now: datetime) -> list[str]:
    """Return who has approved all of these files by now."""
    if policy.approvals_people == 1:
        return [given[0].person]
    everybody = [each for each in store.approvals(given[0].project) if each.is_active(now)]
    of_each = [{each.person for each in everybody if each.sha256 == one.sha256} for one in given]
    return sorted(set.intersection(*of_each))


def _require_counting(policy: Policy) -> None:
    if not policy.approvals_count:
        raise UsageError(
            f'the policy says approvals.accept = "{policy.approvals_accept}", '
            "so no approval of this machine's own would count",
            advice=f"It was set by {policy.origin('approvals.accept')}; see 'veln-hook policy show'.",
        )


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
