"""Findings as a SARIF 2.1.0 log (OASIS Standard), which code-scanning services take."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from veln_hook import __version__
from veln_hook.model import ArchiveKind, Decision
from veln_hook.signals.source import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from veln_hook.errors import VelnHookError
    from veln_hook.model import Finding, Ruling
    from veln_hook.report.contents import Contents

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Decision.BLOCK: "error",
    Decision.HOLD: "error",
    Decision.WARN: "warning",
    Decision.ALLOW: "note",
}
_STATES = {True: "new", False: "unchanged"}


def sarif_log(
    found: Iterable[Contents], errors: Sequence[VelnHookError] = (), *, exit_status: int = 0
) -> dict[str, Any]:
    """Return the log of one run.

    Args:
        found: What was looked at.
        errors: What could not be looked at.
        exit_status: Of the command.
    """
    rows = [(contents, ruling) for contents in found for ruling in contents.verdict.rulings]
    rules = {signal.name: signal.description for signal in SIGNALS}
    for _, ruling in rows:  # of other rooms and of plugins
        rules.setdefault(ruling.finding.signal, f"The signal {ruling.finding.signal}.")
    places = {name: place for place, name in enumerate(rules)}
    notices = [
        {"level": "error", "descriptor": {"id": error.slug}, "message": {"text": str(error)}}
        for error in errors
    ]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "veln-hook",
                        "version": __version__,
                        "rules": [
                            {"id": name, "shortDescription": {"text": text}} for name, text in rules.items()
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": not errors,
                        "exitCode": exit_status,
                        "toolExecutionNotifications": notices,
                    }
                ],
                "results": [
                    _result(contents, ruling, places[ruling.finding.signal]) for contents, ruling in rows
                ],
            }
        ],
    }


def _result(contents: Contents, ruling: Ruling, rule: int) -> dict[str, Any]:
    finding = ruling.finding
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(contents, finding.path)}}
    if finding.path and finding.line is not None and finding.line > 0:
        place["region"] = {"startLine": finding.line}
        if finding.evidence:
            place["region"]["snippet"] = {"text": finding.evidence}
    elif contents.line > 0:
        # Of such a place, too, if the finding has one of its own.
        place["region"] = {"startLine": finding.line or contents.line}
    result: dict[str, Any] = {
        "ruleId": finding.signal,
        "ruleIndex": rule,
        "level": _LEVELS[ruling.decision],
        "message": {"text": _message(contents, finding)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"velnHookFinding/v1": _fingerprint(contents, finding)},
        "properties": {
            "decision": ruling.decision.word,
            "severity": finding.severity.word,
            "confidence": finding.confidence.word,
            "reach": finding.reach,
        },
    }
    if finding.new is not None:
        result["baselineState"] = _STATES[finding.new]
    return result


def _message(contents: Contents, finding: Finding) -> str:
    """Say which release is meant, where the place lists many."""
    told = finding.message or finding.signal
    return f"{contents.verdict.subject.release}: {told}" if contents.line else told


def _fingerprint(contents: Contents, finding: Finding) -> str:
    """Without the line, so that a finding stays itself when lines above it change."""
    parts = [finding.signal, finding.path, finding.message, finding.evidence]
    if contents.line:
        parts.append(contents.verdict.subject.release)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _uri(contents: Contents, member: str) -> str:
    """Return a reference relative to the working directory; a member of an archive stands behind ``!/``."""
    place = _quoted((contents.root or contents.place).replace(os.sep, "/"))
    if place.startswith("/"):
        place = f"file://{place}"
    elif ":" in place.partition("/")[0]:
        place = f"./{place}"  # or what stands before the colon would be a scheme
    if not member:
        return place
    tree = contents.verdict.subject
    directory = getattr(tree, "kind", None) is ArchiveKind.DIRECTORY
    return f"{place.rstrip('/')}{'/' if directory else '!/'}{_quoted(member.lstrip('/'))}"


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "backslashreplace"), safe="/!~*'()@$,;=:+")
