"""Something is wrong with the archive itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, INFO, REVIEW, Hit, Rule
from veln_hook.source.facts import CALL, Placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


_TOLD = frozenset(
    ("record-mismatch", "case-clash", "null-byte", "unread", "name-not-utf8", "control-character")
)


def _find(view: View) -> Iterator[Hit]:
    for problem in view.facts.problems:
        grade = HOLD if problem.fatal else REVIEW if problem.slug in _TOLD else INFO
        place = Placed("archive", CALL, problem.member, 0)
        yield Hit(problem.message, (place,), grade, key=f"{problem.slug} {problem.member}")


RULE = Rule(
    name="archive-contents",
    description="The archive is broken, or says different things to different readers.",
    grade=HOLD,
    find=_find,
    fires={"../acme.py": "x = 1\n"},
    quiet={"acme.py": "x = 1\n"},
    rates="not measured by itself",
)
