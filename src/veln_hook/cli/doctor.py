"""Tell in full what ``status`` tells in short, and what else on this machine is covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.cli import coverage, status
from veln_hook.errors import PolicyError
from veln_hook.model import ExitStatus, strictest

if TYPE_CHECKING:
    import argparse

    from veln_hook.cli.invocation import Invocation

HELP = "status in full, and what of this machine is covered"
USAGE = "doctor [options]"


def add(parser: argparse.ArgumentParser) -> None:
    """``doctor`` has no arguments of its own."""
    del parser


def run(invocation: Invocation) -> ExitStatus:
    """Run every probe, details and remedies too; then try each interpreter, environment and installer."""
    ended = status.tell(invocation.console, in_full=True)
    try:
        required = invocation.policy().coverage_required
    except PolicyError:
        required = ()  # told by its probe
    gap = coverage.tell(invocation.console, required)
    return strictest({ended, ExitStatus.BLOCKED if gap else ExitStatus.OK})
