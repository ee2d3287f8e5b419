"""Verdicts about pins: one for each, the strictest of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.locks.comparing import compare, same_version
from veln_hook.locks.model import OriginKind
from veln_hook.model import Decision, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.guard import Guard
    from veln_hook.locks.comparing import Indexes
    from veln_hook.locks.model import Pin
    from veln_hook.model import Candidate, Ruling

MAX_RULINGS = 20
"""Of one pin that are told; the strictest come first. A release can have hundreds of files."""


def wanted(pins: Iterable[Pin], indexes: Indexes) -> dict[str, set[str]]:
    """Return the versions to ask indexes for, by project; pins that no index knows of are left out.

    Args:
        pins: Of locks.
        indexes: Those that may be asked.
    """
    found: dict[str, set[str]] = {}
    for pin in pins:
        if (pin.origin is OriginKind.REGISTRY and indexes.is_known(pin.source)) or (
            pin.origin is OriginKind.URL and pin.version
        ):
            found.setdefault(pin.project, set()).add(pin.version)
    return found


def judge(
    guard: Guard, pins: Sequence[Pin], listed: Sequence[Candidate], indexes: Indexes
) -> Iterator[tuple[Pin, Verdict]]:
    """Judge the pins of one project.

    Args:
        guard: Whose policy and store count.
        pins: Of one project.
        listed: The files that the indexes list of the pinned releases.
        indexes: Those that may be asked.

    Raises:
        StoreError: The store doesn't answer.
    """
    looked = []
    for pin in pins:
        own = [one for one in listed if same_version(one.version, pin.version)]
        looked.append((pin, compare(pin, own, indexes)))
    candidates = list(dict.fromkeys(one.candidate for _, files in looked for one in files))
    verdicts = dict(zip(candidates, guard.check_candidates(candidates)))
    for pin, files in looked:
        yield (
            pin,
            merged(
                [
                    guard.with_findings(verdicts[one.candidate], one.findings, sha256=one.sha256)
                    if one.findings
                    else verdicts[one.candidate]
                    for one in files
                ]
            ),
        )


def merged(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict about all files of a release together: the strictest, with the findings of all.

    Args:
        verdicts: About each; at least one.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    # Of two that hold, the one that a person must lift.
    worst = max(verdicts, key=lambda one: (one.decision, one.opens_at is None))
    opens_at = worst.opens_at
    if opens_at is not None:
        opens_at = max(one.opens_at for one in verdicts if one.opens_at is not None)
    rulings = sorted(
        (ruling for verdict in (worst, *verdicts) for ruling in verdict.rulings),
        key=lambda ruling: (-ruling.decision, ruling.finding.opens_at is not None, -ruling.finding.severity),
    )
    return Verdict(
        decision=worst.decision,
        subject=worst.subject,
        rulings=tuple(_distinct(rulings))[:MAX_RULINGS],
        opens_at=opens_at if worst.decision is Decision.HOLD else None,
        approval=next((one.approval for one in (worst, *verdicts) if one.approval is not None), None),
        exception=next((one.exception for one in (worst, *verdicts) if one.exception), ""),
    )


def _distinct(rulings: Sequence[Ruling]) -> list[Ruling]:
    """Leave one of each kind: of those that time lifts, a signal's latest; of others, the same text once."""
    latest: dict[str, Ruling] = {}
    for ruling in rulings:
        finding = ruling.finding
        if finding.opens_at is not None:
            known = latest.get(finding.signal)
            if known is None or known.finding.opens_at is None or known.finding.opens_at < finding.opens_at:
                latest[finding.signal] = ruling
    told: dict[tuple[str, str, Decision], Ruling] = {}
    for ruling in rulings:
        finding = ruling.finding
        if finding.opens_at is not None and latest[finding.signal] is not ruling:
            continue
        told.setdefault((finding.signal, finding.message, ruling.decision), ruling)
    return list(told.values())
