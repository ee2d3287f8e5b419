"""What a CI service is told of a release that was held or blocked, in the form that it shows.

* GitHub: a workflow command, which becomes an annotation of the run and, where
  the line of the requirement is known, of the pull request; and a row of the
  job's summary (docs.github.com, "Workflow commands for GitHub Actions").
* GitLab: a section of the job's log, which is shown unfolded
  (docs.gitlab.com, "Custom collapsible sections").

Rules of this module: nothing here decides or stops anything, and what an index
or an archive says can't become a command of the service.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from veln_hook import clock
from veln_hook.model import Decision
from veln_hook.report.wording import approve_command, printable, review_link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veln_hook.model import Verdict

_LEVELS = {Decision.WARN: "notice", Decision.HOLD: "warning", Decision.BLOCK: "error"}
_HEAD = (
    "### veln-hook\n\n"
    "| | release | why | until | instead | to let it pass |\n"
    "| --- | --- | --- | --- | --- | --- |\n"
)
_MAX_SUMMARY = 900_000
"""GitHub takes a mebibyte a step."""
_WHERE = re.compile(r"-r (?P<file>.+) \(line (?P<line>\d+)\)")


def is_ci(environ: Mapping[str, str]) -> bool:
    """Tell whether nobody sits before this process' terminal."""
    return environ.get("CI", "").strip().lower() not in ("", "0", "false")


def markers(
    verdict: Verdict, lines: Sequence[str], environ: Mapping[str, str], *, comes_from: str = ""
) -> tuple[str, str]:
    """Return what to print before and after the lines that tell a verdict.

    Args:
        verdict: What was decided.
        lines: As ``wording.tell`` returns them.
        environ: Tells which service this is, if any.
        comes_from: Where the requirement stands, as pip says it: ``-r FILE (line N)``; empty if unknown.

    Returns:
        Whole lines with their ends, or nothing.
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        return f"{_github(verdict, lines, comes_from)}\n", ""
    if environ.get("GITLAB_CI") == "true":
        name = re.sub(r"[^a-z0-9_]", "_", f"veln_hook_{verdict.subject.release}".lower())
        now = int(clock.now().timestamp())
        start = f"\x1b[0Ksection_start:{now}:{name}[collapsed=false]\r\x1b[0Kveln-hook\n"
        return start, f"\x1b[0Ksection_end:{now}:{name}\r\x1b[0K\n"
    return "", ""


def summarize(verdict: Verdict, environ: Mapping[str, str], *, instead: str = "") -> None:
    """Add a row to GitHub's summary of the job, if there is one; where that can't be, nothing is done.

    Args:
        verdict: What was decided.
        environ: Names the file.
        instead: Version that is used instead, if any.
    """
    path = environ.get("GITHUB_STEP_SUMMARY", "")
    if environ.get("GITHUB_ACTIONS") != "true" or not path:
        return
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SUMMARY:
                return
            begun = _HEAD.encode() in os.pread(descriptor, _MAX_SUMMARY, 0)
            os.write(descriptor, f"{'' if begun else _HEAD}{_row(verdict, instead)}\n".encode())
        finally:
            os.close(descriptor)


def _github(verdict: Verdict, lines: Sequence[str], comes_from: str) -> str:
    subject = verdict.subject
    fields = [("title", f"veln-hook: {verdict.decision.word} {printable(subject.release)}")]
    place = _WHERE.fullmatch(comes_from)
    if place is not None:
        fields = [("file", place["file"]), ("line", place["line"]), *fields]
    told = ",".join(f"{name}={_property(text)}" for name, text in fields)
    return f"::{_LEVELS[verdict.decision]} {told}::{_data(chr(10).join(line.strip() for line in lines))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _row(verdict: Verdict, instead: str) -> str:
    subject = verdict.subject
    why = "; ".join(ruling.finding.message for ruling in verdict.holding[:3])
    until = f"{verdict.opens_at:%Y-%m-%d %H:%M} UTC" if verdict.opens_at is not None else "a person says so"
    if verdict.decision is not Decision.HOLD:
        until = ""
    link = review_link(subject)
    release = f"[{cell(subject.release)}]({link})" if link else cell(subject.release)
    command = approve_command(subject) if verdict.decision is Decision.HOLD else ""
    approve = f"`{printable(command).replace('|', '')}`" if command else ""
    cells = (verdict.decision.word, release, cell(why), until, cell(instead), approve)
    return f"| {' | '.join(cells)} |"


def cell(text: str) -> str:
    """Return text that stays in its cell, and is no markup."""
    plain = printable(text).replace("\\", "\\\\")
    return re.sub(r"([|`*_<>\[\]])", r"\\\1", plain)
