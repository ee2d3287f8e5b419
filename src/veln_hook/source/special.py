"""Calls that mean something of their own by their names: what they give, set or open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable

from veln_hook.source import assigning, given
from veln_hook.source.facts import ANY
from veln_hook.source.taints import opened
from veln_hook.source.values import NONE, UNKNOWN, Value, taints_of
from veln_hook.source.vocabulary import DYNAMIC, ENVIRONMENTS
from veln_hook.source.writing import is_mode_to_write

if TYPE_CHECKING:
    from veln_hook.source.calls import Calls

_VARIABLE = re.compile(r"[$%]\{?([A-Za-z_]\w*)")
_MAX_PARTS = 12
"""Of a path that is joined."""
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


class Special:
    """Tells what such calls give, and notes what they do.

    Args:
        walk: The walk.
        calls: What calls mean.
    """

    def __init__(self, walk: Any, calls: Calls) -> None:
        self._walk = walk
        self._calls = calls
        self._note = calls.note

    def call(self, name: str, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        """Return what a call gives; ``None`` if it is none of these, or nothing special is known of it."""
        special = _SPECIAL.get(name)
        return special(self, line, arguments, options) if special is not None else None

    def import_module(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        """Return the module that a call imports."""
        if not arguments:
            return None
        module = arguments[0].const
        if arguments[0].name == "__name__":
            return Value(name=given.OWN)
        if not isinstance(module, str):
            self._note(DYNAMIC, line, "import", arguments[0].taints)
            return Value(taints=arguments[0].taints)
        if "decoded" in arguments[0].taints:
            self._note(DYNAMIC, line, module, arguments[0].taints, "hidden")
        self._walk.scope.call(f"@{module}", ())
        return Value(name=module)

    def _dunder_import(self, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        found = self.import_module(line, arguments, options)
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
            self._note(DYNAMIC, line, owner.name, attr.taints)
        name = f"{owner.name}.{ANY}" if owner.name[:1] == ":" and owner.name != given.OWN else ""
        return Value(name=name, taints=owner.taints | attr.taints)

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
        read = [self._calls.environment.variable(name, line) for name in _VARIABLE.findall(text)]
        return Value(taints=taints_of(read), hint=text) if read else None

    def _resolved(self, _line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        text = arguments[0].const if arguments else None
        if not isinstance(text, str):
            return None
        self._walk.scope.call(f"@{text.partition(':')[0]}", ())
        return given.named(text.replace(":", "."))

    def _copied(self, _line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        return arguments[0] if arguments and given.is_table(arguments[0].name) else None

    def _join(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if all(value.const is not UNKNOWN for value in arguments):
            return None
        path = "/".join(value.text.strip("/") or "{}" for value in arguments[:_MAX_PARTS])
        taints = taints_of(arguments) | self._calls.text(path, line)
        return Value(name="os.path.join()", taints=taints, hint=path[:500])

    def _put(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if len(arguments) > 1:
            self._calls.steering.variable(arguments[0], arguments[1], line)
        return NONE

    def _updated(self, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        self._calls.steering.variables(options.items(), line)
        for table in arguments:
            self._calls.steering.all_of(table, line)
        return NONE

    def _home(self, _line: int, _arguments: list[Value], _: dict[str, Value]) -> Value | None:
        return Value(name="pathlib.Path.home()", hint="~")

    def _setattr(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if len(arguments) == 3 and isinstance(arguments[1].const, str):  # noqa: PLR2004 - of what, which, to what
            assigning.attribute(self._walk, arguments[0], arguments[1].const, arguments[2], line=line)
        return None

    def _open_raw(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if len(arguments) > 1:
            self._calls.writing.into(arguments[0].text, line)
        return None

    def _edits(self, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        if arguments and "inplace" in options:
            self._calls.writing.into(arguments[0].text, line)
        return None

    def _open(self, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        if not arguments:
            return None
        mode = arguments[1] if len(arguments) > 1 else options.get("mode", NONE)
        path = arguments[0]
        if is_mode_to_write(mode):
            self._calls.writing.into(path.text, line)
            self._calls.destroying.overwritten(path, line)
        if "opener" in options:
            self._walk.scope.call(options["opener"].name, ())
        taints = path.taints | opened(path)
        return Value(name="open()", taints=taints, hint=path.text)


_SPECIAL: dict[str, Callable[..., Value | None]] = {
    "pathlib.Path.home": Special._home,  # noqa: SLF001
    **{f"{each}.__setitem__": Special._put for each in ENVIRONMENTS},  # noqa: SLF001
    **{f"{each}.{verb}": Special._updated for each in ENVIRONMENTS for verb in ("update", "__ior__")},  # noqa: SLF001
    "os.putenv": Special._put,  # noqa: SLF001
    "setattr": Special._setattr,  # noqa: SLF001
    **dict.fromkeys(given.RESOLVERS, Special._resolved),  # noqa: SLF001
    "os.open": Special._open_raw,  # noqa: SLF001
    "importlib.import_module": Special.import_module,
    "importlib.__import__": Special._dunder_import,  # noqa: SLF001
    "__import__": Special._dunder_import,  # noqa: SLF001
    "importlib.util.module_from_spec": Special._first,  # noqa: SLF001
    "getattr": Special._getattr,  # noqa: SLF001
    "vars": Special._vars,  # noqa: SLF001
    "os.path.join": Special._join,  # noqa: SLF001
    **{f"functools.{each}": Special._partial for each in ("partial", "partialmethod", "lru_cache", "cache")},  # noqa: SLF001
    **dict.fromkeys(("staticmethod", "classmethod"), Special._partial),  # noqa: SLF001
    "property": Special._property,  # noqa: SLF001
    "os.path.expandvars": Special._expanded,  # noqa: SLF001
    "typing.ForwardRef": Special._forward,  # noqa: SLF001
    "dict": Special._copied,  # noqa: SLF001
    "open": Special._open,  # noqa: SLF001
    "io.open": Special._open,  # noqa: SLF001
    "io.FileIO": Special._open,  # noqa: SLF001
    "fileinput.input": Special._edits,  # noqa: SLF001
    "fileinput.FileInput": Special._edits,  # noqa: SLF001
    "codecs.open": Special._open,  # noqa: SLF001
}
