"""What a program comes by without importing it: modules of other modules, tables of names, builtins."""

from __future__ import annotations

import builtins
from functools import lru_cache

from veln_hook.source.values import NOTHING, Value
from veln_hook.source.vocabulary import CALLS, ENVIRONMENTS, EXEC, MATTER, NET, PROC

_HELD = frozenset(
    ("os", "sys", "subprocess", "builtins", "socket", "posix", "importlib", "ctypes", "marshal")
)
"""Modules that others import for themselves, under such a name or behind an underscore: ``shutil.os``."""
_TABLES = ("__globals__", "f_globals", "f_builtins", "f_locals")
"""Attributes of functions and frames that are tables of names."""
OWN = ":"
"""Name of the module that is being read, where it has hold of itself."""
LOADERS = ("load_module", "_importer", "safeimport", "import_string")
"""Methods and functions that import what they are told."""
RESOLVERS = frozenset((
    "pkgutil.resolve_name", "pydoc.locate", "logging.config._resolve", "werkzeug.utils.import_string",
    "django.utils.module_loading.import_string", "zope.dottedname.resolve.resolve",
))  # fmt: skip
"""What makes the thing itself of a dotted name in a text."""
OF_CLASSES = frozenset(("__class__", "__base__", "__bases__", "__mro__"))
"""Attributes that lead from anything to ``object``, which knows all classes: ``subprocess.Popen``, too."""
HANDED: dict[str, str] = {
    **{name: kind for name, kind in CALLS.items() if kind in (PROC, EXEC, NET)},
    **dict.fromkeys(("os", "subprocess", "posix", "nt", "pty"), PROC),
    **dict.fromkeys(("builtins", "__builtins__"), EXEC),
}
"""What counts as used where it is passed on, by its name: whoever gets it uses it."""
del HANDED["types.FunctionType"]  # it is passed to ask about it


@lru_cache(maxsize=20_000)
def known_as(name: str) -> str:
    """Return by which name something is known that has a dotted name outside of the archive."""
    owner, _, last = name.rpartition(".")
    if not owner or name in MATTER or f"{name}()" in MATTER or name[0] in ".:?/@" or "(" in name:
        return name
    module = last.strip("_")
    if module in _HELD and last != "__builtins__":
        return module
    if last == "__self__" and hasattr(builtins, owner):
        return "builtins"
    return name


def named(name: str) -> Value:
    """Return the value of a dotted name."""
    name = known_as(name)
    return Value(name=name, taints=frozenset(("env",)) if name in ENVIRONMENTS else NOTHING)


def is_table(name: str) -> bool:
    """Tell whether something with a dotted name is a table of names of any module."""
    return name.rpartition(".")[2] in _TABLES or name in ("sys.modules", "__builtins__")
