"""The value of an expression, as far as it can be known; what it does is noted on the way."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Callable

from veln_hook.source import values
from veln_hook.source.assigning import annotated
from veln_hook.source.callbacks import GIVEN
from veln_hook.source.definitions import defaults_of
from veln_hook.source.given import OF_CLASSES, OWN
from veln_hook.source.iterating import Iterating, element_of
from veln_hook.source.values import ARGUMENT, MAX_ITEMS, NONE, NOTHING, UNKNOWN, Value, taints_of
from veln_hook.source.variables import has_secret_words
from veln_hook.source.vocabulary import MATTER

if TYPE_CHECKING:
    from veln_hook.source.calls import Calls

_BUILTINS = ("builtins.", "__builtins__.", "__builtin__.", "__builtins__().")


class Evaluator:
    """Evaluates the expressions of one module.

    Args:
        walk: The walk, which knows the names.
        calls: What calls mean.
    """

    def __init__(self, walk: Any, calls: Calls) -> None:
        self._walk = walk
        self._calls = calls
        self._look_up: Callable[[str], Value] = walk.look_up
        self.iterating = Iterating(self, walk, calls)

    def value(self, node: ast.expr) -> Value:
        """Evaluate an expression."""
        kind = type(node)
        if kind is ast.Name:  # as most are
            return self._look_up(node.id)  # type: ignore[attr-defined]
        handler = _EXPRESSIONS.get(kind)
        if handler is not None:
            return handler(self, node)
        return self._all(node)

    def _all(self, node: ast.AST) -> Value:
        taints = NOTHING
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                taints |= self.value(child).taints
            elif isinstance(child, ast.keyword):
                taints |= self.value(child.value).taints
        return Value(taints=taints) if taints else NONE

    def _constant(self, node: ast.Constant) -> Value:
        const = node.value
        if isinstance(const, str):
            return Value(const, "", self._calls.text(const, node.lineno))
        return Value(const)

    def _attribute(self, node: ast.Attribute) -> Value:
        return self.attribute(self.value(node.value), node.attr)

    def attribute(self, owner: Value, attr: str) -> Value:
        """Return ``owner.attr``."""
        if not owner.name:
            return _of_nothing_named(owner, attr)
        if attr == "__call__":
            return owner
        return self._of_own(attr) if owner.name == OWN else self._of_named(owner, attr)

    def _of_own(self, attr: str) -> Value:
        """Return what the module that is read has under a name, which may only be defined later."""
        return self._walk.root.names.get(attr) or Value(name=f":{attr}")

    def _of_named(self, owner: Value, attr: str) -> Value:
        name = f"{owner.name}.{attr}"
        if name.startswith(_BUILTINS):
            name = name.partition(".")[2]
        known = self._walk.root.names.get(name)
        if name.startswith(":") or owner.name.endswith(")"):
            if known is None and "()." in name:
                known = self._walk.root.names.get(name.replace("().", ".", 1))
            if known is not None and known.name.startswith(":") and known.name.endswith("()"):
                self._walk.scope.call(known.name, ())  # a property
        if known is not None:
            return known  # type: ignore[no-any-return]
        if name in self._walk.aliases:
            return self._walk.known_as(name)  # type: ignore[no-any-return]
        inherited = self._inherited(owner.name, attr) if name[0] in ":s" else ""
        if inherited:
            return Value(name=inherited, taints=owner.taints)
        return self._calls.attribute(name, owner)

    def _inherited(self, name: str, attr: str) -> str:
        """Return what an attribute is that a class has from another one; empty if that isn't known."""
        if name == "super()":
            here = self._walk.scope.name.rpartition(".")[0]
            return next((f"{base}.{attr}" for derived, base in self._walk.bases if derived == here), "")
        derived, made, _ = name.partition("()")
        for answers in _DUNDER_GETTERS if made else ():  # an object of this file's class may make it up
            if f"{derived}.{answers}" in self._walk.root.names:
                self._walk.scope.call(f"{derived}.{answers}", ())
        base = self._walk.derived.get(derived) if self._walk.derived else None
        found = f"{base}{made}.{attr}" if base else ""
        return found if found in MATTER else ""

    def _call(self, node: ast.Call) -> Value:
        callee = node.func
        receiver = NONE
        if isinstance(callee, ast.Attribute):
            receiver = self.value(callee.value)
            function = self.attribute(receiver, callee.attr)
            method = callee.attr
        else:
            function, method = self.value(callee), ""
            if isinstance(callee, ast.Name):
                self._called(callee.id, function)
        arguments = [
            self.value(argument.value if isinstance(argument, ast.Starred) else argument)
            for argument in node.args
        ]
        keywords = node.keywords
        named = {each.arg or "**": self.value(each.value) for each in keywords} if keywords else {}
        if method in _ADDS and isinstance(callee, ast.Attribute) and isinstance(callee.value, ast.Name):
            added = taints_of((receiver, *arguments, *named.values()))
            name = self.iterating.put(receiver, (*arguments, *named.values())) or receiver.name
            # What it holds is no longer what was bound.
            if receiver.const is not UNKNOWN or added != receiver.taints or name != receiver.name:
                self._walk.bind(callee.value.id, Value(UNKNOWN, name, added))
        if function.name.startswith(_GETTERS) and arguments:
            kind, _, attribute = function.name.partition(" ")
            found = self.attribute(arguments[0], attribute)
            if kind == "operator.attrgetter":
                return found
            function, receiver, method, arguments = found, arguments[0], attribute, []
        elif method in _DUNDER_GETTERS and arguments and isinstance(arguments[0].const, str):
            return self.attribute(receiver, arguments[0].const)
        if function.name == "map" and len(arguments) > 1:
            mapped = self.iterating.mapped(arguments[0], arguments[1])
            if mapped is not None:
                return mapped
        return self._calls.call(node.lineno, function, receiver, method, arguments=arguments, options=named)

    def _called(self, name: str, function: Value) -> None:
        """Note what a call of a name may mean besides what the name has been bound to."""
        if name in self._walk.scope.defaulted:
            self._walk.scope.call(GIVEN, ())
        elif not function.name and function is not ARGUMENT:  # a function may bind it
            self._walk.scope.call(f":{name}", ())

    def _bin_op(self, node: ast.BinOp) -> Value:
        # "a" + "b" + ... leans to the left, thousands deep: not by recursion.
        chain = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            chain.append((left.op, left.right))
            left = left.left
        value = self.value(left)
        for operator, right in reversed(chain):
            value = self.combine(operator, value, self.value(right), told=False)
        if isinstance(value.const, str):
            # Once for the whole sum, not for each of its thousands of parts.
            return Value(value.const, "", value.taints | self._calls.text(value.const, 0))
        return value

    def combine(self, operator: ast.operator, left: Value, right: Value, *, told: bool = True) -> Value:
        """Return what an operator makes of two values."""
        const = UNKNOWN
        if left.const is not UNKNOWN and right.const is not UNKNOWN:
            if isinstance(operator, ast.Add):
                const = values.add(left.const, right.const)
            else:
                const = values.arithmetic(type(operator).__name__, left.const, right.const)
        taints = left.taints | right.taints
        if const is UNKNOWN:
            if isinstance(operator, ast.BitXor):
                taints |= {"xor"}
            # The known beginning of a text is where a URL has its host.
            hint = ""
            if isinstance(operator, (ast.Add, ast.Mod)):
                known = [_hint(part) for part in (left, right)]
                hint = "".join(known)[:500] if known != ["{}", "{}"] else ""
            elif isinstance(operator, ast.Div) and isinstance(right.const, str):  # of a path
                hint = f"{left.hint or '{}'}/{right.const}"[:500]
            return Value(taints=taints, hint=hint) if taints or hint else NONE
        if told and isinstance(const, str) and isinstance(operator, ast.Add):
            taints |= self._calls.text(const, 0)
        return Value(const, "", taints)

    def _unary(self, node: ast.UnaryOp) -> Value:
        operand = self.value(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(operand.const, (int, float)):
            return Value(-operand.const)
        if isinstance(node.op, ast.Invert) and isinstance(operand.const, int):
            return Value(~operand.const)
        return Value(taints=operand.taints) if operand.taints else NONE

    def _joined(self, node: ast.JoinedStr) -> Value:
        parts: list[str] = []
        taints = NOTHING
        known = True
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            value = self.value(inner)
            if isinstance(part, ast.FormattedValue) and part.format_spec is not None:
                self.value(part.format_spec)
            taints |= value.taints
            if isinstance(value.const, (str, int, float)):
                parts.append(str(value.const))
            else:
                known = False
                parts.append("~" if value.hint == "~" else "{}")  # a home
        text = "".join(parts)[: values.MAX_FOLDED]
        taints |= self._calls.text(text, node.lineno)
        return Value(text if known else UNKNOWN, "", taints, text)

    def _sequence(self, node: ast.Tuple | ast.List | ast.Set) -> Value:
        items = [self.value(item) for item in node.elts]
        taints = taints_of(items)
        self._calls.handing.on(items, node.lineno)
        if len(items) <= MAX_ITEMS and all(item.const is not UNKNOWN for item in items):
            name = "" if items else self.iterating.held(items, node.lineno)
            return Value(tuple(item.const for item in items), name, taints)
        held = self.iterating.held(items, node.lineno)
        return Value(name=held, taints=taints, hint=" ".join(item.text or "{}" for item in items[:50]))

    def _dict(self, node: ast.Dict) -> Value:
        taints = NOTHING
        known: dict[Any, Any] | None = {}
        held: list[Value] = []
        for key, item in zip(node.keys, node.values):
            value = self.value(item)
            held.append(value)
            self._calls.handing.on((value,), node.lineno)
            taints |= value.taints
            if key is None:
                known = None
                continue
            told = self.value(key)
            taints |= told.taints
            if told.const == "()" and isinstance(value.const, str):  # logging.config calls what has that name
                self._calls.handing.on((Value(name=value.const),), node.lineno)
            elif told.const == "__annotations__":
                annotated(self._walk, value)
            if known is not None and isinstance(told.const, (str, int, bytes)) and value.const is not UNKNOWN:
                known[told.const] = value.const
            else:
                known = None
        name = self.iterating.held(held, node.lineno) if not known else ""
        return Value(known if known is not None else UNKNOWN, name, taints)

    def _subscript(self, node: ast.Subscript) -> Value:
        owner = self.value(node.value)
        picked = self.iterating.taken_from(node.value)
        if owner.name[:1] == ":" and owner.name[-1:] != ")":
            self._walk.scope.call(f"{owner.name}.__class_getitem__", ())
        if isinstance(node.slice, ast.Slice):
            return self._sliced(owner, node.slice)
        index = self.value(node.slice)
        found = picked
        table = element_of(owner.name)
        if picked is None and table:
            found = Value(name=table, taints=owner.taints)
        elif picked is None and owner.name:
            if isinstance(index.const, (str, bytes)):
                found = self._calls.item(owner, index.text, node.lineno)
            else:
                found = self._calls.unknown_item(owner, index, node.lineno)
        if found is not None:
            return found
        if owner is ARGUMENT or owner.name.rpartition(".")[2] in OF_CLASSES:
            return owner  # one of what was given; or of the classes that something derives from
        if owner.const is not UNKNOWN and index.const is not UNKNOWN:
            const = values.subscript(owner.const, index.const)
            return Value(const, "", owner.taints | index.taints)
        # 'site.getsitepackages()[0]' is a path as telling as its list.
        hint = owner.name if owner.name.endswith("sitepackages()") else ""
        return Value(taints=owner.taints | index.taints, hint=hint)

    def _sliced(self, owner: Value, node: ast.Slice) -> Value:
        bounds = [
            self.value(part).const if part is not None else None
            for part in (node.lower, node.upper, node.step)
        ]
        if UNKNOWN in bounds or owner.const is UNKNOWN:
            return Value(taints=owner.taints) if owner.taints else NONE
        taints = owner.taints | {"decoded"} if bounds[2] == -1 else owner.taints
        return Value(values.subscript(owner.const, slice(*bounds)), "", taints)

    def _lambda(self, node: ast.Lambda) -> Value:
        # Walked where it stands: whoever makes one usually has it called.
        outer = self._walk.scope
        inner = self._walk.draft(f"{outer.prefix}<lambda>:{node.lineno}", node.lineno, outer.function_parent)
        for argument in (*node.args.args, *node.args.kwonlyargs):
            inner.names[argument.arg] = Value(taints=frozenset(("arg",)))
        inner.names.update(defaults_of(self._walk, node.args))
        self._walk.scope = inner
        result = self.value(node.body)
        self._walk.scope = outer
        inner.returns |= result.taints
        return Value(UNKNOWN, f":{inner.name}", result.taints - {"arg"})

    def _named(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self._walk.assign(node.target, value)
        return value

    def _conditional(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        first, second = self.value(node.body), self.value(node.orelse)
        known = first if first.name or first.const not in (UNKNOWN, None) else second
        name = second.name if second.name in MATTER and first.name not in MATTER else known.name
        return Value(known.const, name, first.taints | second.taints)

    def _bool_op(self, node: ast.BoolOp) -> Value:
        parts = [self.value(part) for part in node.values]
        taints = taints_of(parts)
        names = [part.name for part in parts if part.name]
        named = next((name for name in names if name in MATTER), names[0] if names else "")
        return Value(UNKNOWN, named, taints)

    def _compare(self, node: ast.Compare) -> Value:
        parts = [self.value(node.left), *(self.value(part) for part in node.comparators)]
        taints = taints_of(parts)
        if isinstance(node.ops[0], (ast.In, ast.NotIn)) and has_secret_words(part.const for part in parts):
            taints |= {"secret-words"}
        return Value(taints=taints) if taints else NONE

    def _comprehension(self, node: Any) -> Value:
        return self.iterating.comprehension(node)

    def _await(self, node: ast.Await) -> Value:
        value = self.value(node.value)
        if value.name[:1] == ":":
            self._walk.scope.call(f"{value.name}.__await__", ())
        return value

    def _starred(self, node: ast.Starred) -> Value:
        return self.value(node.value)

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> Value:
        if node.value is not None:
            self._walk.scope.returns |= self.value(node.value).taints
        return NONE


_ADDS = frozenset(["append", "appendleft", "extend", "insert", "update", "add", "setdefault"])
"""Methods by which a container gets what it is given."""
_GETTERS = ("operator.attrgetter ", "operator.methodcaller ")
_DUNDER_GETTERS = ("__getattribute__", "__getattr__")


def _of_nothing_named(owner: Value, attr: str) -> Value:
    """Return an attribute of what has no name."""
    if attr in OF_CLASSES:
        return Value(name=f"object.{attr}")
    return Value(taints=owner.taints) if owner.taints else NONE


def _hint(part: Value) -> str:
    """Return what is known of a part of a text; the interpreter's own path is told by its name."""
    if isinstance(part.const, str):
        return part.const
    return part.hint or (part.name if part.name == "sys.executable" else "{}")


_EXPRESSIONS: dict[type, Callable[[Evaluator, Any], Value]] = {
    ast.Constant: Evaluator._constant,  # noqa: SLF001 - the table of this class's own methods
    ast.Attribute: Evaluator._attribute,  # noqa: SLF001
    ast.Call: Evaluator._call,  # noqa: SLF001
    ast.BinOp: Evaluator._bin_op,  # noqa: SLF001
    ast.UnaryOp: Evaluator._unary,  # noqa: SLF001
    ast.JoinedStr: Evaluator._joined,  # noqa: SLF001
    ast.Tuple: Evaluator._sequence,  # noqa: SLF001
    ast.List: Evaluator._sequence,  # noqa: SLF001
    ast.Set: Evaluator._sequence,  # noqa: SLF001
    ast.Dict: Evaluator._dict,  # noqa: SLF001
    ast.Subscript: Evaluator._subscript,  # noqa: SLF001
    ast.Lambda: Evaluator._lambda,  # noqa: SLF001
    ast.NamedExpr: Evaluator._named,  # noqa: SLF001
    ast.IfExp: Evaluator._conditional,  # noqa: SLF001
    ast.BoolOp: Evaluator._bool_op,  # noqa: SLF001
    ast.Compare: Evaluator._compare,  # noqa: SLF001
    ast.ListComp: Evaluator._comprehension,  # noqa: SLF001
    ast.SetComp: Evaluator._comprehension,  # noqa: SLF001
    ast.GeneratorExp: Evaluator._comprehension,  # noqa: SLF001
    ast.DictComp: Evaluator._comprehension,  # noqa: SLF001
    ast.Await: Evaluator._await,  # noqa: SLF001
    ast.Starred: Evaluator._starred,  # noqa: SLF001
    ast.Yield: Evaluator._yield,  # noqa: SLF001
    ast.YieldFrom: Evaluator._yield,  # noqa: SLF001
}
