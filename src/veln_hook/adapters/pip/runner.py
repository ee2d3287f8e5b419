"""What runs in another interpreter before its pip does: brings the protection along.

Executed by path, in an interpreter that may be older than ours, where neither
veln-hook nor its dependencies are installed. Rules: the standard library only;
nothing is added to ``sys.path``; what is imported from the parent's environment
is this package and its dependencies, and the dependencies leave ``sys.modules``
again, so that the environment's own copies are found by everyone else.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from importlib.machinery import PathFinder

_BROKEN = 78


class _Carried:
    """Finds our own top-level packages where the parent keeps them, and nothing else."""

    def __init__(self, places):
        self._places = places

    def find_spec(self, fullname, path=None, target=None):
        """Return a spec for a carried package (PEP 451)."""
        if path is None and fullname in self._places:
            return PathFinder.find_spec(fullname, [self._places[fullname]], target)
        return None


def main(config):
    """Load the protection, then run pip as this process' program.

    Args:
        config: ``package`` (directory that holds ``veln_hook``), ``dependencies``
            (sets to choose from, each name -> [directory, minor versions of Python 3
            it supports]), ``pip`` (file to run, or empty for the interpreter's own pip).
    """
    sys.argv[0] = config["pip"] or sys.argv[0]
    if not _is_loaded():
        _load(config)
    if config["pip"]:
        runpy.run_path(config["pip"], run_name="__main__")
    else:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)


def _is_loaded():
    """Whether the interpreter has its own protection, with all that it needs.

    pip 26.2 starts the pip for build requirements inside the build environment,
    where our start-up file runs but the dependencies' directory is taken away.
    """
    if "veln_hook" not in sys.modules:
        return False
    try:
        importlib.import_module("veln_hook.adapters.pip.preload")
    except ImportError:
        return False
    return True


def _load(config):
    needed = ["pluggy", "packaging", "platformdirs"]
    if sys.version_info < (3, 11):
        needed.append("tomli")
    minor = sys.version_info[1]
    for dependencies in config["dependencies"]:
        if all(minor in dependencies.get(name, ("", ()))[1] for name in needed):
            break
    else:
        _refuse(f"its dependencies are not available for Python 3.{minor}")
    places = {name: dependencies[name][0] for name in needed}
    places["veln_hook"] = config["package"]
    before = set(sys.modules)
    # A dependency that the environment already imported stays as it is, for everyone but us.
    aside = {name: sys.modules.pop(name) for name in before if name.partition(".")[0] in needed}
    finder = _Carried(places)
    sys.meta_path.insert(0, finder)
    try:
        package = importlib.import_module("veln_hook")
        importlib.import_module("veln_hook.adapters.pip.preload")
        package.install()
    except Exception as error:  # noqa: BLE001 - whatever it is, an unprotected pip must not run
        _refuse(f"{type(error).__name__}: {error}")
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in needed:
                del sys.modules[name]
        sys.modules.update(aside)


def _refuse(reason):
    sys.stderr.write(
        f"ERROR: veln-hook can't guard pip in {sys.executable}, so nothing is installed ({reason}). "
        "Install veln-hook in that interpreter's environment, or run its own pip there.\n"
    )
    raise SystemExit(_BROKEN)
