"""Native code where none was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD_NEW, INFO, Hit, Rule
from veln_hook.source import vocabulary as v
from veln_hook.source.facts import IMPORT, Placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    imported = {
        native.path: native.detail for native in view.of(v.NATIVE) if native.detail.startswith("imports ")
    }
    for name in view.facts.natives:
        more = f" that {imported[name]}" if name in imported else ""
        place = Placed(v.NATIVE, IMPORT, name, 0)
        # Names carry the version of Python; that there is any is what counts.
        yield Hit(f"it brings native code{more}", (place,), key="native")


RULE = Rule(
    name="new-native",
    description="It brings native code though the release before had none; no source analysis reads that.",
    grade=INFO,
    when_new=HOLD_NEW,
    find=_find,
    fires={"acme/lib.so": "\x7fELF"},
    quiet={"acme/lib.so.txt": "a text\n"},
    rates="not measured: half of the popular wheels have native code",
)
