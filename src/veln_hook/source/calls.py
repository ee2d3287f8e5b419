"""What calls and names mean: the place where capabilities are noted."""

from __future__ import annotations

import re
from typing import Any

from veln_hook.source import given, passing, values
from veln_hook.source.acts import Acts, Known
from veln_hook.source.environment import GETTERS, SWEEPERS, Environment
from veln_hook.source.facts import Capability
from veln_hook.source.handing import Handing
from veln_hook.source.iterating import table_of
from veln_hook.source.known import kind_of
from veln_hook.source.standard import may_be_ours
from veln_hook.source.strings import Strings
from veln_hook.source.taints import few, made_of
from veln_hook.source.values import NONE, NOTHING, UNKNOWN, Value, taints_of
from veln_hook.source.vocabulary import (
    DYNAMIC,
    ENV,
    ENVIRONMENTS,
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
_NOTED = passing.WRITES | passing.PATHS | passing.STARTS_PROCESSES | passing.CONNECTS | {
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
_VARIABLE = re.compile(r"[$%]\{?([A-Za-z_]\w*)")
_MAX_DETAIL = 80
_MAX_PARTS = 12
"""Of a path that is joined."""
_MAX_NAME = 100
_MODULES_THAT_MATTER = (
    "os",
    "subprocess",
    "builtins",
    "sys",
    "ctypes",
    "__builtins__",
    "socket",
    "importlib",
)


def named(name: str) -> Value:
    """Return the value of a dotted name."""
    name = given.known_as(name)
    return Value(name=name, taints=frozenset(("env",)) if name in ENVIRONMENTS else NOTHING)


class Calls:
    """Notes capabilities in the scope that is being walked.

    Args:
        walk: The walk.
        source: The module's whole text.
    """

    def __init__(self, walk: Any, source: str) -> None:
        self._walk = walk
        strings = Strings(self.note, source)
        self.text = strings.text
        """Notes what a string names; returns its taints."""
        self.handing = Handing(walk, self.note)
        self._writing = Writing(self.note)
        self._acts = Acts(walk, self.note, strings, self._writing)
        self.environment = Environment(self.note)

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
            return named(name)
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
        if owner.name.endswith(".__dict__"):
            return Value(name=f"{owner.name[: -len('.__dict__')]}.{key}")
        return None

    def unknown_item(self, owner: Value, index: Value, line: int) -> Value | None:
        """Return ``owner[index]`` where the index is not known."""
        if owner.name in ENVIRONMENTS:
            return self.environment.some_variable(index, line)
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
        special = _SPECIAL.get(name)
        if special is not None:
            found: Value | None = special(self, line, arguments, options)
            if found is not None:
                return found
        if name in _ATTRIBUTE_MAKERS and arguments and isinstance(arguments[0].const, str):
            return Value(name=f"{name} {arguments[0].const}", taints=taints)
        taken = self._taken(method, receiver, arguments, line) if method in _TAKING else None
        if taken is not None:
            return taken
        if name in GETTERS:
            return self.environment.get(arguments, options, line)
        if name in SWEEPERS or (
            name in passing.SERIALIZES and any(value.name in ENVIRONMENTS for value in arguments)
        ):
            # A copy is what every starter of processes makes; it counts where it goes to a network.
            self.note(ENV, line, "copy" if name.endswith(".copy") or name == "dict" else "sweep")
            return Value(taints=taints | {"env"})
        if name not in passing.ASKS_ABOUT:
            self.handing.on(everything, line)
        kind = kind_of(name)
        if not kind and name[:1] == ":":  # a class of the file that derives from one that is known
            self.handing.to_run(self._walk.derived.get(name, ""))
        if kind:
            return self._acts.known(Known(kind, name, line, receiver, arguments, options, taints))
        self.handing.away(name, line, receiver, everything, taints)
        self._note_method(method, receiver, arguments, options, taints=taints, line=line)
        self._calls_others(name, method, everything, taints)
        if not options or name in ("bytes", "str"):
            constants = [value.const for value in arguments]
            folded = values.call(name, constants) if name else UNKNOWN
            if folded is UNKNOWN and method:
                folded = values.method(receiver.const, method, constants)
            if folded is not UNKNOWN:
                return self._folded(folded, name, method, line, taints | receiver.taints)
        return _unknown(name, method, receiver, arguments, taints | receiver.taints)

    def _taken(self, method: str, receiver: Value, arguments: list[Value], line: int) -> Value | None:
        """Return what a call takes out of a table of names, or imports; ``None`` if it does neither."""
        if method == "load_module" and receiver.name[:1] == "/":
            return receiver
        if not arguments or not isinstance(arguments[0].const, str):
            return None
        text = arguments[0].const
        if method in _TAKES and receiver.name and receiver.name not in ENVIRONMENTS:
            return self.item(receiver, text, line)
        return self._import_module(line, arguments, {}) if method in given.LOADERS else None

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
            self._writing.by_method(method, receiver, arguments, options, taints=taints, line=line)
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

    def _calls_others(self, name: str, method: str, everything: list[Value], taints: frozenset[str]) -> None:
        scope = self._walk.scope
        carried = tuple(sorted(taints)) if taints else ()
        if may_be_ours(name):
            scope.call(name, carried)
        elif not name and method and not method.startswith("__"):
            scope.call(f"?.{method}", carried)
        if name.startswith("sys.path.") and any(_ARCHIVE.search(value.text) for value in everything):
            self.note(LOAD, 0, "an archive on the path")
        called = _CALLS_LATER.get(name.rpartition(".")[0] or name, _CALLS_LATER.get(method))
        if called is not None:
            for value in everything:
                scope.call(f"{value.name}{called}", carried)
        if (method or name.rpartition(".")[2]) in passing.RUNS_ITS_ARGUMENT:
            for value in everything:
                if value.name:
                    scope.call(value.name, carried)
                    self.handing.to_run(value.name)

    # --- calls that give names ------------------------------------------------------------------------

    def _import_module(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if not arguments:
            return None
        module = arguments[0].const
        if not isinstance(module, str):
            self.note(DYNAMIC, line, "import", arguments[0].taints)
            return Value(taints=arguments[0].taints)
        if "decoded" in arguments[0].taints:
            self.note(DYNAMIC, line, module, arguments[0].taints, "hidden")
        self._walk.scope.call(f"@{module}", ())
        return Value(name=module)

    def _dunder_import(self, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        found = self._import_module(line, arguments, options)
        if found is None or len(arguments) > 3 or "fromlist" in options:  # noqa: PLR2004 - fromlist: the module itself
            return found
        return Value(name=found.name.partition(".")[0], taints=found.taints)

    def _getattr(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if len(arguments) < 2:  # noqa: PLR2004
            return None
        owner, attr = arguments[:2]
        if isinstance(attr.const, str):
            found: Value = self._walk.evaluator.attribute(owner, attr.const)
            return found
        if owner.name in _MODULES_THAT_MATTER:
            self.note(DYNAMIC, line, owner.name, attr.taints)
        return Value(taints=owner.taints | attr.taints)

    def _first(self, _line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        return arguments[0] if arguments and arguments[0].name[:1] == "/" else None

    def _vars(self, _line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        return Value(name=f"{arguments[0].name}.__dict__") if arguments and arguments[0].name else None

    def _partial(self, _line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        return Value(name=arguments[0].name, taints=arguments[0].taints) if arguments else None

    def _property(self, _line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        return Value(name=f"{arguments[0].name}()") if arguments and arguments[0].name[:1] == ":" else None

    def _forward(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        text = arguments[0].const if arguments else None
        if isinstance(text, str) and "(" in text:
            self._walk.read_again(text, line)
        return None

    def _expanded(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        text = arguments[0].text if arguments else ""
        read = [self.environment.variable(name, line) for name in _VARIABLE.findall(text)]
        return Value(taints=taints_of(read), hint=text) if read else None

    def _resolved(self, _line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        text = arguments[0].const if arguments else None
        if not isinstance(text, str):
            return None
        self._walk.scope.call(f"@{text.partition(':')[0]}", ())
        return named(text.replace(":", "."))

    def _copied(self, _line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        return arguments[0] if arguments and given.is_table(arguments[0].name) else None

    def _join(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if all(value.const is not UNKNOWN for value in arguments):
            return None
        path = "/".join(value.text.strip("/") or "{}" for value in arguments[:_MAX_PARTS])
        taints = taints_of(arguments) | self.text(path, line)
        return Value(name="os.path.join()", taints=taints, hint=path[:500])

    def _open_raw(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if len(arguments) > 1:
            self._writing.into(arguments[0].text, line)
        return None

    def _edits(self, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        if arguments and "inplace" in options:
            self._writing.into(arguments[0].text, line)
        return None

    def _open(self, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        if not arguments:
            return None
        mode = arguments[1] if len(arguments) > 1 else options.get("mode", NONE)
        path = arguments[0]
        self._writing.by_open(path, mode, line)
        taints = path.taints | ({"own-file"} if "__file__" in path.text else NOTHING)
        return Value(name="open()", taints=taints, hint=path.text)


_SPECIAL: dict[str, Any] = {
    **dict.fromkeys(given.RESOLVERS, Calls._resolved),  # noqa: SLF001
    "os.open": Calls._open_raw,  # noqa: SLF001
    "importlib.import_module": Calls._import_module,  # noqa: SLF001 - the table of this class's own methods
    "importlib.__import__": Calls._dunder_import,  # noqa: SLF001
    "__import__": Calls._dunder_import,  # noqa: SLF001
    "importlib.util.module_from_spec": Calls._first,  # noqa: SLF001
    "getattr": Calls._getattr,  # noqa: SLF001
    "vars": Calls._vars,  # noqa: SLF001
    "os.path.join": Calls._join,  # noqa: SLF001
    "functools.partial": Calls._partial,  # noqa: SLF001
    "property": Calls._property,  # noqa: SLF001
    "os.path.expandvars": Calls._expanded,  # noqa: SLF001
    "typing.ForwardRef": Calls._forward,  # noqa: SLF001
    "dict": Calls._copied,  # noqa: SLF001
    "open": Calls._open,  # noqa: SLF001
    "io.open": Calls._open,  # noqa: SLF001
    "io.FileIO": Calls._open,  # noqa: SLF001
    "fileinput.input": Calls._edits,  # noqa: SLF001
    "fileinput.FileInput": Calls._edits,  # noqa: SLF001
    "codecs.open": Calls._open,  # noqa: SLF001
}


def _unknown(
    name: str, method: str, receiver: Value, arguments: list[Value], taints: frozenset[str]
) -> Value:
    """Return what a call gives whose result can't be told."""
    hint = ""
    if taints and not _keeps(name, method, receiver):
        taints = made_of(taints)
    if "xor" in taints and name in ("chr", "bytes", "bytearray"):
        taints |= {"decoded", "unmasked"}
    if method in passing.HINTING or name == "str" or name.endswith((".Request", ".join", "Path")):
        hint = " ".join(filter(None, (value.text for value in (receiver, *arguments[:3]))))[:500]
    if may_be_ours(name):
        taints = few(taints)
        taints |= {f"ret:{name}"} if not name.endswith(")") and len(name) < _MAX_NAME else NOTHING
    if name == "chr":
        taints |= {"spelled"}
    if method in _TAKEN_OUT and table_of(receiver.name):
        return Value(name=table_of(receiver.name), taints=taints)
    return Value(name=f"{name}()" if name else "", taints=taints, hint=hint)


def _keeps(name: str, method: str, receiver: Value) -> bool:
    """Tell whether what a call gives still has a key in it that the call was given."""
    last = method or name.rpartition(".")[2]
    # 'jwt.encode(claims, key)' signs; a key's own text is another text of it.
    return last in passing.KEEPS and (last not in passing.OF_ITSELF or not method or bool(receiver.taints))
