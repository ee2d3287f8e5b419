"""The command line: its parser, and what several commands read from it."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from veln_hook import __version__
from veln_hook.errors import UsageError
from veln_hook.policy.durations import parse_duration
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import ExitStatus


class Command(Protocol):
    """What each module of a command offers."""

    HELP: str
    """One line."""
    USAGE: str
    """What follows ``veln-hook``, the options that are rarely needed in short."""

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Add its arguments."""

    def run(self, invocation: Invocation) -> ExitStatus:
        """Do it; of a command with actions, each has a function of its own instead."""


class Parser(argparse.ArgumentParser):
    """Raises where argparse would print and exit."""

    def __init__(self, **options: Any) -> None:
        # An abbreviation that works today is ambiguous when an option is added.
        super().__init__(**{**options, "allow_abbrev": False})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse as argparse does, and tell words that a command doesn't know with that command's usage."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Raise a ``UsageError`` with the usage in one line as its advice."""
        usage = " ".join(self.format_usage().split())
        raise UsageError(printable(message), advice=f"{usage} (more: '{self.prog} --help')")


def make_parser(commands: Sequence[tuple[str, Any]]) -> Parser:
    """Return the parser of the whole command line.

    Args:
        commands: Names, and modules that fit ``Command``; those that this command line may be about.
    """
    parser = Parser(
        prog="veln-hook",
        usage="veln-hook [options] COMMAND ...",
        description="Tells what veln-hook holds back from pip, and records who let what pass.",
        epilog="Exit status: 0; 1 blocked, or no protection; 2 usage; 75 held, retry later; "
        "77 a hold needs a person; 78 our own failure or a broken policy. docs/cli.md tells more.",
    )
    parser.add_argument("--version", action="version", version=f"veln-hook {__version__}")
    _add_common(parser, default=False)
    subparsers = parser.add_subparsers(prog="veln-hook", dest="command", metavar="COMMAND", required=True)
    for name, module in commands:
        sub = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__.partition("\n")[0],
            usage=f"veln-hook {module.USAGE}",
        )
        _add_common(sub, default=argparse.SUPPRESS)
        # Of a command with actions each has its own, and one has to be named.
        sub.set_defaults(run=getattr(module, "run", None))
        module.add(sub)
    return parser


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``, ``--quiet`` and ``--no-color``, which stand before or after a command."""
    _add_common(parser, default=argparse.SUPPRESS)


FLAGS = frozenset(("--json", "-q", "--quiet", "--no-color"))
"""What may stand before a command, and takes no value."""


def _add_common(parser: argparse.ArgumentParser, *, default: Any) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--json", action="store_true", default=default, help="one JSON object on stdout (run: on stderr)"
    )
    group.add_argument(
        "-q", "--quiet", action="store_true", default=default, help="only what was asked for, and problems"
    )
    group.add_argument(
        "--no-color", action="store_true", default=default, help="no colours; so does the variable NO_COLOR"
    )


def release(text: str) -> tuple[str, str]:
    """Read ``NAME==VERSION``.

    Returns:
        The normalized name, and the version as it was written.

    Raises:
        UsageError: It is nothing of the kind.
    """
    name, equals, version = (part.strip() for part in text.partition("=="))
    try:
        Version(version)
    except InvalidVersion:
        equals = ""
    if not equals or not _NAME.fullmatch(name):
        raise UsageError(
            f"{printable(text)!r} is not a release", advice="Write it as NAME==VERSION, one exact version."
        )
    return canonicalize_name(name), version


_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)  # PEP 508


def span(text: str, option: str) -> timedelta:
    """Read a duration that is longer than nothing.

    Raises:
        UsageError: It is none.
    """
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {printable(text)}: {error}", advice='Write it as "7d" or "12h".'
        ) from error
    if duration <= timedelta():
        raise UsageError(
            f"{option} {printable(text)}: must be longer than nothing", advice='Write "7d", say.'
        )
    return duration
