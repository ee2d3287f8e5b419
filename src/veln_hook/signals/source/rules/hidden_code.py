"""Code is pushed out of sight, or spelled with letters that look like others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, INFO, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


_TEXTS = {
    "hidden-blanks": ("code stands far to the right, behind blanks that push it out of sight", HOLD),
    "invisible": ("it holds a run of invisible characters, which can carry a payload", HOLD),
    "hidden-encoding": ("it declares an encoding in which code doesn't look like code", HOLD),
    "bidi": ("it holds characters that make code read in another order than it runs", REVIEW),
    "homoglyph": ("a name mixes alphabets, so that it looks like another", REVIEW),
}


def _find(view: View) -> Iterator[Hit]:
    for oddity in view.of(v.TEXT):
        if oddity.detail in _TEXTS:
            message, grade = _TEXTS[oddity.detail]
            yield Hit(message, (oddity,), grade if oddity.reach != "call" else INFO)


RULE = Rule(
    name="hidden-code",
    description=(
        "Code is hidden from whoever reads it: behind blanks, by invisible, reordering or look-alike "
        "characters, or in an encoding that has other bytes for the same letters."
    ),
    grade=HOLD,
    find=_find,
    fires={"acme/__init__.py": "x = 1;" + " " * 200 + "__import__('os').system('id')\n"},
    quiet={"acme/__init__.py": "x = 1" + " " * 200 + "# a remark far to the right\n"},
    rates="107 of 2,004 malicious clusters, none of 200 popular archives",
)
