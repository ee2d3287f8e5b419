"""Data that was encoded in the archive is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, CERTAIN, HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    decoding = {decode.path for decode in view.of(v.DECODE, by_itself=True) if "constant" in decode.flags}
    for code in view.of(v.EXEC, v.PROC):
        handed = "~decoded" in code.taints and code.kind == v.EXEC and code.path in decoding
        # Of what any caller may have given, that is certain enough for code only.
        unmasked = "unmasked" in code.taints or ("~unmasked" in code.taints and code.kind == v.EXEC)
        hidden = "decoded" in code.taints or (code.kind == v.EXEC and "spelled" in code.taints)
        waits = "constant" not in code.flags and code.kind == v.EXEC and code.reach not in BY_ITSELF
        if not handed and not unmasked and (not hidden or waits):
            continue
        itself = code.reach in BY_ITSELF
        if itself and _carries_off(view, code.path, code.line):
            yield Hit("decoded code is executed that reads credentials and sends them out", (code,), CERTAIN)
        else:
            what = (
                "a decoded payload is executed"
                if code.kind == v.EXEC
                else "a process is started from decoded data"
            )
            sure = code.kind == v.EXEC or code.path in decoding
            yield Hit(
                f"{what} as soon as the code is {_WHEN[code.reach]}",
                (code,),
                HOLD if (itself and sure) or unmasked else REVIEW,
            )


def _carries_off(view: View, path: str, line: int) -> bool:
    """Tell whether the payload that stands in a line both reads secrets and sends."""
    inside = [
        c for c in view.facts.capabilities if c.path == path and c.line == line and "payload" in c.flags
    ]
    return any(c.kind == v.NET and ({"cred", "env"} & set(c.taints)) for c in inside)


_WHEN = {
    "startup": "installed and Python starts",
    "build": "built",
    "import": "imported",
    "script": "run",
    "call": "called",
}

RULE = Rule(
    name="decoded-execution",
    description=(
        "Text that was hidden by base64, hex, compression, encryption or lists of numbers is executed."
    ),
    grade=HOLD,
    find=_find,
    fires={"acme/__init__.py": "import base64\nexec(base64.b64decode('cHJpbnQoMSkgICMgYSBwYXlsb2Fk'))\n"},
    quiet={"acme/__init__.py": "import base64\nLOGO = base64.b64decode('iVBORw0KGgoAAAANSUhEUgAA')\n"},
    rates="158 + 136 of 2,004 malicious clusters, none of 200 popular archives, when it runs by itself",
)
