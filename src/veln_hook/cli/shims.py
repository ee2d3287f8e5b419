"""Put programs named uv, uvx and so on before the real ones, so that those run behind the gate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from veln_hook.adapters.shims import activation, installing, looking, places
from veln_hook.adapters.shims.passing import TOOLS
from veln_hook.cli.parsing import add_common
from veln_hook.errors import UsageError
from veln_hook.gate import extra
from veln_hook.model import ExitStatus
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import argparse

    from veln_hook.adapters.shims.installing import Step
    from veln_hook.adapters.shims.looking import Look
    from veln_hook.cli.console import Console
    from veln_hook.cli.invocation import Invocation

HELP = "put uv and others behind the gate where they are called by name"
USAGE = "shims [options] install | remove | status"


def add(parser: argparse.ArgumentParser) -> None:
    """Add ``install``, ``remove`` and ``status``."""
    actions = parser.add_subparsers(prog="veln-hook shims", dest="action", metavar="ACTION", required=True)
    install = actions.add_parser(
        "install", help="put them there", description="Put shims in their directory, and that one first."
    )
    install.add_argument(
        "--tool",
        metavar="NAME",
        action="append",
        choices=list(TOOLS),
        default=[],
        help=f"for this one only; may be repeated ({', '.join(TOOLS)}; default: uv, uvx, and what is here)",
    )
    install.set_defaults(run=run_install)
    remove = actions.add_parser(
        "remove", help="take them away", description="Take shims away, and leave everything as it was."
    )
    remove.set_defaults(run=run_remove)
    status = actions.add_parser(
        "status", help="whether they are found first", description="Tell what PATH leads to."
    )
    status.set_defaults(run=run_status)
    for action in (install, remove, status):
        place = action.add_mutually_exclusive_group()
        place.add_argument(
            "--env",
            metavar="DIR",
            help="of this virtualenv (default: the one that veln-hook is in, or else this user's)",
        )
        place.add_argument("--dir", metavar="DIR", help="in this directory")
        add_common(action)
    for action in (install, remove):
        action.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")


def run_install(invocation: Invocation) -> ExitStatus:
    """Write the shims and the blocks in the activate scripts."""
    args, console = invocation.args, invocation.console
    place = installing.where(args.env, args.dir)
    tools = tuple(args.tool) or installing.present(place, os.environ)
    try:
        _take(installing.install(place, tools), console, dry=args.dry_run)
    except OSError as error:
        raise _cant(error) from error
    if args.dry_run:
        return ExitStatus.OK
    if place.environment is None:
        console.note(f'put them first in your shell\'s start-up file: export PATH="{place.home}:$PATH"')
    else:
        console.note(f"from the next activation on, the shims are first: . {place.environment}/bin/activate")
        for name in activation.UNTOUCHED:
            if (place.environment / "bin" / name).exists():
                console.note(f"{name} is left as it is: put {place.home} first on PATH after it")
    try:
        extra.require()
    except UsageError as error:
        console.note(f"nothing installs through them yet: {error}. {error.advice}")
    return ExitStatus.OK


def run_remove(invocation: Invocation) -> ExitStatus:
    """Take everything away that ``install`` has put there."""
    args, console = invocation.args, invocation.console
    place = installing.where(args.env, args.dir)
    try:
        steps = installing.remove(place)
        _take(steps, console, dry=args.dry_run)
    except OSError as error:
        raise _cant(error) from error
    if not steps:
        console.note(f"there are no shims in {printable(str(place.home))}")
    if not args.dry_run:
        installing.tidy(place)
    return ExitStatus.OK


def run_status(invocation: Invocation) -> ExitStatus:
    """Tell for each tool what ``PATH`` leads to; whether that is a shim that works."""
    args, console = invocation.args, invocation.console
    place = installing.where(args.env, args.dir)
    there = places.shims_in(str(place.home))
    path = os.environ.get("PATH", "")
    good = bool(there)
    if not there:
        console.line(f"there are no shims in {printable(str(place.home))}")
    for tool in TOOLS:
        look = looking.look(tool, path)
        if not look.first and tool not in there:
            continue
        lacks = looking.problem(look.shim) if look.shim else ""
        console.result(_object(look, lacks))
        # A tool that never had a shim is worth a line, and no failure.
        good = good and not lacks and (look.guarded or tool not in there)
        console.line(f"{tool:<6}  {printable(told(look, lacks))}")
    if there and not good:
        console.note(f"the shims lie in {printable(str(place.home))}; it has to be the first on PATH")
    return ExitStatus.OK if good else ExitStatus.BLOCKED


def told(look: Look, lacks: str) -> str:
    """Return what was found for one tool, in one line.

    Args:
        look: What was found.
        lacks: What the shim lacks to do its work.
    """
    if lacks:
        return f"{look.shim} is a shim, and {lacks}"
    if look.guarded:
        return f"goes through {look.shim} to {look.real}" if look.real else f"{look.shim} leads nowhere yet"
    if look.shim:
        return f"is {look.first}, which stands before the shim {look.shim} and is not judged"
    return f"is {look.first}, which is not judged" if look.first else "is not found; its shim is not on PATH"


def _take(steps: list[Step], console: Console, *, dry: bool) -> None:
    for step in steps:
        if not dry:
            installing.take(step)
        word = f"would be {step.told}" if dry and step.needed else step.told
        console.result({"path": str(step.path), "kind": step.kind, "action": step.told, "done": not dry})
        console.note(f"{word}  {printable(str(step.path))}")


def _cant(error: OSError) -> UsageError:
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return UsageError(printable(what), advice="Name a place that you may write with --dir or --env.")


def _object(look: Look, lacks: str) -> dict[str, object]:
    return {
        "tool": look.tool,
        "guarded": look.guarded and not lacks,
        "first": look.first,
        "shim": look.shim,
        "in_front": list(look.in_front),
        "real": look.real,
        "problem": lacks,
    }
