"""What code hands to others: functions to run, secrets, and names of functions to look up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable

from veln_hook.source import commands, given
from veln_hook.source.known import kind_of
from veln_hook.source.standard import is_elsewhere
from veln_hook.source.values import NOTHING, Value
from veln_hook.source.vocabulary import CALLS, EXEC, HANDOVER, NET, PROC

if TYPE_CHECKING:
    from collections.abc import Iterable

_AWAY = re.compile(
    r"(?:https?|wss?|s?ftp|tcp|udp|s3|gs|gcs|az|abfss?|hf)://"
    r"(?!localhost\b|127\.|0\.0\.0\.0)[^/\s'\"<>{}$\\?#@:]",
    re.IGNORECASE,
)
"""An address of something elsewhere, whose beginning is known."""
_LOOKS_UP = ("importlib.metadata.EntryPoint", "unittest.TestLoader", "logging.config.")
"""How names of Python's own begin that make functions of their names."""
_ESCAPES = ("__globals__", "__subclasses__")
"""Names by which a template comes to what it was not given."""
_SECRETS = frozenset(("cred", "env"))
_MAX_TEXT = 2000


class Handing:
    """Notes what one module hands to others.

    Args:
        walk: The walk.
        note: Notes a capability where the walk is, as ``Calls.note`` does.
    """

    def __init__(self, walk: Any, note: Callable[..., None]) -> None:
        self._walk = walk
        self._note = note

    def on(self, values: Iterable[Value], line: int) -> None:
        """Note functions that are put into a container or passed on: whoever gets them calls them."""
        for value in values:
            if not value.name:
                continue
            kind = given.HANDED.get(value.name)
            if kind is not None:
                self._note(kind, line, value.name, NOTHING, "indirect")

    def to_run(self, name: str) -> None:
        """Note what a known function does that is passed to be run: ``Thread(target=os.system)``."""
        kind = kind_of(name)
        if kind in (NET, PROC, EXEC):
            detail = name if kind == EXEC else ""
            self._note(kind, 0, detail, NOTHING, "indirect", *(("opens",) if commands.opens(name) else ()))

    def away(
        self, name: str, line: int, receiver: Value, everything: list[Value], taints: frozenset[str]
    ) -> None:
        """Note what a library is given of which nobody knows what it does: secrets, names of functions.

        Args:
            name: Dotted, of what is called.
            line: Of the call.
            receiver: What it is a method of.
            everything: Its arguments.
            taints: What those were made of.
        """
        elsewhere = is_elsewhere(name)
        if not elsewhere and not name.startswith(_LOOKS_UP):
            return
        if elsewhere and (taints | receiver.taints) & _SECRETS:
            away = any(_AWAY.search(value.text) for value in (receiver, *everything))
            if away or taints & _SECRETS:
                self._note(HANDOVER, line, name, taints | receiver.taints, *(("url",) if away else ()))
        for value in everything:
            for text in _texts(value.const):
                # 'os:system', or 'name = os:system' of an entry point.
                named = text.rpartition("=")[2].strip().replace(":", ".")
                if "." in named and (named in CALLS or named.startswith("builtins.")):
                    self.to_run(named.removeprefix("builtins."))
                if "{" in text and any(escape in text for escape in _ESCAPES):
                    self._note(PROC, line, "all classes", NOTHING, "indirect")


def _texts(const: Any) -> Iterable[str]:
    """Return the texts that a constant is or holds, but for long ones."""
    items = const.values() if isinstance(const, dict) else const if isinstance(const, tuple) else (const,)
    return [item for item in items if isinstance(item, str) and len(item) < _MAX_TEXT]
