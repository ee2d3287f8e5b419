"""Which cache uv works in: one of ours, for each way of judging.

uv installs what lies in its cache without asking anybody. A cache holds what one policy has let pass, so a
policy that lets less pass needs another; and so does a machine on which an approval ended, or which has since
learned that something of what it let pass is malware.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from veln_hook import __version__
from veln_hook.source.facts import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from veln_hook.model import Approval
    from veln_hook.policy.settings import Policy

_SECTIONS = ("cooling", "decisions", "signals", "approvals", "indexes", "exceptions", "plugins", "feed")
"""Of the policy: what verdicts depend on."""
_MARK = ".veln-hook"
_UNUSED_S = 30 * 86400


def cache_for(
    base: str, policy: Policy, approvals: Iterable[Approval], now: datetime, *, learned: Sequence[str] = ()
) -> str:
    """Return the cache that holds only what is let pass now, and mark it as used.

    Args:
        base: Directory of all our caches.
        policy: The settings in force.
        approvals: All there are, those that ended included.
        now: Aware, UTC.
        learned: What is known now that would have kept something out (``guard.advice.learned_since``).

    Raises:
        OSError: It can't be made.
    """
    told = policy.to_dict()
    ended = sorted(approval.id for approval in approvals if not approval.is_active(now))
    lifted = sorted(exception.sha256 for exception in policy.exceptions if exception.is_active(now))
    by = [__version__, RULES, {name: told[name] for name in _SECTIONS}, ended, lifted, list(learned)]
    name = hashlib.sha256(json.dumps(by, sort_keys=True).encode()).hexdigest()[:16]
    path = os.path.join(base, name)
    os.makedirs(path, mode=0o700, exist_ok=True)
    with open(os.path.join(path, _MARK), "w", encoding="ascii"):
        pass
    return path


def remove_unused(base: str, *, but: str) -> None:
    """Remove caches that nobody has used for 30 days; what was installed from them stays.

    Args:
        base: Directory of all our caches.
        but: The one in use.
    """
    with suppress(OSError):
        for entry in list(os.scandir(base)):
            if entry.path == but or not entry.is_dir(follow_symlinks=False):
                continue
            with suppress(OSError):
                used = os.stat(os.path.join(entry.path, _MARK)).st_mtime
                if used < time.time() - _UNUSED_S:
                    shutil.rmtree(entry.path, ignore_errors=True)
