"""What is covered on this machine: each interpreter and environment in each start mode, each installer.

Everything is tried by starting it. Rules: an interpreter that others could
change is not started; nothing is written; what is started ends within seconds.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook.adapters.shims import looking
from veln_hook.adapters.shims.passing import TOOLS
from veln_hook.enable import interpreters, nets
from veln_hook.enable.interpreters import Interpreter, PassedOver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODES = ((), ("-E",), ("-s",), ("-I",), ("-S",))
"""How an interpreter may be started, each with other start-up files."""
_ENVIRONMENT_MODES = ((), ("-I",))
_ASK = """
import importlib.util, json, sys
module = sys.modules.get("veln_hook")
try:
    pip = importlib.util.find_spec("pip") is not None
except Exception:
    pip = True
print(json.dumps([module is not None and module in sys.meta_path, pip]))
"""
_SECONDS = 30
_PLACES = (
    ".venv",
    "venv",
    "~/.virtualenvs/*",
    "~/.local/share/pipx/venvs/*",
    "~/.local/pipx/venvs/*",
    "~/.local/share/uv/tools/*",
    "~/.cache/pypoetry/virtualenvs/*",
    "~/.local/share/virtualenvs/*",
    "~/.local/share/hatch/env/virtual/*/*/*",
)
"""Where environments are kept, besides the one that is activated."""


class Row(NamedTuple):
    """One line of the table."""

    kind: str
    """One of ``policy.settings.COVERAGE``."""
    place: str
    """Of the interpreter, the environment or the installer."""
    mode: str
    """How it is started; empty for an installer."""
    covered: Optional[bool]
    """``None`` where it couldn't be tried."""
    why: str
    remedy: str = ""
    """The command that would cover it; empty if there is none."""


def rows(environ: Mapping[str, str], own: str) -> Iterator[Row]:
    """Try everything, and yield it as it is found.

    Args:
        environ: The user's.
        own: The interpreter that runs this, whose environment counts as well.
    """
    for found in interpreters.find(environ):
        if isinstance(found, PassedOver):
            yield Row("interpreters", found.executable, "", None, found.reason)
        else:
            yield from _interpreter(found)
    for prefix in environments(environ, own):
        yield from _environment(prefix)
    yield from _installers(environ)
    yield from _second_net(environ)


def environments(environ: Mapping[str, str], own: str) -> list[str]:
    """Return the prefixes of environments that are known, each once.

    Args:
        environ: For HOME and what is activated.
        own: An interpreter; its environment comes first.
    """
    home = environ.get("HOME", "")
    places = [os.path.dirname(os.path.dirname(own)), environ.get("VIRTUAL_ENV", "")]
    for pattern in _PLACES:
        if pattern.startswith("~"):
            if home:
                places += sorted(glob.glob(glob.escape(home) + pattern[1:]))
        else:
            places.append(os.path.abspath(pattern))
    real = dict.fromkeys(os.path.realpath(place) for place in places if place)
    return [place for place in real if os.path.isfile(os.path.join(place, "pyvenv.cfg"))]


def _interpreter(found: Interpreter) -> Iterator[Row]:
    for mode in MODES:
        remedy = "" if mode == ("-S",) else "veln-hook enable --image, as root"
        yield _tried("interpreters", found.executable, found.executable, mode, remedy)


def _environment(prefix: str) -> Iterator[Row]:
    python = os.path.join(prefix, "bin", "python")
    problem = interpreters.changeable(os.path.realpath(python))
    if problem:
        yield Row("environments", prefix, "", None, problem)
        return
    for mode in _ENVIRONMENT_MODES:
        yield _tried("environments", prefix, python, mode, f"veln-hook enable --env {prefix}")


def _tried(kind: str, place: str, python: str, mode: tuple[str, ...], remedy: str) -> Row:
    started = " ".join(("python", *mode))
    try:
        done = subprocess.run(
            [python, *mode, "-c", _ASK],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        active, pip = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, TypeError, subprocess.SubprocessError) as error:
        return Row(kind, place, started, None, f"it can't be started: {type(error).__name__}")
    if active:
        return Row(kind, place, started, covered=True, why="the hook is active")
    if not pip:
        return Row(kind, place, started, covered=True, why="there is no pip to guard")
    why = "no start-up file is read" if mode == ("-S",) else "no start-up file of veln-hook's is found"
    return Row(kind, place, started, covered=False, why=why, remedy=remedy)


def _installers(environ: Mapping[str, str]) -> Iterator[Row]:
    path = environ.get("PATH", "")
    for tool in (*TOOLS, "conda", "mamba"):
        found = looking.look(tool, path)
        if not found.first:
            continue
        problem = looking.problem(found.shim) if found.guarded else ""
        if found.guarded and not problem:
            yield Row("installers", found.first, "", covered=True, why="a shim that leads through the gate")
        elif tool not in TOOLS:
            yield Row("installers", found.first, "", covered=False, why="no gate knows it")
        else:
            why = problem or ("its shim isn't first on PATH" if found.shim else "it has no shim")
            remedy = "veln-hook shims install"
            yield Row("installers", found.first, "", covered=False, why=why, remedy=remedy)


def _second_net(environ: Mapping[str, str]) -> Iterator[Row]:
    files = nets.found(environ)
    for tool in ("pip", "uv"):
        if tool in files:
            yield Row("configuration", files[tool], "", covered=True, why="written by veln-hook")
            continue
        why = f"{tool}'s own configuration leads to no gate"
        remedy = "veln-hook enable --image --gate URL (or --user)"
        yield Row("configuration", f"{tool}'s", "", covered=False, why=why, remedy=remedy)
