"""The words a person reads, in pip's output and in our own commands alike.

One short message a release, never more than a few lines: what, why, until
when, what is used instead, where to look, what to type.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from veln_hook.model import Candidate, Decision

if TYPE_CHECKING:
    from veln_hook.model import Archive, Finding, Subject, Verdict

_INDENT = "      "
_PYPI_HOSTS = ("pypi.org", "files.pythonhosted.org", "test.pypi.org")
_MAX_TEXT = 300


def tell(
    verdict: Verdict,
    *,
    instead: str = "",
    kept: bool = False,
    starved: bool = False,
    approve: str | None = "",
    ask: bool = False,
) -> list[str]:
    """Return the lines that tell a verdict which is not ALLOW.

    Args:
        verdict: What was decided.
        instead: Version that is used instead, if any.
        kept: Whether that version was installed already.
        starved: Whether something needed just this release, so that other projects' releases were chosen.
        approve: Further options of the commands that are named; ``None`` if no approval would count.
        ask: Whether approvals are others' to give, so that the command is one that asks for it.
    """
    subject = verdict.subject
    reasons = [ruling.finding for ruling in verdict.holding]
    headline = f"{verdict.decision.name:<5} {printable(subject.release)}"
    lines = [f"{headline}  {_finding(reasons[0])}" if reasons else headline]
    lines += [f"{_INDENT}also     {_finding(finding)}" for finding in reasons[1:3]]
    if instead:
        lines.append(f"{_INDENT}{'keeping' if kept else 'using'} {subject.project} {instead} instead")
    if starved:
        lines.append(f"{_INDENT}what needs it is used in another release, or not at all")
    if verdict.decision is Decision.HOLD:
        link = review_link(subject)
        if link:
            lines.append(f"{_INDENT}review   {link}")
        look = review_command(subject)
        if look:
            lines.append(
                f"{_INDENT}{'or' if link else 'review':<8} {' '.join(filter(None, (look, approve)))}"
            )
        if verdict.pending:
            people = ", ".join(each.person for each in verdict.pending)
            lines.append(f"{_INDENT}approved by {printable(people)}; more people have to")
        command = approve_command(subject, ask=ask) if approve is not None else ""
        if command:
            verb = "request " if ask else "approve "
            lines.append(f"{_INDENT}{verb} {' '.join(filter(None, (command, approve)))}")
    elif verdict.decision is Decision.BLOCK:
        lines.append(
            f"{_INDENT}no approval lifts this; only an exception in a policy file does (docs/policy.md)"
        )
        if subject.sha256:
            lines.append(f"{_INDENT}sha256   {subject.sha256}")
    return lines


def tell_lifted(verdict: Verdict) -> str:
    """Return the line about a release that passes since a person or the policy says so; empty for others."""
    approval = verdict.approval
    word = f"approval {approval.id}: {approval.reason}" if approval else ""
    if verdict.exception:
        word = f"an exception of the policy: {verdict.exception}"
    return f"veln-hook: {printable(verdict.subject.release)} passes by {printable(word)}" if word else ""


def tell_slow(archive: Archive) -> str:
    """Return the line about an archive that takes a while to be read."""
    name = f"{archive.project}-{archive.version}" if archive.project else archive.filename
    return f"veln-hook: reading {printable(name.rstrip('-'))} ..."


def review_link(subject: Subject) -> str:
    """Return the page that shows a release's contents, where its index has one (PyPI's inspector)."""
    candidate = subject if isinstance(subject, Candidate) else subject.candidate
    if candidate is None or not subject.project or not subject.version or not _is_the_indexs(subject):
        return ""
    if urlsplit(candidate.index or candidate.url).hostname not in _PYPI_HOSTS:
        return ""
    return f"https://inspector.pypi.io/project/{quote(subject.project)}/{quote(subject.version)}/"


def review_command(subject: Subject) -> str:
    """Return the command that shows what is in a release; empty where no index has it by its name."""
    if not subject.project or not subject.version or not _is_the_indexs(subject):
        return ""
    return f"veln-hook review {_word(f'{subject.project}=={subject.version}')}"


def approve_command(subject: Subject, *, ask: bool = False) -> str:
    """Return the command that approves a release; empty where nothing exact could be approved.

    Args:
        subject: The release's file.
        ask: Return the one that asks others for it.
    """
    if not subject.project or not subject.version:
        return ""
    verb = "request" if ask else "approve"
    # These words come from an index and are meant to be pasted into a shell.
    command = f'veln-hook {verb} {_word(f"{subject.project}=={subject.version}")} --reason "..."'
    if _is_the_indexs(subject):
        return command if subject.sha256 else ""  # by its name alone, nothing exact is approved
    if subject.sha256 and not ask:  # others can look at what an index lists, and at nothing else
        return f"{command} --sha256 {_word(subject.sha256)} --filename {_word(subject.filename)}"
    return ""


def _is_the_indexs(subject: Subject) -> bool:
    """Whether an index lists exactly these bytes, so that they are found there by name and version."""
    if isinstance(subject, Candidate):
        return bool(subject.index)
    candidate = subject.candidate
    return candidate is not None and bool(candidate.index) and candidate.sha256 == subject.sha256


def _word(text: str) -> str:
    return printable(shlex.quote(text))


def _finding(finding: Finding) -> str:
    place = ""
    if finding.path:
        place = f" [{finding.path}{f':{finding.line}' if finding.line is not None else ''}]"
    return printable(finding.message) + printable(place)


def printable(text: str, *, limit: int | None = _MAX_TEXT) -> str:
    """Return text from an archive or an index as one line that can't drive a terminal.

    Args:
        text: Whatever it is.
        limit: Longest line in characters; ``None`` for text that is bounded elsewhere.
    """
    clean = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return clean if limit is None or len(clean) <= limit else clean[: limit - 3] + "..."
