"""Verdicts about many releases as a Markdown summary, for a pull request or a job."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.model import Decision
from veln_hook.report.ci import cell
from veln_hook.report.text import when
from veln_hook.report.wording import approve_command, printable, review_link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.errors import VelnHookError
    from veln_hook.model import Verdict

MAX_ROWS = 500
"""GitHub takes a mebibyte a summary; so many releases are read by nobody."""
_WORDS = {
    Decision.BLOCK: "blocked",
    Decision.HOLD: "held",
    Decision.WARN: "passing with a warning",
    Decision.ALLOW: "passing",
}


class Place(NamedTuple):
    """A verdict, and where the release stands that it is about."""

    verdict: Verdict
    path: str
    """Empty for the command line."""
    line: int


def counted(verdicts: Sequence[Verdict]) -> str:
    """Return how many were decided how: ``1 blocked, 2 held, 130 passing``."""
    counts = Counter(verdict.decision for verdict in verdicts)
    return ", ".join(f"{counts[one]} {word}" for one, word in _WORDS.items() if counts[one]) or "nothing"


def summary(places: Sequence[Place], errors: Sequence[VelnHookError] = ()) -> str:
    """Return the summary: what is in the way in a table, how much passes in one line.

    Args:
        places: Every release that was judged.
        errors: What could not be looked at.
    """
    lines = ["### veln-hook", "", f"{len(places)} releases: {counted([one.verdict for one in places])}."]
    lines += [line for error in errors for line in ("", f"**Error**: {cell(str(error))}")]
    told = [one for one in places if one.verdict.decision is not Decision.ALLOW]
    told.sort(key=lambda one: (-one.verdict.decision, one.path, one.line))
    if told:
        lines += [
            "",
            "| | release | where | why | until | to let it pass |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [_row(one) for one in told[:MAX_ROWS]]
    if len(told) > MAX_ROWS:
        lines += ["", f"... and {len(told) - MAX_ROWS} more."]
    return "\n".join(lines)


def _row(place: Place) -> str:
    verdict = place.verdict
    subject = verdict.subject
    link = review_link(subject)
    release = f"[{cell(subject.release)}]({link})" if link else cell(subject.release)
    where = f"{place.path}:{place.line}" if place.line else place.path
    why = "; ".join(ruling.finding.message for ruling in verdict.holding[:3])
    until = command = ""
    if verdict.decision is Decision.HOLD:
        until = when(verdict.opens_at, never="a person says so")
        command = approve_command(subject) if subject.filename else ""
    approve = f"`{printable(command).replace('|', '').replace('`', '')}`" if command else ""
    return f"| {' | '.join((verdict.decision.word, release, cell(where), cell(why), until, approve))} |"
