"""Which of the commands that pip starts run build code, and what each of them has to write.

Pip starts everything through one function: build backends (PEP 517, PEP 660), ``setup.py`` of projects
without a backend, version control, and pip itself for build requirements. A pip that starts its builds in
a way not known here has them confined all the same: whatever runs in a Python interpreter and is not pip
counts as a build.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOOK_SCRIPT = "_in_process.py"
"""What runs a PEP 517 hook, in every version of ``pep517`` and ``pyproject_hooks`` that pip has carried.

Where pip itself runs from a zip (``pip.pyz``; pip up to 22.1 for build requirements), it is a temporary file
whose name ends so (``importlib.resources.as_file``)."""
_HOOK_ARGUMENTS = 4
_DIRECTORIES = ("metadata_directory", "wheel_directory", "sdist_directory")
"""Arguments of PEP 517's and PEP 660's hooks that name where a result is written."""

_COMMANDS = ("egg_info", "bdist_wheel", "install", "develop", "clean")
"""What pip has ``setup.py`` do."""
INSTALLING = frozenset(("install", "develop"))
"""Of these, what writes into the environment itself."""
_TARGETS = {
    "-d": True,
    "--dist-dir": True,
    "-e": True,
    "--egg-base": True,
    "--bdist-dir": True,
    "--build-base": True,
    "--record": False,
    "--install-headers": True,
    "--install-dir": True,
    "--install-lib": True,
    "--install-purelib": True,
    "--install-platlib": True,
    "--install-scripts": True,
    "--install-data": True,
}
"""Options of ``setup.py`` that name a place to write: a directory (true) or a file in one."""


class Scheme(NamedTuple):
    """Where ``setup.py`` is told to install; all empty for the environment itself."""

    root: str = ""
    prefix: str = ""
    home: str = ""
    user: bool = False


class BuildCommand(NamedTuple):
    """A command of pip's that runs code of a source tree."""

    words: tuple[str, ...]
    cwd: str
    """Absolute: the directory that is built."""
    what: str
    """Name of the hook or of ``setup.py``'s command; empty where it isn't known."""
    write: tuple[str, ...] = ()
    """Absolute paths of directories that a result is written to, besides the source."""
    script: str = ""
    """File that the interpreter runs and that must be readable; empty where it is part of the source."""
    scheme: Scheme | None = None
    """Set if the command writes into an environment."""


def is_pip(words: Sequence[str]) -> bool:
    """Whether this is pip starting pip: an interpreter, a file, ``install``, and a prefix of its own."""
    return list(words[2:3]) == ["install"] and "--prefix" in words


def recognise(words: Sequence[str], cwd: str) -> BuildCommand | None:
    """Tell what a command of pip's builds.

    Args:
        words: Program and arguments, secrets revealed.
        cwd: Where it is started.

    Returns:
        ``None`` if it runs nobody's build code: version control, or pip itself.

    Raises:
        OSError: pip's own file with a hook's arguments can't be read.
        ValueError: That file has another form.
    """
    if not _is_python(words) or is_pip(words):
        return None
    cwd = os.path.abspath(cwd)
    if len(words) >= _HOOK_ARGUMENTS and words[1].endswith(HOOK_SCRIPT):
        return _hook(words, cwd)
    shim = _shim(words)
    if shim is not None:
        return _setup_py(words, cwd, shim)
    return BuildCommand(tuple(words), cwd, "")


def _is_python(words: Sequence[str]) -> bool:
    return bool(words) and (
        words[0] == sys.executable or os.path.basename(words[0]).lower().startswith(("python", "pypy"))
    )


def _hook(words: Sequence[str], cwd: str) -> BuildCommand:
    control = words[3]
    with open(os.path.join(control, "input.json"), encoding="utf-8") as file:
        arguments = json.load(file)["kwargs"]
    named = [str(arguments[name]) for name in _DIRECTORIES if arguments.get(name)]
    return BuildCommand(
        tuple(words), cwd, words[2], (control, *named), script=os.path.abspath(words[1])
    )  # fmt: skip


def _shim(words: Sequence[str]) -> int | None:
    """Return the position of the code that runs ``setup.py``, which pip gives with ``-c``."""
    for position in (1, 2):  # after '-u' in some
        flag, code = [*words[position : position + 2], "", ""][:2]
        if flag == "-c" and "setup.py" in code:
            return position + 1
    return None


def _setup_py(words: Sequence[str], cwd: str, shim: int) -> BuildCommand:
    arguments = words[shim + 1 :]
    what = next((word for word in arguments if word in _COMMANDS), "")
    write = []
    for name, value in _options(arguments):
        if name in _TARGETS and value:
            path = os.path.join(cwd, value)
            write.append(path if _TARGETS[name] else os.path.dirname(path))
    scheme = _scheme(arguments, cwd) if what in INSTALLING else None
    return BuildCommand(tuple(words), cwd, what, tuple(write), scheme=scheme)


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield options with their values, ``--name value`` and ``--name=value`` alike."""
    for position, word in enumerate(arguments):
        if not word.startswith("-"):
            continue
        name, equals, value = word.partition("=")
        if equals:
            yield name, value
        else:
            yield name, "".join(arguments[position + 1 : position + 2])


def _scheme(arguments: Sequence[str], cwd: str) -> Scheme:
    given = {name: value for name, value in _options(arguments) if value}
    placed = {
        name: os.path.join(cwd, given[f"--{name}"])
        for name in ("root", "prefix", "home")
        if f"--{name}" in given
    }
    return Scheme(**placed, user="--user" in arguments)
