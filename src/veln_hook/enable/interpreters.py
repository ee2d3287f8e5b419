"""Which Python interpreters are on this machine, and where each has its standard library.

Rules of this module: whatever is run here is run as whoever switches protection
on, root mostly. So an interpreter that others could change is told, never run.
"""

from __future__ import annotations

import glob
import json
import os
import re
import stat
import subprocess
from typing import TYPE_CHECKING, NamedTuple, Union

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAME = re.compile(r"(python|pypy)\d(\.\d+)?t?")
_PLACES = (
    "/usr/bin",
    "/usr/local/bin",
    "/usr/local/python*/bin",
    "/opt/*/bin",
    "/opt/python/*/bin",
    "/opt/conda/envs/*/bin",
    "/opt/*/envs/*/bin",
    "/opt/hostedtoolcache/Python/*/*/bin",
    "{home}/.pyenv/versions/*/bin",
    "/opt/pyenv/versions/*/bin",
    "/usr/local/pyenv/versions/*/bin",
    "{home}/.local/share/uv/python/*/bin",
    "/opt/uv/python/*/bin",
    "{home}/miniconda3/bin",
    "{home}/miniforge3/bin",
    "{home}/anaconda3/bin",
)
"""Where interpreters are put besides PATH: distributions, docker's images, pyenv, uv, conda, CI's runners."""
_VARIABLES = {
    "PYENV_ROOT": "versions/*/bin",
    "UV_PYTHON_INSTALL_DIR": "*/bin",
    "CONDA_PREFIX": "bin",
    "CONDA_ROOT": "bin",
}
_ASK = """
import json, sys, sysconfig
print(json.dumps({
    "stdlib": sysconfig.get_path("stdlib"), "version": list(sys.version_info[:3]),
    "implementation": sys.implementation.name, "own": sys.prefix == sys.base_prefix,
}))
"""
_SECONDS = 30
_OLDEST = (3, 9)


class Interpreter(NamedTuple):
    """One installation of Python."""

    executable: str
    """Real path."""
    stdlib: str
    """Real path of the standard library's directory."""
    version: tuple[int, int, int]
    implementation: str


class PassedOver(NamedTuple):
    """One that is left as it is."""

    executable: str
    reason: str


def find(environ: Mapping[str, str]) -> list[Union[Interpreter, PassedOver]]:
    """Return the interpreters of this machine, one for each standard library, and those that are left alone.

    Args:
        environ: For PATH, HOME, and where pyenv, uv and conda keep theirs.
    """
    found: list[Union[Interpreter, PassedOver]] = []
    seen: set[str] = set()
    for path in _executables(environ):
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        problem = changeable(real)
        answer = PassedOver(real, problem) if problem else _ask(real)
        if isinstance(answer, Interpreter):
            if answer.stdlib in seen:
                continue
            seen.add(answer.stdlib)
        if answer is not None:
            found.append(answer)
    return found


def changeable(path: str) -> str:
    """Return who else could change a file, or put another in its place; empty if nobody could.

    Args:
        path: Absolute and real, of a file or directory.
    """
    trusted = {0, os.geteuid()}
    while True:
        try:
            status = os.stat(path)
        except OSError as error:
            return f"{path}: {error.strerror or error}"
        if status.st_uid not in trusted:
            return f"{path} belongs to uid {status.st_uid}"
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
            return f"{path} can be written by others"
        above = os.path.dirname(path)
        if above == path:
            return ""
        path = above


def _executables(environ: Mapping[str, str]) -> Iterator[str]:
    home = environ.get("HOME", "")
    directories = [each for each in environ.get("PATH", "").split(os.pathsep) if os.path.isabs(each)]
    for pattern in _PLACES:
        if "{home}" not in pattern or home:
            directories += sorted(glob.glob(pattern.format(home=glob.escape(home))))
    for variable, inside in _VARIABLES.items():
        if os.path.isabs(environ.get(variable, "")):
            directories += sorted(glob.glob(os.path.join(glob.escape(environ[variable]), inside)))
    for directory in dict.fromkeys(map(os.path.realpath, directories)):
        yield from _in(directory)


def _in(directory: str) -> Iterable[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    paths = [os.path.join(directory, name) for name in names if _NAME.fullmatch(name)]
    return [path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]


def _ask(executable: str) -> Union[Interpreter, PassedOver, None]:
    try:
        done = subprocess.run(
            [executable, "-I", "-S", "-c", _ASK],
            cwd="/",
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        told = json.loads(done.stdout)
        version = tuple(map(int, told["version"]))
        stdlib = os.path.realpath(told["stdlib"])
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        # A script with such a name, as pyenv's shims are, or one that is broken: no pip runs in it either.
        return None
    if version < _OLDEST:
        return PassedOver(executable, f"Python {version[0]}.{version[1]} is older than 3.9")
    if not told["own"]:
        return None  # a virtual environment: its base is found by itself
    problem = changeable(stdlib)
    if problem:
        return PassedOver(executable, problem)
    return Interpreter(executable, stdlib, (version[0], version[1], version[2]), str(told["implementation"]))
