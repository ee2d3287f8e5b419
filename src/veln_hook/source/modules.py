"""The files of source of an archive, and what dotted names lead to by their names alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.source.facts import FileFacts


MAX_EXPORTS = 5
"""How often a name is followed that a module has taken over from one that had taken it over itself."""


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


class Names:
    """What dotted names lead to in an archive, whatever is known of its files.

    Args:
        modules: Its files of source.
    """

    def __init__(self, modules: Sequence[Module]) -> None:
        self.by_name = {module.name: place for place, module in enumerate(modules) if module.name}
        self._paths: dict[str, list[tuple[int, str]]] = {}
        """Of each file, by the last part of its path."""
        for place, module in enumerate(modules):
            self._paths.setdefault(module.path.rpartition("/")[2], []).append((place, f"/{module.path}"))
        self._tops = {name.partition(".")[0] for name in self.by_name}
        self._ours: dict[str, bool] = {}
        self._owners: dict[str, tuple[int | None, str | None]] = {}
        self._packages: dict[str, list[int]] = {}
        self._below: dict[str, list[int]] = {}

    def may_be_ours(self, name: str) -> bool:
        """Tell whether a name may be one of this archive; most are another project's."""
        found = self._ours.get(name)
        if found is None:
            found = self._ours[name] = (
                name[:1] in ".:?@/" or name.partition(".")[0].partition("(")[0] in self._tops
            )
        return found

    def owner(self, dotted: str) -> tuple[int | None, str | None]:
        """Return the module that an absolute name leads to, and what of it: ``None`` is all of it."""
        found = self._owners.get(dotted)
        if found is None:
            found = self._owners[dotted] = self._owner(dotted)
        return found

    def _owner(self, dotted: str) -> tuple[int | None, str | None]:
        end = len(dotted)
        while end > 0:
            module = self.by_name.get(dotted[:end])
            if module is not None:
                return module, dotted[end + 1 :] if end < len(dotted) else None
            end = dotted.rfind(".", 0, end)
        return None, None

    def imported(self, dotted: str) -> list[int]:
        """Return the modules whose bodies the import of an absolute name runs: those above it, too."""
        found = self._packages.get(dotted)
        if found is None:
            parts = dotted.split(".")
            names = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
            found = [self.by_name[name] for name in names if name in self.by_name]
            self._packages[dotted] = found
        return found

    def in_files(self, target: str) -> tuple[list[int], str]:
        """Return the files whose paths end as a name begins, and what of them it is.

        Args:
            target: ``/``, the end of a path, and perhaps dotted names: ``/data/core.py.Task().run``.
        """
        path, suffix, rest = target.partition(".py")
        if rest[:1] == "w":
            suffix, rest = f"{suffix}w", rest[1:]
        end = f"{path}{suffix}"
        alike = self._paths.get(end.rpartition("/")[2], ())
        return [place for place, whole in alike if whole.endswith(end)], rest.replace("()", "").strip(".")

    def below(self, package: str) -> list[int]:
        """Return a module, and those of the package that it is."""
        if not self._below:
            for name, place in self.by_name.items():
                parts = name.split(".")
                for end in range(1, len(parts) + 1):
                    self._below.setdefault(".".join(parts[:end]), []).append(place)
        return self._below.get(package, [])
