"""What veln-hook makes of one archive: the only place here that knows its engine."""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any


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
    """Judge an archive, against a baseline if one is given.

    Returns:
        ``decision``, the word, and ``findings``, each with signal, severity,
        confidence, path, line, reach and message.
    """
    from veln_hook.signals import source  # noqa: PLC0415

    verdict = source.judge_facts(_facts(path), _facts(baseline) if baseline else None)
    return {"decision": verdict.decision.word, "findings": [_plain(finding) for finding in verdict.findings]}
