"""Switch protection on for an environment, or for every interpreter of this machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from veln_hook.enable import environment, image, nets, user
from veln_hook.errors import UsageError, VelnHookError
from veln_hook.model import ExitStatus
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from veln_hook.cli.console import Console
    from veln_hook.cli.invocation import Invocation
    from veln_hook.enable.changes import Step

HELP = "switch protection on for an environment or the whole machine"
USAGE = "enable [options] [--env DIR | --user | --image]"


def add(parser: argparse.ArgumentParser) -> None:
    """Add where, and ``--dry-run``."""
    add_where(parser)
    net = parser.add_argument_group(
        "second net, with --image or --user: pip's and uv's own configuration, where no start-up file is read"
    )
    net.add_argument("--gate", metavar="URL", help="lead both through a standing gate")
    net.add_argument("--gate-certificate", metavar="FILE", help="what that gate said its clients need")
    net.add_argument(
        "--uv-exclude-newer",
        action="store_true",
        help="have uv itself pass over young releases; this marks its locks",
    )
    parser.add_argument("--dry-run", action="store_true", help="tell each file, and do nothing")


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add ``--env``, ``--user`` and ``--image``."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--env", metavar="DIR", help="a virtual environment (default: the one that is activated)"
    )
    place.add_argument("--user", action="store_true", help="environments that this user makes from now on")
    place.add_argument(
        "--image", action="store_true", help="every interpreter of this machine; only root can do that"
    )


def run(invocation: Invocation) -> ExitStatus:
    """Write what is needed; tell what."""
    args, console = invocation.args, invocation.console
    age = invocation.policy().cooling.min_age if args.uv_exclude_newer else None
    second_net = nets.asked(args.gate, args.gate_certificate, age)
    if second_net != nets.Asked() and not (args.user or args.image):
        raise UsageError("--gate and --uv-exclude-newer need --image or --user")
    try:
        if args.image:
            return _image(console, second_net, dry=args.dry_run)
        if args.user:
            return _user(console, second_net, dry=args.dry_run)
        return _environment(args.env, console, dry=args.dry_run)
    except OSError as error:
        raise cant(error) from error


def _user(console: Console, second_net: nets.Asked, *, dry: bool) -> ExitStatus:
    console.progress("looking for interpreters ...")
    plan = user.plan(os.environ, second_net)
    console.clear()
    tell(user.steps(plan), console, dry=dry)
    if not dry:
        console.progress("writing ...")
        user.enable(plan)
        console.clear()
        console.note("protected: this user's interpreters, and the environments that they make from now on")
    for line in plan.by_hand:
        console.line(f"by hand: {printable(line)}")
    for line in user.MISSED:
        console.note(f"not covered: {line}")
    return ExitStatus.OK


def _image(console: Console, second_net: nets.Asked, *, dry: bool) -> ExitStatus:
    console.progress("looking for interpreters ...")
    plan = image.plan(os.environ, second_net)
    console.clear()
    for left in plan.passed_over:
        console.note(f"left alone: {printable(left.executable)}: {printable(left.reason)}")
    tell(image.steps(plan), console, dry=dry)
    for line in plan.notes:
        console.line(printable(line))
    if not dry:
        console.progress("writing ...")
        image.enable(plan)
        console.clear()
        count = len(plan.found)
        console.note(
            f"protected: {count} interpreter{'' if count == 1 else 's'}, and every environment of theirs"
        )
    return ExitStatus.OK


def _environment(named: str | None, console: Console, *, dry: bool) -> ExitStatus:
    found = environment.look(where(named))
    if found.has_its_own:
        console.note(f"veln-hook is installed in {printable(found.prefix)}, and protects it")
        return ExitStatus.OK
    tell(environment.steps(found), console, dry=dry)
    if not dry:
        console.progress("writing ...")
        environment.enable(found)
        console.clear()
        console.note(f"protected: {printable(found.prefix)}")
    return ExitStatus.OK


def where(named: str | None) -> str:
    """Return the environment that is meant.

    Raises:
        UsageError: None is named, and none is activated.
    """
    chosen = named or os.environ.get("VIRTUAL_ENV") or (sys.prefix if sys.prefix != sys.base_prefix else "")
    if not chosen:
        raise UsageError("no environment is activated", advice="Name one: --env DIR, or --image for all.")
    return chosen


def tell(steps: Iterable[Step], console: Console, *, dry: bool) -> None:
    """Print what is done, or would be."""
    for step in steps:
        console.result({"verb": step.verb, "path": step.path, "detail": step.detail, "done": not dry})
        detail = f"  ({printable(step.detail)})" if step.detail else ""
        console.line(f"{'would ' if dry else ''}{step.verb} {printable(step.path)}{detail}")


def cant(error: OSError) -> VelnHookError:
    """Return what to tell where a file can't be written."""
    return UsageError(f"{error.filename or 'a file'} can't be changed: {error.strerror or error}")
