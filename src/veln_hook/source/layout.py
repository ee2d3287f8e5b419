"""Where a member of an archive ends up, and so how its code comes to run."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.source.facts import BUILD, IMPORT, SCRIPT, STARTUP

if TYPE_CHECKING:
    from collections.abc import Collection

_ASIDE = frozenset(
    (
        "test",
        "tests",
        "testing",
        "docs",
        "doc",
        "example",
        "examples",
        "benchmark",
        "benchmarks",
        "samples",
        "demo",
        "demos",
    )
)
_ASIDE_FILES = frozenset(
    ("conftest.py", "noxfile.py", "tasks.py", "fabfile.py", "versioneer.py", "ez_setup.py")
)
_TEST_FILE = re.compile(r"test_.*\.py|.*_test\.py")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_DATA = re.compile(r"[^/]+\.data/(purelib|platlib|scripts|data|headers)/(.+)")


class Place(NamedTuple):
    """Where a member ends up."""

    installed: str
    """Relative to site-packages (or to the root of an sdist's code); empty for what is no such code."""
    script: bool
    """Whether it becomes a command."""


def place_of(name: str, kind: str, root: str) -> Place:
    """Tell where a member ends up.

    Args:
        name: As the archive spells it.
        kind: ``wheel``, ``sdist`` or ``directory``.
        root: The directory that everything in an sdist lies in, with its slash; empty if there is none.
    """
    name = posixpath.normpath(name.replace("\\", "/"))
    if kind == "wheel":
        match = _DATA.fullmatch(name)
        if match is None:
            return Place(name, script=False)
        scheme, rest = match.groups()
        if scheme in ("purelib", "platlib"):
            return Place(rest, script=False)
        if scheme == "data":
            # What lies under lib/pythonX/site-packages there is installed as code, too.
            _, found, tail = rest.rpartition("site-packages/")
            return Place(tail if found else "", script="bin/" in rest)
        return Place("", script=scheme == "scripts")
    if root and name.startswith(root):
        name = name[len(root) :]
    for prefix in ("src/", "lib/", "python/"):
        if name.startswith(prefix):
            return Place(name[len(prefix) :], script=False)
    return Place(name, script=name.startswith(("bin/", "scripts/")))


def commands(names: Collection[str]) -> set[str]:
    """Return the commands among the members of a wheel, besides those that its entry points make."""
    found = set()
    for name in names:
        match = _DATA.fullmatch(posixpath.normpath(name.replace("\\", "/")))
        if match and (match.group(1) == "scripts" or match.group(2).lower().startswith(("bin/", "scripts/"))):
            found.add(match.group(2).rpartition("/")[2])
    return found


def is_own_metadata(name: str) -> bool:
    """Tell whether a file of metadata is the archive's own, by its path below the root of that."""
    return name.count("/") == 1 or (name.count("/") == 2 and name.startswith(("src/", "lib/", "python/")))  # noqa: PLR2004


def foreign_metadata(names: Collection[str]) -> list[str]:
    """Return directories of metadata that a wheel installs besides its own, as if others were there, too."""
    wheels = (name.partition("/") for name in names if name.endswith(".dist-info/WHEEL"))
    projects = {_project(top) for top, _, rest in wheels if rest == "WHEEL"}
    tops = {place_of(name, "wheel", "").installed.partition("/")[0] for name in names}
    return sorted(
        top
        for top in tops
        if top.lower().endswith((".dist-info", ".egg-info")) and _project(top) not in projects
    )


def _project(directory: str) -> str:
    """Return the project of a directory of metadata, normalized: of ``Acme.x-1.0.dist-info``, ``acme_x``."""
    return re.sub(r"[-_.]+", "_", directory.rpartition(".")[0].partition("-")[0]).lower()


def module_name(installed: str) -> str:
    """Return the dotted name of an installed file of source; empty if it can't be imported."""
    parts = installed.rpartition(".")[0].split("/") if installed.endswith((".py", ".pyx")) else []
    if parts and parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts) if parts and all(_IDENTIFIER.fullmatch(part) for part in parts) else ""


def is_aside(installed: str) -> bool:
    """Tell whether a file lies with the tests, documents or examples, which nobody imports."""
    *directories, base = installed.split("/")
    named = base in _ASIDE_FILES or _TEST_FILE.fullmatch(base) is not None
    # 'test-examples' is no package's name, so that each of its words counts.
    return named or any(word in _ASIDE for part in directories for word in part.lower().split("-"))


def roots_of(installed: str, *, kind: str, script: bool, all_aside: bool = False) -> tuple[str, ...]:
    """Return how a file's module body comes to run by itself.

    Args:
        installed: Where it ends, as ``place_of`` tells.
        kind: As for ``place_of``.
        script: Whether it becomes a command.
        all_aside: Whether the archive has nothing but such files: then ``demo`` is what it is about.
    """
    parts = installed.split("/")
    if kind != "wheel" and installed == "setup.py":
        return (BUILD,)
    if installed in (
        "sitecustomize.py",
        "usercustomize.py",
        "sitecustomize/__init__.py",
        "usercustomize/__init__.py",
    ):
        return (STARTUP,)
    if script or parts[-1] == "__main__.py":
        return (SCRIPT,)
    if is_aside(installed) and not all_aside:
        return ()
    return (IMPORT,) if installed.endswith((".py", ".pyw", ".pyx")) else ()


def common_root(names: list[str]) -> str:
    """Return the directory that holds all of an sdist, with its slash; empty if there is none."""
    counted = [name for name in names if name != "pax_global_header"]
    tops = {name.partition("/")[0] for name in counted}
    return f"{tops.pop()}/" if len(tops) == 1 and all("/" in name for name in counted) else ""
