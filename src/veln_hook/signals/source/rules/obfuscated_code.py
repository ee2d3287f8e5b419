"""An obfuscator was at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v
from veln_hook.source.facts import BUILD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    executing = {c.path for c in view.of(v.EXEC, v.LOAD)} | {
        c.path for c in view.of(v.DYNAMIC) if "hidden" in c.flags
    }
    marked = {c.path for c in view.of(v.TEXT) if c.detail == "obfuscator"}
    for oddity in view.of(v.TEXT):
        if oddity.detail == "encrypted" and oddity.reach in BY_ITSELF:
            yield Hit("its code is encrypted: nobody can read what it does", (oddity,), HOLD)
        elif oddity.detail in ("blob", "obfuscator") and oddity.reach in BY_ITSELF:
            # Nobody has ever needed one in setup.py; and what an obfuscator leaves is run by it.
            sure = oddity.detail == "blob" and (oddity.reach == BUILD or oddity.path in marked)
            hold = sure or oddity.path in executing
            yield Hit(_MESSAGES[oddity.detail], (oddity,), HOLD if hold else REVIEW)
    for name in view.of(v.DYNAMIC, by_itself=True):
        if "hidden" in name.flags and name.detail == "globals()":
            yield Hit("it takes names out of globals() that are hidden by an encoding", (name,), HOLD)
    for decode in view.of(v.DECODE, by_itself=True):
        if "marshal" in decode.flags:
            yield Hit(
                "it loads marshalled bytecode", (decode,), HOLD if "constant" in decode.flags else REVIEW
            )
    for name, act, _, _ in view.pairs((v.DYNAMIC,), (v.NET, v.PROC, v.EXEC), by_itself=True):
        if "hidden" in name.flags:
            yield Hit(f"the name {name.detail} is hidden by an encoding", (name, act), HOLD)


_MESSAGES = {
    "blob": "a very long line of encoded data stands in the code",
    "obfuscator": "its names are those of an obfuscator",
}

RULE = Rule(
    name="obfuscated-code",
    description="It shows the marks of an obfuscator, loads marshalled bytecode, or hides the names it uses.",
    grade=REVIEW,
    find=_find,
    fires={"acme/__init__.py": "import marshal\nmarshal.loads(b'xxxxxxxxxxxx')\n"},
    quiet={"acme/__init__.py": "import marshal\n\ndef load(data):\n    return marshal.loads(data)\n"},
    rates="36 of 2,004 malicious clusters, 2 of 200 popular archives",
)
