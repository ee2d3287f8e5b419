"""Show the policy in force, check the policy files, tell where they lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veln_hook.cli.parsing import add_common
from veln_hook.errors import PolicyError, UsageError
from veln_hook.model import ExitStatus
from veln_hook.policy import schema
from veln_hook.policy.loading import PolicySources, load_policy, validate_file
from veln_hook.report.text import table
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from veln_hook.cli.invocation import Invocation
    from veln_hook.policy.settings import Policy

HELP = "show, validate, or locate the policy"
USAGE = "policy [options] show | validate [FILE] | paths"
_FILE_LAYERS = (schema.SYSTEM, schema.USER, schema.ENVIRONMENT, schema.PROJECT)


def add(parser: argparse.ArgumentParser) -> None:
    """Add ``show``, ``validate`` and ``paths``."""
    actions = parser.add_subparsers(prog="veln-hook policy", dest="action", metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        help="the policy in force",
        description="Show every setting in force and the layer it came from.",
    )
    show.set_defaults(run=run_show)
    validate = actions.add_parser(
        "validate",
        help="everything wrong with the files",
        description="Tell everything that is wrong, by line.",
    )
    validate.add_argument("file", metavar="FILE", nargs="?", help="this file instead of those in force")
    validate.add_argument(
        "--layer",
        choices=_FILE_LAYERS,
        default=schema.USER,
        help="the layer FILE is meant for (default: user)",
    )
    validate.set_defaults(run=run_validate)
    places = actions.add_parser(
        "paths",
        help="where the files lie",
        description="Tell where each layer's file lies, and if it is there.",
    )
    places.set_defaults(run=run_paths)
    for action in (show, validate, places):
        add_common(action)


def run_show(invocation: Invocation) -> ExitStatus:
    """Show every setting and its layer."""
    console = invocation.console
    policy = invocation.policy()
    console.result(policy.to_dict())
    rows = [(key, "=", value, f"({layer})") for key, value, layer in settings(policy)]
    for line in table(rows):
        console.line(line)
    for entry in sorted(policy.locked):
        console.line(f"locked: {entry} (by {policy.locked_by(entry)})")
    for ignored in policy.ignored:
        place = ignored.path if ignored.line is None else f"{ignored.path}:{ignored.line}"
        console.line(printable(f"ignored: {ignored.key} = {ignored.value} in {place}: {ignored.reason}"))
    return ExitStatus.OK


def settings(policy: Policy) -> Iterator[tuple[str, str, str]]:
    """Yield each setting as dotted key, value and layer; durations as ISO 8601."""
    told = policy.to_dict()
    for section in ("cooling", "decisions", "signals", "approvals", "sandbox", "store", "plugins"):
        yield from _walk(policy, section, told[section])
    for index in told["indexes"]:
        layer = policy.origin(f"indexes.{index['url']}")
        yield "indexes", ", ".join(f"{key} {value}" for key, value in index.items() if value), layer
    for exception in told["exceptions"]:
        text = f"{exception['sha256']} until {exception['expires'] or 'for ever'}: {exception['reason']}"
        yield "exceptions", text, policy.origin("exceptions")


def _walk(policy: Policy, key: str, value: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(policy, f"{key}.{name}", inner)
    elif value is not None:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if isinstance(value, bool):
            text = text.lower()
        yield key, text or '""', policy.origin(key.replace("cooling.at_least.", "cooling.projects."))


def run_validate(invocation: Invocation) -> ExitStatus:
    """Tell everything that is wrong with one file, or with all layers together."""
    args, console = invocation.args, invocation.console
    problems: list[PolicyError] = []
    checked: list[tuple[str, str]] = []
    if args.file:
        path = Path(args.file)
        if not path.exists():
            raise UsageError(f"no such file: {printable(args.file)}", advice="Name an existing policy file.")
        checked.append((args.layer, str(path)))
        problems += validate_file(path, args.layer)
    else:
        for layer, place in PolicySources().by_layer():
            if place is not None and os.path.lexists(place):
                checked.append((layer, str(place)))
                problems += validate_file(place, layer)
        if not problems:
            try:
                load_policy(environ=os.environ)
            except PolicyError as error:  # what only shows when the layers meet: locks, and variables
                problems.append(error)
    for problem in problems:
        console.error(problem)
    for layer, name in checked:
        wrong = sum(problem.path == name for problem in problems)
        console.result({"layer": layer, "path": name, "problems": wrong})
        console.note(printable(f"{'wrong' if wrong else 'good':<5} {layer}: {name}"))
    if not checked:
        console.note("no policy file is there, so the defaults are in force")
    return ExitStatus.BROKEN if problems else ExitStatus.OK


def run_paths(invocation: Invocation) -> ExitStatus:
    """Tell where each layer's file lies, from the top down."""
    console = invocation.console
    rows = []
    for layer, place in PolicySources().by_layer():
        present = place is not None and os.path.lexists(place)
        console.result({"layer": layer, "path": str(place or ""), "present": present})
        rows.append(
            (layer, "there" if present else "absent", str(place or "no pyproject.toml here or above"))
        )
    for line in table(rows):
        console.line(line)
    return ExitStatus.OK
