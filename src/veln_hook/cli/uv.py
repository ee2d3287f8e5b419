"""Run uv behind the gate: what it resolves, builds and installs is judged on its way."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from veln_hook.adapters.uv.commands import PASS, classify, classify_uvx
from veln_hook.adapters.uv.finding import find_uv
from veln_hook.errors import SandboxError
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from veln_hook.cli.invocation import Invocation

HELP = "run uv, and judge what it resolves, builds and installs"
USAGE = "[-q] [--json] [--no-color] [--allow HOST]... uv ..."


def add(parser: argparse.ArgumentParser) -> None:
    """Add nothing: what follows is uv's own, and is never parsed by us."""


def run(invocation: Invocation) -> NoReturn:
    """Run uv, then end this process as it ended.

    Raises:
        UsageError: There is no uv, or it can't be run in this way.
        VelnHookError: It can't be guarded.
    """
    args = invocation.args
    words = list(args.words)
    line = classify_uvx(words) if args.command == "uvx" else classify(words)
    uv = find_uv(os.environ)
    arguments = (*line.head, *line.words)
    if line.way == PASS:
        become(uv, arguments, os.environ)
    from veln_hook.cli.switching import is_off  # noqa: PLC0415 - what passes pays for nothing
    from veln_hook.policy.switch import policy_and_switch  # noqa: PLC0415 - as above

    policy, switch = policy_and_switch(os.environ)
    if is_off(switch, policy, (args.command, *words), invocation.console):
        become(uv, arguments, os.environ)
    from veln_hook.gate import extra  # noqa: PLC0415 - as above

    extra.require("guarding uv")
    from veln_hook.cli import foreground  # noqa: PLC0415 - as above
    from veln_hook.cli.uv_guarding import Guarded  # noqa: PLC0415 - as above

    guarded = Guarded(line, uv, policy, invocation.console, allow=tuple(args.allow))
    ended = guarded.run()
    invocation.console.finish()
    if ended.second:
        become(uv, ended.second, ended.environ, stdin=ended.stdin)
    foreground.end_at_once(ended.status if ended.killed is None else foreground.end_likewise(ended.killed))


def become(
    uv: str, arguments: Sequence[str], environ: Mapping[str, str], *, stdin: int | None = None
) -> NoReturn:
    """Become uv: its process, its signals and its exit status are this one's.

    Args:
        uv: The real one.
        arguments: What follows its name.
        environ: Its environment.
        stdin: A descriptor to be its standard input, if it is another.

    Raises:
        SandboxError: It can't be started.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if stdin is not None:
        os.dup2(stdin, 0)
    try:
        os.execve(uv, ["uv", *arguments], dict(environ))  # noqa: S606 - it is what was asked for
    except OSError as error:
        raise SandboxError(
            f"{printable(uv)} can't be run: {error.strerror}", advice="Check what VELN_HOOK_UV or PATH names."
        ) from error
