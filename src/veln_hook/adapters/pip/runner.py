"""What runs in another interpreter before its pip does: brings the protection along.

Executed by path, in an interpreter that may be older than ours, where neither
veln-hook nor its dependencies are installed. Rules: the standard library only;
nothing is added to ``sys.path``; what is imported from the parent's environment
is this package and its dependencies (``veln_hook._carried``).
"""

from __future__ import annotations

import importlib
import runpy
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BROKEN = 78


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
    try:
        package: Any = sys.modules.get("veln_hook") or _package(config["package"])
        package.carried = {name: dependencies[name] for name in needed}
        importlib.import_module("veln_hook._carried").importing("veln_hook.adapters.pip.preload")
        package.install()
    except Exception as error:  # noqa: BLE001 - whatever it is, an unprotected pip must not run
        _refuse(f"{type(error).__name__}: {error}")


def _package(directory):
    """Import the package from there, without putting that directory on any path."""
    spec = PathFinder.find_spec("veln_hook", [directory])
    if spec is None or spec.loader is None:
        raise ImportError(f"it isn't in {directory}")
    package = sys.modules["veln_hook"] = module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


def _refuse(reason):
    sys.stderr.write(
        f"ERROR: veln-hook can't guard pip in {sys.executable}, so nothing is installed ({reason}). "
        "Install veln-hook in that interpreter's environment, or run its own pip there.\n"
    )
    raise SystemExit(_BROKEN)
