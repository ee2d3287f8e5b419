"""Which methods run that nobody names: those of derived classes, and those that others call of an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from veln_hook.source.facts import ANY, METACLASS
from veln_hook.source.modules import MAX_EXPORTS
from veln_hook.source.standard import STANDARD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from veln_hook.source.modules import Module, Names

_NOT_IMPLICIT = frozenset((
    "__call__", "__init_subclass__", "__set_name__", "__prepare__", "__getattr__", "__getattribute__",
    "__enter__", "__exit__", "__aenter__", "__aexit__", "__await__", "__aiter__", "__anext__",
))  # fmt: skip
"""Special methods that need more than an object and an operator to run."""
_ASKED = ("_missing_", "_generate_next_value_", "model_post_init")
"""Methods that their classes call, as they do special ones: those of enums and pydantic."""
_CALL_NOTHING = ("typing", "abc", "enum", "collections", "builtins", "dataclasses", "types")
_CALLING_NOTHING = ("Exception", "Error", "Warning")
"""Modules of Python's own, and ends of names, whose classes call no method of those derived from them."""

_COMMAND_METHODS = (
    "run",
    "initialize_options",
    "finalize_options",
    "__init__",
    "do_egg_install",
    "execute",
    "build_extension",
    "build_extensions",
)
_COMMAND_BASES = (
    "install", "develop", "egg_info", "build_py", "build_ext", "build", "sdist", "Command", "bdist_wheel",
    "bdist_egg", "install_lib", "easy_install", "build_clib", "build_scripts", "install_scripts",
    "editable_wheel", "test",
)  # fmt: skip
"""Methods of setuptools commands that building runs, and the names of classes that those derive from."""


def is_implicit(method: str) -> bool:
    """Tell whether a method of this name runs when an object is made, or used with an operator."""
    return (method[:2] == "__" == method[-2:] or method in _ASKED) and method not in _NOT_IMPLICIT


class Tables(NamedTuple):
    """What is known of each module; who links them fills the dictionaries, again when more is read."""

    ids: list[dict[str, int]]
    """Nodes by the names of scopes."""
    owned: list[dict[str, list[int]]]
    """By class: the nodes of all of its methods."""
    exports: list[dict[str, str]]
    bases: list[dict[str, list[str]]]
    """As in ``FileFacts``."""


class Classes:
    """The classes of one archive.

    Args:
        modules: Its files of source.
        names: What dotted names lead to.
        tables: What is known of those files.
    """

    def __init__(self, modules: Sequence[Module], names: Names, tables: Tables) -> None:
        self._modules = modules
        self._names = names
        self._tables = tables
        self._derived: dict[tuple[int, str], list[tuple[int, str]]] = {}
        """Classes, each by its module and name, and those derived from them."""

    def read(self) -> None:
        """Find out which classes derive from which."""
        self._derived = {}
        for place, bases in enumerate(self._tables.bases):
            for name, several in bases.items():
                for base in several if METACLASS not in name else ():
                    found = self._defined(place, base)
                    if found is not None:
                        self._derived.setdefault(found, []).append((place, name))

    def unnamed(self, place: int, scope: str, target: str, *, found: bool) -> list[int]:
        """Return the methods that a call runs besides the one that it names.

        Args:
            place: The module.
            scope: Who calls.
            target: What it calls, as ``Call.target`` has it.
            found: Whether the archive has that.
        """
        if "()." not in target and target[-1:] != ANY and target[:1] != ":":
            return []
        overrides = self._overrides(place, scope, target)
        return overrides if overrides or found else self._any_method(place, target)

    def _overrides(self, place: int, scope: str, target: str) -> list[int]:
        """Return what a method calls of its own object, where classes derived from its class have that."""
        owner = scope.rpartition(".")[0]
        called, _, method = target[1:].rpartition(".")
        if not owner or target[:1] != ":" or called.removesuffix("()") != owner:
            return []
        nodes = (
            self._tables.ids[module].get(f"{name}.{method}") for module, name in self._below(place, owner)
        )
        return [node for node in nodes if node is not None]

    def _below(self, place: int, name: str) -> Iterator[tuple[int, str]]:
        """Yield the classes that derive from one, and from those."""
        waiting = [(place, name)]
        seen = set(waiting)
        while waiting:
            for derived in self._derived.get(waiting.pop(), ()):
                if derived not in seen:
                    seen.add(derived)
                    waiting.append(derived)
                    yield derived

    def _any_method(self, place: int, target: str) -> list[int]:
        """Return the methods of a class that others call of its objects.

        Whoever is given an object may call any, and so may a method that the class has of Python's own.
        """
        if "()." not in target and target[-1:] != ANY:
            return []
        found = self._defined(place, target.rpartition(".")[0].replace("()", ""))
        if found is None:
            return []
        module, name = found
        bases = self._tables.bases[module].get(name, ())
        if target[-1:] == ANY or any(self._dispatches(module, base) for base in bases):
            return self._tables.owned[module].get(name, [])
        return []

    def commands(self, place: int) -> list[int]:
        """Return the methods of setuptools commands that a module defines: building runs them."""
        ids = self._tables.ids[place]
        return [
            ids[f"{name}.{method}"]
            for name, bases in self._tables.bases[place].items()
            if any(base.rpartition(".")[2] in _COMMAND_BASES for base in bases)
            for method in _COMMAND_METHODS
            if f"{name}.{method}" in ids
        ]

    def _dispatches(self, place: int, base: str) -> bool:
        """Tell whether a class of Python's own calls methods that classes derived from it have."""
        dotted = self._modules[place].absolute(base)
        module, _, name = dotted.rpartition(".")
        return (
            module.partition(".")[0] in STANDARD
            and not module.startswith(_CALL_NOTHING)
            and not name.endswith(_CALLING_NOTHING)
            and self._names.owner(dotted)[0] is None
        )

    def _defined(self, place: int, name: str, depth: int = 0) -> tuple[int, str] | None:
        """Return the module that a class is defined in, and its name there; ``None`` if it isn't ours."""
        if name[:1] == ":":
            return place, name[1:]
        module, rest = self._names.owner(self._modules[place].absolute(name))
        if module is None or rest is None or depth > MAX_EXPORTS:
            return None
        first, dot, tail = rest.partition(".")
        exported = self._tables.exports[module].get(first)
        if exported is None or module == place:
            return module, rest
        return self._defined(module, f"{exported}{dot}{tail}", depth + 1)
