"""A command that the release before did not install."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import INFO, Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for script in view.facts.scripts:
        yield Hit(f"it installs the command {script}", (), key=f"command {script}")


RULE = Rule(
    name="new-command",
    description="It installs a command.",
    grade=INFO,
    find=_find,
    fires={
        "acme-1.0.dist-info/WHEEL": "",
        "acme-1.0.dist-info/entry_points.txt": "[console_scripts]\nacme = acme:main\n",
    },
    quiet={
        "acme-1.0.dist-info/WHEEL": "",
        "acme-1.0.dist-info/entry_points.txt": "[acme.plugins]\nx = acme:main\n",
    },
    rates="told only",
)
