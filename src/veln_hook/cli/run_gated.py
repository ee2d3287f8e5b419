"""Run any installer behind the gate, not confined: it may write where it likes, as it has to.

What it fetches from indexes is judged, other hosts have to be allowed. What it takes from elsewhere (files on
this machine, archives in a cache of its own that isn't known here) isn't seen.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, NoReturn

from veln_hook.adapters.installers import environment
from veln_hook.adapters.installers.indexes import sources_for
from veln_hook.adapters.shims import is_shim
from veln_hook.adapters.uv import cache as caches
from veln_hook.cli import foreground
from veln_hook.cli.gated import Gate, Openings, cache_in, story, tell
from veln_hook.cli.switching import is_off
from veln_hook.errors import UsageError
from veln_hook.gate import extra
from veln_hook.policy.switch import policy_and_switch
from veln_hook.report.wording import printable
from veln_hook.sandbox import ladder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veln_hook.cli.confining import Wishes
    from veln_hook.cli.gated import Place
    from veln_hook.cli.invocation import Invocation
    from veln_hook.policy.settings import Policy


def run(invocation: Invocation, wishes: Wishes) -> NoReturn:
    """Run the command, then end this process as it ended.

    Args:
        invocation: For the policy and the console.
        wishes: What was asked for.

    Raises:
        UsageError: It can't be run in this way.
        VelnHookError: It can't be guarded.
    """
    _refuse_others(wishes)
    program = _program(wishes.command[0], os.environ)
    argv = [program, *wishes.command[1:]]
    policy, switch = policy_and_switch(os.environ)
    if is_off(switch, policy, wishes.command, invocation.console):
        os.execve(program, [wishes.command[0], *wishes.command[1:]], os.environ)  # noqa: S606 - it was asked for
    extra.require("guarding an installer")
    status, ours = _guarded(argv, policy, invocation, wishes)
    invocation.console.finish()
    if os.WIFSIGNALED(status):
        foreground.end_likewise(status)
    code = os.WEXITSTATUS(status)
    foreground.end_at_once(ours if code and ours else code)


def _guarded(argv: Sequence[str], policy: Policy, invocation: Invocation, wishes: Wishes) -> tuple[int, int]:
    """Return the wait status of the command, and the exit status that what was held asks for."""
    cwd = os.getcwd()
    named = (*(index.url for index in policy.indexes), *invocation.args.index)
    sources = sources_for(argv, os.environ, cwd, indexes=named)
    allow = tuple(dict.fromkeys((*policy.sandbox.allow_hosts, *wishes.allow)))
    openings = Openings(sources.indexes, sources.pages, sources.files, allow)
    base = environment.cache_dir(os.environ)
    cache = cache_in(base, policy, needs="Installers need")

    def made(place: Place) -> Mapping[str, str]:
        return environment.behind_gate(
            os.environ, proxy=place.proxy, certificate=place.certificate, cache=cache
        )

    with foreground.signals_held() as blocked, ExitStack() as stack:
        gate = stack.enter_context(Gate(policy, os.environ, openings, ladder=ladder.find))
        status = gate.run(argv, made, blocked=blocked)
        gate.close()
    tell(invocation.console, policy, story(gate.ledger, gate.lines() if status else ()))
    caches.remove_unused(base, but=cache)
    return status, int(gate.exit_status())


def _refuse_others(wishes: Wishes) -> None:
    given = [
        option
        for option, value in (
            ("--write", wishes.write),
            ("--read", wishes.read),
            ("--env", wishes.keep),
            ("--timeout", wishes.seconds),
            ("--learn", wishes.learn),
        )
        if value
    ]
    if given:
        raise UsageError(
            f"{' and '.join(given)} goes not with --gate, which confines the network only",
            advice="Leave it out, or run the command confined: without --gate.",
        )


def _program(name: str, environ: Mapping[str, str]) -> str:
    """Return the path of a program; a shim of ours would only come back to us."""
    if "/" in name:
        return os.path.abspath(name)
    for entry in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(entry, name)
        if os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.X_OK) and not is_shim(path):
            return path
    raise UsageError(f"there is no {printable(name)} here", advice="Check the command, and PATH.")
