"""Errors of a network request or a process are swallowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, LOADED, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for act in view.of(v.NET, v.PROC, by_itself=True):
        if "quiet" in act.flags and (act.kind == v.NET or "silent" in act.flags or "python" in act.flags):
            what = "a network request" if act.kind == v.NET else "a process"
            # A package asks nobody to start Python for it while it is imported, least of all unnoticed.
            starts = act.kind == v.PROC and "python" in act.flags and act.reach in LOADED
            yield Hit(
                f"it makes {what} when it is loaded and swallows whatever goes wrong",
                (act,),
                HOLD if starts else None,
            )


RULE = Rule(
    name="swallowed-errors",
    description="A request or process that nobody called for has its errors swallowed by a bare handler.",
    grade=REVIEW,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import requests\ntry:\n    requests.get('https://example.test')\nexcept Exception:\n    pass\n"
        )
    },
    quiet={"acme/__init__.py": "try:\n    import requests\nexcept Exception:\n    pass\n"},
    rates="216 of 2,004 malicious clusters, 6 of 200 popular archives",
)
