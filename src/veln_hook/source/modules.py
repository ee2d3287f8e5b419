"""A file of source in its archive."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from veln_hook.source.facts import FileFacts


class Module(NamedTuple):
    """A file of source in its archive."""

    path: str
    name: str
    """Dotted; empty if nothing can import it."""
    facts: FileFacts
    roots: tuple[str, ...]
    """Reaches of its body: ``("import",)`` for a module of a package, none for a test."""

    def absolute(self, target: str) -> str:
        """Return a dotted name without the leading dots that it has here."""
        if target[:1] != ".":
            return target
        return _absolute(self.name, self.path.endswith("__init__.py"), target)


@lru_cache(maxsize=50_000)
def _absolute(name: str, is_package: bool, target: str) -> str:
    level = len(target) - len(target.lstrip("."))
    package = name.split(".") if name else []
    if not is_package:
        package = package[:-1]
    kept = package[: len(package) - level + 1]
    return ".".join(filter(None, (*kept, target.lstrip("."))))
