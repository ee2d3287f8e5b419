"""Bytecode without its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for compiled in view.of(v.BYTECODE):
        unread = compiled.detail == "without source"
        yield Hit(
            "it brings bytecode without its source, which nobody can read"
            if unread
            else "it brings bytecode that runs in the place of its source, whatever that says",
            (compiled,),
        )


RULE = Rule(
    name="bytecode",
    description=(
        "It brings compiled Python whose source is not beside it, or that Python runs without comparing it "
        "with its source (PEP 552)."
    ),
    grade=HOLD,
    find=_find,
    fires={"acme/core.pyc": "\x00"},
    quiet={"acme/core.py": "x = 1\n", "acme/core.pyc": "\x00"},
    rates="2 per 1,000 malicious clusters, none of 110 popular archives",
)
