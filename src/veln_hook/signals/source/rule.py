"""What a rule is: a name, a grade, and a search over facts that gives hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

from veln_hook.model import Confidence, Severity
from veln_hook.source.facts import BUILD, IMPORT, STARTUP, Placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from veln_hook.signals.source.view import View


class Grade(NamedTuple):
    """How much a hit counts."""

    severity: Severity
    confidence: Confidence


CERTAIN = Grade(Severity.CRITICAL, Confidence.HIGH)
"""A fact of DESIGN's list of what blocks."""
HOLD = Grade(Severity.HIGH, Confidence.HIGH)
"""Held by the default policy."""
HOLD_NEW = Grade(Severity.HIGH, Confidence.MEDIUM)
"""What a review grade becomes when the release before did not have it: held as well."""
REVIEW = Grade(Severity.MEDIUM, Confidence.HIGH)
"""Shown, and let through."""
SUSPECT = Grade(Severity.MEDIUM, Confidence.MEDIUM)
"""Shown, and let through, even if it is new."""
INFO = Grade(Severity.LOW, Confidence.HIGH)
"""Kept with the verdict."""

BY_ITSELF = (STARTUP, BUILD, IMPORT)
"""Reaches of code that runs without anybody calling it."""
LOADED = (STARTUP, IMPORT)
"""Of those, the ones of installed code: when Python starts, when it is imported."""


class Hit(NamedTuple):
    """One thing that a rule found."""

    message: str
    legs: tuple[Placed, ...]
    """The capabilities it is made of; it is new if one of them is. The first is the place that is shown."""
    grade: Optional[Grade] = None
    """Where it counts otherwise than the rule's other hits."""
    key: str = ""
    """What it is compared by instead of its legs."""


@dataclass(frozen=True)
class Rule:
    """A signal about contents."""

    name: str
    """Kebab-case, as policy files name it."""
    description: str
    """One sentence for the docs: what it finds."""
    grade: Grade
    """Without a baseline, for hits that say nothing else."""
    find: Callable[[View], Iterable[Hit]]
    fires: Mapping[str, str]
    """Files of a wheel in which it finds something: path to text."""
    quiet: Mapping[str, str]
    """Files in which it doesn't, though they look alike."""
    when_new: Optional[Grade] = None
    """With a baseline, for what is new; by default one grade up where the grade is ``REVIEW``."""
    rates: str = ""
    """What was measured; see docs/benchmarks.md."""

    def graded(self, hit: Hit, *, new: bool | None) -> Grade:
        """Return how much a hit counts.

        Args:
            hit: One of this rule's.
            new: Whether the baseline lacks it; ``None`` without a baseline.
        """
        grade = hit.grade or self.grade
        if new is None:
            return grade
        if not new:
            return INFO
        if hit.grade is None and self.when_new is not None:
            return self.when_new
        return HOLD_NEW if grade == REVIEW else grade
