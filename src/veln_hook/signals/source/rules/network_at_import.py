"""Import alone reaches the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD_NEW, INFO, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for net in view.of(v.NET, v.DNS, by_itself=True):
        if net.reach != "build":
            yield Hit(f"it reaches {net.detail or 'the network'} {_WHEN[net.reach]}", (net,))


_WHEN = {"import": "as soon as it is imported", "startup": "whenever Python starts"}

RULE = Rule(
    name="network-at-import",
    description="It reaches the network, or resolves a name, as soon as it is imported.",
    grade=INFO,
    when_new=HOLD_NEW,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import requests\n\ndef _load():\n    return requests.get('https://api.example.test')\n\n"
            "_load()\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import requests\n\ndef load():\n    return requests.get('https://api.example.test')\n"
        )
    },
    rates="424 of 2,004 malicious clusters, 17 of 180 popular wheels; new in none of 102 release pairs",
)
