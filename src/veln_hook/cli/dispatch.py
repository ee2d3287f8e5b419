"""From the words of a command line to an exit status; ``__main__`` stands before it."""

from __future__ import annotations

import argparse
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any

from veln_hook.cli import passing
from veln_hook.cli.console import Console
from veln_hook.cli.invocation import Invocation
from veln_hook.cli.parsing import FLAGS, make_parser
from veln_hook.errors import UsageError, VelnHookError
from veln_hook.model import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COMMANDS = (
    "status",
    "doctor",
    "enable",
    "disable",
    "check",
    "explain",
    "scan",
    "audit",
    "review",
    "approve",
    "approvals",
    "request",
    "requests",
    "log",
    "feed",
    "store",
    "policy",
    "run",
    "uv",
    "uvx",
    "gate",
    "shims",
)
"""Each is a module beside this one."""


def needed(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the commands whose arguments must be known to parse a command line.

    It is the one that is meant. Where that isn't plain, as with ``--help``, it is all of them.

    Args:
        argv: What follows ``veln-hook``.
    """
    foreign = passing.split(argv)
    if foreign is not None:
        return (foreign.command,)
    for word in argv:
        if word in COMMANDS:
            return (word,)
        if word not in FLAGS:
            break
    return COMMANDS


def load(names: Iterable[str] = COMMANDS) -> list[tuple[str, Any]]:
    """Import the modules of commands, and with each what it needs, which is most of a command's start.

    Args:
        names: Of ``COMMANDS``.

    Returns:
        Names and modules (``parsing.Command``).
    """
    return [(name, import_module(f"veln_hook.cli.{name}")) for name in names]


def dispatch(argv: Sequence[str], commands: Sequence[tuple[str, Any]]) -> int:
    """Parse, run, and turn whatever is raised into one error and its exit status.

    Args:
        argv: What follows ``veln-hook``.
        commands: What ``load`` returned, at least for those that are ``needed``.

    Raises:
        ImportError: Something that is imported where it is needed only isn't there.
    """
    foreign = passing.split(argv)
    # What follows "--" is another program's.
    ours = argv[: argv.index("--")] if "--" in argv else argv
    if foreign is not None:
        ours = foreign.ours
    console = _console(
        foreign.command if foreign is not None else _first_word(argv),
        as_json="--json" in ours,
        color="--no-color" not in ours,
    )
    try:
        args = make_parser(commands).parse_args(argv) if foreign is None else _foreign(foreign, commands)
        name = " ".join(filter(None, (args.command, getattr(args, "action", ""))))
        console = _console(name, as_json=args.json, quiet=args.quiet, color=not args.no_color)
        status = int(args.run(Invocation(args, console)))
    except SystemExit as exit_:  # --help and --version; pip's refusal to be loaded, which has told why
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except UsageError as error:
        console.error(error)
        status = int(ExitStatus.USAGE)
    except VelnHookError as error:
        console.error(error)
        status = int(ExitStatus.BROKEN)
    except (KeyboardInterrupt, BrokenPipeError, ImportError):
        console.clear()
        raise
    except Exception as error:  # noqa: BLE001 - a bug of ours ends as one error, too, and in its own status
        console.error(VelnHookError(f"{type(error).__name__}: {error}"))
        traceback.print_exc()
        status = int(ExitStatus.BROKEN)
    console.finish()
    return status


def _foreign(found: passing.Foreign, commands: Sequence[tuple[str, Any]]) -> argparse.Namespace:
    """Return the arguments of a command whose own words are another program's."""
    return argparse.Namespace(
        command=found.command,
        words=found.words,
        allow=found.allow,
        json="--json" in found.ours,
        quiet=not {"-q", "--quiet"}.isdisjoint(found.ours),
        no_color="--no-color" in found.ours,
        run=next(module.run for name, module in commands if name == found.command),
    )


def _first_word(argv: Sequence[str]) -> str:
    return next((word for word in argv if not word.startswith("-")), "")


def _console(name: str, *, as_json: bool, color: bool, quiet: bool = False) -> Console:
    """Return the console of a command; one that runs another program leaves standard output to that."""
    shared = name == "run" or name in passing.FOREIGN
    out = sys.stderr if shared else None
    return Console(name, as_json=as_json, quiet=quiet, color=color, shared=shared, out=out)
