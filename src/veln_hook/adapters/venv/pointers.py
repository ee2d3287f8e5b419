"""The few lines that an interpreter runs at its start to find a veln-hook that lies elsewhere.

Either the text of a ``sitecustomize.py`` for the standard library's directory,
which covers every environment of that interpreter, or one line of a ``.pth``
file for one environment (docs/enable.md tells why). Both do the same:

* They import the package from its directory without putting that on any path,
  tell it where its dependencies are, and have it installed.
* Whatever goes wrong is silent, and then pip's installing commands refuse in one
  line: what does that is text in the file itself, as all else may be gone.
* They import nothing: ``sys`` and the import system's own modules are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN = "# >>> veln-hook >>>"
END = "# <<< veln-hook <<<"
"""Lines around what is written into a file of somebody else's."""

_LOAD = """\
def _veln_hook():
    import sys
    try:
        old = sys.modules.get("veln_hook")
        if getattr(old, "__file__", "") == {file!r} and old in sys.meta_path:
            return
        if old is not None:{others}
        spec = sys.modules["_frozen_importlib_external"].PathFinder.find_spec("veln_hook", [{directory!r}])
        module = sys.modules["_frozen_importlib"].module_from_spec(spec)
        sys.modules["veln_hook"] = module
        spec.loader.exec_module(module)
        module.carried = {carried!r}
        module.repair = {repair!r}
        module.install()
    except Exception:
        sys.modules.pop("veln_hook", None)
        try:
            names = {{"__name__": "_veln_hook_fallback"}}
            exec({fallback!r}, names)
            names["REPAIR"] = {repair!r}
            stand_in = type(sys)("_veln_hook_fallback")
            stand_in.__dict__.update(names)
            sys.meta_path.insert(0, stand_in)
        except Exception:
            pass


_veln_hook()
del _veln_hook
"""
_YIELD = """
            return"""
_REPLACE = """
            sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not old]
            for name in [name for name in sys.modules if name.partition(".")[0] == "veln_hook"]:
                del sys.modules[name]"""
_CHAIN = '''
def _veln_hook_next():
    """Run the sitecustomize that this one stands before; its errors are its own."""
    import sys
    here = __file__.rpartition("/")[0]
    behind = sys.path[sys.path.index(here) + 1:] if here in sys.path else sys.path
    spec = sys.modules["_frozen_importlib_external"].PathFinder.find_spec("sitecustomize", behind)
    if spec is not None and spec.loader is not None:
        module = sys.modules["_frozen_importlib"].module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_veln_hook_next()
'''


class Target(NamedTuple):
    """What a pointer leads to."""

    directory: str
    """Absolute; it holds ``veln_hook``."""
    carried: Mapping[str, tuple[str, list[int]]]
    """Our dependencies, as ``veln_hook.carried``."""
    repair: str
    """The command that repairs."""
    fallback: str
    """Source of ``_veln_hook_fallback``."""


def sitecustomize(target: Target) -> str:
    """Return the text of a file for a standard library's directory.

    It comes before a veln-hook of the environment's own: whoever runs the
    machine says which one counts.
    """
    head = f'"""{BEGIN[2:]} Has pip guarded; \'veln-hook disable --image\' removes this file."""\n'
    return head + _load(target, yields=False) + _CHAIN


def block(target: Target) -> str:
    """Return the same for the end of a sitecustomize that is there already; it begins with a line end."""
    return f"\n{BEGIN} 'veln-hook disable --image' removes this block\n{_load(target, yields=False)}{END}\n"


def pth(target: Target) -> str:
    """Return the one line of a ``.pth`` file; an environment's own veln-hook comes before it."""
    return f"import sys; 'veln_hook' in sys.modules or exec({_load(target, yields=True)!r}, {{}})\n"


def _load(target: Target, *, yields: bool) -> str:
    return _LOAD.format(
        file=f"{target.directory}/veln_hook/__init__.py",
        others=_YIELD if yields else _REPLACE,
        directory=target.directory,
        carried={name: (place, list(minors)) for name, (place, minors) in target.carried.items()},
        repair=target.repair,
        fallback=target.fallback,
    )
