"""An archive from its bytes to its facts: every member looked at, every file of source read, all linked."""

from __future__ import annotations

import hashlib
import re
import sys
from typing import TYPE_CHECKING

from veln_hook.archive.members import iter_members
from veln_hook.errors import ArchiveError
from veln_hook.source import building, bytecode, dialects, metadata, pickles, toml
from veln_hook.source.analysis import analyse_python
from veln_hook.source.facts import (
    BUILD,
    IMPORT,
    STARTUP,
    ArchiveFacts,
    Dependency,
    Placed,
    Problem,
)  # fmt: skip
from veln_hook.source.files import SourceFiles
from veln_hook.source.layout import (
    commands,
    common_root,
    foreign_metadata,
    is_aside,
    is_own_metadata,
    module_name,
    place_of,
    roots_of,
)
from veln_hook.source.modules import Module
from veln_hook.source.others import (
    NATIVE_SUFFIXES,
    examine_native,
    examine_shell,
    is_native,
    is_shell,
)
from veln_hook.source.startup import pth_code, start_targets
from veln_hook.source.vocabulary import PTH, STARTUP_FILE

if TYPE_CHECKING:
    import os
    from collections.abc import Container

    from veln_hook.archive.members import Member
    from veln_hook.archive.members import Problem as ArchiveProblem
    from veln_hook.source.files import Known, Learned

MAX_SOURCE = 16 << 20
"""Bytes of one file of source that is read; the largest on PyPI are generated tables of some megabytes."""
MAX_METADATA = 4 << 20
_NATIVE_HEAD = 1 << 20
_PEEK = 4096
"""Bytes that tell what a file is."""
_ODD_SUFFIXES = (".pyc", ".pyo")


def scan_path(
    path: str | os.PathLike[str],
    *,
    known: Known | None = None,
    learned: Learned | None = None,
) -> ArchiveFacts:
    """Read a wheel, an sdist or a directory.

    Args:
        path: Of the file or directory.
        known: Asked with sha256 digests of files of source; gives the facts that are known of them.
        learned: Told the facts of the others.

    Returns:
        What its code can do. What is wrong with the archive stands in ``problems``; nothing is raised for it.
    """
    scan = _Scan(known, learned)
    problems: list[ArchiveProblem] = []
    for member in iter_members(str(path), problems=problems):
        scan.member(member)
    return scan.facts([Problem(*problem) for problem in problems])


class _Scan:
    def __init__(self, known: Known | None, learned: Learned | None) -> None:
        self._sources = SourceFiles(known, learned)
        self._names: list[str] = []
        self._scripts: set[str] = set()
        """Members without the suffix of Python source that are Python nevertheless."""
        self._build_files: list[building.BuildFile] = []
        self._pth: list[tuple[str, int, str]] = []
        self._starts: list[str] = []
        self._metadata: dict[str, str] = {}
        self._packaging: list[str] = []
        """Texts of an sdist's setup.py."""
        self._hooks: list[str] = []
        """Texts of other backends' hooks."""
        self._natives: list[str] = []
        self._bytecode: dict[str, bytes] = {}
        """Headers of files of bytecode."""
        self._placed: list[Placed] = []
        self._problems: list[Problem] = []
        self._python_bytes = 0

    def member(self, member: Member) -> None:
        """Look at one member, and read it if its kind is one that is read."""
        name = member.name
        self._names.append(name)
        lowered = name.lower()
        base = lowered.rpartition("/")[2]
        try:
            if lowered.endswith((".py", ".pyw")):
                self._source(name, member.read(MAX_SOURCE))
            elif lowered.endswith(".pth") and not _is_model(member):
                self._pth += [(name, line, code) for line, code in pth_code(member.read(MAX_SOURCE))]
            elif lowered.endswith(".start"):
                self._starts += start_targets(member.read(MAX_METADATA).decode("utf-8", "replace"))
            elif base in (
                "metadata",
                "pkg-info",
                "entry_points.txt",
                "requires.txt",
                "pyproject.toml",
                "setup.cfg",
                "top_level.txt",
                "wheel",
            ):
                self._metadata[name] = member.read(MAX_METADATA).decode("utf-8", "replace")
            elif lowered.endswith(_ODD_SUFFIXES):
                self._bytecode[name] = member.head(bytecode.HEADER)
            elif lowered.endswith(".ipynb"):
                self._sources.facts[name] = analyse_python(dialects.notebook_code(member.read(MAX_SOURCE)))
            elif lowered.endswith(".pyx"):
                self._source(name, dialects.cython_code(member.read(MAX_SOURCE)))
            elif (
                not pickles.is_plain(lowered)
                or member.executable
                or "/scripts/" in lowered
                or building.is_build_file(base)
            ):
                self._other(name, lowered, member)
        except ArchiveError as error:
            code = lowered.endswith((".py", ".pyw", ".pth"))  # nobody has read what Python will
            self._problems.append(Problem("unread", str(error), name, fatal=code))

    def _other(self, name: str, lowered: str, member: Member) -> None:
        base = lowered.rpartition("/")[2]
        named = lowered.endswith(NATIVE_SUFFIXES) or ".so." in base
        runs = member.executable or is_shell(lowered) or "." not in base or "/scripts/" in lowered
        head = member.head(_PEEK)
        if (named or runs) and is_native(head):
            self._native(name, member.head(_NATIVE_HEAD))
        elif pickles.may_be_pickle(lowered, head):
            self._placed += pickles.examine_pickle(name, member.head(pickles.MAX_BYTES))
        elif building.is_build_file(base):
            self._build_files.append(building.read_build_file(name, member.head(MAX_METADATA)))
        elif not runs:
            return
        elif head.startswith(b"#!") and b"python" in head.split(b"\n", 1)[0]:
            self._scripts.add(name)
            self._source(name, member.read(MAX_SOURCE))
        elif is_shell(lowered) or (head.startswith(b"#!") and b"sh" in head.split(b"\n", 1)[0]):
            self._placed += examine_shell(name, member.head(MAX_METADATA))

    def _native(self, name: str, head: bytes) -> None:
        self._natives.append(name)
        self._placed += examine_native(name, head)

    def _is_installed(self, installed: str, packages: Container[str]) -> bool:
        """Tell whether an sdist may install a file; those beside its setup.py are mostly tools.

        Where that is told in no literal way, the wheel that is built is judged again.

        Args:
            installed: Where it would end.
            packages: Directories at the top that have an ``__init__.py`` somewhere.
        """
        top, below, _ = installed.partition("/")
        if not self._packaging or (below and top in packages):
            return True
        words = rf"\b{re.escape(installed.partition('/' if below else '.')[0])}\b"
        told = re.compile(f"{words}|namespace" if below else words)
        return any(told.search(text) for text in (*self._packaging, *self._metadata.values()))

    def _source(self, name: str, data: bytes) -> None:
        base = name.rpartition("/")[2]
        if name.count("/") <= 1 and base in ("setup.py", *building.HOOK_FILES):
            texts = self._packaging if base == "setup.py" else self._hooks
            texts.append(data.decode("utf-8", "replace"))
        self._python_bytes += len(data)
        self._sources.add(name, data)

    # --- all together ---------------------------------------------------------------------------------

    def facts(self, problems: list[Problem]) -> ArchiveFacts:
        """Link what was read."""
        self._sources.flush()
        sources = self._sources.facts
        wheel = any(name.count("/") == 1 and name.endswith(".dist-info/WHEEL") for name in self._metadata)
        kind = "wheel" if wheel else "sdist"
        root = "" if wheel else common_root(self._names)
        modules: list[Module] = []
        entry_points = self._startup_code(kind, root, modules)
        installed = [place_of(name, kind, root).installed for name in sources]
        packages = {path.partition("/")[0] for path in installed if path.endswith("/__init__.py")}
        all_aside = all(is_aside(name) for name in installed if name not in ("", "setup.py"))
        for name, facts in sources.items():
            place = place_of(name, kind, root)
            script = place.script or name in self._scripts
            roots = roots_of(place.installed, kind=kind, script=script, all_aside=all_aside)
            if roots == (IMPORT,) and kind != "wheel" and not self._is_installed(place.installed, packages):
                roots = ()
            if STARTUP in roots:
                self._placed.append(Placed(STARTUP_FILE, STARTUP, name, 1, place.installed.partition(".")[0]))
            modules.append(Module(name, module_name(place.installed), facts, roots))
        dependencies, scripts, more = self._read_metadata(kind, root)
        placed, ties = self._sources.linked(modules, (*entry_points, *more))
        names = set(self._names)
        placed += (*self._placed, *bytecode.unseen(self._bytecode, names))
        if wheel:
            self._problems += [
                Problem("foreign-metadata", f"it has metadata of another project: {each}", each, fatal=True)
                for each in foreign_metadata(names)
            ]
        return ArchiveFacts(
            kind=kind,
            capabilities=placed,
            ties=tuple(ties),
            problems=(*problems, *self._problems),
            name=self._project(root),
            dependencies=tuple(dict.fromkeys(dependencies)),
            scripts=tuple(sorted(scripts.union(commands(names) if wheel else ()))),
            natives=tuple(sorted(self._natives)),
            unparsed=tuple(sorted(name for name, facts in sources.items() if facts.problem)),
            python=sys.version_info[:2],
            files=len(self._names),
            python_files=len(sources),
            python_bytes=self._python_bytes,
        )

    def _startup_code(self, kind: str, root: str, modules: list[Module]) -> list[tuple[str, str]]:
        """Read the code of ``.pth`` files that end at the root of site-packages, where ``site`` runs them."""
        for name, line, code in self._pth:
            if "/" in place_of(name, kind, root).installed and kind == "wheel":
                continue
            digest = hashlib.sha256(code.strip().encode("utf-8", "replace")).hexdigest()
            self._placed.append(Placed(PTH, STARTUP, name, line, digest, code.strip()[:2_000]))
            facts = analyse_python(code.strip().encode("utf-8", "replace"), always=True)
            modules.append(Module(name, "", facts, (STARTUP,)))
        return [(target, STARTUP) for target in self._starts]

    def _project(self, root: str) -> str:
        """Return the name that the archive gives itself."""
        for name, text in self._metadata.items():
            inner = name[len(root) :] if root and name.startswith(root) else name
            if inner.count("/") <= 1 and inner.rpartition("/")[2].lower() in ("metadata", "pkg-info"):
                return metadata.project(text)
        return ""

    def _read_metadata(
        self, kind: str, root: str
    ) -> tuple[list[Dependency], set[str], list[tuple[str, str]]]:
        found: list[Dependency] = []
        scripts: set[str] = set()
        more: list[tuple[str, str]] = []
        for name, text in self._metadata.items():
            base = name.rpartition("/")[2].lower()
            inner = name[len(root) :] if root and name.startswith(root) else name
            if base in ("metadata", "pkg-info") and inner.count("/") <= 1:
                found += metadata.dependencies(text)
            elif base == "requires.txt" and ".egg-info/" in name:
                found += metadata.egg_dependencies(text)
            elif base == "entry_points.txt" and (".dist-info/" in name or ".egg-info/" in name):
                for group, entries in metadata.entry_points(text).items():
                    # Not those of an environment in a source tree.
                    if group in metadata.COMMANDS and is_own_metadata(inner):
                        scripts.update(script for script, _ in entries)
                    more += metadata.loaded_by(group, [target for _, target in entries])
        if kind != "wheel":
            more += self._run_by_builds(root)
        return found, scripts, more

    def _run_by_builds(self, root: str) -> list[tuple[str, str]]:
        """Return what the build of an sdist runs besides its setup.py; note what that fetches and runs."""
        pyproject, setup_cfg = (
            self._metadata.get(f"{root}{name}", "") for name in ("pyproject.toml", "setup.cfg")
        )
        named = list(toml.texts(pyproject))
        texts = (pyproject, setup_cfg, *self._packaging, *self._hooks)
        obeyed = [file for file in self._build_files if building.is_obeyed(file, texts)]
        self._placed += (each for file in obeyed for each in file.piped)
        scripts = [
            (f"{script}{inner}", BUILD)
            for file in obeyed
            for script in file.scripts
            for inner in ("", ".__main__")
        ]
        return [*building.targets(named, setup_cfg), *building.backend_targets(named), *scripts]


def _is_model(member: Member) -> bool:
    """Tell whether a ``.pth`` file holds weights: it is large and lies where ``site`` doesn't look."""
    return member.size > MAX_SOURCE and "/" in member.name and ".data/" not in member.name
