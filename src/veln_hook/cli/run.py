"""Run a command confined: no network but what is allowed, no secrets, no way to write elsewhere.

The command doesn't notice: its streams, its terminal, its signals and its exit status pass. What it was
refused is told on standard error when it has ended, and nothing is told if nothing was.

With ``--gate`` it is an installer, and not confined but for its network: ``run_gated``.
"""

from __future__ import annotations

import argparse
import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

from veln_hook import paths
from veln_hook.cli import foreground
from veln_hook.cli.confining import Wishes, confine
from veln_hook.cli.watching import Watch
from veln_hook.errors import SandboxError, UsageError
from veln_hook.gate import extra
from veln_hook.report.denials import denial_lines, denial_objects, denials, hint_lines, policy_lines
from veln_hook.report.wording import printable
from veln_hook.sandbox import ladder
from veln_hook.sandbox.client import Launch
from veln_hook.sandbox.environment import is_credential_name
from veln_hook.sandbox.interface import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.cli.confining import Confined
    from veln_hook.cli.console import Console
    from veln_hook.cli.invocation import Invocation
    from veln_hook.gate.egress import Egress
    from veln_hook.policy.settings import Policy
    from veln_hook.report.denials import Denials
    from veln_hook.sandbox.interface import Report, Rung

HELP = "run a command without network, secrets, or a way to write elsewhere"
USAGE = "run [options] -- COMMAND [ARGUMENT...]"
TIMED_OUT = 124
"""As timeout(1) has it."""
_MAX_NAMES = 5


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``run``."""
    several: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("--allow", metavar="HOST[:PORT]", **several, help="a host that it may reach")
    parser.add_argument(
        "--write", metavar="DIR", **several, help="a place it may write, besides this directory"
    )
    parser.add_argument("--read", metavar="PATH", **several, help="a place it may read, in your home or /tmp")
    parser.add_argument("--env", metavar="NAME", **several, help="a variable that it gets, secret or not")
    parser.add_argument("--timeout", metavar="SECONDS", type=_seconds, help="end it after that time")
    parser.add_argument(
        "--gate",
        action="store_true",
        help="for an installer: judge what it fetches from indexes, and confine nothing but its network",
    )
    parser.add_argument("--index", metavar="URL", **several, help="with --gate: a further index of its")
    parser.add_argument("--learn", action="store_true", help="tell what it needs, as lines of a policy")
    parser.add_argument(
        "command_line", metavar="COMMAND", nargs=argparse.REMAINDER, help="a program and its arguments"
    )


def run(invocation: Invocation) -> NoReturn:
    """Run the command, then end this process as it ended: with its exit status, or by the same signal.

    Raises:
        UsageError: It can't be run in this way.
        SandboxError: This machine has no sandbox; nothing was run.
        PolicyError: The policy can't be read.
    """
    wishes = wishes_of(invocation.args)
    if invocation.args.gate:
        from veln_hook.cli import run_gated  # noqa: PLC0415 - what is confined needs none of it

        run_gated.run(invocation, wishes)
    if invocation.args.index:
        raise UsageError("--index goes with --gate", advice="A confined command reaches no index.")
    policy = invocation.policy()
    found = ladder.find()
    if found.rung is None:
        reasons = "; ".join(f"{probe.rung.value}: {probe.reason}" for probe in found.probes)
        message = f"no sandbox works here, so nothing was run{reasons and f' ({reasons})'}"
        raise SandboxError(message, advice=found.advice or None)
    status = run_on(found.rung, wishes, policy, invocation.console)
    invocation.console.finish()
    foreground.end_at_once(status)


def wishes_of(args: argparse.Namespace) -> Wishes:
    """Return what the arguments ask for.

    Raises:
        UsageError: There is no command.
    """
    words = args.command_line
    if words and words[0] == "--":  # argparse leaves it there, or not, by its version
        words = words[1:]
    if not words or not words[0]:
        raise UsageError("there is no command to run", advice=f"veln-hook {USAGE}")
    if any("=" in name or not name for name in args.env):
        raise UsageError("--env takes a name, not a value", advice="Set the variable before.")
    return Wishes(
        command=tuple(words),
        allow=tuple(args.allow),
        write=tuple(args.write),
        read=tuple(args.read),
        keep=tuple(args.env),
        seconds=args.timeout,
        learn=args.learn,
    )


class _Ended(NamedTuple):
    """What came of the command."""

    status: int
    """As ``os.waitpid`` has it."""
    report: Report
    refusals: tuple[Refusal, ...]
    """Of the sandbox and the gate."""
    changed: tuple[str, ...]
    """What it made or changed of the files that other programs run."""


def run_on(
    rung: Rung, wishes: Wishes, policy: Policy, console: Console, *, gate: Egress | None = None
) -> int:
    """Run the command in one way of confining it; return its exit status, or die by the signal it died by.

    Args:
        rung: One that works here.
        wishes: What was asked for.
        policy: For the hosts that it allows, and those of its indexes.
        console: For what is told afterwards.
        gate: Stands in for the one that would be made; it is not closed.

    Raises:
        UsageError: It can't be run in this way.
    """
    allowed = tuple(dict.fromkeys((*policy.sandbox.allow_hosts, *wishes.allow)))
    indexes = {host for host in (urlsplit(index.url).hostname for index in policy.indexes) if host}
    try:
        here = os.getcwd()
    except OSError as error:
        raise UsageError(
            f"the working directory can't be told: {error.strerror}",
            advice="Change into a directory that is there.",
        ) from error
    confined = confine(wishes, here, os.environ, rung, terminal=foreground.has_terminal())
    with ExitStack() as stack:
        if gate is None and _needs_gate(allowed, learn=wishes.learn):
            from veln_hook.gate.egress import Egress  # noqa: PLC0415 - it needs an extra

            gate = stack.enter_context(Egress(allowed, index_hosts=indexes))
        ended = _started(confined, wishes, rung, gate)
    told = denials(ended.refusals, allowed, indexes)
    console.result(_object(wishes, rung, ended, confined, denial_objects(told)))
    if ended.report.timed_out:
        console.note(f"veln-hook: it took longer than {wishes.seconds:g} s and was ended")
    if ended.changed:
        told_names = printable(", ".join(ended.changed[:_MAX_NAMES]))
        console.note(f"veln-hook: look at what it changed, since other programs run it: {told_names}")
    if wishes.learn:
        _tell_learned(console, told, confined)
    else:
        for line in (*denial_lines(told), *hint_lines(told)):
            console.note(line)
        _tell_removed(console, ended, confined)
    if ended.report.timed_out:
        return TIMED_OUT
    if os.WIFSIGNALED(ended.status):
        console.finish()  # it is the last moment
    return foreground.end_likewise(ended.status)


def _needs_gate(allowed: Sequence[str], *, learn: bool) -> bool:
    """Tell whether there must be a gate, or should be: one that refuses all learns ports besides names.

    Raises:
        UsageError: There must be, and it is not installed.
    """
    try:
        extra.require()
    except UsageError:
        if allowed:
            raise
        return False
    return bool(allowed) or learn


def _started(confined: Confined, wishes: Wishes, rung: Rung, gate: Egress | None) -> _Ended:
    """Start the command, and wait until nothing of it runs any more."""
    here = confined.confinement.cwd
    watch = Watch(here, map(os.path.realpath, wishes.write)) if here in confined.confinement.write else None
    # Signals first: the gate's threads must not get those that are for the command.
    with foreground.signals_held():
        route = None if gate is None else gate.open_route()
        with Launch(confined.confinement, wishes.command, rung, route=route) as launch:
            try:
                child = foreground.Child(
                    launch.argv,
                    # The launcher needs no secret either: what it has, others could find in /proc.
                    environment=confined.confinement.environment,
                    descriptors=() if route is None else (route,),
                )
            finally:
                if route is not None:
                    os.close(route)
            status = child.wait()
            report = launch.report()
    reached = () if gate is None else gate.refusals()
    changed = () if watch is None else tuple(watch.changes())
    return _Ended(status, report, (*report.refusals, *(Refusal(*row) for row in reached)), changed)


def _tell_learned(console: Console, told: Denials, confined: Confined) -> None:
    for line in denial_lines(told):
        console.line(line)
    for line in hint_lines(told, options=False):
        console.line(line)
    if told.entries():
        console.line(f"These lines in {paths.user_policy()} would allow it:")
        console.line()
        for line in policy_lines(told):
            console.line(line)
        console.line()
    if not told.refusals:
        console.line("veln-hook: it tried to reach nothing that is not allowed")
    if confined.removed:
        console.line(f"Variables that it didn't get, and --env NAME gives: {', '.join(confined.removed)}")


def _tell_removed(console: Console, ended: _Ended, confined: Confined) -> None:
    """Tell of credentials that it didn't get, where that may be why it failed."""
    names = [name for name in confined.removed if is_credential_name(name)]
    failed = os.WIFEXITED(ended.status) and os.WEXITSTATUS(ended.status)
    if names and failed:
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        told = f"{', '.join(names[:_MAX_NAMES])}{more}"
        console.note(f"veln-hook: it failed, and didn't get {told}; --env NAME gives one")


def _object(
    wishes: Wishes, rung: Rung, ended: _Ended, confined: Confined, refusals: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the one entry of ``results`` that ``--json`` has."""
    killed = os.WIFSIGNALED(ended.status)
    return {
        "argv": list(wishes.command),
        "rung": rung.value,
        "exit_status": None if killed else os.WEXITSTATUS(ended.status),
        "signal": signal.Signals(os.WTERMSIG(ended.status)).name if killed else None,
        "timed_out": ended.report.timed_out,
        "removed": list(confined.removed),
        "changed": list(ended.changed),
        "refusals": list(refusals),
    }


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
