"""``dependency-confusion``: a project that is private by the policy comes from an index that isn't its own.

Installers take the highest version from whichever index has it, so whoever registers a company's private
name on a public index is installed there. Only the policy knows which names are private
(``indexes.private``), and what it says is a fact: critical.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Severity, Source
from veln_hook.policy.matching import url_key, without_secrets
from veln_hook.signals.hookspecs import SignalInfo, hookimpl
from veln_hook.signals.release.recent import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.model import Candidate, Finding
    from veln_hook.policy.settings import Policy
    from veln_hook.signals.hookspecs import CandidateContext

NAME = "dependency-confusion"
_FROM_INDEXES = (Source.INDEX, Source.FIND_LINKS, Source.LOCK)
"""What is found by its name. A URL, a checkout or a path names its place itself."""


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (SignalInfo(NAME, "Blocks a private project that comes from an index other than its own."),)


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Compare where each candidate comes from with where the policy has its project."""
    if not any(index.private for index in context.policy.indexes):
        return
    allowed: dict[str, tuple[str, ...]] = {}
    for candidate in candidates:
        project = candidate.project
        if project not in allowed:
            allowed[project] = allowed_places(context.policy, project)
        places = allowed[project]
        if places and candidate.source in _FROM_INDEXES:
            place = candidate.index or candidate.url
            if not _is_under(place, places):
                message = (
                    f"{project} is private by the policy and comes from {without_secrets(places[0])} alone, "
                    f"but this file is from {without_secrets(place)}"
                )
                yield candidate, finding(NAME, Severity.CRITICAL, message, Confidence.HIGH)


def allowed_places(policy: Policy, project: str) -> tuple[str, ...]:
    """Return the URLs of the indexes that a private project may come from; nothing if it isn't private.

    Args:
        policy: The settings in force.
        project: Normalized name.
    """
    return tuple(
        index.url
        for index in policy.indexes
        if any(fnmatchcase(project, pattern) for pattern in index.private)
    )


def _is_under(place: str, allowed: Sequence[str]) -> bool:
    try:
        key = url_key(place)
        return any(key.is_under(url_key(each)) for each in allowed)
    except ValueError:
        return False
