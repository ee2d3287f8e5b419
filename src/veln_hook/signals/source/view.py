"""Facts, arranged the way rules ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from veln_hook.signals.source.rule import BY_ITSELF
from veln_hook.source.facts import REACHES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from veln_hook.source.facts import ArchiveFacts, Placed

_LEVEL = {reach: level for level, reach in enumerate(REACHES)}


class Pair(NamedTuple):
    """Two capabilities that one piece of code reaches."""

    first: Placed
    second: Placed
    reach: str
    near: bool


class View:
    """Facts of one archive for the rules.

    Args:
        facts: Of the archive.
        project: Its normalized name; empty if it is not known.
        built_here: Whether it is a wheel that was built on this machine.
        before: What the release before could do; ``None`` if that is not known.
    """

    def __init__(
        self,
        facts: ArchiveFacts,
        *,
        project: str = "",
        built_here: bool = False,
        before: Baseline | None = None,
    ) -> None:
        self.facts = facts
        self.before = before
        self.project = project
        self.built_here = built_here
        self._kinds: dict[str, list[Placed]] = {}
        for capability in facts.capabilities:
            self._kinds.setdefault(capability.kind, []).append(capability)
        self._pairs: dict[tuple[str, str], list[Pair]] = {}
        for tie in facts.ties:
            first, second = facts.capabilities[tie.first], facts.capabilities[tie.second]
            self._pairs.setdefault((first.kind, second.kind), []).append(
                Pair(first, second, tie.reach, tie.near)
            )

    def of(self, *kinds: str, by_itself: bool = False) -> Iterator[Placed]:
        """Yield the capabilities of some kinds.

        Args:
            kinds: Of ``vocabulary.KINDS``.
            by_itself: Only those that run without being called.
        """
        for kind in kinds:
            for capability in self._kinds.get(kind, ()):
                if not by_itself or capability.reach in BY_ITSELF:
                    yield capability

    def pairs(
        self, firsts: Iterable[str], seconds: Iterable[str], *, by_itself: bool = False, near: bool = True
    ) -> Iterator[Pair]:
        """Yield ties between kinds.

        Args:
            firsts: Kinds of the one.
            seconds: Kinds of the other.
            by_itself: Only where the code that reaches both runs without being called.
            near: Only where both stand in one file.
        """
        for first in firsts:
            for second in seconds:
                for pair in self._pairs.get((first, second), ()):
                    if (not by_itself or pair.reach in BY_ITSELF) and (pair.near or not near):
                        yield pair

    def is_new(self, capability: Placed) -> bool:
        """Tell whether the release before could not do this; so it is where there is none."""
        return self.before is None or not self.before.has(capability)

    def paths(self, kind: str) -> set[str]:
        """Return the files that have a capability of a kind."""
        return {capability.path for capability in self._kinds.get(kind, ())}


class Baseline:
    """What the release before could do, by meaning: kind, detail, data and how it comes to run; not where."""

    def __init__(self, facts: ArchiveFacts) -> None:
        self.facts = facts
        self._known: dict[tuple[object, ...], dict[frozenset[str], int]] = {}
        """By meaning without data: what the data was made of, and the level of the worst reach."""
        for capability in facts.capabilities:
            known = self._known.setdefault(_meaning(capability), {})
            data, level = _data(capability), _LEVEL[capability.reach]
            known[data] = min(level, known.get(data, level))
        self._ties = {
            _tie_meaning((facts.capabilities[tie.first], facts.capabilities[tie.second]))
            for tie in facts.ties
        }

    def has(self, capability: Placed) -> bool:
        """Tell whether it could do this already, in as bad a way and with data made of no less.

        What data was made of is followed for a few calls only, so an honest change can lose some of that.
        """
        data, level = _data(capability), _LEVEL[capability.reach]
        known = self._known.get(_meaning(capability), {})
        return any(data <= before and worst <= level for before, worst in known.items())

    def has_tie(self, legs: tuple[Placed, ...]) -> bool:
        """Tell whether these belonged together already."""
        return _tie_meaning(legs) in self._ties


def _meaning(capability: Placed) -> tuple[object, ...]:
    kept = tuple(
        flag
        for flag in capability.flags
        if flag in ("payload", "hidden", "download", "pip", "sends", "silent")
    )
    return (capability.kind, capability.detail, kept)


def _data(capability: Placed) -> frozenset[str]:
    return frozenset(taint for taint in capability.taints if taint != "secret-words")


def _tie_meaning(legs: tuple[Placed, ...]) -> frozenset[tuple[str, str]]:
    return frozenset((leg.kind, leg.detail) for leg in legs)
