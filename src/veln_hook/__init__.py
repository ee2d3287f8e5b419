"""veln-hook: pip judges what it is about to install, before a byte of it is downloaded.

Every interpreter of a protected environment imports this module at start-up,
through ``veln_hook_startup.pth``. Rules:

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


def find_spec(fullname, path=None, target=None):
    """Return a spec with our loader for a guarded module of an installer, ``None`` for every other (PEP 451).

    This module itself is what stands on ``sys.meta_path``: a class for it would cost every start more.
    """
    if "pip._internal." not in fullname and fullname not in {"piptools.sync", "uv", "uv._find_uv"}:
        return None
    try:
        from veln_hook import _startup  # noqa: PLC0415 - nothing of ours loads before pip does

        find = _startup.find_spec
    except Exception:  # noqa: BLE001 - damaged: Python and 'pip uninstall' go on, 'pip install' doesn't
        import _veln_hook_fallback  # noqa: PLC0415

        return _veln_hook_fallback.find_spec(fullname)
    return find(sys.modules[__name__], fullname, path, target)


def install():
    """Put this module in front of the finders, once per process."""
    this = sys.modules[__name__]
    if this in sys.meta_path:
        return
    sys.meta_path.insert(0, this)
    if "pip._internal" in sys.modules or "uv" in sys.modules:  # imported before us, and not found again
        from veln_hook import _startup  # noqa: PLC0415

        _startup.guard_loaded()
