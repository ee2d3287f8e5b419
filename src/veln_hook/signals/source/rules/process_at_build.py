"""The build starts a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import INFO, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for process in view.of(v.PROC):
        if process.reach == "build":
            yield Hit(f"building it runs {process.detail or 'a process'}", (process,))


RULE = Rule(
    name="process-at-build",
    description=(
        "setup.py or a build backend of the sdist's own starts a process; compilers are looked for that way."
    ),
    grade=INFO,
    when_new=REVIEW,
    find=_find,
    fires={
        "acme-1.0/setup.py": "import subprocess\nsubprocess.check_output(['pkg-config', '--libs', 'acme'])\n"
    },
    quiet={"acme-1.0/setup.py": "from setuptools import setup\nsetup(name='acme')\n"},
    rates="513 of 2,004 malicious clusters, 9 of 46 popular sdists",
)
