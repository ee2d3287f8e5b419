"""What comes out of containers: by loops, comprehensions and items taken out of a display."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from veln_hook.source import values
from veln_hook.source.callbacks import KEPT
from veln_hook.source.environment import GETTERS
from veln_hook.source.facts import ELEMENT
from veln_hook.source.values import ARGUMENT, NOTHING, UNKNOWN, Value
from veln_hook.source.variables import is_credential_name
from veln_hook.source.vocabulary import MATTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from veln_hook.source.calls import Calls

MAX_COMPREHENSION = 100_000
"""Items of a folded comprehension, in a whole file: payloads spelled as lists of numbers."""
_TABLE = "<items>:"
_LINE = re.compile(r"\d*'*")
_LONG = 60
"""Characters of a literal that spells more than a word."""
_PURE = (
    ast.BinOp, ast.Call, ast.Name, ast.Constant, ast.operator, ast.expr_context, ast.UnaryOp, ast.unaryop,
    ast.Attribute, ast.Subscript,
)  # fmt: skip


def table_of(name: str) -> str:
    """Return the name of the container of functions that something was taken out of; empty if of none."""
    before, found, rest = name.partition(_TABLE)
    return f"{before}{found}{_LINE.match(rest).group()}" if found else ""  # type: ignore[union-attr]


def element_of(name: str) -> str:
    """Return the name of whatever is taken out of a container of functions; empty for anything else."""
    table = table_of(name)
    return f"{table}{ELEMENT}" if table else ""


def _functions(items: Iterable[Value]) -> list[str]:
    """Return the names of functions and classes of this file, each once."""
    return sorted({item.name for item in items if item.name[:1] == ":" and not item.name.endswith(")")})


class Iterating:
    """Evaluates what takes things out of containers, in one module.

    Args:
        evaluator: Of its expressions.
        walk: The walk, which knows the names.
        calls: What calls mean.
    """

    def __init__(self, evaluator: Any, walk: Any, calls: Calls) -> None:
        self._value = evaluator.value
        self._walk = walk
        self._calls = calls
        self._left = MAX_COMPREHENSION

    def taken_from(self, container: ast.expr) -> Value | None:
        """Count the archive's own functions in a display as called, where one is taken out of it at once.

        Returns:
            The first thing in it that has to be known by its name.
        """
        picked = None
        if isinstance(container, ast.Dict):
            parts: list[ast.expr] = container.values
        elif isinstance(container, (ast.List, ast.Tuple, ast.Set)):
            parts = container.elts
        else:
            return None
        for part in parts:
            if isinstance(part, ast.Name):
                known = self._walk.look_up(part.id)
                if known.name.startswith((":", ".")) or "." in known.name:
                    self._walk.scope.call(known.name, ())
                if picked is None and known.name in MATTER:
                    picked = known
        return picked

    def held(self, items: Sequence[Value], line: int) -> str:
        """Return the name of a container of functions of this file: a scope that calls all of them.

        Args:
            items: What stands in a display.
            line: Where it stands.

        Returns:
            The name; empty if there is something in it, but no functions.
        """
        scope = self._walk.scope
        name = f"{scope.prefix}{_TABLE}{line}"
        functions = _functions(items)
        if functions:
            draft = self._walk.draft(name, line, scope.function_parent)
            name = draft.name
            for function in functions:
                draft.call(function, ())
        return f":{name}" if functions or not items else ""

    def put(self, container: Value, items: Iterable[Value]) -> str:
        """Note that a container is given something later.

        Returns:
            The container's name; empty if it has none, and needs none.
        """
        items = list(items)
        functions = _functions(items)
        kept = any(item is ARGUMENT for item in items)
        table = table_of(container.name)
        if container.name.endswith(ELEMENT) or (not functions and not (kept and table)):
            return table and container.name
        scope, line = self._walk.scope, self._walk.line
        name = table[1:] or f"{scope.prefix}{_TABLE}{line}"
        draft = self._walk.drafts.get(name) or self._walk.draft(name, line, self._walk.root)
        for function in functions:
            draft.call(function, ())
        if kept:
            draft.call(KEPT, ())
            scope.call(f"{KEPT}{table}", ())
        return f":{name}"

    def element(self, items: Value) -> Value:
        """Return what is known of each element of something iterated over."""
        if items is ARGUMENT:
            return items
        taints = items.taints
        element = element_of(items.name)
        if element:
            return Value(name=element, taints=taints)
        if items.name == "os.environ":
            taints |= {"env"}
            self._calls.environment.sweep(self._walk.line)
        known = items.const
        if isinstance(known, dict):
            known = tuple(known)
        if isinstance(known, tuple) and known:
            names = [item for item in known if isinstance(item, str) and is_credential_name(item)]
            if names:
                return Value(taints=taints | {"secret-name"}, hint=" ".join(names[:5]))
            if isinstance(known[0], str):
                return Value(taints=taints, hint=known[0])
        return Value(taints=taints)

    def comprehension(self, node: Any) -> Value:
        """Evaluate a comprehension or generator expression."""
        outer_names = dict(self._walk.scope.names)
        taints = NOTHING
        iterated: list[Value] = []
        for generator in node.generators:
            items = self._value(generator.iter)
            picked = self.taken_from(generator.iter)
            iterated.append(items)
            taints |= items.taints
            self._walk.assign(generator.target, picked or self.element(items))
            for test in generator.ifs:
                taints |= self._value(test).taints
        const = self._unrolled(node, iterated)
        if const is UNKNOWN:
            for generator, items in zip(node.generators, iterated):
                picked = self.taken_from(generator.iter)
                self._walk.assign(generator.target, picked or self.element(items))
            if isinstance(node, ast.DictComp):
                taints |= self._value(node.key).taints | self._value(node.value).taints
            else:
                taints |= self._value(node.elt).taints
            literal = iterated[0].const
            if isinstance(literal, (str, bytes)) and len(literal) > _LONG:
                taints |= {"spelled"}
        else:
            taints |= {"decoded"}
        self._walk.scope.names = outer_names
        return Value(const, "", taints)

    def _unrolled(self, node: Any, iterated: list[Value]) -> Any:
        """Evaluate a comprehension over a constant: lists of numbers that spell a payload."""
        items = iterated[0].const
        if (
            isinstance(node, ast.DictComp)
            or len(node.generators) != 1
            or node.generators[0].ifs
            or not isinstance(items, (tuple, str, bytes))
            or not 1 < len(items) <= self._left
            or not all(isinstance(inner, _PURE) for inner in ast.walk(node.elt))
        ):
            return UNKNOWN
        self._left -= len(items)
        made = []
        for item in items:
            self._walk.assign(node.generators[0].target, Value(item))
            one = self._value(node.elt).const
            if one is UNKNOWN:
                return UNKNOWN
            made.append(one)
        return tuple(made)

    def mapped(self, function: Value, items: Value) -> Value | None:
        """Evaluate ``map`` over a constant, or names of variables; ``None`` if that can't be told."""
        if function.name in GETTERS:
            return self._calls.environment.get([self.element(items)], {}, self._walk.line)
        hidden = function.name == "chr"
        unknown = Value(taints=items.taints | {"spelled"}) if hidden else None
        if (
            not isinstance(items.const, (tuple, str, bytes))
            or len(items.const) > self._left
            or not function.name
        ):
            return unknown
        self._left -= len(items.const)
        made = tuple(values.call(function.name, (item,)) for item in items.const)
        if any(item is UNKNOWN for item in made):
            return unknown
        return Value(made, "", items.taints | {"decoded"} if hidden else items.taints)
