"""Statements that define: functions and classes, and what is called when they are defined."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from veln_hook.source.callbacks import function_given
from veln_hook.source.facts import METACLASS
from veln_hook.source.scopes import Draft
from veln_hook.source.standard import may_be_ours
from veln_hook.source.values import ARGUMENT, Value
from veln_hook.source.vocabulary import MATTER

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY = Value(taints=frozenset(("arg", "key")))
_KEY_NAME = re.compile(
    r"(?:wallet_?|secret_?)?(?:priv(?:ate)?_?keys?|mnemonics?(?:_?phrase)?|(?:seed|recovery|secret)_?phrases?)",
    re.IGNORECASE,
)
"""Parameters for what opens a wallet: honest code signs with it, and sends the signature."""
_RUNS_NOW = frozenset(("atexit.register", "threading.Thread", "functools.singledispatch"))


def function(walk: Any, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Bind a function's name; its body is walked later."""
    scope: Draft = walk.scope
    defaults = defaults_of(walk, node.args)
    for each in _annotations(node):
        annotation(walk, each)
    decorators = [walk.value(decorator) for decorator in node.decorator_list]
    draft: Draft = walk.draft(f"{scope.prefix}{node.name}", node.lineno, scope.function_parent)
    defined = Value(name=f":{draft.name}")
    for decorator in decorators:
        # A decorator is called with the function when it is defined.
        walk.calls.handing.to_run(decorator.name)
        if decorator.name.startswith(":") or "." in decorator.name:
            scope.call(decorator.name, ())
            draft.call(f"{decorator.name}()", ())  # what it returned stands in the function's place
            scope.call(function_given(decorator.name, defined.name, kept=False), ())
        if decorator.name in _RUNS_NOW:
            scope.call(defined.name, ())
    if decorators and decorators[-1].name.endswith("property"):
        defined = Value(name=f":{draft.name}()")
    walk.bind(node.name, defined)
    walk.documented(f":{draft.name}.__doc__", node.body)
    if scope.class_name:
        walk.root.names[f":{scope.class_name}.{node.name}"] = defined
    alone = any(decorator.name == "staticmethod" for decorator in decorators)
    _bind_arguments(draft, node.args, "" if alone else scope.class_name)
    draft.names.update(defaults)
    draft.defaulted.update(defaults)
    walk.later(draft, node.body)


def annotation(walk: Any, node: ast.expr) -> None:
    """Evaluate an annotation: Python does, and others do where it is a text (pydantic, typing)."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and "(" in node.value:
            walk.read_again(node.value.strip(), node.lineno)
    elif not isinstance(node, (ast.Name, ast.Attribute)):
        walk.value(node)


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    arguments = node.args
    several = (arguments.posonlyargs, arguments.args, arguments.kwonlyargs)
    extra = (each for each in (arguments.vararg, arguments.kwarg) if each is not None)
    for argument in (*(each for some in several for each in some), *extra):
        if argument.annotation is not None:
            yield argument.annotation
    if node.returns is not None:
        yield node.returns


def defaults_of(walk: Any, arguments: ast.arguments) -> dict[str, Value]:
    """Evaluate the defaults of a function's arguments; return those that have to be known by their names."""
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    plain = zip(names[len(names) - len(arguments.defaults) :], arguments.defaults)
    by_name = zip([argument.arg for argument in arguments.kwonlyargs], arguments.kw_defaults)
    found = {name: walk.value(node) for name, node in (*plain, *by_name) if node is not None}
    return {
        name: Value(name=value.name, taints=value.taints | {"arg"})
        for name, value in found.items()
        if value.name in MATTER or (may_be_ours(value.name) and value.name[-2:] != "()")
    }


def _bind_arguments(draft: Draft, arguments: ast.arguments, class_name: str) -> None:
    names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for argument in names:
        draft.names[argument.arg] = _KEY if _KEY_NAME.fullmatch(argument.arg) else ARGUMENT
    for extra in (arguments.vararg, arguments.kwarg):
        if extra is not None:
            draft.names[extra.arg] = ARGUMENT
    if class_name and names:
        # What a method's first parameter is, a class of its own or an instance, calls the same methods.
        draft.names[names[0].arg] = Value(name=f":{class_name}()")


def class_(walk: Any, node: ast.ClassDef) -> None:
    """Walk a class's body where it stands, and bind the class's name and its attributes'."""
    scope: Draft = walk.scope
    name = f"{scope.prefix}{node.name}"
    walk.classes.add(name)
    _call_makers(walk, node, name)
    walk.bind(node.name, Value(name=f":{name}"))
    walk.documented(f":{name}.__doc__", node.body)
    inner = Draft(name, node.lineno, scope.function_parent, class_name=name, counts_in=scope)
    walk.scope = inner
    walk.body(node.body)
    walk.scope = scope
    for attribute, value in inner.names.items():
        walk.root.names.setdefault(f":{name}.{attribute}", value)
        walk.root.names.setdefault(f":{name}().{attribute}", value)
        if attribute in ("__set_name__", "__subclasshook__"):  # by who has one, or asks about it
            scope.call(f":{name}.{attribute}", ())
    bases = [base for derived, base in walk.bases if derived == name]
    if any(base.startswith("enum.") for base in bases):
        scope.call(f":{name}", ())  # its members are made with it
    if any(base.endswith("BaseSettings") for base in bases):  # of pydantic: its fields are variables
        for field in node.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                walk.calls.environment.variable(field.target.id, field.lineno)
    for attribute, value in inner.names.items():
        if attribute[:2] == "__":  # 'A["id"]' calls what '__class_getitem__' is
            walk.calls.handing.to_run(value.name)
            if "<lambda>" in value.name:
                scope.call(value.name, ())


def _call_makers(walk: Any, node: ast.ClassDef, name: str) -> None:  # noqa: C901 - one short loop for each maker
    """Note what making a class calls: of its bases, its metaclass and its decorators."""
    scope: Draft = walk.scope
    for base in node.bases:
        known = walk.value(base)
        if known.name:
            walk.bases.append((name, known.name))
        outside = walk.derived.get(known.name, known.name)
        if outside in MATTER or f"{outside}()" in MATTER:
            walk.derived.setdefault(f":{name}", outside)
    for keyword in node.keywords:
        known = walk.value(keyword.value)
        if keyword.arg == "metaclass" and known.name:
            for method in ("__new__", "__init__", "__prepare__"):
                scope.call(f"{known.name}.{method}", ())
            scope.call(known.name, ())  # any of its special methods: whether something is of the class ...
            walk.bases.append((name, known.name))
            walk.bases.append((f"{name}{METACLASS}", known.name))
        elif known.name:
            scope.call(known.name, ())
    for decorator in node.decorator_list:
        known = walk.value(decorator)
        walk.calls.handing.to_run(known.name)
        if known.name:
            scope.call(known.name, ())
    for base_name in [walk.value(base).name for base in node.bases]:
        if base_name:  # defining a subclass runs it
            scope.call(f"{base_name}.__init_subclass__", ())
