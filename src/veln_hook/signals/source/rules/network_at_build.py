"""The build reaches the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for net in view.of(v.NET):
        if net.reach == "build":
            own = net.path.rpartition("/")[2] == "setup.py"
            yield Hit(f"building it reaches {net.detail or 'the network'}", (net,), HOLD if own else REVIEW)


RULE = Rule(
    name="network-at-build",
    description="setup.py, a setuptools command or a build backend of the sdist's own reaches the network.",
    grade=HOLD,
    find=_find,
    fires={"acme-1.0/setup.py": "import urllib.request\nurllib.request.urlopen('https://example.test')\n"},
    quiet={"acme-1.0/setup.py": "from setuptools import setup\nsetup(url='https://example.test')\n"},
    rates="403 of 2,004 malicious clusters, none of 46 popular sdists",
)
