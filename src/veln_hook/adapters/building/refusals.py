"""What a build tried to reach in vain, as lines to be printed.

Hosts and processes are a build's own words: what is printed of them can't drive a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.gate.hosts import bracketed
from veln_hook.report.denials import denials
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from veln_hook.sandbox.interface import Refusal


def no_network_line(name: str) -> str:
    """Return the line for a build that failed and had no network, where nobody heard what it asked for."""
    return printable(
        f"veln-hook: the build of {name} had no network; if it failed for want of a host, "
        "allow that host with sandbox.allow_hosts in the policy"
    )


def by_host(refusals: Sequence[Refusal]) -> dict[str, list[Refusal]]:
    """Sort what was refused by host, in the order of the first attempts."""
    hosts: dict[str, list[Refusal]] = {}
    for refused in refusals:
        hosts.setdefault(refused.host, []).append(refused)
    return hosts


def refusal_line(
    name: str,
    refusals: Sequence[Refusal],
    *,
    allowed: Iterable[str] = (),
    index_hosts: Iterable[str] = (),
    failed: bool = False,
) -> str:
    """Return the line that tells of a host that a build tried to reach.

    How to allow a host is said where the build failed only: else it was not needed, and a line to be
    pasted would be an invitation.

    Args:
        name: What was built.
        refusals: At least one, all of one host.
        allowed: The policy's ``sandbox.allow_hosts``.
        index_hosts: Hosts that no policy opens to a build, besides PyPI's.
        failed: Whether the build failed.
    """
    host = refusals[0].host
    ports = {refused.port for refused in refusals if refused.port is not None}
    place = f"{bracketed(host)}:{next(iter(ports))}" if len(ports) == 1 else host
    count = sum(refused.count for refused in refusals)
    processes = dict.fromkeys(refused.process for refused in refusals if refused.process)
    who = ", ".join([*processes, "once" if count == 1 else f"{count} times"])
    line = f"veln-hook: the build of {name} tried to reach {place} and was refused ({who})"
    return printable(line + (_advice(refusals, allowed, index_hosts) if failed else "; it went on without"))


def _advice(refusals: Sequence[Refusal], allowed: Iterable[str], index_hosts: Iterable[str]) -> str:
    """Return what would help a build that failed; empty where nothing would."""
    told = denials(refusals, allowed, index_hosts)
    if told.indexes():
        return "; what it needs to be built belongs into build-system.requires of its pyproject.toml"
    entries = ", ".join(f'"{entry}"' for entry in told.entries())
    if not entries:
        return ""
    return f"; if it is to have that, allow it with sandbox.allow_hosts = [{entries}] in the policy"
