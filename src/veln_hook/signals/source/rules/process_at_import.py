"""Import alone starts a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD_NEW, INFO, LOADED, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for process in view.of(v.PROC):
        if process.reach in LOADED:
            yield Hit(f"it runs {process.detail or 'a process'} as soon as it is imported", (process,))


RULE = Rule(
    name="process-at-import",
    description="It starts a process as soon as it is imported.",
    grade=INFO,
    when_new=HOLD_NEW,
    find=_find,
    fires={"acme/__init__.py": "import subprocess\nsubprocess.run(['uname'])\n"},
    quiet={"acme/__init__.py": "import subprocess\n\ndef f():\n    subprocess.run(['uname'])\n"},
    rates="22 of 60 popular wheels do",
)
