"""Shapes of syntax that tell something by themselves."""

from __future__ import annotations

import ast


def is_swallowing(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler takes any error and does nothing with it."""
    caught = handler.type
    wide = caught is None or (isinstance(caught, ast.Name) and caught.id in ("Exception", "BaseException"))
    return wide and all(
        isinstance(statement, (ast.Pass, ast.Continue, ast.Break))
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        or (
            isinstance(statement, ast.Return)
            and (statement.value is None or isinstance(statement.value, ast.Constant))
        )
        for statement in handler.body
    )


def is_main_test(test: ast.expr) -> bool:
    """Tell whether a condition holds only where the module is run as a script."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(is_main_test(part) for part in test.values)
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def mentions(test: ast.expr, name: str) -> bool:
    """Tell whether a condition is a name, whatever it belongs to."""
    return (isinstance(test, ast.Name) and test.id == name) or (
        isinstance(test, ast.Attribute) and test.attr == name
    )
