"""``yanked``: the maintainers have taken the release back (PEP 592).

pip and uv take a yanked release only where nothing else fits, or where it is pinned; that stays so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Severity
from veln_hook.signals.hookspecs import SignalInfo, hookimpl
from veln_hook.signals.release.recent import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.model import Candidate, Finding

NAME = "yanked"


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (SignalInfo(NAME, "Tells of a release that its maintainers have yanked."),)


@hookimpl
def veln_hook_examine_candidates(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Finding]]:
    """Find what is yanked; whether it is used at all, the installer decides."""
    for candidate in candidates:
        if candidate.yanked:
            message = "it was yanked: its maintainers say that it should not be used"
            yield candidate, finding(NAME, Severity.MEDIUM, message, Confidence.HIGH)
