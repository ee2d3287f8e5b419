"""What ``status`` and ``doctor`` tell of the sandbox: how commands are confined, and what would improve it.

The rules of ``probes`` hold: a probe looks at one thing, changes nothing, and never raises.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from veln_hook.cli.probing import Machine, ProbeResult
from veln_hook.errors import PolicyError, SandboxError, UsageError
from veln_hook.gate import extra
from veln_hook.policy.loading import load_policy
from veln_hook.policy.settings import SandboxPolicy
from veln_hook.sandbox import ladder, landlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.sandbox.ladder import Ladder


def sandbox(machine: Machine) -> ProbeResult:
    """Which way of confining a command works here, tried; why the others don't."""
    found = ladder.find(every=True)
    details = tuple(_details(found))
    wanted = _policy(machine).builds
    if found.rung is not None:
        what = "commands, but by the policy no builds," if wanted == "off" else "commands and builds"
        ok = None if wanted == "off" else True
        summary = f"{found.rung.value}: {what} are confined"
        return ProbeResult("sandbox", ok=ok, summary=summary, details=details, remedy=found.advice)
    summary = "none works here: builds are held, and 'veln-hook run' runs nothing"
    if wanted == "off":
        summary = "none works here, and the policy lets builds run unconfined"
    if wanted != "require":
        return ProbeResult("sandbox", ok=None, summary=summary, details=details, remedy=found.advice)
    error = SandboxError(
        'none works here, and the policy says sandbox.builds = "require": nothing is built',
        advice=found.advice or None,
    )
    return ProbeResult(
        "sandbox", ok=False, summary=str(error), details=details, remedy=error.advice, error=error
    )


def gate(machine: Machine) -> ProbeResult:
    """Whether confined commands could be let through to hosts that are allowed."""
    allowed = _policy(machine).allow_hosts
    hosts = f"the policy allows {', '.join(allowed)}" if allowed else "the policy allows no host"
    try:
        extra.require()
    except UsageError as error:
        # Without a host that is allowed, nothing needs it.
        return ProbeResult(
            "gate",
            ok=False if allowed else None,
            summary=f"not installed; {hosts}",
            details=("It is the way from confined commands to hosts that are allowed.",),
            remedy=f"{sys.executable} -m pip install 'veln-hook[gate]'",
            error=error if allowed else None,
        )
    return ProbeResult("gate", ok=True, summary=f"installed; {hosts}")


def _policy(machine: Machine) -> SandboxPolicy:
    try:
        return load_policy(environ=machine.environ).sandbox
    except PolicyError:  # another probe tells that
        return SandboxPolicy()


def _details(found: Ladder) -> Iterator[str]:
    """Yield a line for each way, and for what it is made of."""
    for probe in found.probes:
        yield f"{probe.rung.value}: {probe.reason}"
    if sys.platform == "linux":
        version = landlock.abi()
        yield f"Landlock: {f'ABI {version}' if version else 'not in this kernel'}"
