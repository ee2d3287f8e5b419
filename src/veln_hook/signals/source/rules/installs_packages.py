"""Code that nobody called runs pip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, INFO, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for process in view.of(v.PROC):
        if "pip" in process.flags:
            grade = {"build": HOLD, "startup": HOLD, "import": REVIEW}.get(process.reach, INFO)
            yield Hit("it installs further packages", (process,), grade)


RULE = Rule(
    name="installs-packages",
    description="It runs pip or the like when it is built or imported: what that installs is in no metadata.",
    grade=REVIEW,
    find=_find,
    fires={"acme/__init__.py": "import os\nos.system('pip install other')\n"},
    quiet={"acme/__init__.py": "HELP = 'pip install acme[extra]'\n"},
    rates="136 + 85 of 2,004 malicious clusters, 1 of 200 popular archives",
)
