"""``project-status``: what the index says of the project as a whole (PEP 792).

``quarantined`` means that the index holds the project for malware and that nothing of it should be
installed. ``archived`` and ``deprecated`` are the maintainers' own words. PEP 792 may get more markers:
another one is told as it stands and leads to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.history import QUARANTINED
from veln_hook.model import Confidence, Severity
from veln_hook.signals.hookspecs import SignalInfo, hookimpl
from veln_hook.signals.release.recent import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.history import ProjectPage
    from veln_hook.model import Candidate, Finding

NAME = "project-status"
_MEANING = {
    QUARANTINED: "its index has put the project in quarantine: nothing of it should be installed",
    "archived": "its project is archived: no releases are to be expected any more",
    "deprecated": "its project is deprecated by its maintainers",
}


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (
        SignalInfo(
            NAME, "Holds what its index has put in quarantine; tells of what is archived or deprecated."
        ),
    )


@hookimpl
def veln_hook_examine_candidates(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Finding]]:
    """Say of each candidate what its page says of the project."""
    known: dict[int, Finding | None] = {}
    for candidate in candidates:
        page = candidate.page
        if page is None:
            continue
        if id(page) not in known:
            known[id(page)] = _judged(page)
        found = known[id(page)]
        if found is not None:
            yield candidate, found


def _judged(page: ProjectPage) -> Finding | None:
    marker, reason = page.status
    if marker in ("", "active"):
        return None
    message = _MEANING.get(marker, f"its index calls the project {marker!r}")
    severity = Severity.HIGH if marker == QUARANTINED else Severity.LOW
    return finding(NAME, severity, f"{message} ({reason})" if reason else message, Confidence.HIGH)
