"""A ``sitecustomize`` or ``usercustomize`` at the root of site-packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for module in view.of(v.STARTUP_FILE):
        if module.reach == "startup":
            yield Hit(
                f"it installs {module.detail}, which every interpreter imports when it starts", (module,)
            )


RULE = Rule(
    name="start-up-module",
    description=(
        "It installs a sitecustomize or usercustomize, which every interpreter imports when it starts."
    ),
    grade=HOLD,
    find=_find,
    fires={"sitecustomize.py": "import os\n"},
    quiet={"acme/sitecustomize.py": "import os\n"},
    rates=(
        "nested copies in ddtrace, newrelic, debugpy and pdm are honest; none of the popular wheels has "
        "one at its root"
    ),
)
