"""Statements that import: which modules' bodies they run, and what names they bind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veln_hook.source.imports import join
from veln_hook.source.values import Value

if TYPE_CHECKING:
    import ast


def plain(walk: Any, node: ast.Import) -> None:
    """Walk ``import a.b as c``."""
    for alias in node.names:
        _runs(walk, alias.name)
        bound = alias.asname or alias.name.partition(".")[0]
        walk.bind(bound, Value(name=alias.name if alias.asname else bound))


def taken(walk: Any, node: ast.ImportFrom) -> None:
    """Walk ``from a import b as c``."""
    module = "." * node.level + (node.module or "")
    if module == "__future__":
        return
    for alias in node.names:
        dotted = join(module, alias.name)
        _runs(walk, module)
        _runs(walk, dotted)
        if alias.name == "*":
            walk.stars[module] = None
            if walk.scope is walk.root:
                walk.exports[f"*{module}"] = module
        else:
            walk.bind(alias.asname or alias.name, walk.known_as(dotted))
            if walk.scope is walk.root:
                walk.exports[alias.asname or alias.name] = dotted


def _runs(walk: Any, module: str) -> None:
    if walk.scope.is_module:
        walk.imports[module] = None
    else:
        walk.scope.call(f"@{module}", ())
