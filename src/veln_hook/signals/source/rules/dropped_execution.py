"""Decoded data is written to a file and a process started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for drop, process, reach, _ in view.pairs((v.WRITE,), (v.PROC, v.LOAD)):
        if "decoded" in drop.taints and "remote" not in drop.taints:
            yield Hit(
                "decoded data is written to a file, and a process started",
                (drop, process),
                HOLD if reach in BY_ITSELF else REVIEW,
            )


RULE = Rule(
    name="dropped-execution",
    description=(
        "Data decoded from the archive is written to a file and a process is started by the same code."
    ),
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": "import base64, subprocess, sys\nwith open('/tmp/p.py', 'wb') as f:\n"
        "    f.write(base64.b64decode('cHJpbnQoMSkgICMgYSBwYXlsb2Fk'))\n"
        "subprocess.Popen([sys.executable, '/tmp/p.py'])\n"
    },
    quiet={
        "acme/__init__.py": (
            "import base64\n\ndef icon():\n    with open('icon.png', 'wb') as f:\n"
            "        f.write(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAA'))\n"
        )
    },
    rates="46 of 2,004 malicious clusters, none of 200 popular archives",
)
