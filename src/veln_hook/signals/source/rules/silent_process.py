"""A process is started with its output thrown away or in a session of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, LOADED, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for process in view.of(v.PROC, by_itself=True):
        if "opens" in process.flags:
            what = process.detail or "something"
            yield Hit(f"it opens {what} the way a double click does, without being called", (process,), HOLD)
        if "silent" in process.flags:
            yield Hit(
                f"it starts {process.detail or 'a process'} unseen: no output, or a session of its own",
                (process,),
                # Python behind Python, as soon as it is imported: its own code, or what stands beside it.
                HOLD if "python" in process.flags and process.reach in LOADED else None,
            )


RULE = Rule(
    name="silent-process",
    description="It starts a process whose output nobody sees, or that outlives it, without being called.",
    grade=REVIEW,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import subprocess\n"
            "subprocess.Popen(['x'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import subprocess\n\ndef run():\n"
            "    subprocess.Popen(['x'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        )
    },
    rates="77 of 2,004 malicious clusters, 1 of 200 popular archives",
)
