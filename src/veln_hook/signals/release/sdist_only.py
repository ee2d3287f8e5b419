"""``sdist-only``: a release without wheels of a project that always had them.

Installing it means to run its build, which a wheel doesn't. Some attackers upload just that; so do
maintainers whose build farm is broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Severity
from veln_hook.signals.hookspecs import SignalInfo, hookimpl
from veln_hook.signals.release.recent import finding, recent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.model import Candidate, Finding
    from veln_hook.signals.hookspecs import CandidateContext

NAME = "sdist-only"
_HABIT = 3
"""Earlier releases that must have had wheels."""


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (SignalInfo(NAME, "Tells of a release without wheels where the releases before had them."),)


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Look for wheels in the release and in those before."""
    for file in recent(candidates, context):
        if file.candidate.is_wheel or file.release.has_wheels:
            continue
        before = file.earlier[:_HABIT]
        if len(before) == _HABIT and all(release.has_wheels for release in before):
            message = f"it has no wheel, and each of the {_HABIT} releases before had one"
            yield file.candidate, finding(NAME, Severity.MEDIUM, message, Confidence.MEDIUM)
