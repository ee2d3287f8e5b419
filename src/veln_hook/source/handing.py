"""What code hands to others: functions to run, secrets, and names of functions to look up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable

from veln_hook.source import commands, passing
from veln_hook.source.callbacks import GIVEN, function_given
from veln_hook.source.facts import ANY
from veln_hook.source.given import HANDED
from veln_hook.source.iterating import table_of
from veln_hook.source.known import kind_of
from veln_hook.source.standard import is_elsewhere, may_be_ours
from veln_hook.source.values import ARGUMENT, NOTHING, Value
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
            kind = HANDED.get(value.name)
            if kind is not None:
                self._note(kind, line, value.name, NOTHING, "indirect")

    def to_run(self, name: str) -> None:
        """Note what a known function does that is passed to be run: ``Thread(target=os.system)``."""
        kind = kind_of(name)
        if kind in (NET, PROC, EXEC):
            detail = name if kind == EXEC else ""
            self._note(kind, 0, detail, NOTHING, "indirect", *(("opens",) if commands.opens(name) else ()))

    def functions(self, name: str, method: str, values: list[Value], taints: frozenset[str]) -> None:
        """Note that functions, classes and objects of the archive are called by whom they are given to.

        Args:
            name: Dotted, of what is called; empty if that isn't known.
            method: Its name, if it is one.
            values: Its arguments.
            taints: What those were made of.
        """
        known = [value.name for value in values if value.name]
        given = [GIVEN] if any(value is ARGUMENT for value in values) else []
        if not known and not given:
            return
        if (method or name.rpartition(".")[2]) in passing.RUNS_ITS_ARGUMENT:
            targets = [*self._run(method, values), *given]
        elif may_be_ours(name):
            # What is put into a container of the file is told by the container.
            known = [] if table_of(name) else [*filter(may_be_ours, known), *given]
            targets = [function_given(name, each) for each in known]
        else:
            targets = _called_by(name, method, known, len(values))
        carried = tuple(sorted(taints)) if taints else ()
        for target in targets:
            self._walk.scope.call(target, carried)

    def _run(self, method: str, values: list[Value]) -> list[str]:
        """Return the targets of what is given to a call that runs it."""
        known = [value.name for value in values if value.name]
        if method == "register":  # an abstract class calls none, and a table keeps what has a name
            known = [each for each in known if each[1:] not in self._walk.classes]
            known = [] if isinstance(values[0].const, str) else known
        for each in known:
            self.to_run(each)
        return [*known, *(f"{each}.{ANY}" for each in known if each[-2:] == "()")]

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


def _called_by(name: str, method: str, known: list[str], count: int) -> list[str]:
    """Return the targets of what is given to a call of Python's own, or of an unknown method.

    Args:
        name: Dotted, of what is called; empty for an unknown method.
        method: Its name, if it is one.
        known: The names of what it is given.
        count: How many arguments it has.
    """
    if name == "print":
        return [f"{each}.write" for each in known]
    if name == "type" and count > 1:  # of a class that is made of them
        return known
    if not passing.may_run(name, method):
        return []
    ours = [each for each in known if may_be_ours(each)]
    return [*ours, *(f"{each}.{ANY}" for each in ours if name or each[-2:] == "()")]


def _texts(const: Any) -> Iterable[str]:
    """Return the texts that a constant is or holds, but for long ones."""
    items = const.values() if isinstance(const, dict) else const if isinstance(const, tuple) else (const,)
    return [item for item in items if isinstance(item, str) and len(item) < _MAX_TEXT]
