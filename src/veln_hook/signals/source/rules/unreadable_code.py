"""Source that can not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, INFO, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    risky = [
        oddity
        for oddity in view.of(v.TEXT)
        if oddity.detail == "unparsable-risky" and oddity.reach in ("import", "build", "startup")
    ]
    count = len(view.facts.unparsed)
    told = f"{count} file(s) of source can't be parsed by Python {'.'.join(map(str, view.facts.python))}"
    if risky:
        yield Hit(
            f"{told}, and one names {risky[0].evidence}",
            (risky[0],),
            HOLD,
            key="unparsed",
        )
    elif count:
        yield Hit(
            f"{told}: {', '.join(view.facts.unparsed[:3])}",
            (),
            INFO,
            key="unparsed",
        )


RULE = Rule(
    name="unreadable-code",
    description=(
        "A file that is imported can't be parsed by the Python that reads it, and names what matters."
    ),
    grade=HOLD,
    find=_find,
    fires={"acme/__init__.py": "import os\nexec(open('x').read(\n"},
    quiet={"acme/__init__.py": "print 'Python 2'\n"},
    rates="42 of 2,004 malicious clusters, 1 of 200 popular archives",
)
