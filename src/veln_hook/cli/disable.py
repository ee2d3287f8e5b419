"""Switch protection off again, where ``enable`` has switched it on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from veln_hook.cli import enable
from veln_hook.enable import environment, image, user
from veln_hook.errors import EnableError
from veln_hook.model import ExitStatus

if TYPE_CHECKING:
    import argparse

    from veln_hook.cli.invocation import Invocation

HELP = "take back what 'enable' did, to the byte"
USAGE = "disable [options] [--env DIR | --user | --image]"


def add(parser: argparse.ArgumentParser) -> None:
    """Add where, and ``--dry-run``."""
    enable.add_where(parser)
    parser.add_argument("--dry-run", action="store_true", help="tell each file, and do nothing")


def run(invocation: Invocation) -> ExitStatus:
    """Take everything back; tell what, and what is left because somebody else changed it."""
    args, console = invocation.args, invocation.console
    policy = invocation.policy()
    if not args.dry_run and os.geteuid() != 0 and policy.is_locked("switch"):
        raise EnableError(
            f"protection can't be switched off here: the policy's {policy.locked_by('switch')} file locks it",
            advice="Ask whoever runs this machine.",
        )
    try:
        if args.image:
            steps = image.disable(dry=args.dry_run)
        elif args.user:
            steps = user.disable(dry=args.dry_run)
        else:
            steps = environment.disable(environment.look(enable.where(args.env)), dry=args.dry_run)
    except OSError as error:
        raise enable.cant(error) from error
    if not steps:
        console.note("nothing was switched on there by 'veln-hook enable'")
    enable.tell(steps, console, dry=args.dry_run)
    return ExitStatus.OK
