"""All the parts of an index proxy, put together."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Callable

from veln_hook import clock
from veln_hook.guard import Guard, open_guard
from veln_hook.index_proxy.judges import Judges
from veln_hook.index_proxy.ledger import Ledger
from veln_hook.index_proxy.previous import Previous
from veln_hook.index_proxy.proxy import IndexProxy
from veln_hook.index_proxy.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from veln_hook.index_proxy.proxy import Allowed
    from veln_hook.model import Archive
    from veln_hook.policy.settings import Policy
    from veln_hook.sandbox.ladder import Ladder
    from veln_hook.store import Store


def open_index_proxy(
    policy: Policy,
    *,
    indexes: Iterable[str],
    find_links: Iterable[str] = (),
    files: Iterable[str] = (),
    rules: Allowed | None = None,
    services: Allowed | None = None,
    ladder: Callable[[], Ladder] | None = None,
    prefix: str = sys.prefix,
    installed: Callable[[str], str] | None = None,
    on_slow: Callable[[Archive], None] | None = None,
    directory: str | None = None,
    threads: int = 2,
    store: Callable[[], Store] | None = None,
    now: Callable[[], datetime] = clock.now,
) -> IndexProxy:
    """Return an index proxy with judges, a spool and a ledger of its own; close it before the gate.

    Args:
        policy: The settings in force.
        indexes: As of `IndexProxy`, like ``find_links``, ``files``, ``rules``, ``services`` and ``ladder``.
        find_links: See there.
        files: See there.
        rules: See there.
        services: See there.
        ladder: See there.
        prefix: ``sys.prefix`` of the environment installed into.
        installed: Tells the version of a project that is installed there; empty if none is.
        on_slow: Told of an archive whose code takes longer than a second to read, in a thread of its judge.
        directory: Where files are kept on their way; by default where temporary files go.
        threads: How many archives are judged at a time.
        store: Opens a store for one judge; by default the policy's.
        now: The clock.
    """
    previous = Previous(installed)

    def make() -> Guard:
        return open_guard(policy, store=store, prefix=prefix, now=now, baselines=previous, on_slow=on_slow)

    return IndexProxy(
        Judges(make, threads),
        indexes=indexes,
        find_links=find_links,
        files=files,
        rules=rules,
        services=services,
        ledger=Ledger(),
        spool=Spool(directory),
        policy=policy,
        ladder=ladder,
        previous=previous,
    )
