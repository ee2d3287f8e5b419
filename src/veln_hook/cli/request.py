"""Ask those who may approve to let the exact files of a held release pass, everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook import clock
from veln_hook.cli import asking, listed, teams
from veln_hook.cli.approve import who
from veln_hook.cli.parsing import release
from veln_hook.errors import UsageError
from veln_hook.model import ApprovalRequest, Candidate, ExitStatus
from veln_hook.policy import requests
from veln_hook.report.json_form import request_object
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import Verdict
    from veln_hook.store import Team

HELP = "ask for an approval, where a team shares a store"
USAGE = "request [options] NAME==VERSION --reason TEXT"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``request``."""
    parser.add_argument("release", metavar="NAME==VERSION", help="the release")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why you need it; approvers read it")
    parser.add_argument(
        "--file", metavar="FILENAME", action="append", default=[], help="only this file of the release"
    )
    asking.add_index_options(parser)


def run(invocation: Invocation) -> ExitStatus:
    """Ask for the files of a release."""
    args, console = invocation.args, invocation.console
    project, version = release(args.release)
    reason = args.reason.strip()
    if not reason.strip(". "):  # as the message spells it
        raise UsageError("no reason is given", advice="Say in a few words what you need this release for.")
    policy = invocation.policy()
    with invocation.store(policy) as store:
        team = teams.team_of(store)
        verdicts = listed.judge(invocation, policy, store, project, version)
        if listed.tell_blocked(console, verdicts):
            return ExitStatus.BLOCKED
        held = [verdict for verdict in verdicts if not verdict.passes]
        if not held:
            told = f"{printable(project)} {printable(version)}"
            console.line(f"{told} is not held, so there is nothing to ask for")
            return ExitStatus.OK
        files = tuple((verdict.subject.filename, verdict.subject.sha256) for verdict in held)
        known = _known(team, files)
        request = known or team.add_request(
            ApprovalRequest(
                project=project,
                version=version,
                files=files,
                index=_index(held),
                reason=reason,
                author=who(),
                created_at=clock.now(),
            )
        )
    console.result(request_object(request, requests.OPEN))
    was = f"was asked for by {printable(request.person)} already" if known else "is asked for"
    console.line(f"{printable(project)} {printable(version)} {was}: request {request.id}")
    for filename, sha256 in files:
        console.note(f"      {printable(filename)}  sha256 {sha256}")
    console.note(f"      who may approve runs: veln-hook approve --request {request.id}")
    return ExitStatus.OK


def _known(team: Team, files: Sequence[tuple[str, str]]) -> ApprovalRequest | None:
    wanted = set(files)
    for request in team.requests():
        if request.refused_at is None and wanted <= set(request.files):
            return request
    return None


def _index(verdicts: Sequence[Verdict]) -> str:
    subject = verdicts[0].subject
    candidate = subject if isinstance(subject, Candidate) else subject.candidate
    return candidate.index if candidate is not None else ""
