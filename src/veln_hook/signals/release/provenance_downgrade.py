"""``provenance-downgrade``: earlier files of the project had attestations, this one has none.

An index that takes attestations (PEP 740) takes them from the project's own workflow only. Whoever
steals a token can upload, and can't attest. That a project stops attesting for another reason happens,
too: a new workflow, a release from a maintainer's machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Severity
from veln_hook.signals.hookspecs import SignalInfo, hookimpl
from veln_hook.signals.release.recent import finding, recent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.history import Release
    from veln_hook.model import Candidate, Finding
    from veln_hook.signals.hookspecs import CandidateContext

NAME = "provenance-downgrade"
_LOOKED_AT = 5
"""Earlier releases whose habit counts."""
_HABIT = 3


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (
        SignalInfo(NAME, "Tells of a file without attestations where the project's earlier files had them."),
    )


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Compare each file with those of the same kind in the releases before."""
    for file in recent(candidates, context):
        attested = file.page.attested
        if not attested or file.candidate.filename in attested:
            continue
        habit = [
            had
            for release in file.earlier[:_LOOKED_AT]
            for had in [_had(release, attested, wheel=file.candidate.is_wheel)]
            if had is not None
        ]
        if not habit or not habit[0]:
            continue
        sure = len(habit) >= _HABIT and all(habit)
        many = (
            f"each of the {len(habit)} releases before"
            if len(habit) > 1 and all(habit)
            else "the release before"
        )
        yield (
            file.candidate,
            finding(
                NAME,
                Severity.MEDIUM,
                f"it has no attestations (PEP 740), and {many} had them",
                Confidence.HIGH if sure else Confidence.MEDIUM,
            ),
        )


def _had(release: Release, attested: frozenset[str], *, wheel: bool) -> bool | None:
    """Tell whether all files of a kind had attestations; ``None`` if there are none of that kind."""
    names = [file.filename for file in release.files if file.filename.endswith(".whl") is wheel]
    return all(name in attested for name in names) if names else None
