"""It steers everything else in the process by the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for place in view.of(v.STEER, by_itself=True):
        name, _, what = place.detail.partition(": ")
        by_command = what == v.PROTECTION
        message = (
            f"it changes {what} by {name}"
            if by_command
            else f"it sets {name} by itself, which decides {what}"
        )
        yield Hit(message, (place,), HOLD if "told" in place.flags else None)


RULE = Rule(
    name="environment-takeover",
    description=(
        "Code that runs by itself sets a variable that decides for the whole process, and for all that it "
        "starts, where requests go, whom TLS trusts, where packages come from or what is loaded, or runs a "
        "command that switches off what protects the machine; held where it names a host or an index, by "
        "such a command, and in an upgrade."
    ),
    grade=REVIEW,
    find=_find,
    fires={"acme/__init__.py": "import os\nos.environ['HTTPS_PROXY'] = 'http://proxy.example:8080'\n"},
    quiet={
        "acme/__init__.py": (
            "import os\nos.environ.setdefault('ACME_LOG', 'info')\n\n"
            "def use_proxy(url):\n    os.environ['HTTPS_PROXY'] = url\n"
        )
    },
    rates="1 of 990 malicious clusters; of 706 harmless archives 1 is told of it, none held",
)
