"""What a project names: its requirements, ``[tool.uv.sources]``, its workspace, its lock; scripts likewise.

Source: docs/concepts/projects of uv (dependencies, workspaces, layout), PEP 621, 723, 735 and 751.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from veln_hook.adapters.uv import locks
from veln_hook.adapters.uv.files import MAX_TEXT, read_script, read_text, read_toml
from veln_hook.adapters.uv.sources import local_paths, note_all, texts
from veln_hook.errors import UsageError
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from veln_hook.adapters.uv.files import TomlFile
    from veln_hook.adapters.uv.sources import Sources

_MAX_TREES = 200
"""Directories whose own pyproject.toml is read: path sources have path sources."""
_MAX_MEMBERS = 1000
_OWN_FILES = "https://files.pythonhosted.org/"
"""Which index lists a file there is known without being told."""
_MAX_LOOKED_THROUGH = 100_000
"""Directories, for the members of a workspace."""
_WILD = re.compile(r"[*?\[]")
_MAX_REGISTRIES = 50
"""Directories that stand in for indexes in one lock."""
_LISTS = (
    "dev-dependencies",
    "constraint-dependencies",
    "override-dependencies",
    "build-constraint-dependencies",
)
"""Of ``[tool.uv]``: requirements that can name a URL."""


class Projects:
    """Projects that lead to one another by workspaces and paths; each is read once.

    Args:
        sources: What they name is noted here.
        own: A directory that is the user's own work: what lies in it isn't judged as a source.
    """

    def __init__(self, sources: Sources, own: str = "") -> None:
        self.sources = sources
        self._own = os.path.realpath(own) if own else ""
        self._seen: set[str] = set()

    def root(self, start: str) -> str:
        """Return the directory of the project at or above a directory, its workspace's if it has one.

        Empty if there is none.
        """
        nearest = ""
        directory = start
        while True:
            path = os.path.join(directory, "pyproject.toml")
            if os.path.isfile(path):
                if not nearest:
                    nearest = directory
                text = read_text(path, MAX_TEXT) or ""
                if "workspace" in text and _workspace(read_toml(path)):
                    return directory
            above = os.path.dirname(directory)
            if above == directory:
                return nearest
            directory = above

    def workspace(self, root: str) -> None:
        """Note what a project names, its members and its lock included.

        Raises:
            UsageError: A file can't be read before uv does.
        """
        self._own = os.path.realpath(root)
        file = self.directory(root)
        for member in _members(file, root):
            self.directory(member)
        self.lock(os.path.join(root, "uv.lock"))

    def directory(self, path: str) -> TomlFile | None:
        """Note what the project in a directory names, and those that it leads to.

        Raises:
            UsageError: A file can't be read before uv does.
        """
        real = os.path.realpath(path)
        if real in self._seen:
            return None
        if len(self._seen) >= _MAX_TREES + _MAX_MEMBERS:
            raise UsageError(
                f"{printable(path)}: more than {_MAX_TREES + _MAX_MEMBERS} projects lead to one another",
                advice="Split the workspace.",
            )
        self._seen.add(real)
        file = read_toml(os.path.join(path, "pyproject.toml"))
        if file is not None:
            self.note(file, path)
        return file

    def pyproject(self, path: str) -> None:
        """Note what a ``pyproject.toml``, or a script with metadata, names."""
        file = read_toml(path) if path.endswith(".toml") else read_script(path)
        if file is not None:
            self.note(file, os.path.dirname(path))

    def note(self, file: TomlFile, base: str) -> None:
        """Note what a project's file or a script's metadata names.

        Raises:
            UsageError: A file that it leads to can't be read before uv does.
        """
        place = file.path
        project = _table(file.table, "project")
        note_all(self.sources, _list(file.table, "dependencies"), base, place)  # a script's
        note_all(self.sources, _list(project, "dependencies"), base, place)
        for extra in _table(project, "optional-dependencies").values():
            note_all(self.sources, extra if isinstance(extra, list) else (), base, place)
        for group in _table(file.table, "dependency-groups").values():
            note_all(self.sources, group if isinstance(group, list) else (), base, place)
        note_all(self.sources, _list(_table(file.table, "build-system"), "requires"), base, place)
        uv = _table(_table(file.table, "tool"), "uv")
        self.settings(uv, base, place)
        for key in _LISTS:
            note_all(self.sources, _list(uv, key), base, place)
        for name, entries in _table(uv, "sources").items():
            for entry in entries if isinstance(entries, list) else [entries]:
                if isinstance(entry, dict):
                    self._source(entry, base, file.place(("tool", "uv", "sources", name)))

    def settings(self, uv: Mapping[str, Any], base: str, place: str) -> None:
        """Note the indexes of uv's own settings.

        Args:
            uv: What ``uv.toml`` or ``[tool.uv]`` says.
            base: Directory that paths start from.
            place: Where it says so.
        """
        for table in (uv, _table(uv, "pip")):
            entries = table.get("index")
            for entry in entries if isinstance(entries, list) else []:
                if isinstance(entry, dict) and isinstance(entry.get("url"), str):
                    self.sources.index(entry["url"], base, place, flat=entry.get("format") == "flat")
            for key in ("index-url", "default-index", "extra-index-url"):
                for text in texts(table.get(key)):
                    self.sources.index(text, base, place)
            for text in texts(table.get("find-links")):
                self.sources.find_links(text, base, place)

    def lock(self, path: str) -> None:
        """Note what a lock names.

        Raises:
            UsageError: It can't be read before uv does.
        """
        base = os.path.dirname(path)
        found = list(locks.named(read_text(path, MAX_TEXT) or "", path))
        bases = {base: None}  # a file of a directory that stands in for an index is relative to that
        for key, value, _ in found:
            if key in ("registry", "index") and not value.startswith(("https://", "http://")):
                bases.update(dict.fromkeys(local_paths(value, base)))
        if len(bases) > _MAX_REGISTRIES:
            raise UsageError(
                f"{printable(path)} names more than {_MAX_REGISTRIES} directories as indexes",
                advice="Lock it anew.",
            )
        for each in found:
            self._locked(each, base, path)
            if each.key == "path":
                for directory in bases:
                    self.sources.archive(each.value, directory, path)

    def _locked(self, named: locks.Named, base: str, path: str) -> None:
        key, value = named.key, named.value
        if key in ("registry", "index"):
            self.sources.index(value, base, path)
        elif key == "git":
            self.sources.repository(value.partition("?")[0], path)
        elif key == "url":
            if not value.startswith(_OWN_FILES):
                fragment = f"#sha256={named.sha256}" if named.sha256 and "#" not in value else ""
                self.sources.url(f"{value}{fragment}", base, path)
        elif key == "path" or not self._is_own(os.path.join(base, value)):
            self.sources.path(value, base, path)

    def _source(self, entry: dict[str, Any], base: str, place: str) -> None:
        if isinstance(entry.get("git"), str):
            self.sources.repository(entry["git"], place)
        if isinstance(entry.get("url"), str):
            self.sources.url(entry["url"], base, place)
        if isinstance(entry.get("index"), str) and "://" in entry["index"]:
            self.sources.index(entry["index"], base, place)
        if isinstance(entry.get("path"), str):
            path = os.path.normpath(os.path.join(base, entry["path"]))
            if os.path.isdir(path):
                if not self._is_own(path):
                    self.sources.trees[path] = place
                self.directory(path)
            else:
                self.sources.path(path, base, place)

    def _is_own(self, path: str) -> bool:
        real = os.path.realpath(path)
        return bool(self._own) and os.path.isdir(real) and f"{real}/".startswith(f"{self._own}/")


def project_name(path: str) -> tuple[str, str]:
    """Return the name and the version that a directory's ``pyproject.toml`` gives, as far as it does.

    Raises:
        UsageError: It can't be read.
    """
    file = read_toml(os.path.join(path, "pyproject.toml"))
    project = _table(file.table, "project") if file is not None else {}
    name, version = project.get("name"), project.get("version")
    return name if isinstance(name, str) else "", version if isinstance(version, str) else ""


def _members(file: TomlFile | None, root: str) -> Iterator[str]:
    for pattern in texts(_workspace(file).get("members")):
        yield from _matching(root, pattern.split("/"), [_MAX_LOOKED_THROUGH])


def _matching(directory: str, parts: list[str], left: list[int]) -> Iterator[str]:
    """Yield the directories that a pattern of uv's means, hidden ones too, which ``glob`` leaves out.

    Args:
        directory: Where to look.
        parts: Of the pattern.
        left: How many directories may be looked through, counted down.

    Raises:
        UsageError: It is more.
    """
    if not parts:
        yield directory
        return
    part, rest = parts[0], parts[1:]
    left[0] -= 1
    if left[0] < 0:
        raise UsageError(
            f"{printable(directory)}: the members of this workspace can't be found in bounded time",
            advice="Name them without wildcards.",
        )
    if part == "**":
        yield from _matching(directory, rest, left)
        for entry in _directories(directory):
            if not entry.is_symlink():
                yield from _matching(entry.path, parts, left)
    elif _WILD.search(part):
        for entry in _directories(directory):
            if fnmatchcase(entry.name, part):
                yield from _matching(entry.path, rest, left)
    elif os.path.isdir(os.path.join(directory, part)):
        yield from _matching(os.path.join(directory, part), rest, left)


def _directories(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if entry.is_dir()]
    except OSError:
        return []


def _workspace(file: TomlFile | None) -> dict[str, Any]:
    if file is None:
        return {}
    return _table(_table(_table(file.table, "tool"), "uv"), "workspace")


def _table(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _list(table: Mapping[str, Any], key: str) -> list[Any]:
    found = table.get(key)
    return found if isinstance(found, list) else []
