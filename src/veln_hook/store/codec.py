"""Between the records of ``model`` and what a database column holds.

Rules of this module:

* Lossless for everything a record may hold: what is read back equals what was
  written. The two exceptions can't be stored at all and are made storable
  instead of losing the whole row: a time beyond the year 9999 in UTC becomes
  the last such time, and a lone surrogate outside a finding (an undecodable
  file name) becomes an escape.
* Times are integer microseconds since 1970 in UTC: exact, sortable, and read
  without parsing.
* Enumerations are written as their word, so that a file stays readable when a
  member is added or renumbered.
* Keys that a finding does not need are left out, and unknown keys are skipped:
  two versions of this program may share one file.
* ``*_values`` and ``*_from`` follow the column order of the SQL in ``sqlite``.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Optional, Union

from veln_hook.model import (
    Approval,
    ApprovalRequest,
    Confidence,
    Decision,
    Finding,
    Observation,
    Severity,
    VerdictRecord,
)
from veln_hook.store.interface import Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Value = Optional[Union[str, int, bytes]]
"""What stands in a column."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = (datetime.min.replace(tzinfo=timezone.utc) - _EPOCH) // _MICROSECOND
_LATEST = (datetime.max.replace(tzinfo=timezone.utc) - _EPOCH) // _MICROSECOND


def to_micros(moment: datetime) -> int:
    """Return the moment as microseconds since 1970 in UTC.

    Raises:
        TypeError: The moment has no time zone.
    """
    # Near the year 9999 an offset can carry a time out of what a datetime can hold in UTC; such a row could
    # be written but never be read again.
    return max(_EARLIEST, min(_LATEST, (moment - _EPOCH) // _MICROSECOND))


def from_micros(micros: int) -> datetime:
    """Return the aware UTC moment of these microseconds since 1970.

    Raises:
        OverflowError: No ``datetime`` can hold it.
    """
    return _EPOCH + timedelta(microseconds=micros)


def _optional_micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _optional_moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def to_text(value: str) -> str:
    """Return ``value`` as SQLite can take it: the same, unless it holds lone surrogates."""
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def to_server_text(value: str) -> str:
    """Return ``value`` as PostgreSQL can take it: without lone surrogates, and without NUL."""
    return to_text(value).replace("\x00", "\\x00")


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    """Return the finding as JSON can hold it; ``finding_from_dict`` gives an equal one back."""
    data: dict[str, Any] = {
        "signal": finding.signal,
        "severity": finding.severity.word,
        "confidence": finding.confidence.word,
        "message": finding.message,
    }
    if finding.opens_at is not None:
        data["opens_at"] = to_micros(finding.opens_at)
    if finding.unverifiable:
        data["unverifiable"] = True
    if finding.line is not None:
        data["line"] = finding.line
    if finding.new is not None:
        data["new"] = finding.new
    for key in ("path", "reach", "evidence"):
        value = getattr(finding, key)
        if value:
            data[key] = value
    return data


def finding_from_dict(data: dict[str, Any]) -> Finding:
    """Return the finding that ``finding_to_dict`` wrote.

    Raises:
        KeyError: A needed key is missing, or a severity or confidence is unknown.
        OverflowError: ``opens_at`` is beyond any time.
    """
    return Finding(
        signal=data["signal"],
        severity=Severity[data["severity"].upper()],
        confidence=Confidence[data["confidence"].upper()],
        message=data["message"],
        opens_at=_optional_moment(data.get("opens_at")),
        unverifiable=data.get("unverifiable", False),
        path=data.get("path", ""),
        line=data.get("line"),
        reach=data.get("reach", ""),
        new=data.get("new"),
        evidence=data.get("evidence", ""),
    )


def findings_to_json(findings: Iterable[Finding]) -> str:
    """Return the findings as one compact line of ASCII JSON."""
    # ASCII: a lone surrogate (in an archive member's name) survives as an escape; UTF-8 has no bytes for it.
    return json.dumps([finding_to_dict(finding) for finding in findings], separators=(",", ":"))


def findings_from_json(text: str) -> tuple[Finding, ...]:
    """Return the findings that ``findings_to_json`` wrote.

    Raises:
        ValueError: It is not JSON.
        KeyError: See ``finding_from_dict``.
        OverflowError: See ``finding_from_dict``.
    """
    return tuple(finding_from_dict(data) for data in json.loads(text))


def observation_values(observation: Observation) -> tuple[str, str, str, str, str, str, int]:
    """Return the observation as the columns of ``observation``, the time last."""
    return (
        to_text(observation.project),
        to_text(observation.filename),
        to_text(observation.sha256),
        to_text(observation.index),
        to_text(observation.machine),
        to_text(observation.version),
        to_micros(observation.first_seen),
    )


def observation_from(row: Sequence[Any]) -> Observation:
    """Return the observation in a row of ``observation``."""
    project, filename, sha256, index, machine, version, first_seen = row
    return Observation(project, version, filename, sha256, index, from_micros(first_seen), machine)


def approval_values(approval: Approval) -> tuple[Value, ...]:
    """Return the approval as the columns of ``approval`` without its number."""
    return (
        to_text(approval.project),
        to_text(approval.version),
        to_text(approval.filename),
        to_text(approval.sha256),
        to_text(approval.reason),
        to_text(approval.author),
        to_micros(approval.created_at),
        _optional_micros(approval.expires_at),
        _optional_micros(approval.revoked_at),
    )


def approval_from(row: Sequence[Any]) -> Approval:
    """Return the approval in a row of ``approval``; a shared store's has the login as one more column."""
    number, project, version, filename, sha256, reason, author, created_at, expires_at, revoked_at, *login = (
        row
    )
    return Approval(
        project=project,
        version=version,
        filename=filename,
        sha256=sha256,
        reason=reason,
        author=author,
        created_at=from_micros(created_at),
        expires_at=_optional_moment(expires_at),
        revoked_at=_optional_moment(revoked_at),
        id=number,
        login=str(login[0]) if login else "",
    )


def request_values(request: ApprovalRequest) -> tuple[Value, ...]:
    """Return the request as a shared store takes it."""
    return (
        to_server_text(request.project),
        to_server_text(request.version),
        to_server_text(json.dumps([list(each) for each in request.files])),
        to_server_text(request.index),
        to_server_text(request.reason),
        to_server_text(request.author),
        to_micros(request.created_at),
    )


def request_from(row: Sequence[Any]) -> ApprovalRequest:
    """Return the request in a row of ``request``."""
    number, project, version, files, index, reason, author, created_at, login = row[:9]
    refused_at, refused_by, refusal = row[9:]
    return ApprovalRequest(
        project=project,
        version=version,
        files=tuple((str(filename), str(sha256)) for filename, sha256 in json.loads(files)),
        index=index,
        reason=reason,
        author=author,
        created_at=from_micros(created_at),
        refused_at=_optional_moment(refused_at),
        refused_by=refused_by or "",
        refusal=refusal or "",
        id=number,
        login=login,
    )


def record_values(record: VerdictRecord) -> tuple[Value, ...]:
    """Return the log record as the columns of ``verdict_log`` without its number."""
    return (
        to_micros(record.at),
        record.decision.word,
        to_text(record.stage),
        to_text(record.project),
        to_text(record.version),
        to_text(record.filename),
        to_text(record.sha256),
        to_text(record.index),
        to_text(record.reason),
        _optional_micros(record.opens_at),
        record.approval_id,
        to_text(record.author),
        findings_to_json(record.findings),
    )


def record_from(row: Sequence[Any]) -> VerdictRecord:
    """Return the log record in a row of ``verdict_log``."""
    (number, at, decision, stage, project, version, filename, sha256, index, reason) = row[:10]
    (opens_at, approval_id, author, findings) = row[10:]
    return VerdictRecord(
        at=from_micros(at),
        decision=Decision[decision.upper()],
        stage=stage,
        project=project,
        version=version,
        filename=filename,
        sha256=sha256,
        index=index,
        reason=reason,
        opens_at=_optional_moment(opens_at),
        approval_id=approval_id,
        author=author,
        findings=findings_from_json(findings),
        id=number,
    )


def scan_values(scan: Scan) -> tuple[Value, ...]:
    """Return the scan as the columns of ``scan`` without its number."""
    return (
        to_text(scan.sha256),
        scan.rules,
        to_text(scan.project),
        to_text(scan.version),
        to_text(scan.filename),
        to_text(scan.index),
        _optional_micros(scan.uploaded_at),
        scan.decision.word,
        to_micros(scan.scanned_at),
        scan.facts,
    )


def scan_from(row: Sequence[Any]) -> Scan:
    """Return the scan in a row of ``scan``.

    It is a cache: what can't be understood in it counts as not known, and never as an error. A decision
    that this version has no word for is no reason to trust.
    """
    sha256, rules, project, version, filename, index, uploaded_at, decision, scanned_at, facts = row
    return Scan(
        sha256=sha256,
        rules=rules,
        project=project,
        version=version,
        filename=filename,
        decision=Decision.__members__.get(str(decision).upper(), Decision.HOLD),
        scanned_at=from_micros(scanned_at),
        index=index,
        uploaded_at=_optional_moment(uploaded_at),
        facts=facts if isinstance(facts, bytes) else b"",
    )
