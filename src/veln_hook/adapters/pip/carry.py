"""Make the file that another interpreter runs instead of pip, so that it is protected too.

pip asks for a path to run (``get_runnable_pip``) and adds its own arguments, so
what the other side needs to know is written into a small script in a private
temporary directory, which goes when this process ends.

Our dependencies go along. Where those of this environment don't support the
other's Python, a set for the oldest supported Python is fetched once, through
this very pip and under its protection, and kept in the user's cache.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

import veln_hook
from veln_hook import paths
from veln_hook.errors import CarryError

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger("veln_hook")

OLDEST = 9
"""Minor version of the oldest Python 3 that is supported; what runs there runs on the newer ones."""
_MINORS = range(OLDEST, 40)
"""Minor versions that are asked about; more than there will be for a while."""
_REQUIREMENTS = ("pluggy>=1.2", "packaging>=22", "platformdirs>=2.5", "tomli>=1.2")
NAMES = ("pluggy", "packaging", "platformdirs", "tomli")
_PROBE_TIMEOUT_S = 30
_FETCH_TIMEOUT_S = 300
_COMPLETE = ".complete"
# Settings that would send the fetched set elsewhere, or make that pip start yet another one.
_DISTURBING = (
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    "PIP_REQUIREMENT",
    "PIP_EDITABLE",
    "PIP_PYTHON",
    "PIP_REQUIRE_HASHES",
    "PIP_CONSTRAINT",
    "PIP_NO_BINARY",
    "PIP_DRY_RUN",
    "PIP_REPORT",
)

Dependencies = dict[str, tuple[str, list[int]]]
"""Name -> (directory that holds it, minor versions of Python 3 it supports)."""

_directories: list[str] = []


def script(pip: str, interpreter: str = "") -> str:
    """Write a script that loads the protection and then runs ``pip``.

    Args:
        pip: File to run (a directory or zip with a ``__main__`` counts), or empty
            for the pip of whatever interpreter runs the script.
        interpreter: Which one will, if that is known and may be another Python than this one.

    Returns:
        Its absolute path.

    Raises:
        CarryError: It can't be written, or no set of our dependencies fits that interpreter.
    """
    sets = [of_this_environment()]
    if interpreter and not _fits(sets[0], _minor_version(interpreter)):
        sets.append(_fetched())
    config = {"package": str(paths.PACKAGE_DIR.parent), "dependencies": sets, "pip": pip}
    runner = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runner.py")
    text = f"import json, runpy\nrunpy.run_path({runner!r})['main'](json.loads({json.dumps(config)!r}))\n"
    try:
        if not _directories:
            _directories.append(tempfile.mkdtemp(prefix="veln-hook-"))
            atexit.register(_remove)
        # Named like pip's own, for whoever looks at a process list.
        path = os.path.join(_directories[0], f"pip-{len(os.listdir(_directories[0]))}.py")
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CarryError(
            f"no file can be made in {tempfile.gettempdir()}: {error.strerror or error}"
        ) from error
    return path


def for_minors(minors: Sequence[int], *, aside: str = "") -> Dependencies:
    """Return a set of our dependencies that serves several interpreters, fetching one if need be.

    Args:
        minors: Their minor versions of Python 3.
        aside: Directory that a set is fetched into, so that nothing is left anywhere else; without it, it is
            the user's cache, for the next time.

    Raises:
        CarryError: It can't be fetched.
    """
    own = of_this_environment()
    return own if all(_fits(own, minor) for minor in minors) else _fetched(aside)


def asked_interpreter(args: list[str], environ: dict[str, str]) -> str:
    """Return the interpreter that pip's global option ``--python`` names; empty if it isn't used.

    Args:
        args: pip's arguments.
        environ: Its environment; ``PIP_PYTHON`` sets the option too.
    """
    python = environ.get("PIP_PYTHON", "")
    for position, arg in enumerate(args):
        if arg == "--python" and position + 1 < len(args):
            python = args[position + 1]
        elif arg.startswith("--python="):
            python = arg.partition("=")[2]
    if os.path.isdir(python):  # as pip's identify_python_interpreter does
        for name in ("bin/python", "Scripts/python.exe"):
            if os.path.exists(os.path.join(python, name)):
                return os.path.join(python, name)
    return python


def _remove() -> None:
    for directory in _directories:
        shutil.rmtree(directory, ignore_errors=True)


def _fits(dependencies: Dependencies, minor: int) -> bool:
    needed = NAMES if minor < 11 else NAMES[:-1]  # noqa: PLR2004 - tomllib came with 3.11
    return all(minor in dependencies.get(name, ("", []))[1] for name in needed)


def of_this_environment() -> Dependencies:
    """Return our dependencies as this process has them, with the Pythons that each supports."""
    if veln_hook.carried is not None:  # brought along to this one
        return veln_hook.carried
    found: Dependencies = {}
    for name in NAMES:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        place = getattr(sys.modules.get(name), "__file__", None) or str(
            distribution.locate_file(f"{name}/__init__.py")
        )
        if os.path.isfile(place):
            minors = _supported(distribution.metadata["Requires-Python"] or "")
            found[name] = (os.path.dirname(os.path.dirname(os.path.abspath(place))), minors)
    return found


def _supported(requires_python: str) -> list[int]:
    try:
        specifier = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return []
    return [minor for minor in _MINORS if specifier.contains(f"3.{minor}.99")]


def _minor_version(interpreter: str) -> int:
    command = [interpreter, "-I", "-S", "-c", "import sys; print(sys.version_info[1])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=True)
        return int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise CarryError(f"{interpreter} can't be asked for its version: {error}") from error


def _fetched(aside: str = "") -> Dependencies:
    """Return the set for the oldest Python, fetching it on first use."""
    place = os.path.join(aside, "py39") if aside else str(paths.carried_dir())
    if not os.path.exists(os.path.join(place, _COMPLETE)):
        _fetch(place, aside)
    return {name: (place, list(_MINORS)) for name in NAMES}


def _fetch(place: str, aside: str = "") -> None:
    logger.info("veln-hook: fetching its dependencies for Python 3.%d, once", OLDEST)
    environ = {name: value for name, value in os.environ.items() if name not in _DISTURBING}
    environ["_PIP_RUNNING_IN_SUBPROCESS"] = "1"  # a 'python' in a pip.conf must not send this one elsewhere
    if aside:
        environ.update({"PIP_NO_CACHE_DIR": "1", "XDG_STATE_HOME": aside})
    os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
    staging = tempfile.mkdtemp(prefix="carried-", dir=os.path.dirname(place))
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:",
        "--python-version", f"3.{OLDEST}", "--target", staging, *_REQUIREMENTS,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            env=environ,
            cwd=staging,  # -m looks for modules in the working directory first, and that may be anybody's
            capture_output=True,
            text=True,
            timeout=_FETCH_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            reason = (done.stderr or done.stdout or "pip failed").strip().splitlines()[0]
            raise CarryError(f"its dependencies for Python 3.{OLDEST} can't be fetched: {reason}")
        with open(os.path.join(staging, _COMPLETE), "x", encoding="ascii"):
            pass
        shutil.rmtree(place, ignore_errors=True)  # an incomplete one
        os.rename(staging, place)
    except (OSError, subprocess.SubprocessError) as error:
        if not os.path.exists(os.path.join(place, _COMPLETE)):  # else another process was quicker
            raise CarryError(f"its dependencies for Python 3.{OLDEST} can't be kept: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
