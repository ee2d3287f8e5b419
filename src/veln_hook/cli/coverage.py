"""The table of ``veln-hook doctor``: what of this machine is covered, and by what the rest would be."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from veln_hook.enable import coverage
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from veln_hook.cli.console import Console
    from veln_hook.enable.coverage import Row

_MARKS = {True: "yes", False: "NO", None: "?"}
_STYLES = {True: "green", False: "red", None: "yellow"}


def tell(console: Console, required: Iterable[str]) -> bool:
    """Try everything and print the table.

    Args:
        console: Where to.
        required: Kinds of which the policy wants no gap.

    Returns:
        Whether there is a gap that the policy doesn't want.
    """
    rows: list[Row] = []
    for row in coverage.rows(os.environ, sys.executable):
        console.progress(f"trying {printable(row.place)} ...")
        rows.append(row)
        console.result({"name": "coverage", **row._asdict(), "ok": row.covered})
    console.clear()
    wanted = set(required)
    for kind in dict.fromkeys(row.kind for row in rows):
        word = "; the policy wants no gap" if kind in wanted else ""
        console.note(f"{kind}{word}")
        places = dict.fromkeys(row.place for row in rows if row.kind == kind)
        for place in places:
            _tell_place(console, place, [row for row in rows if (row.kind, row.place) == (kind, place)])
    gaps = [row for row in rows if row.covered is False and row.kind in wanted]
    for kind in dict.fromkeys(row.kind for row in gaps):
        count = sum(row.kind == kind for row in gaps)
        console.line(f"FAIL  coverage: {count} of {kind} not covered, which coverage.required forbids")
    return bool(gaps)


def _tell_place(console: Console, place: str, rows: Sequence[Row]) -> None:
    marks = []
    for row in rows:
        mark = console.palette.paint(_MARKS[row.covered], _STYLES[row.covered])
        mode = row.mode.partition(" ")[2]
        marks.append(f"{mode} {mark}".strip())
    console.note(f"  {'  '.join(marks)}  {printable(place)}")
    reasons = dict.fromkeys((row.why, row.remedy) for row in rows if not row.covered)
    for why, remedy in reasons:
        console.note(f"      {printable(why)}{'; covered by: ' + printable(remedy) if remedy else ''}")
