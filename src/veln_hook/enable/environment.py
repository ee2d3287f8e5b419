"""One environment, from outside: a line in its site-packages, and neither our code nor our dependencies."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from veln_hook import paths
from veln_hook.adapters.venv import inherit, pointers
from veln_hook.enable import code
from veln_hook.enable.changes import Change, Record, Step
from veln_hook.errors import EnableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_RECORD = "veln-hook/enabled.json"
# A distribution's own scheme counts for its system's Python only; and without site sys.prefix is the base's.
_ASK = """
import json, sys, sysconfig
scheme = "venv" if "venv" in sysconfig.get_scheme_names() else "posix_prefix"
places = {"base": sys.argv[1], "platbase": sys.argv[1]}
site = sysconfig.get_path("purelib", scheme, places)
print(json.dumps({"site": site, "version": sys.version_info[:2]}))
"""
_SECONDS = 30
_OLDEST = (3, 9)


class Environment(NamedTuple):
    """What is known of one."""

    prefix: str
    python: str
    site_packages: str
    minor: int
    """Minor version of its Python 3."""

    @property
    def has_its_own(self) -> bool:
        """Whether veln-hook is installed in it."""
        return os.path.isdir(os.path.join(self.site_packages, "veln_hook"))


def look(directory: str) -> Environment:
    """Ask an environment's interpreter where its packages are.

    Args:
        directory: Of the environment.

    Raises:
        UsageError: It is none.
        EnableError: Its interpreter is too old, or doesn't answer.
    """
    prefix = os.path.abspath(directory)
    python = os.path.join(prefix, "bin", "python")
    if not os.path.isfile(os.path.join(prefix, "pyvenv.cfg")) or not os.path.exists(python):
        raise UsageError(
            f"{directory} is no virtual environment", advice="Name the directory of one: --env DIR."
        )
    try:
        # -S: nothing of the environment's own runs for this.
        done = subprocess.run(
            [python, "-I", "-S", "-c", _ASK, prefix],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=True,
        )  # fmt: skip
        told = json.loads(done.stdout)
        version = tuple(told["version"])
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
        raise EnableError(f"{python} can't be asked: {error}") from error
    if version < _OLDEST:
        raise EnableError(f"{python} is Python {version[0]}.{version[1]}; the oldest that is served is 3.9")
    return Environment(prefix, python, told["site"], version[1])


def home() -> str:
    """Return the directory of the copy that this user's environments are led to."""
    return str(paths.shims_dir() / "hook")


def changes(environment: Environment) -> Sequence[Change]:
    """Return what has to be written into an environment."""
    repair = f"veln-hook enable --env {environment.prefix}"
    target = code.target(home(), range(_OLDEST[1], 40), repair)
    return (Change(os.path.join(environment.site_packages, inherit.PTH), pointers.pth(target)),)


def record(environment: Environment) -> Record:
    """Return what was written into it before."""
    return Record(os.path.join(environment.prefix, _RECORD))


def steps(environment: Environment) -> list[Step]:
    """Tell what ``enable`` would do."""
    made = list(record(environment).plan(changes(environment)))
    return [Step("write", home(), "the code, and what it needs"), *made] if made else made


def enable(environment: Environment) -> None:
    """Lead an environment to a copy of the code, which is made.

    Raises:
        EnableError: A file that is to be made is there, and isn't ours.
        CarryError: What the code needs can't be fetched.
        OSError: A file can't be written.
    """
    code.install(home(), [9])
    record(environment).apply(changes(environment))


def disable(environment: Environment, *, dry: bool = False) -> list[Step]:
    """Take the line out again; the copy stays for other environments.

    Raises:
        OSError: A file can't be removed.
    """
    return record(environment).undo(dry=dry)
