"""``similar-name``: a young project with the name of a popular one, but for a little.

Typing mistakes are waited for: ``reqeusts``, ``djang0``, ``dateutil-python``. An old project with such a
name is no news; its index and the world have known it for long.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Severity
from veln_hook.signals.hookspecs import SignalInfo, hookimpl
from veln_hook.signals.release.recent import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.model import Candidate, Finding
    from veln_hook.signals.hookspecs import CandidateContext

NAME = "similar-name"
YOUNG = timedelta(days=90)
"""The age of a project's first file up to which its name is looked at."""


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (SignalInfo(NAME, "Holds a young project whose name is almost that of a popular one."),)


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Look at the names of young projects."""
    known: dict[int, bool] = {}
    for candidate in candidates:
        page = candidate.page
        if page is None:
            continue
        if id(page) not in known:
            known[id(page)] = page.is_younger_than(context.now - YOUNG)
        if not known[id(page)]:
            continue
        like = context.popular().resembled(candidate.project)
        if like is None:
            return  # all candidates of a call are of one project
        yield (
            candidate,
            finding(
                NAME,
                Severity.HIGH,
                f"a young project with the name of a popular one, {like.popular}, {like.how}",
                Confidence.MEDIUM if like.strong else Confidence.LOW,
                evidence=like.popular,
            ),
        )
