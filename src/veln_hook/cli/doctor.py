"""Tell in full what ``status`` tells in short: what each probe found, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.cli import status

if TYPE_CHECKING:
    import argparse

    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import ExitStatus

HELP = "status in full, with remedies"
USAGE = "doctor [options]"


def add(parser: argparse.ArgumentParser) -> None:
    """``doctor`` has no arguments of its own."""
    del parser


def run(invocation: Invocation) -> ExitStatus:
    """Run every probe; details and remedies too."""
    return status.tell(invocation.console, in_full=True)
