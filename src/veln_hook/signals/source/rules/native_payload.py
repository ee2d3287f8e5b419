"""Native code is put into memory and run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for native in view.of(v.NATIVE):
        if any(part in native.detail for part in v.SHELLCODE):
            yield Hit(
                f"it writes native code into memory ({native.detail.split()[0]})",
                (native,),
                HOLD if native.reach in BY_ITSELF else REVIEW,
            )
        elif {"decoded", "remote"} & set(native.taints):
            yield Hit(
                "it loads native code that was decoded or fetched",
                (native,),
                HOLD if native.reach in BY_ITSELF else REVIEW,
            )


RULE = Rule(
    name="native-payload",
    description=(
        "It allocates executable memory as shellcode does, or loads native code that was decoded or fetched."
    ),
    grade=HOLD,
    find=_find,
    fires={"acme/__init__.py": "import ctypes\nctypes.windll.kernel32.VirtualAlloc(0, 4096, 0x3000, 0x40)\n"},
    quiet={"acme/__init__.py": "import ctypes\nlib = ctypes.CDLL('libc.so.6')\n"},
    rates="SHELLCODE_API at any reach is as common in honest packages; by itself none of 110",
)
