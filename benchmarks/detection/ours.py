"""What veln-hook makes of one archive: the only place here that knows its engine."""

from __future__ import annotations

import functools
import gc
import re
import resource
import shutil
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_STACK_BYTES = 120 << 20
"""Of the main thread; the kernel keeps about as much room below it."""


@functools.lru_cache(maxsize=1)
def _as_the_worker() -> None:
    """Make of this process what the worker is, but for its limits on time and memory."""
    from veln_hook.source import worker  # noqa: PLC0415 - the peers' part runs without it

    gc.disable()
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    enough = _STACK_BYTES if hard == resource.RLIM_INFINITY else min(hard, _STACK_BYTES)
    resource.setrlimit(resource.RLIMIT_STACK, (enough, hard))
    sys.setrecursionlimit(worker.RECURSION)


@functools.lru_cache(maxsize=2)
def _facts(path: str) -> Any:
    from veln_hook.source import scanning  # noqa: PLC0415 - the peers' part runs without it

    if not path.endswith(".py"):
        return scanning.scan_path(path)
    # A single file, of the fixtures: the one module of a source tree.
    with tempfile.TemporaryDirectory(prefix="veln-fixture-") as tree:
        module = re.sub(r"\W", "_", Path(path).stem, flags=re.ASCII)
        shutil.copyfile(path, Path(tree, f"{module}.py"))
        return scanning.scan_path(tree)


def _plain(finding: Any) -> dict[str, Any]:
    def told(name: str) -> Any:
        value = getattr(finding, name, None)
        return value.word if hasattr(value, "word") else getattr(value, "value", value)

    names = ("signal", "severity", "confidence", "path", "line", "reach", "message")
    return {name: told(name) for name in names}


def judge(path: str, baseline: str | None) -> dict[str, Any]:
    """Judge an archive under the default policy, against a baseline if one is given.

    As ``Guard.check_archive`` does, the baseline is asked about what does not
    pass, or would not if all of it were new.

    Returns:
        ``decision``, the word, and ``findings``, each with signal, severity,
        confidence, path, line, reach and message.
    """
    from veln_hook.model import Archive, ArchiveKind, Origin  # noqa: PLC0415
    from veln_hook.policy.decide import decide  # noqa: PLC0415
    from veln_hook.policy.settings import Policy  # noqa: PLC0415
    from veln_hook.signals.source import judging  # noqa: PLC0415

    _as_the_worker()
    # Nothing is known of it but its bytes: no project whose approvals or ages could count.
    archive = Archive(path, ArchiveKind.SDIST, Origin.FETCHED, Path(path).name)

    def verdict(before: Any) -> Any:
        found = judging.judge(facts, before)
        return decide(archive, found, policy=Policy(), approvals=(), now=datetime.now(timezone.utc))

    facts = _facts(path)
    ruled = verdict(None)
    if baseline is not None and (not ruled.passes or judging.would_hold_if_new(facts)):
        ruled = verdict(_facts(baseline))
    gc.collect()
    return {"decision": ruled.decision.word, "findings": [_plain(ruling.finding) for ruling in ruled.rulings]}
