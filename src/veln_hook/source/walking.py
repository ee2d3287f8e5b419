"""One walk over a module's syntax tree: its scopes, what each can do, and whom each calls.

An abstract interpretation in miniature: statements bind names to ``Value``s, each
expression is evaluated once, and calls that mean something are noted in the scope
they stand in. Function bodies are walked after the module's, so that what the
module binds is known in them. Branches are walked in order and the last binding
wins, which is wrong in rare cases and never unsafe: names that differ by branch
are re-exported imports mostly.
"""

from __future__ import annotations

import ast
import builtins
from collections import deque
from typing import TYPE_CHECKING, Any, Callable

from veln_hook.source import assigning, definitions, given, importing
from veln_hook.source.calls import Calls
from veln_hook.source.expressions import Evaluator
from veln_hook.source.imports import join
from veln_hook.source.iterating import element_of, table_of
from veln_hook.source.scopes import Draft, file_facts
from veln_hook.source.shapes import is_main_test, is_swallowing, mentions
from veln_hook.source.standard import may_be_ours
from veln_hook.source.values import NONE, UNKNOWN, Value
from veln_hook.source.vocabulary import ENVIRONMENTS, MATTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.source.aliases import Alias
    from veln_hook.source.facts import FileFacts

MAX_NESTED = 6
"""How often code inside a literal, inside code inside a literal, is read again."""


def walk_module(
    source: bytes | str, *, aliases: Mapping[str, Alias] | None = None, outer: _Walk | None = None
) -> FileFacts:
    """Read one module.

    Args:
        source: Its text, or bytes with the encoding that PEP 263 gives them.
        aliases: What names are that it takes from other files of its archive.
        outer: For the code of a literal: the walk that met it, whose names are known in it.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: It can't be parsed by this interpreter.
    """
    walk = _Walk(source, aliases or {}, outer)
    try:
        walk.module(ast.parse(source))
        return walk.facts()
    finally:
        walk.__dict__.clear()  # it and its evaluator hold each other, and the tree, until they are collected


class _Walk:
    def __init__(self, source: bytes | str, aliases: Mapping[str, Alias], outer: _Walk | None) -> None:
        text = source if isinstance(source, str) else source.decode("utf-8", "replace")
        self._text = text
        self._lines: list[str] = []
        self.branches = 0
        """How many branches deep the walk is: what is bound there may not be bound so."""
        self.line = 1
        """Of the statement that is being walked."""
        self._bodies: deque[tuple[Draft, list[ast.stmt]]] = deque()
        self.root = Draft("", 1, None)
        self.drafts: dict[str, Draft] = {"": self.root}
        self.imports: dict[str, None] = {}
        self.exports: dict[str, str] = {}
        """Also ``*module`` for each whose names are all taken over."""
        self.stars: dict[str, None] = {}
        self.bases: list[tuple[str, str]] = []
        self.classes: set[str] = set()
        self.derived: dict[str, str] = {}
        """Classes of the file, by the name of one elsewhere that has to be known, from which they derive."""
        self._outer = outer
        self.nested: int = 0 if outer is None else outer.nested + 1
        """How many literals deep the source lies."""
        self.aliases = aliases
        self.scope = self.root
        self.handlers: list[bool] = []
        """Whether errors of what is being walked are swallowed, innermost last."""
        self.calls = Calls(self, text)
        self.evaluator = Evaluator(self, self.calls)
        self.value = self.evaluator.value

    def facts(self) -> FileFacts:
        return file_facts(self.drafts, self.imports, self.exports, self.bases)

    # --- what expressions ask of a walk ---------------------------------------------------------------

    @property
    def swallowed(self) -> bool:
        return any(self.handlers)

    def evidence(self, line: int) -> str:
        if not self._lines:
            self._lines = self._text.splitlines()
        return self._lines[line - 1].strip()[:160] if 0 < line <= len(self._lines) else ""

    def look_up(self, name: str) -> Value:
        scope: Draft | None = self.scope
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        if self.stars and not hasattr(builtins, name):
            star, *others = (join(module, name) for module in self.stars)
            for dotted in (star, *others):
                if dotted in self.aliases:
                    return self.known_as(dotted)
            for other in others:  # which of them has it is not known here
                self.scope.call(other, ())
            return Value(name=star)
        return Value(name=name) if self._outer is None else self._outer.look_up(name)

    def known_as(self, dotted: str) -> Value:
        """Return what a dotted name is, known perhaps from another file."""
        alias = self.aliases.get(dotted)
        if alias is None:
            return given.named(dotted)
        value = given.named(alias.name)
        return Value(name=value.name, taints=value.taints | frozenset(alias.taints))

    def read_again(self, source: str | bytes, line: int) -> None:
        """Walk code that stands in a literal, as if it stood in the scope that executes it."""
        if self.nested >= MAX_NESTED:
            return
        try:
            inner = walk_module(source, outer=self)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        own = {f":{scope.name.partition('.')[0]}" for scope in inner.scopes if scope.name}
        for scope in inner.scopes:
            # Whoever decodes code has it run: functions in it count as called.
            for capability in scope.capabilities:
                self.scope.note(capability._replace(line=line, flags=(*capability.flags, "payload")))
            for target, taints in scope.calls:
                if target.partition(".")[0].partition("(")[0] not in own:
                    self.scope.call(target, taints)

    # --- statements -----------------------------------------------------------------------------------

    def module(self, tree: ast.Module) -> None:
        self.documented("__doc__", tree.body)
        self.body(tree.body)
        while self._bodies:
            self.scope, body = self._bodies.popleft()
            self.handlers = []
            self.body(body)

    def documented(self, name: str, body: list[ast.stmt]) -> None:
        """Bind the text that something is documented by: it may be executed."""
        first = body[0] if body else None
        text = (
            first.value.value
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            else None
        )
        if isinstance(text, str):
            self.root.names[name] = Value(text)

    def later(self, scope: Draft, body: list[ast.stmt]) -> None:
        """Have a function's body walked when what surrounds it has been."""
        self._bodies.append((scope, body))

    def body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.line = statement.lineno
            handler = _STATEMENTS.get(type(statement))
            if handler is not None:
                handler(self, statement)
            else:
                self._any(statement)

    def _any(self, node: ast.stmt) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
            elif isinstance(child, ast.stmt):
                self.body([child])

    def bind(self, name: str, value: Value) -> None:
        """Bind a name; in a branch, what can do something isn't forgotten for what can't, nor a secret."""
        if self.branches:
            before = self.scope.names.get(name)
            if before is not None and before.name in MATTER and value.name not in MATTER:
                value = Value(UNKNOWN, before.name, before.taints | value.taints)
            else:
                value = assigning.with_taints_of(before, value)
        if name in self.scope.outer:  # others have it then, and when that is isn't known
            self.calls.handing.on((value,), self.line)
            if value.name[:1] == ":" and value.name[-1:] != ")":
                self.draft(name, self.line, self.root).call(value.name, ())
            self.root.names[name] = assigning.with_taints_of(self.root.names.get(name), value)
        self.scope.names[name] = value

    def assign(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            items = value.const if isinstance(value.const, tuple) else ()
            for place, item in enumerate(target.elts):
                known = items[place] if place < len(items) and len(items) == len(target.elts) else NONE.const
                self.assign(item, Value(known, element_of(value.name) or _given_by(value.name), value.taints))
        elif isinstance(target, ast.Starred):
            self.assign(target.value, Value(name=table_of(value.name), taints=value.taints))
        elif isinstance(target, ast.Attribute):
            assigning.attribute(self, self.value(target.value), target.attr, value, line=target.lineno)
        elif isinstance(target, ast.Subscript):
            assigning.item(self, target, value)

    def _assign(self, node: ast.Assign) -> None:
        if len(node.targets) == 1:
            target = node.targets[0]
            if (
                isinstance(target, (ast.Tuple, ast.List))
                and isinstance(node.value, (ast.Tuple, ast.List))
                and len(target.elts) == len(node.value.elts)
            ):
                for one, item in zip(target.elts, [self.value(item) for item in node.value.elts]):
                    self.assign(one, item)
                return
        value = self.value(node.value)
        for target in node.targets:
            self.assign(target, value)

    def _ann_assign(self, node: ast.AnnAssign) -> None:
        definitions.annotation(self, node.annotation)
        if node.value is not None:
            self.assign(node.target, self.value(node.value))

    def _aug_assign(self, node: ast.AugAssign) -> None:
        before, value = self.value(node.target), self.value(node.value)
        if before.name in ENVIRONMENTS:
            self.calls.steering.all_of(value, node.lineno)
        both = self.evaluator.combine(node.op, before, value)
        self.assign(node.target, both)

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        items = self.value(node.iter)
        picked = self.evaluator.iterating.taken_from(node.iter)
        self.assign(node.target, picked or self.evaluator.iterating.element(items))
        self.body(node.body)
        self.body(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        swallowed = False
        for item in node.items:
            value = self.value(item.context_expr)
            swallowed = swallowed or value.name == "contextlib.suppress()"
            if value.name.startswith(":") or "." in value.name:
                self.scope.call(f"{value.name}.{_ENTER[type(node)]}", ())
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value)
        self.handlers.append(swallowed)
        self.body(node.body)
        self.handlers.pop()

    def _try(self, node: Any) -> None:
        self.handlers.append(any(is_swallowing(handler) for handler in node.handlers))
        self.body(node.body)
        self.handlers.pop()
        self.branches += 1
        for handler in node.handlers:
            if isinstance(handler.type, (ast.BoolOp, ast.Call, ast.Tuple, ast.IfExp)):
                self.value(handler.type)
            self.body(handler.body)
        self.branches -= 1
        self.body(node.orelse)
        self.body(node.finalbody)

    def _if(self, node: ast.If) -> None:
        test = node.test
        if mentions(test, "TYPE_CHECKING") and self.value(test).name in _TYPE_CHECKING:
            self._type_checking(node)
            return
        if self.scope.is_module and is_main_test(test):
            outer, self.scope = self.scope, self.draft("__main__", node.lineno, self.scope)
            self.body(node.body)
            self.scope = outer
        else:
            self.value(test)
            self.branches += 1
            self.body(node.body)
            self.branches -= 1
        self.branches += 1
        self.body(node.orelse)
        self.branches -= 1

    def _type_checking(self, node: ast.If) -> None:
        """Bind what only a type checker imports, without counting the import.

        What is called there counts: anybody can set the name that is asked for.
        """
        imports, self.imports = self.imports, {}
        self.body(node.body)
        self.imports = imports
        self.body(node.orelse)

    def _while(self, node: ast.While) -> None:
        self.value(node.test)
        self.body(node.body)
        self.body(node.orelse)

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            value = self.value(node.value)
            self.calls.handing.on((value,), node.lineno)
            self.scope.returns |= value.taints
            if value.name[-1:] != ")" and may_be_ours(value.name):
                self.scope.gives[value.name] = None
                if self.scope.name.endswith(_REDUCING):  # it is called when the object is made again
                    self.scope.call(value.name, ())

    def _global(self, node: ast.Global | ast.Nonlocal) -> None:
        for name in node.names:
            self.scope.names.pop(name, None)
            self.scope.outer.add(name)

    def draft(self, name: str, line: int, parent: Draft) -> Draft:
        if name in self.drafts and name != "__main__":
            name += "'"  # defined again: both count, and whatever comes after counts with the second
        return self.drafts.setdefault(name, Draft(name, line, parent))

    def _expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def _match(self, node: Any) -> None:
        subject = self.value(node.subject)
        for case in node.cases:
            name = getattr(case.pattern, "name", None)
            if name and getattr(case.pattern, "pattern", None) is None:  # 'case x:' binds whatever it is
                self.bind(name, subject)
            elif table_of(subject.name):
                for part in ast.walk(case.pattern):
                    bound = getattr(part, "name", None)
                    if bound:
                        self.bind(bound, Value(name=element_of(subject.name), taints=subject.taints))
            if case.guard is not None:
                self.value(case.guard)
            self.body(case.body)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript):  # what is deleted isn't read
                self.value(target.value)
                self.value(target.slice)

    def _nothing(self, node: ast.stmt) -> None:
        pass


def _given_by(name: str) -> str:
    """Return the name of each part of what a function of the file gives: it may be a function, too."""
    return name if name[:1] == ":" and name[-2:] == "()" else ""


_ENTER = {ast.With: "__enter__", ast.AsyncWith: "__aenter__"}
_REDUCING = (".__reduce__", ".__reduce_ex__")
_TYPE_CHECKING = ("TYPE_CHECKING", "typing.TYPE_CHECKING", "typing_extensions.TYPE_CHECKING")
_STATEMENTS: dict[type, Callable[[Any, Any], None]] = {
    ast.Import: importing.plain,
    ast.ImportFrom: importing.taken,
    ast.Assign: _Walk._assign,  # noqa: SLF001 - the table of this class's own methods
    ast.AnnAssign: _Walk._ann_assign,  # noqa: SLF001
    ast.AugAssign: _Walk._aug_assign,  # noqa: SLF001
    ast.For: _Walk._for,  # noqa: SLF001
    ast.AsyncFor: _Walk._for,  # noqa: SLF001
    ast.With: _Walk._with,  # noqa: SLF001
    ast.AsyncWith: _Walk._with,  # noqa: SLF001
    ast.Try: _Walk._try,  # noqa: SLF001
    ast.If: _Walk._if,  # noqa: SLF001
    ast.While: _Walk._while,  # noqa: SLF001
    ast.Return: _Walk._return,  # noqa: SLF001
    ast.Global: _Walk._global,  # noqa: SLF001
    ast.Nonlocal: _Walk._global,  # noqa: SLF001
    ast.FunctionDef: definitions.function,
    ast.AsyncFunctionDef: definitions.function,
    ast.ClassDef: definitions.class_,
    ast.Expr: _Walk._expression,  # noqa: SLF001
    ast.Delete: _Walk._delete,  # noqa: SLF001
    ast.Pass: _Walk._nothing,  # noqa: SLF001
    ast.Break: _Walk._nothing,  # noqa: SLF001
    ast.Continue: _Walk._nothing,  # noqa: SLF001
}
for _kind, _handler in (("TryStar", _Walk._try), ("Match", _Walk._match)):  # noqa: SLF001
    if hasattr(ast, _kind):  # 3.11 and 3.10
        _STATEMENTS[getattr(ast, _kind)] = _handler
