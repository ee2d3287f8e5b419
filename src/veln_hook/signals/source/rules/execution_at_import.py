"""Import alone executes text that is put together when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, HOLD_NEW, INFO, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for code in view.of(v.EXEC, by_itself=True):
        if "opened" in code.taints and code.detail in ("exec", "eval", "execfile"):
            yield Hit(f"it calls {code.detail} on what is in a file that is no source", (code,), HOLD)
        elif "constant" not in code.flags:
            yield Hit(f"it calls {code.detail} on text made at run time, without being called", (code,))
    for load in view.of(v.LOAD, by_itself=True):
        if load.detail.startswith(("zipimporter", "an archive")):
            yield Hit("it imports code out of an archive, which is not read here", (load,), HOLD)


RULE = Rule(
    name="execution-at-import",
    description=(
        "It executes text that is put together at run time, as soon as it is imported or built; held where "
        "that stood in a file that is no source."
    ),
    grade=INFO,
    when_new=HOLD_NEW,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import os\nexec(open(os.path.join(os.path.dirname(__file__), 'code.txt')).read())\n"
        )
    },
    quiet={"acme/__init__.py": "def run(code):\n    exec(code)\n"},
    rates="10 of 60 popular archives do",
)
