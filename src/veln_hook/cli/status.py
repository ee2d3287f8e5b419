"""Tell in short whether this interpreter is protected, by what, and what is not covered here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from veln_hook.cli import probes
from veln_hook.cli.probing import Machine, run_one
from veln_hook.model import ExitStatus
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import argparse

    from veln_hook.cli.console import Console
    from veln_hook.cli.invocation import Invocation
    from veln_hook.cli.probing import ProbeResult

HELP = "is this interpreter protected"
USAGE = "status [options]"
_WORDS = {True: ("ok", "green"), False: ("FAIL", "red"), None: ("note", "yellow")}


def add(parser: argparse.ArgumentParser) -> None:
    """``status`` has no arguments of its own."""
    del parser


def run(invocation: Invocation) -> ExitStatus:
    """Run every probe; one line each."""
    return tell(invocation.console, in_full=False)


def tell(console: Console, *, in_full: bool) -> ExitStatus:
    """Run every probe and print what they found.

    Args:
        console: Where to.
        in_full: With details and remedies.
    """
    results = []
    for name, probe in probes.PROBES:
        console.progress(f"looking at {name} ...")
        results.append(run_one(name, probe, Machine(os.environ)))
    console.clear()
    for result in results:
        console.result(result.to_dict())
        if result.error is not None and console.as_json:
            console.error(result.error)
    failed = [result for result in results if result.ok is False]
    broken = any(result.error is not None for result in failed)
    verdict = "not protected" if failed and not broken else "installs are refused" if failed else "protected"
    head = "protected: pip installs of this interpreter are judged" if not failed else verdict
    console.note(console.palette.paint(head, "red" if failed else "green"))
    width = max(len(result.name) for result in results)
    for result in results:
        _tell_one(console, result, width, in_full=in_full)
    if failed and not in_full:
        console.note("'veln-hook doctor' tells what to do about each")
    if broken:
        return ExitStatus.BROKEN
    return ExitStatus.BLOCKED if failed else ExitStatus.OK


def _tell_one(console: Console, result: ProbeResult, width: int, *, in_full: bool) -> None:
    word, style = _WORDS[result.ok]
    show = console.line if result.ok is False else console.note
    painted = console.palette.paint(f"{word:<4}", style)
    text = result.summary if in_full else printable(result.summary)
    show(f"{painted}  {result.name:<{width}}  {printable(text)}")
    if in_full:
        for detail in result.details:
            console.note(f"      {'':<{width}}  {printable(detail)}")
        if result.remedy:
            show(f"      {'':<{width}}  remedy: {printable(result.remedy)}")
