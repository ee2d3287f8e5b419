"""What other programs read: every ``--json`` is one object of this form (docs/cli.md, "JSON").

Rules of this module: a key once here stays, with its meaning; ``SCHEMA`` goes up when one can't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veln_hook.errors import PolicyError
from veln_hook.model import Candidate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from veln_hook.errors import VelnHookError
    from veln_hook.model import Approval, ApprovalRequest, Finding, Verdict, VerdictRecord

SCHEMA = 1


def envelope(command: str, results: Sequence[Any], errors: Sequence[VelnHookError]) -> dict[str, Any]:
    """Return the whole object of one command."""
    return {
        "schema": SCHEMA,
        "command": command,
        "results": list(results),
        "errors": [error_object(error) for error in errors],
    }


def error_object(error: VelnHookError) -> dict[str, Any]:
    """Return an error: slug (a heading of docs/errors.md), message and advice; a policy's place too."""
    told: dict[str, Any] = {"slug": error.slug, "message": str(error), "advice": error.advice}
    if isinstance(error, PolicyError):
        told.update(path=error.path, line=error.line, key=error.key)
    return told


def verdict_object(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict about a candidate or an archive."""
    subject = verdict.subject
    candidate = subject if isinstance(subject, Candidate) else subject.candidate
    return {
        "project": subject.project,
        "version": subject.version,
        "filename": subject.filename,
        "sha256": subject.sha256,
        "index": candidate.index if candidate else "",
        "upload_time": moment(candidate.upload_time if candidate else None),
        "verdict": verdict.decision.word,
        "opens_at": moment(verdict.opens_at),
        "approval": verdict.approval.id if verdict.approval else None,
        "exception": verdict.exception or None,
        "findings": [finding_object(ruling.finding) for ruling in verdict.rulings],
    }


def finding_object(finding: Finding) -> dict[str, Any]:
    """Return one finding."""
    return {
        "signal": finding.signal,
        "severity": finding.severity.word,
        "confidence": finding.confidence.word,
        "message": finding.message,
        "unverifiable": finding.unverifiable,
        "path": finding.path,
        "line": finding.line,
        "reach": finding.reach,
        "new": finding.new,
        "evidence": finding.evidence,
    }


def approval_object(approval: Approval, now: datetime) -> dict[str, Any]:
    """Return an approval, and whether it lifts anything at ``now``."""
    return {
        "id": approval.id,
        "project": approval.project,
        "version": approval.version,
        "filename": approval.filename,
        "sha256": approval.sha256,
        "reason": approval.reason,
        "author": approval.author,
        "created_at": moment(approval.created_at),
        "expires_at": moment(approval.expires_at),
        "revoked_at": moment(approval.revoked_at),
        "shared": approval.shared,
        "active": approval.is_active(now),
    }


def request_object(request: ApprovalRequest, state: str, people: Sequence[str] = ()) -> dict[str, Any]:
    """Return a request for approvals, and what became of it."""
    return {
        "id": request.id,
        "project": request.project,
        "version": request.version,
        "files": [{"filename": filename, "sha256": sha256} for filename, sha256 in request.files],
        "index": request.index,
        "reason": request.reason,
        "author": request.author,
        "login": request.login,
        "created_at": moment(request.created_at),
        "state": state,
        "approved_by": list(people),
        "refused_at": moment(request.refused_at),
        "refused_by": request.refused_by,
        "refusal": request.refusal,
    }


def record_object(record: VerdictRecord) -> dict[str, Any]:
    """Return one line of the verdict log."""
    return {
        "id": record.id,
        "at": moment(record.at),
        "stage": record.stage,
        "project": record.project,
        "version": record.version,
        "filename": record.filename,
        "sha256": record.sha256,
        "index": record.index,
        "verdict": record.decision.word,
        "opens_at": moment(record.opens_at),
        "reason": record.reason,
        "approval": record.approval_id,
        "author": record.author,
        "findings": [finding_object(finding) for finding in record.findings],
    }


def moment(time: datetime | None) -> str | None:
    """Return a time in ISO 8601 with its offset, or ``None``."""
    return None if time is None else time.isoformat()
