"""Tell what pip would be allowed to install, without installing; the releases named, not what they depend on.

A check counts as a sight: where an index tells no upload time, its clock starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veln_hook.cli import asking
from veln_hook.errors import UsageError
from veln_hook.model import Decision, ExitStatus, exit_status
from veln_hook.report.json_form import verdict_object

if TYPE_CHECKING:
    import argparse

    from veln_hook.adapters.pip.client import Choice
    from veln_hook.cli.console import Console
    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import Verdict

HELP = "verdicts about releases, without installing"
USAGE = "check [options] REQ... | -r FILE"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``check``."""
    parser.add_argument("requirements", metavar="REQ", nargs="*", help="a requirement, as pip takes it")
    parser.add_argument(
        "-r", "--requirement", metavar="FILE", action="append", default=[], help="a requirements file"
    )
    parser.add_argument("--pre", action="store_true", help="pre-releases count, as with pip's --pre")
    parser.add_argument(
        "--all", action="store_true", help="tell every file that fits, not only the chosen one"
    )
    asking.add_index_options(parser)


def run(invocation: Invocation) -> ExitStatus:
    """Judge what pip would choose for each requirement."""
    args, console = invocation.args, invocation.console
    if not args.requirements and not args.requirement:
        raise UsageError("nothing to check", advice="Name a requirement, or a file with -r FILE.")
    policy = invocation.policy()
    wanted: list[Verdict] = []
    missing = False
    with invocation.store(policy) as store, asking.client(invocation, policy, store) as client:
        for asked in client.read(args.requirements, args.requirement):
            console.progress(f"asking for {asked.text} ...")
            try:
                choice = client.choose(asked)
            except UsageError as error:  # the others are still worth telling
                console.error(error)
                missing = True
                continue
            wanted.append(choice.wanted)
            _tell(console, choice, everything=args.all, refuses=policy.cooling.on_hold == "refuse")
    status = exit_status(wanted)
    # A name that doesn't exist is not mended by waiting, nor by a person's look at another release.
    return ExitStatus.USAGE if missing and status is not ExitStatus.BLOCKED else status


def _tell(console: Console, choice: Choice, *, everything: bool, refuses: bool) -> None:
    instead = choice.instead.subject.version if choice.instead else ""
    console.verdict(choice.wanted, instead=instead)
    _tell_lifted(console, choice.wanted)
    if not choice.wanted.passes and not choice.instead:
        why = 'cooling.on_hold = "refuse"' if refuses else "nothing else fits"
        console.line(f"      {why}, so pip would install nothing")
    console.result(_object(choice, choice.wanted, "chosen"))
    if choice.instead is not None:
        console.result(_object(choice, choice.instead, "instead"))
        if choice.instead.decision is not Decision.ALLOW:
            console.verdict(choice.instead)
    if everything:
        told = {_identity(choice.wanted)} | ({_identity(choice.instead)} if choice.instead else set())
        for verdict in choice.matching:
            if _identity(verdict) not in told:
                console.result(_object(choice, verdict, "other"))
            line = f"{verdict.decision.name:<5} {verdict.subject.filename}"
            console.line(f"      {console.palette.decision(line, verdict.decision)}")


def _tell_lifted(console: Console, verdict: Verdict) -> None:
    if verdict.approval is not None:
        approval = verdict.approval
        console.note(f"      passes by approval {approval.id} of {approval.author}: {approval.reason}")
    if verdict.exception:
        console.note(f"      passes by an exception of the policy: {verdict.exception}")


def _object(choice: Choice, verdict: Verdict, role: str) -> dict[str, Any]:
    return {"requirement": choice.text, "role": role, **verdict_object(verdict)}


def _identity(verdict: Verdict) -> tuple[str, str]:
    return verdict.subject.filename, verdict.subject.sha256
