"""A URL or connection with a public address instead of a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, INFO, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    senders = view.paths(v.NET) | view.paths(v.PROC)
    for url in view.of(v.URL, v.NET):
        if "address" in url.flags and url.path in senders:
            near = url.kind == v.NET or url.reach in BY_ITSELF
            yield Hit(
                f"it talks to the address {url.detail} instead of a named host",
                (url,),
                HOLD if url.reach in BY_ITSELF else REVIEW if near else INFO,
            )


RULE = Rule(
    name="raw-address",
    description="It talks to a public IPv4 address instead of a named host.",
    grade=REVIEW,
    find=_find,
    fires={"acme/__init__.py": "import requests\nrequests.get('http://45.9.148.1/x')\n"},
    quiet={
        "acme/__init__.py": (
            "import requests\n\ndef ask():\n    return requests.get('http://127.0.0.1:8000/x')\n"
        )
    },
    rates="124 of 2,004 malicious clusters, 2 of 200 popular archives",
)
