"""veln-hook: pip judges what it is about to install, before a byte of it is downloaded.

Every interpreter of a protected environment imports this module at start-up,
through ``veln_hook_startup.pth`` or what ``veln_hook.enable`` writes. Rules:

* It imports ``sys`` and nothing else, and stays this short: every
  ``python -c pass`` pays for each line. What happens once pip is met is in
  ``veln_hook._startup``.
* Nothing here prints or raises. Importing has no effect; ``install`` has, so a
  PEP 829 ``.start`` file naming ``veln_hook:install`` is all that is needed one day.
* ``install`` is idempotent: ``site`` runs each ``.pth`` line twice in a
  virtualenv, and pip runs them again in its build environments, there with an
  empty ``sys.path``. This being the package keeps its submodules importable then.
"""

import sys

__version__ = "0.1.0"

carried: "dict[str, tuple[str, list[int]]] | None" = None
"""Where our dependencies are, if not the environment's (as ``adapters.pip.carry.Dependencies``)."""
_OTHERS = frozenset(("piptools.sync", "uv", "uv._find_uv", "venv", "virtualenv.run.session"))
repair = ""
"""The command that repairs, if it isn't one of this environment's pip."""


def find_spec(fullname, path=None, target=None):
    """Return a spec with our loader for a guarded module of an installer, ``None`` for every other (PEP 451).

    This module itself is what stands on ``sys.meta_path``: a class for it would cost every start more.
    """
    if "pip._internal." not in fullname and fullname not in _OTHERS:
        return None
    try:
        from veln_hook import _startup  # noqa: PLC0415 - nothing of ours loads before pip does

        find = _startup.find_spec
    except Exception:  # noqa: BLE001 - damaged: Python and 'pip uninstall' go on, 'pip install' doesn't
        return _fallback().find_spec(fullname)
    return find(sys.modules[__name__], fullname, path, target)


def _fallback():
    """Return the module beside this package; where that lies is on no path if it was brought along."""
    if carried is None:
        import _veln_hook_fallback  # noqa: PLC0415

        return _veln_hook_fallback
    from importlib.util import module_from_spec, spec_from_file_location  # noqa: PLC0415

    path = __file__.rpartition("veln_hook")[0] + "_veln_hook_fallback.py"
    spec = spec_from_file_location("_veln_hook_fallback", path)
    module = module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def install():
    """Put this module in front of the finders, once per process."""
    this = sys.modules[__name__]
    if this in sys.meta_path:
        return
    sys.meta_path.insert(0, this)
    if any(name in sys.modules for name in ("pip._internal", "uv", "venv")):  # imported before us
        from veln_hook import _startup  # noqa: PLC0415

        _startup.guard_loaded()
