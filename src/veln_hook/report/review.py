"""What a person needs to decide about one file of a release, in the order in which it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.model import Decision
from veln_hook.report.changes import REMOVED
from veln_hook.report.contents import INDENT, finding_lines, grade
from veln_hook.report.json_form import verdict_object
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.model import Ruling, Verdict
    from veln_hook.report.changes import Changes, FileChange, Line
    from veln_hook.report.contents import Contents

_NUMBER = 6


class Review(NamedTuple):
    """One file of a release."""

    candidate: Verdict
    """By what its index tells."""
    contents: Contents
    """By what is in it."""
    changes: Changes
    facts: tuple[tuple[str, str], ...]
    """What is known of the file: label and value."""
    baseline: str
    """What it was compared with, or why with nothing."""
    approve: str
    """The command that approves it; empty if nothing is to be approved, or nothing can be."""

    @property
    def decision(self) -> Decision:
        """The stricter of both verdicts."""
        return max(self.candidate.decision, self.contents.verdict.decision)

    @property
    def rulings(self) -> tuple[Ruling, ...]:
        """Everything that was found, the strictest first."""
        both = (*self.candidate.rulings, *self.contents.verdict.rulings)
        return tuple(sorted(both, key=lambda ruling: -ruling.decision))


def review_lines(review: Review, *, everything: bool = False) -> Iterator[str]:
    """Yield a review as text.

    Args:
        review: Of one file.
        everything: Findings that lead to nothing, too.
    """
    subject = review.contents.verdict.subject
    yield f"{review.decision.name:<5} {printable(subject.release)}  {printable(subject.filename)}"
    width = max(len(label) for label, _ in review.facts)
    for label, value in review.facts:
        yield f"{INDENT}{label:<{width}}  {printable(value)}"
    yield ""
    told = [ruling.finding for ruling in review.rulings if everything or ruling.decision > 0]
    quiet = len(review.rulings) - len(told)
    more = f" ({quiet} of no consequence not shown; --all shows them)" if quiet else ""
    yield f"findings{more}" if told else f"findings: none{more}"
    for finding in told:
        yield from finding_lines(finding)
    yield ""
    yield from _change_lines(review)
    yield ""
    if review.approve:
        yield f"approve  {review.approve}"
    else:
        yield f"approve  {no_approval(review)}"


def no_approval(review: Review) -> str:
    """Say why there is no command that approves."""
    if review.decision is Decision.BLOCK:
        return "no approval lifts a block, only an exception in a policy file does (docs/policy.md)"
    if review.decision is Decision.HOLD:
        return "no approval of this machine's own counts here; 'veln-hook policy show' tells why"
    return "not needed: it is not held"


def _change_lines(review: Review) -> Iterator[str]:
    changes = review.changes
    yield f"changes  {printable(review.baseline)}"
    if changes.problem:
        yield f"{INDENT}not all of it could be read: {printable(changes.problem)}"
    for mark, field in changes.metadata:
        yield f"{INDENT}metadata {mark} {printable(field)}"
    with_lines = [change for change in changes.files if change.lines]
    for change in with_lines:
        yield ""
        yield f"{INDENT}{printable(change.path)}  {told_state(change)}"
        for line in change.lines:
            yield from _line(line)
    listed = [change for change in changes.files if not change.lines]
    if listed:
        yield ""
    for change in listed:
        yield f"{INDENT}{printable(change.path)}  {told_state(change)}"
    if changes.more:
        yield f"{INDENT}{changes.more} more files differ"


def told_state(change: FileChange) -> str:
    """Return a file's state, size, number of findings and note in one line."""
    count = len(change.rulings)
    parts = [change.state, "" if change.state == REMOVED else f"{change.size} bytes"]
    parts += [f"{count} finding{'' if count == 1 else 's'}" if count else "", change.note]
    return ", ".join(filter(None, parts))


def _line(line: Line) -> Iterator[str]:
    if line.mark == "@":
        yield f"{INDENT}{'':>{_NUMBER}}   ... {line.text}"
        return
    number = "" if line.number is None else str(line.number)
    yield f"{INDENT}{number:>{_NUMBER}} {line.mark} {printable(line.text.expandtabs(4), limit=200)}".rstrip()
    for ruling in line.rulings:
        finding = ruling.finding
        told = f"{ruling.decision.name} {finding.signal} ({grade(finding)}): {printable(finding.message)}"
        yield f"{INDENT}{'':>{_NUMBER}} ^ {told}"


def review_object(review: Review) -> dict[str, Any]:
    """Return a review for ``--json``."""
    changes = review.changes
    return {
        **verdict_object(review.contents.verdict),
        "verdict": review.decision.word,
        "candidate": verdict_object(review.candidate),
        "facts": dict(review.facts),
        "baseline": review.contents.baseline or None,
        "metadata": [{"change": mark, "field": field} for mark, field in changes.metadata],
        "files": [
            {
                "path": change.path,
                "state": change.state,
                "size": change.size,
                "note": change.note,
                "lines": [
                    {"change": line.mark, "line": line.number, "text": line.text} for line in change.lines
                ],
            }
            for change in changes.files
        ],
        "approve": review.approve,
    }
