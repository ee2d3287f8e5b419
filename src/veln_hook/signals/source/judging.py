"""From facts to findings: every rule is asked, and the baseline is subtracted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.model import Finding, Origin, Severity
from veln_hook.signals.hookspecs import SignalInfo
from veln_hook.signals.source.registry import RULES
from veln_hook.signals.source.rule import HOLD, REVIEW
from veln_hook.signals.source.view import Baseline, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from veln_hook.model import Archive
    from veln_hook.signals.hookspecs import ArchiveContext
    from veln_hook.signals.source.rule import Grade, Hit, Rule
    from veln_hook.source.facts import ArchiveFacts

SIGNALS = tuple(SignalInfo(rule.name, rule.description) for rule in RULES)
_PER_RULE = 5
"""Findings of one rule that are told; further ones say nothing new."""


def examine(archive: Archive, context: ArchiveContext) -> Iterable[Finding]:
    """Report what the code of an archive does; see ``veln_hook_examine_archive``."""
    if context.facts is None:
        return ()
    return judge(
        context.facts,
        context.baseline,
        project=archive.project,
        built_here=archive.origin in (Origin.BUILT, Origin.CACHED_BUILD, Origin.TREE),
    )


def judge(
    facts: ArchiveFacts, baseline: ArchiveFacts | None = None, *, project: str = "", built_here: bool = False
) -> list[Finding]:
    """Return findings about facts.

    Args:
        facts: Of the archive.
        baseline: Of the release before; ``None`` if there is none, and absolute rules count.
        project: Normalized name of the project.
        built_here: Whether the wheel was built on this machine, or the tree is the user's own.
    """
    before = Baseline(baseline) if baseline is not None else None
    view = View(facts, project=project, built_here=built_here, before=before)
    old_view = View(baseline, project=project) if baseline is not None else None
    findings: list[Finding] = []
    for rule in RULES:
        hits = list(rule.find(view))
        # What the release before did is asked only where this one does something.
        old = {_key(hit) for hit in rule.find(old_view)} if hits and old_view is not None else set()
        if rule.name == "new-native" and baseline is not None and baseline.kind != facts.kind:
            old.add("native")  # an sdist has its native code yet to be built
        told = 0
        for hit in _worst_first(rule, hits, before, old):
            if told < _PER_RULE:
                findings.append(hit)
                told += 1
    return findings


def would_hold_if_new(facts: ArchiveFacts) -> bool:
    """Tell whether a rule would hold the archive if everything in it were new.

    If not, no baseline can change its verdict, and none need be fetched.
    """
    view = View(facts)
    return any(
        rule.graded(hit, new=True).severity >= Severity.HIGH for rule in RULES for hit in rule.find(view)
    )


def _worst_first(
    rule: Rule, hits: Iterable[Hit], before: Baseline | None, old: set[str]
) -> Iterator[Finding]:
    graded: list[tuple[Grade, bool | None, Hit]] = []
    for hit in hits:
        new = None if before is None else _is_new(hit, before, old)
        graded.append((rule.graded(hit, new=new), new, hit))
    graded.sort(key=lambda row: (-row[0].severity, -row[0].confidence))
    seen = set()
    for grade, new, hit in graded:
        finding = _finding(rule, hit, grade, new)
        key = (finding.message, finding.path)
        if key not in seen:
            seen.add(key)
            yield finding


def _is_new(hit: Hit, before: Baseline, old: set[str]) -> bool:
    if hit.key or not hit.legs:
        return _key(hit) not in old
    if any(not before.has(leg) for leg in hit.legs):
        return True
    return len(hit.legs) > 1 and not before.has_tie(hit.legs) and _key(hit) not in old


def _key(hit: Hit) -> str:
    return hit.key or " ".join(f"{leg.kind}:{leg.detail}" for leg in hit.legs) or hit.message


def _finding(rule: Rule, hit: Hit, grade: Grade, new: bool | None) -> Finding:
    place = hit.legs[0] if hit.legs else None
    return Finding(
        signal=rule.name,
        severity=grade.severity,
        confidence=grade.confidence,
        message=hit.message,
        unverifiable=rule.name == "unreadable-code" and grade in (HOLD, REVIEW),
        path=place.path if place else "",
        line=place.line if place else None,
        reach=place.reach if place else "",
        new=new,
        evidence=place.evidence if place else "",
    )
