"""What assignments do besides binding names: they give attributes, hooks and items to what others use."""

from __future__ import annotations

import ast
from typing import Any

from veln_hook.source.callbacks import KEPT
from veln_hook.source.given import OWN
from veln_hook.source.standard import STANDARD, is_elsewhere
from veln_hook.source.taints import few
from veln_hook.source.values import ARGUMENT, Value
from veln_hook.source.vocabulary import ENVIRONMENTS, EXEC

_HOOKED = ("sys", "threading", "builtins", "warnings", "logging")
"""Modules whose attributes the interpreter calls: ``sys.excepthook = f``."""


def attribute(walk: Any, owner: Value, attr: str, value: Value, *, line: int) -> None:
    """Give something an attribute."""
    if owner.name == OWN:
        walk.root.names[attr] = value
    elif owner.name:
        # Which of an object's methods run, and in which order, is not known.
        name = f"{owner.name}.{attr}"
        walk.root.names[name] = with_taints_of(walk.root.names.get(name), value)
        walk.calls.steering.attribute(name, value, line)
        if value is ARGUMENT:
            walk.scope.call(KEPT, ())
    if attr == "__annotations__":
        annotated(walk, value)
    elif attr == "__code__":  # of a function that does something else from now on
        walk.calls.note(EXEC, line, attr, value.taints)
    if value.name and _is_asked_by_others(owner.name, value.name):
        walk.scope.call(value.name, ())
        walk.scope.call(f"{value.name}.write", ())  # as standard output
        walk.calls.handing.to_run(value.name)


def item(walk: Any, target: ast.Subscript, value: Value) -> None:
    """Walk ``target[key] = value``."""
    owner = walk.value(target.value)
    key = walk.value(target.slice)
    walk.calls.handing.on((value,), walk.line)
    name = walk.evaluator.iterating.put(owner, (value,)) or owner.name
    if owner.name in ENVIRONMENTS:
        walk.calls.steering.variable(key, value, walk.line)
    if owner.name.endswith("__annotations__"):
        annotated(walk, value)
    if isinstance(target.value, ast.Name) and (value.taints - owner.taints or name != owner.name):
        walk.bind(target.value.id, Value(owner.const, name, owner.taints | value.taints))


def annotated(walk: Any, value: Value) -> None:
    """Read the texts of annotations: whoever asks for the types of something runs them."""
    for text in value.const.values() if isinstance(value.const, dict) else (value.const,):
        if isinstance(text, str) and "(" in text:
            walk.read_again(text, walk.line)


def with_taints_of(before: Value | None, value: Value) -> Value:
    """Return a value that is perhaps bound in the place of another one."""
    if before is None or before.taints <= value.taints:
        return value
    return Value(value.const, value.name, few(value.taints | before.taints), value.hint)


def _is_asked_by_others(owner: str, name: str) -> bool:
    """Tell whether anybody may call what gets a name elsewhere: ``sys.excepthook = f``, ``json.loads = f``.

    Args:
        owner: Dotted name of the thing that is given an attribute.
        name: Of the attribute's value.
    """
    if owner in _HOOKED:
        return True
    # Of a library's, a module or class rather than an object that was made.
    return name[0] == ":" and (
        owner.partition(".")[0] in STANDARD or ("(" not in owner and is_elsewhere(f"{owner}."))
    )
