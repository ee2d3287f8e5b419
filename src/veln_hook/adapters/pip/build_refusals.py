"""What builds tried to reach in vain, told in pip's output: a line for each host, once a run.

Hosts and processes are a build's own words: what is printed of them can't drive a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.adapters.building.refusals import by_host, no_network_line, refusal_line
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from veln_hook.adapters.pip.run import Run
    from veln_hook.sandbox.interface import Refusal

_MAX_TOLD = 5
"""Hosts that one command's refusals are told of; the rest is counted."""


def tell_refusals(
    run: Run,
    name: str,
    refusals: Sequence[Refusal],
    *,
    allowed: Iterable[str] = (),
    index_hosts: Iterable[str] = (),
    failed: bool = False,
) -> None:
    """Print what a command of a build tried to reach, unless another of its commands had that told.

    Args:
        run: The run that tells it, and in which it counts as told.
        name: What is built.
        refusals: Of the sandbox and the gate.
        allowed: The policy's ``sandbox.allow_hosts``.
        index_hosts: Hosts that no policy opens to a build, besides PyPI's.
        failed: Whether the command failed, and may have done so for want of a host.
    """
    hosts = by_host(refusals)
    # What a build failed for is told with what helps, even if it was told without that before.
    kinds = ("advised",) if failed else ("refused", "advised")
    fresh = [host for host in hosts if not any((kind, f"{name} {host}") in run.told for kind in kinds)]
    run.told.update((kinds[0], f"{name} {host}") for host in fresh)
    for host in fresh[:_MAX_TOLD]:
        run.notice(refusal_line(name, hosts[host], allowed=allowed, index_hosts=index_hosts, failed=failed))
    more = len(fresh) - _MAX_TOLD
    if more > 0:
        word = "host" if more == 1 else "hosts"
        run.notice(printable(f"veln-hook: the build of {name} tried to reach {more} more {word}"))


def tell_no_network(run: Run, name: str) -> None:
    """Print that a build which failed had no network, where nobody can tell what it tried to reach."""
    if ("no network", name) not in run.told:
        run.told.add(("no network", name))
        run.notice(no_network_line(name))
