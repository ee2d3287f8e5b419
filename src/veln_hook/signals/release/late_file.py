"""``late-file``: a file came days after the other files of its release.

Who has pinned a version gets the new file without having changed anything. Honest projects add wheels
for a new Python or another platform later; what takes the place of what was there already is another
matter: a wheel for any machine, one with a build number, one for the same machine as before.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Severity
from veln_hook.signals.hookspecs import SignalInfo, hookimpl
from veln_hook.signals.release.recent import days, finding, recent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.model import Candidate, Finding
    from veln_hook.signals.hookspecs import CandidateContext

NAME = "late-file"
_LATE = timedelta(days=7)
"""Build farms take a day or two, and a forgotten platform a few."""
_PARTS = (5, 6)
"""Of a wheel's name, without a build number and with it."""


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (SignalInfo(NAME, "Tells of a file that was added to a release days after its others."),)


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Compare when each file came with when the release did."""
    for file in recent(candidates, context):
        late = file.uploaded - file.release.files[0].uploaded
        if late < _LATE:
            continue
        others = [each.filename for each in file.release.files if each.uploaded < file.uploaded]
        told = f"it was added to its release {days(late)} after the first file"
        what = _replaced(file.candidate.filename, others)
        if what:
            yield file.candidate, finding(NAME, Severity.MEDIUM, f"{told}, {what}", Confidence.MEDIUM)
        else:
            yield file.candidate, finding(NAME, Severity.LOW, told, Confidence.MEDIUM)


def _replaced(filename: str, others: list[str]) -> str:
    """Return what is odd about a file that came late; empty for another machine's or another Python's."""
    if not filename.endswith(".whl"):
        return "and is a source archive"
    parts = filename[: -len(".whl")].split("-")
    if len(parts) == _PARTS[1]:
        return "and its build number makes installers prefer it"
    tags = parts[-3:]
    if tags[-1] == "any":
        return "and is for any machine"
    wheels = [other[: -len(".whl")].split("-")[-3:] for other in others if other.endswith(".whl")]
    return "and is for a machine that had a wheel" if tags in wheels else ""
