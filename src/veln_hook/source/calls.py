"""What calls and names mean: the place where capabilities are noted."""

from __future__ import annotations

import re
from typing import Any

from veln_hook.source import given, passing, values
from veln_hook.source.acts import Acts, Known
from veln_hook.source.callbacks import GIVEN
from veln_hook.source.destroying import Destroying, found_by
from veln_hook.source.environment import GETTERS, SWEEPERS, Environment
from veln_hook.source.facts import Capability
from veln_hook.source.handing import Handing
from veln_hook.source.iterating import element_of, table_of
from veln_hook.source.known import kind_of
from veln_hook.source.special import Special
from veln_hook.source.standard import may_be_ours
from veln_hook.source.steering import Steering
from veln_hook.source.strings import Strings
from veln_hook.source.taints import OPENED, few, made_of, opened
from veln_hook.source.values import ARGUMENT, NONE, NOTHING, UNKNOWN, Value, taints_of
from veln_hook.source.vocabulary import (
    DYNAMIC,
    ENV,
    ENVIRONMENTS,
    EXEC,
    LOAD,
    NATIVE,
    NET,
    PROC,
)
from veln_hook.source.writing import Writing

_ATTRIBUTE_MAKERS = ("operator.attrgetter", "operator.methodcaller")
_PASSING = frozenset(("xor",))
"""Taints that mean something only until they come to a call that makes another of them."""
_PASSING_BUT_NET = frozenset(("xor", "key"))
_KNOWS_ALL = given.OF_CLASSES | {"object"}
_NOTED = passing.WRITES | passing.PATHS | passing.REMOVES | passing.STARTS_PROCESSES | passing.CONNECTS | {
    "load_extension", "__subclasses__",
}  # fmt: skip
_TAKES = ("get", "pop", "setdefault", "__getitem__")
"""Methods that take an item out of a table."""
_TAKEN_OUT = (*_TAKES, "values", "items", "copy")
"""Those, and the ones that give all items."""
_TAKING = frozenset((*given.LOADERS, *_TAKES))
_ARCHIVE = re.compile(r"\.(?:zip|egg|whl|pyz)\b", re.IGNORECASE)
_CALLS_LATER = {
    "sys.meta_path": ".find_spec", "sys.path_hooks": "", "gc.callbacks": "", "copyreg": "",
    "addHandler": ".emit",
}  # fmt: skip
"""What is called of the things that are put into a list of the interpreter's, or given to a method."""
_TRUSTING = "trust_remote_code"
"""An option by which hubs of models are let run what they have."""
_MAX_DETAIL = 80
_IN_ARCHIVES = ("ZipFile().read", "ZipFile().open")
_MAX_NAME = 100
_OF_PATHS = ("os.path", "posixpath", "ntpath", "pathlib")
"""Modules whose names tell nothing of a path."""


class Calls:
    """Notes capabilities in the scope that is being walked.

    Args:
        walk: The walk.
        source: The module's whole text.
    """

    def __init__(self, walk: Any, source: str) -> None:
        self._walk = walk
        self.strings = Strings(self.note, source)
        self.text = self.strings.text
        """Notes what a string names; returns its taints."""
        self.handing = Handing(walk, self.note)
        self.writing = Writing(self.note)
        self.destroying = Destroying(self.note)
        self.steering = Steering(self.note)
        self._acts = Acts(walk, self)
        self.environment = Environment(self.note)
        self._special = Special(walk, self)

    def note(
        self, kind: str, line: int, detail: str = "", taints: frozenset[str] = NOTHING, *flags: str
    ) -> None:
        """Note a capability where the walk is."""
        walk = self._walk
        line = line or walk.line
        if walk.swallowed:
            flags = (*flags, "quiet")
        taints -= _PASSING if kind == NET else _PASSING_BUT_NET
        walk.scope.note(
            Capability(kind, line, detail[:_MAX_DETAIL], walk.evidence(line), tuple(sorted(taints)), flags)
        )

    # --- names and items ------------------------------------------------------------------------------

    def attribute(self, name: str, owner: Value) -> Value:
        """Return what an attribute is."""
        if name in ENVIRONMENTS:
            return given.named(name)
        return Value(name=given.known_as(name), taints=owner.taints)

    def item(self, owner: Value, key: str, line: int) -> Value | None:  # noqa: PLR0911 - one of each table
        """Return ``owner[key]`` where the owner is a table of names; ``None`` where it is something else."""
        if owner.name in ENVIRONMENTS:
            return self.environment.variable(key, line)
        if owner.name in ("globals()", "locals()", "vars()"):
            return self._walk.look_up(key)  # type: ignore[no-any-return]
        if given.is_table(owner.name):
            return self._walk.look_up(key) if owner.name[:1] == ":" else Value(name=key)
        if owner.name[:1] == "/":  # the names of a file that was run
            return Value(name=f"{owner.name}.{key}")
        if owner.name in ("plumbum.local", "sh"):  # a table of commands
            return Value(name=f"{owner.name.partition('.')[0]}.{key}")
        if owner.name == f"{given.OWN}.__dict__":
            return self._walk.look_up(key)  # type: ignore[no-any-return]
        if owner.name.endswith(".__dict__"):
            return Value(name=f"{owner.name[: -len('.__dict__')]}.{key}")
        return None

    def unknown_item(self, owner: Value, index: Value, line: int) -> Value | None:
        """Return ``owner[index]`` where the index is not known."""
        if owner.name in ENVIRONMENTS:
            return self.environment.some_variable(index, line)
        if owner.name == "sys.modules" and index.name == "__name__":
            return Value(name=given.OWN)
        if owner.name == "globals()" or given.is_table(owner.name):
            hidden = ("hidden",) if index.taints & {"decoded", "spelled"} else ()
            self.note(DYNAMIC, line, owner.name, index.taints, *hidden)
        return None

    # --- calls ----------------------------------------------------------------------------------------

    def call(  # noqa: C901, PLR0911 - once for every call there is: the cases stand in the order of their cost
        self,
        line: int,
        function: Value,
        receiver: Value,
        method: str,
        *,
        arguments: list[Value],
        options: dict[str, Value],
    ) -> Value:
        """Note what a call does; return what is known of its result."""
        name = function.name
        everything = [*arguments, *options.values()] if options else arguments
        taints = taints_of(everything)
        found = self._special.call(name, line, arguments, options)
        if found is not None:
            return found
        if name in _ATTRIBUTE_MAKERS and arguments and isinstance(arguments[0].const, str):
            return Value(name=f"{name} {arguments[0].const}", taints=taints)
        taken = self._taken(method, receiver, arguments, line) if method in _TAKING else None
        if taken is not None:
            return taken
        if name in GETTERS:
            return self._variable(method, arguments, options, line)
        if name in SWEEPERS or (
            name in passing.SERIALIZES and any(value.name in ENVIRONMENTS for value in arguments)
        ):
            # A copy is what every starter of processes makes; it counts where it goes to a network.
            self.note(ENV, line, "copy" if name.endswith(".copy") or name == "dict" else "sweep")
            return Value(taints=taints | {"env"})
        if name not in passing.ASKS_ABOUT:
            self.handing.on(everything, line)
        self.handing.functions(name, method, everything, taints)
        if options.get(_TRUSTING, NONE).const is True:
            self.note(EXEC, line, _TRUSTING, taints | {"remote"})
        kind = kind_of(name)
        if not kind and name[:1] == ":":  # a class of the file that derives from one that is known
            self.handing.to_run(self._walk.derived.get(name, ""))
        if kind:
            return self._acts.known(Known(kind, name, line, receiver, arguments, options, taints))
        self.handing.away(name, line, receiver, everything, taints)
        taints |= self.environment.by_library(name, method, everything, line)
        self._note_method(method, receiver, arguments, options, taints=taints, line=line)
        self._calls_others(function, method, everything, taints)
        if not options or name in ("bytes", "str"):
            constants = [value.const for value in arguments]
            folded = values.call(name, constants) if name else UNKNOWN
            if folded is UNKNOWN and method:
                folded = values.method(receiver.const, method, constants)
            if folded is not UNKNOWN:
                return self._folded(folded, name, method, line, taints | receiver.taints)
        return _unknown(name, method, receiver, arguments, taints | receiver.taints)

    def _variable(self, method: str, arguments: list[Value], options: dict[str, Value], line: int) -> Value:
        """Note what is read from the environment, or set there where it has none."""
        if method == "setdefault" and len(arguments) > 1:
            self.steering.variable(arguments[0], arguments[1], line)
        return self.environment.get(arguments, options, line)

    def _taken(self, method: str, receiver: Value, arguments: list[Value], line: int) -> Value | None:
        """Return what a call takes out of a table of names, or imports; ``None`` if it does neither."""
        if method == "load_module" and receiver.name[:1] == "/":
            return receiver
        if not arguments or not isinstance(arguments[0].const, str):
            return None
        text = arguments[0].const
        if method in _TAKES and receiver.name and receiver.name not in ENVIRONMENTS:
            return self.item(receiver, text, line)
        return self._special.import_module(line, arguments, {}) if method in given.LOADERS else None

    def _note_method(
        self,
        method: str,
        receiver: Value,
        arguments: list[Value],
        options: dict[str, Value],
        *,
        taints: frozenset[str],
        line: int,
    ) -> None:
        """Note what methods do that are known by their names alone."""
        if method not in _NOTED:
            return
        if method in passing.WRITES or method in passing.PATHS:
            self.writing.by_method(method, receiver, arguments, options, taints=taints, line=line)
            self.destroying.by_method(method, receiver, arguments, line)
        elif method in passing.REMOVES:
            self.destroying.by_method(method, receiver, arguments, line)
        elif method in passing.STARTS_PROCESSES:
            self.note(PROC, line, method, taints)
        elif method in passing.CONNECTS:
            self.note(NET, line, method, taints)
        elif method == "load_extension":
            self.note(NATIVE, line, method, taints)
        elif method == "__subclasses__" and receiver.name.rpartition(".")[2] in _KNOWS_ALL:
            self.note(PROC, line, "all classes", NOTHING, "indirect")

    def _folded(self, folded: Any, name: str, method: str, line: int, taints: frozenset[str]) -> Value:
        if isinstance(folded, str) and (
            method in ("join", "replace", "decode") or name in ("chr", "bytes", "reversed")
        ):
            taints |= self.text(folded, 0 if method != "replace" else line)
        if name in ("chr", "reversed"):
            taints |= {"decoded"}
        return Value(folded, "", taints)

    def _calls_others(
        self,
        function: Value,
        method: str,
        everything: list[Value],
        taints: frozenset[str],
    ) -> None:
        name = function.name
        scope = self._walk.scope
        carried = tuple(sorted(taints)) if taints else ()
        if function is ARGUMENT:
            scope.call(GIVEN, ())
        if may_be_ours(name):
            scope.call(name, carried)
        if (not name or table_of(name)) and function is not ARGUMENT and method and method[:2] != "__":
            scope.call(f"?.{method}", carried)
        if name.startswith("sys.path.") and any(_ARCHIVE.search(value.text) for value in everything):
            self.note(LOAD, 0, "an archive on the path")
        called = _CALLS_LATER.get(name.rpartition(".")[0] or name, _CALLS_LATER.get(method))
        if called is not None:
            for value in everything:
                scope.call(f"{value.name}{called}", carried)


def _unknown(
    name: str, method: str, receiver: Value, arguments: list[Value], taints: frozenset[str]
) -> Value:
    """Return what a call gives whose result can't be told."""
    hint = ""
    if taints and not _keeps(name, method, receiver):
        taints = made_of(taints)
    taints |= found_by(name, method, receiver, arguments)
    taints |= _read_by(name, method or name.rpartition(".")[2], receiver, arguments)
    if "xor" in taints and name in ("chr", "bytes", "bytearray"):
        taints |= {"decoded", "unmasked"}
    if method in passing.HINTING or name == "str" or name.endswith((".Request", ".join", "Path")):
        given_to = arguments[:3] if receiver.name in _OF_PATHS else (receiver, *arguments[:3])
        hint = " ".join(filter(None, (value.text for value in given_to)))[:500]
    if may_be_ours(name):
        taints = few(taints)
        taints |= {f"ret:{name}"} if not name.endswith(")") and len(name) < _MAX_NAME else NOTHING
    if name == "chr":
        taints |= {"spelled"}
    if method in _TAKEN_OUT and receiver is ARGUMENT:
        return receiver
    if method in _TAKEN_OUT and table_of(receiver.name):
        return Value(name=element_of(receiver.name), taints=taints)
    return Value(name=f"{name}()" if name else "", taints=taints, hint=hint)


def _read_by(name: str, last: str, receiver: Value, arguments: list[Value]) -> frozenset[str]:
    """Return the taint of what a call reads of a file that holds no source; nothing for other calls."""
    if last in passing.CONTAINS or name.endswith(_IN_ARCHIVES):
        return OPENED
    return opened(receiver, *arguments) if last in passing.OPENS else NOTHING


def _keeps(name: str, method: str, receiver: Value) -> bool:
    """Tell whether what a call gives still has a key in it that the call was given."""
    last = method or name.rpartition(".")[2]
    # 'jwt.encode(claims, key)' signs; a key's own text is another text of it.
    return last in passing.KEEPS and (last not in passing.OF_ITSELF or not method or bool(receiver.taints))
