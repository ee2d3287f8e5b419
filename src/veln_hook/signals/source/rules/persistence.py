"""It arranges to be run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, INFO, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for place, act, reach, _ in view.pairs((v.PERSIST, v.STARTUP_FILE), (v.PROC, v.WRITE, v.NET)):
        if reach in BY_ITSELF:
            yield Hit(
                f"it names {place.detail} and {_ACTS[act.kind]} when it is loaded",
                (place, act),
                HOLD if reach == "build" or place.kind == v.STARTUP_FILE else INFO,
            )
    for place in view.of(v.PERSIST):
        if "written" in place.flags and ("download" in place.flags or place.reach in BY_ITSELF):
            what = "what fetches or decodes more" if "download" in place.flags else "something"
            yield Hit(f"it writes {what} into {place.detail}", (place,), HOLD)
    for place in view.of(v.STARTUP_FILE):
        if place.reach in BY_ITSELF and place.reach != "startup":
            yield Hit(f"it writes {place.detail}, which every interpreter reads", (place,), HOLD)


_ACTS = {v.PROC: "starts a process", v.WRITE: "writes a file", v.NET: "reaches the network"}

RULE = Rule(
    name="persistence",
    description=(
        "Code that runs by itself writes what a shell, an editor, git, ssh, an installer or an assistant "
        "runs or obeys, or names such a place, a service or a scheduler and starts something; or any code "
        "writes there what fetches more."
    ),
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import os, site, base64\nopen(site.getsitepackages()[0] + '/x.pth', 'w').write('import os')\n"
        )
    },
    quiet={"acme/__init__.py": "import subprocess\n\ndef cron():\n    subprocess.run(['crontab', '-l'])\n"},
    rates="129 of 2,004 malicious clusters name such a place, and so do 14 of 200 popular archives",
)
