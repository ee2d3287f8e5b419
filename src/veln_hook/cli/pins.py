"""The part of ``check`` that is about locks: which pins there are, their verdicts, and how they are told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.utils import canonicalize_name

from veln_hook.errors import UsageError
from veln_hook.locks.comparing import HASH, Indexes, normalized, without_credentials
from veln_hook.locks.judging import judge, wanted
from veln_hook.locks.model import OriginKind, Pin, PinnedFile
from veln_hook.locks.reading import read_lock
from veln_hook.model import Candidate, Decision, Severity
from veln_hook.report.json_form import verdict_object
from veln_hook.report.markdown import counted
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from veln_hook.adapters.pip.client import Asked
    from veln_hook.adapters.pip.listing import ListingClient
    from veln_hook.cli.console import Console
    from veln_hook.model import Verdict
    from veln_hook.policy.settings import Policy


class Judged(NamedTuple):
    """A pin and the verdict about it."""

    pin: Pin
    verdict: Verdict


def read_pins(paths: Sequence[str], changed_from: str) -> list[Pin]:
    """Read locks.

    Args:
        paths: Theirs.
        changed_from: Another version of the one lock, whose pins are left out; empty for none.

    Raises:
        UsageError: One can't be read.
    """
    if changed_from and len(paths) != 1:
        raise UsageError(
            "--changed-from goes with one lock", advice="Check each lock against its own earlier version."
        )
    pins = [pin for path in paths for pin in read_lock(path).pins]
    if changed_from:
        before = {pin.content for pin in read_lock(changed_from).pins}
        pins = [pin for pin in pins if pin.content not in before]
    return pins


def further_indexes(pins: Sequence[Pin], policy: Policy) -> list[str]:
    """Return the indexes that locks name and the policy, too: those are asked besides pip's."""
    named = {normalized(pin.source) for pin in pins if pin.origin is OriginKind.REGISTRY and pin.source}
    return [index.url for index in policy.indexes if normalized(index.url) in named]


def pinned(asked: Asked) -> Pin | None:
    """Return the pin that a line of a list is; ``None`` if it leaves a choice, or names no hash."""
    requirement = asked.requirement
    hashes = getattr(requirement, "hash_options", None) or {}
    if not asked.path or not hashes or requirement.link is not None or requirement.req is None:
        return None
    exact = [part for part in requirement.specifier if part.operator in ("==", "===")]
    if len(exact) != 1 or exact[0].version.endswith(".*"):
        return None
    files = tuple(
        PinnedFile("", hashes=((str(algorithm), str(digest).lower()),), line=asked.line)
        for algorithm, digests in hashes.items()
        for digest in digests
    )
    return Pin(
        project=canonicalize_name(requirement.name),
        version=str(exact[0].version),
        origin=OriginKind.REGISTRY,
        files=files,
        marker=str(requirement.markers or ""),
        path=asked.path,
        line=asked.line,
    )


def check_pins(
    client: ListingClient, indexes: Indexes, pins: Sequence[Pin], console: Console
) -> list[Judged]:
    """Judge pins, each project's page asked for once.

    Args:
        client: Asks.
        indexes: Those that the user or the policy has named.
        pins: Of all locks.
        console: Where progress is told.

    Returns:
        In the order of the pins.

    Raises:
        IndexUnavailableError: An index doesn't answer.
        StoreError: The store doesn't answer.
    """
    by_project: dict[str, list[int]] = {}
    for place, pin in enumerate(pins):
        by_project.setdefault(pin.project, []).append(place)
    verdicts: dict[int, Verdict] = {}

    def take(project: str, listed: Sequence[Candidate]) -> None:
        places = by_project.pop(project)
        own = [pins[place] for place in places]
        for place, (_, verdict) in zip(places, judge(client.guard, own, listed, indexes)):
            subject = verdict.subject
            # What a page says of its project has served; all pages of a lock would be many.
            kept = subject._replace(page=None) if isinstance(subject, Candidate) else subject
            verdicts[place] = replace(verdict, subject=kept)

    asking = wanted(pins, indexes)
    for number, (project, listed) in enumerate(client.listed(asking), 1):
        console.progress(f"{number} of {len(asking)} pages: {project}")
        take(project, listed)
    for project in list(by_project):
        take(project, ())
    return [Judged(pin, verdicts[place]) for place, pin in enumerate(pins)]


def tell_pins(console: Console, judged: Sequence[Judged], *, everything: bool, anything: bool) -> None:
    """Tell verdicts about pins: what is in the way by itself, the rest in one line a lock.

    Args:
        console: Where.
        judged: What was decided.
        everything: Tell all of them.
        anything: Say so if there are none.
    """
    for pin, verdict in judged:
        console.result(pin_object(pin, verdict))
        line = line_of(pin, verdict)
        where = f"{pin.path}:{line}" if line else pin.path
        if verdict.decision is Decision.ALLOW and not (everything or verdict.approval or verdict.exception):
            continue
        # What no index has by its name can't be approved by it.
        console.verdict(verdict, approve="" if verdict.subject.filename else None)
        console.line(f"      at       {printable(where)}")
    if not judged and anything:
        console.note("no pins to look at")
    for told in _sums(judged):
        console.note(told)


def line_of(pin: Pin, verdict: Verdict) -> int:
    """Return the line of a lock to look at first: that of a file, where the reason is one."""
    return next((ruling.finding.line for ruling in verdict.holding if ruling.finding.line), 0) or pin.line


def pin_object(pin: Pin, verdict: Verdict) -> dict[str, Any]:
    """Return a pin and its verdict, for ``--json``."""
    subject = verdict.subject
    return {
        "requirement": f"{pin.project}=={pin.version}" if pin.version else pin.project,
        "role": "pin",
        **verdict_object(verdict),
        "yanked": isinstance(subject, Candidate) and subject.yanked,
        "lock": pin.path,
        "lock_line": pin.line or None,
        "origin": pin.origin.value,
        "source": without_credentials(pin.source),
        "marker": pin.marker,
        "files": len(pin.files),
    }


def _sums(judged: Sequence[Judged]) -> Iterator[str]:
    for path in dict.fromkeys(one.pin.path for one in judged):
        own = [one for one in judged if one.pin.path == path]
        yield f"{printable(path)}: {len(own)} pins: {counted([one.verdict for one in own])}"
        elsewhere = Counter(one.pin.origin.value for one in own if one.pin.origin is not OriginKind.REGISTRY)
        if elsewhere:
            told = ", ".join(f"{count} {kind}" for kind, count in sorted(elsewhere.items()))
            yield f"      from no index, so that none could be asked: {told}"
        bare = sum(_is_bare(one.verdict) for one in own)
        if bare:
            yield f"      without a hash: {bare}"


def _is_bare(verdict: Verdict) -> bool:
    return any(
        ruling.finding.signal == HASH and ruling.finding.severity is Severity.LOW
        for ruling in verdict.rulings
    )
