"""A guard with a store of its own: a connection to SQLite is one thread's alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from veln_hook import clock
from veln_hook.guard.orchestrator import Guard
from veln_hook.store import open_policy_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from veln_hook.model import Archive
    from veln_hook.policy.settings import Policy
    from veln_hook.source.baseline import BaselineSource
    from veln_hook.store import Store


def open_guard(
    policy: Policy,
    *,
    store: Callable[[], Store] | None = None,
    prefix: str = sys.prefix,
    now: Callable[[], datetime] = clock.now,
    baselines: BaselineSource | None = None,
    on_slow: Callable[[Archive], None] | None = None,
) -> Guard:
    """Return a guard for what is outside of pip, which is to be closed, and its store after it.

    Args:
        policy: The settings in force.
        store: Opens the store; by default the policy's.
        prefix: As of `Guard`, like ``now``, ``baselines`` and ``on_slow``.
        now: See there.
        baselines: See there.
        on_slow: See there.

    Raises:
        StoreError: The store can't be used.
        PluginError: The policy enables a plugin that can't be loaded.
    """
    # Not above: pip's process has no use for it, and each module costs it time.
    from veln_hook.archive.direct_build import direct_build_contents  # noqa: PLC0415

    opened = open_policy_store(policy) if store is None else store()
    try:
        return Guard(
            policy,
            opened,
            prefix=prefix,
            now=now,
            baselines=baselines,
            on_slow=on_slow,
            direct_builds=direct_build_contents,
        )
    except BaseException:
        opened.close()
        raise
