"""Tell what pip would be allowed to install, or what a lock pins, without installing.

Of requirements, the releases named are judged, not what they depend on; of a lock, everything that it pins.
A check counts as a sight: where an index tells no upload time, its clock starts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from veln_hook.cli import asking, pins
from veln_hook.errors import UsageError
from veln_hook.locks.comparing import Indexes
from veln_hook.locks.reading import is_lock_name
from veln_hook.model import Decision, ExitStatus, exit_status
from veln_hook.report.contents import Contents
from veln_hook.report.json_form import verdict_object
from veln_hook.report.markdown import Place, summary
from veln_hook.report.sarif import sarif_log

if TYPE_CHECKING:
    import argparse

    from veln_hook.adapters.pip.client import Choice
    from veln_hook.cli.console import Console
    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import Verdict

HELP = "verdicts about releases and locks, without installing"
USAGE = "check [options] REQ... | -r FILE | LOCK..."


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``check``."""
    parser.add_argument(
        "requirements",
        metavar="REQ|LOCK",
        nargs="*",
        help="a requirement, as pip takes it; uv.lock, poetry.lock, pdm.lock, pylock.toml; a list (*.txt)",
    )
    parser.add_argument(
        "-r", "--requirement", metavar="FILE", action="append", default=[], help="a requirements file"
    )
    parser.add_argument(
        "--lock", metavar="FILE", action="append", default=[], help="a lock, whatever its name"
    )
    parser.add_argument(
        "--changed-from",
        metavar="FILE",
        default="",
        help="only pins that this version of the lock hasn't",
    )
    parser.add_argument("--pre", action="store_true", help="pre-releases count, as with pip's --pre")
    parser.add_argument(
        "--all", action="store_true", help="tell every file that fits, not only the chosen one; every pin"
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--sarif", action="store_true", help="a SARIF 2.1.0 log on stdout, and nothing else")
    forms.add_argument("--markdown", action="store_true", help="a Markdown summary on stdout, likewise")
    asking.add_index_options(parser)


def run(invocation: Invocation) -> ExitStatus:
    """Judge what pip would choose for each requirement, and what each lock pins."""
    args, console = invocation.args, invocation.console
    if console.as_json and (args.sarif or args.markdown):
        raise UsageError(
            "--json, --sarif and --markdown all want standard output", advice="Ask for one of them."
        )
    if args.sarif or args.markdown:
        console.mute()
    locks = [*args.lock, *(text for text in args.requirements if is_lock_name(text))]
    lists = [*args.requirement, *(text for text in args.requirements if _is_list(text))]
    requirements = [text for text in args.requirements if not is_lock_name(text) and not _is_list(text)]
    if not (locks or lists or requirements):
        raise UsageError(
            "nothing to check", advice="Name a requirement, a lock, or a requirements file with -r FILE."
        )
    policy = invocation.policy()
    found = pins.read_pins(locks, args.changed_from)
    further = pins.further_indexes(found, policy)
    places: list[Place] = []
    missing = False
    with (
        invocation.store(policy) as store,
        asking.client(invocation, policy, store, further=further) as client,
    ):
        # As they are before a list of requirements adds its own.
        indexes = Indexes([*client.index_urls, *(index.url for index in policy.indexes)])
        for asked in client.read(requirements, lists):
            pin = pins.pinned(asked)
            if pin is not None:
                found.append(pin)
                continue
            console.progress(f"asking for {asked.text} ...")
            try:
                choice = client.choose(asked)
            except UsageError as error:  # the others are still worth telling
                console.error(error)
                missing = True
                continue
            places.append(Place(choice.wanted, asked.path, asked.line))
            _tell(console, choice, everything=args.all, refuses=policy.cooling.on_hold == "refuse")
        judged = pins.check_pins(client, indexes, found, console)
        pins.tell_pins(console, judged, everything=args.all, anything=bool(locks))
        places += [Place(verdict, pin.path, pins.line_of(pin, verdict)) for pin, verdict in judged]
    status = exit_status([place.verdict for place in places])
    # A name that doesn't exist is not mended by waiting, nor by a person's look at another release.
    status = ExitStatus.USAGE if missing and status is not ExitStatus.BLOCKED else status
    if args.markdown:
        console.document(summary(places, console.errors))
    elif args.sarif:
        contents = [_contents(place) for place in places]
        console.document(sarif_log(contents, console.errors, exit_status=int(status)))
    return status


def _is_list(text: str) -> bool:
    """Tell whether a word names a list of requirements; pip itself wants ``-r`` before it."""
    return text.endswith((".txt", ".in")) and os.path.isfile(text)


def _contents(place: Place) -> Contents:
    # A lock whose lines can't be told is named by its first.
    line = (place.line or 1) if place.path else 0
    return Contents(place.path or place.verdict.subject.release, place.verdict, line=line)


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
