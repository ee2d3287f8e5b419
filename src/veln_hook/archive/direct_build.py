"""What uv installs of a source whose build backend is uv's own, which it builds without starting a program.

No wheel of it passes by anybody before it is installed, so what that wheel would
bring is read from ``[tool.uv.build-backend]`` (uv's documentation of its build
backend; ``check_direct_build`` of uv's crates/uv-build-backend), as a superset:
what is excluded counts too.
"""

from __future__ import annotations

import posixpath
import re
import sys
from typing import TYPE_CHECKING, Any

from veln_hook.archive.members import iter_members
from veln_hook.archive.wheel import MAX_MEMBERS, MAX_NAMES, WheelContents
from veln_hook.errors import ArchiveError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.archive.limits import Problem

_FILE = "pyproject.toml"
_BACKENDS = ("uv_build", "uv")
"""The second is what it was called while uv tried it out."""
_MAX_BYTES = 1 << 20
"""Of one pyproject.toml."""
_MAX_FILES = 2_000
"""More projects than any repository has in it."""
_MAX_LOOKS = 5_000_000
"""So many names may be looked at in all: each project, and each of its directories of data, asks for another
look at every name, and a megabyte of settings can name a hundred thousand directories."""


def direct_build_contents(path: str) -> WheelContents:
    """Tell what uv would install of an sdist or a directory without a build that could be watched.

    Args:
        path: Of the file or directory. Each ``pyproject.toml`` in it counts: of a
            checkout a part may be installed (``subdirectory=``).

    Returns:
        Members and commands of the wheels; nothing if they have another backend.

    Raises:
        ArchiveError: A ``pyproject.toml`` is too large, or can't be understood. What is wrong with the
            archive itself isn't raised: whoever reads its code tells that.
    """
    problems: list[Problem] = []
    names: list[str] = []
    projects: dict[str, bytes] = {}
    for member in iter_members(path, problems=problems):
        names.append(member.name)
        if member.name.rpartition("/")[2] == _FILE:
            if len(projects) >= _MAX_FILES:
                raise ArchiveError(f"it has more than {_MAX_FILES} files {_FILE}")
            projects[member.name] = member.read(_MAX_BYTES)
    members: dict[str, None] = {}
    commands: dict[str, None] = {}
    files = _Files(names)
    for name, data in projects.items():
        settings = _parsed(name, data, outermost=name.count("/") <= 1)
        if settings is None:
            continue
        try:
            for inner in _members(posixpath.dirname(name), settings, files):
                members[inner] = None
                if len(members) > MAX_MEMBERS:
                    raise ArchiveError(f"more than {MAX_MEMBERS} files would be installed of it")
            commands.update(dict.fromkeys(_commands(settings)))
        except (TypeError, AttributeError) as error:
            raise ArchiveError(f"its {name} can't be understood: {error}") from error
    if len(commands) > MAX_NAMES:
        raise ArchiveError(f"it has more than {MAX_NAMES} commands")
    return WheelContents(tuple(members), tuple(commands))


class _Files:
    """The names of a source's files, looked at no more often than any honest one asks for."""

    def __init__(self, names: list[str]) -> None:
        # As the most forgiving file system would compare them.
        self._names = [(name, name.casefold()) for name in names]
        self._looks = 0

    def below(self, root: str, directory: str) -> Iterator[str]:
        """Yield what lies in a directory of a project, relative to it.

        Raises:
            ArchiveError: It leads out of the project, or too much was looked at.
        """
        inside = posixpath.normpath(directory.replace("\\", "/") or ".")
        if inside.startswith(("/", "..")):
            raise ArchiveError(f"its {_FILE} takes files from outside of it: {directory!r}")
        self._looks += len(self._names)
        if self._looks > _MAX_LOOKS:
            raise ArchiveError(f"its {_FILE} names more directories than any honest one")
        start = posixpath.normpath(posixpath.join(root, inside)) + "/"
        folded = start.casefold()
        for name, compared in self._names:
            if start == "./":
                yield name
            elif compared.startswith(folded):
                yield name[len(start) :]


def _parsed(name: str, data: bytes, *, outermost: bool) -> dict[str, Any] | None:
    """Return the settings of a project whose backend is uv's own, else ``None``."""
    try:
        settings = tomllib.loads(data.decode("utf-8"))
        backend = settings.get("build-system", {}).get("build-backend")
    except (ValueError, AttributeError, RecursionError) as error:
        # Archives bring spoilt ones to test with. One that uv can read names its backend, or hides it.
        if outermost or any(word in data for word in (b"uv_build", b"\\u", b"\\U", b"\\x")):
            raise ArchiveError(f"its {name} can't be understood: {error}") from error
        return None
    return settings if backend in _BACKENDS else None


def _members(root: str, settings: dict[str, Any], files: _Files) -> Iterator[str]:
    project = settings.get("project", {})
    own = re.sub(r"[-_.]+", "_", str(project.get("name", ""))).lower()
    yield f"{own}-{project.get('version', '0')}.dist-info/METADATA"
    build = settings.get("tool", {}).get("uv", {}).get("build-backend", {})
    named = build.get("module-name", own)
    tops = {each.partition(".")[0].casefold() for each in ([named] if isinstance(named, str) else named)}
    for inner in files.below(root, build.get("module-root", "src")):
        if inner.partition("/")[0].casefold() in tops:
            yield inner
    for scheme, directory in build.get("data", {}).items():
        for inner in files.below(root, directory):
            yield f"{own}-0.data/{scheme}/{inner}"


def _commands(settings: dict[str, Any]) -> Iterator[str]:
    project = settings.get("project", {})
    for table in ("scripts", "gui-scripts"):
        yield from project.get(table, {}).keys()
