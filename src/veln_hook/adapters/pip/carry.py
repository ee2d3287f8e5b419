"""Make the file that another interpreter runs instead of pip, so that it is protected too.

pip asks for a path to run (``get_runnable_pip``) and adds its own arguments, so
what the other side needs to know is written into a small script in a private
temporary directory, which goes when this process ends.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
from importlib import metadata

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from veln_hook import paths
from veln_hook.errors import CarryError

_MINORS = range(9, 40)
"""Minor versions of Python 3 that are asked about; more than will exist for a while."""
_DEPENDENCIES = ("pluggy", "packaging", "platformdirs", "tomli")

_directories: list[str] = []


def script(pip: str) -> str:
    """Write a script that loads the protection and then runs ``pip``.

    Args:
        pip: File to run (a directory or zip with a ``__main__`` counts), or empty
            for the pip of whatever interpreter runs the script.

    Returns:
        Its absolute path.

    Raises:
        CarryError: It can't be written.
    """
    config = {"package": str(paths.PACKAGE_DIR.parent), "dependencies": _dependencies(), "pip": pip}
    runner = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runner.py")
    text = f"import json, runpy\nrunpy.run_path({runner!r})['main'](json.loads({json.dumps(config)!r}))\n"
    try:
        if not _directories:
            _directories.append(tempfile.mkdtemp(prefix="veln-hook-"))
            atexit.register(_remove)
        # pip looks at the name when it tells which program runs.
        file_path = os.path.join(_directories[0], f"pip-{len(os.listdir(_directories[0]))}.py")
        with open(file_path, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CarryError(
            f"no file can be made in {tempfile.gettempdir()}: {error.strerror or error}"
        ) from error
    return file_path


def _remove() -> None:
    for directory in _directories:
        shutil.rmtree(directory, ignore_errors=True)


def _dependencies() -> dict[str, tuple[str, list[int]]]:
    found = {}
    for name in _DEPENDENCIES:
        module = sys.modules.get(name)
        place = getattr(module, "__file__", None)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if place is None:  # tomli, on a Python that has tomllib
            place = str(distribution.locate_file(f"{name}/__init__.py"))
            if not os.path.isfile(place):
                continue
        requires = distribution.metadata["Requires-Python"] or ""
        try:
            supported = SpecifierSet(requires)
        except InvalidSpecifier:
            continue
        minors = [minor for minor in _MINORS if supported.contains(f"3.{minor}.99")]
        found[name] = (os.path.dirname(os.path.dirname(os.path.abspath(place))), minors)
    return found
