"""``revival``: the first release after years of silence.

Accounts of abandoned projects are taken over: a domain ran out and was bought, a password was an old
one. Most revivals are honest, so this is told and nothing more.
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

NAME = "revival"
_SILENCE = timedelta(days=2 * 365)
"""One in thirty releases of popular projects comes after that long, so it is low."""
_LONG_SILENCE = timedelta(days=5 * 365)
"""One in five hundred."""


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (SignalInfo(NAME, "Tells of the first release after two years of silence."),)


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Compare when each release came with when the one before did."""
    for file in recent(candidates, context):
        earlier = file.earlier
        if not earlier:
            continue
        silence = file.release.files[0].uploaded - earlier[0].files[-1].uploaded
        if silence >= _SILENCE:
            severity = Severity.MEDIUM if silence >= _LONG_SILENCE else Severity.LOW
            message = f"it is the first release after {days(silence)} of silence"
            yield file.candidate, finding(NAME, severity, message, Confidence.MEDIUM)
