"""How what is in an archive is told: a line for the verdict, a line for each finding, its evidence below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.model import Decision
from veln_hook.report.json_form import moment, verdict_object
from veln_hook.report.text import when
from veln_hook.report.wording import approve_command, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.feed import Advisory
    from veln_hook.model import Finding, Observation, Ruling, Verdict

INDENT = "      "
_MAX_FIXED = 5
_DEEPER = "          "


class StartUp(NamedTuple):
    """One line of code, or one file, that the interpreter runs whenever it starts."""

    path: str
    line: int
    code: str


class Contents(NamedTuple):
    """What was found in one archive, directory or installed distribution."""

    place: str
    """Path as the user named it, or what stands for it."""
    verdict: Verdict
    baseline: str = ""
    """What it was compared with: a version or a path; empty if everything counts."""
    start_up: tuple[StartUp, ...] = ()
    root: str = ""
    """Directory that paths of findings start from, where it is not ``place``."""
    line: int = 0
    """Line of ``place`` that names the release, where ``place`` is a list of releases; 0 elsewhere."""
    advisories: tuple[Advisory, ...] = ()
    """What is known of the weaknesses of a release; they change no verdict."""
    seen: tuple[Observation, ...] = ()
    """Where and when its files were seen on an index, the first first."""


def contents_lines(contents: Contents, *, everything: bool = False) -> Iterator[str]:
    """Yield the lines that tell what was found.

    Args:
        contents: What.
        everything: Findings that lead to nothing, too.
    """
    verdict = contents.verdict
    count = len(ruled(verdict))
    told = f"{count} finding{'' if count == 1 else 's'}" if count else "no findings"
    quiet = len(verdict.rulings) - count
    if quiet:
        told += f", {quiet} note{'' if quiet == 1 else 's'}"
    new = sum(ruling.finding.new is True for ruling in verdict.rulings)
    against = f", {new} new against {printable(contents.baseline)}" if contents.baseline else ""
    yield f"{verdict.decision.name:<5} {printable(contents.place)}  {told}{against}"
    if verdict.approval is not None:
        yield f"{INDENT}passes by approval {verdict.approval.id} of {printable(verdict.approval.author)}"
    if verdict.exception:
        yield f"{INDENT}passes by an exception of the policy: {printable(verdict.exception)}"
    for ruling in verdict.rulings:
        if everything or ruling.decision >= Decision.WARN:  # the others are the notes
            yield from finding_lines(ruling.finding)
    for advisory in contents.advisories:
        fixed = ", ".join(advisory.fixed()[:_MAX_FIXED])
        told = f"; repaired in {printable(fixed)}" if fixed else ""
        yield f"{INDENT}advisory {printable(advisory.id)}  {printable(advisory.summary)}{told}"
    if contents.seen and everything:
        first, machines = contents.seen[0], len({each.machine for each in contents.seen})
        by = f", by {machines} machines" if machines > 1 else ""
        yield f"{INDENT}seen     {when(first.first_seen)} on {printable(first.index or 'no index')}{by}"
    if verdict.decision is Decision.HOLD:
        command = approve_command(verdict.subject)
        if command:
            yield f"{INDENT}approve  {command}"


def finding_lines(finding: Finding) -> Iterator[str]:
    """Yield one finding, and its evidence indented below."""
    told = printable(finding.message) + marks(finding)
    yield f"{INDENT}{_place(finding)}  {grade(finding)}  {finding.signal}  {told}"
    if finding.evidence:
        yield f"{_DEEPER}{printable(finding.evidence)}"


def grade(finding: Finding) -> str:
    """Return ``severity/confidence``."""
    return f"{finding.severity.word}/{finding.confidence.word}"


def marks(finding: Finding) -> str:
    """Return how the code runs and whether it is new, in brackets; or nothing."""
    words = [_REACHES.get(finding.reach, ""), {True: "new", False: "not new"}.get(finding.new or False, "")]
    if finding.new is None:
        words.pop()
    told = ", ".join(filter(None, words))
    return f" ({told})" if told else ""


_REACHES = {
    "startup": "runs whenever Python starts",
    "build": "runs when it is built",
    "import": "runs when it is imported",
    "script": "runs as a command",
    "call": "runs when it is called",
}


def _place(finding: Finding) -> str:
    if not finding.path:
        return "-"
    return printable(finding.path) + (
        f":{finding.line}" if finding.line else ""
    )  # members without lines have 0


def contents_object(contents: Contents) -> dict[str, Any]:
    """Return what was found, for ``--json``."""
    return {
        "path": contents.place,
        **verdict_object(contents.verdict),
        "baseline": contents.baseline or None,
        "advisories": [
            {"id": advisory.id, "summary": advisory.summary, "fixed": list(advisory.fixed())}
            for advisory in contents.advisories
        ],
        "first_seen": moment(contents.seen[0].first_seen) if contents.seen else None,
        "machines": len({each.machine for each in contents.seen}),
        "start_up": [start._asdict() for start in contents.start_up],
    }


def ruled(verdict: Verdict, least: Decision = Decision.WARN) -> list[Ruling]:
    """Return the rulings that are at least as strict as ``least``."""
    return [ruling for ruling in verdict.rulings if ruling.decision >= least]
