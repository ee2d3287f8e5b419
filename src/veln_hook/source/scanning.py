"""An archive from its bytes to its facts: every member looked at, every file of source read, all linked."""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from typing import TYPE_CHECKING

from veln_hook.archive.members import iter_members
from veln_hook.errors import ArchiveError
from veln_hook.source import bytecode, metadata, pickles
from veln_hook.source.aliases import Aliases
from veln_hook.source.analysis import analyse_python
from veln_hook.source.encodings import readable
from veln_hook.source.facts import (
    BUILD,
    IMPORT,
    SCRIPT,
    STARTUP,
    ArchiveFacts,
    Dependency,
    FileFacts,
    Placed,
    Problem,
    Tie,
)  # fmt: skip
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
from veln_hook.source.leading import Leads, senders
from veln_hook.source.linking import Linker
from veln_hook.source.modules import Module, Names
from veln_hook.source.others import NATIVE_SUFFIXES, examine_native, examine_shell, is_native, is_shell
from veln_hook.source.parts import has_parts
from veln_hook.source.startup import pth_code, start_targets
from veln_hook.source.vocabulary import PTH, STARTUP_FILE

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Container, Mapping, Sequence

    from veln_hook.archive.members import Member
    from veln_hook.archive.members import Problem as ArchiveProblem
    from veln_hook.source.aliases import Alias

MAX_SOURCE = 16 << 20
"""Bytes of one file of source that is read; the largest on PyPI are generated tables of some megabytes."""
MAX_METADATA = 4 << 20
_NATIVE_HEAD = 1 << 20
_MAGIC = 4
"""Bytes that tell what a file is."""
_MAX_DATA = 256 << 20
"""Bytes of source that are kept until all is linked."""
_BATCH_FILES = 500
_BATCH_BYTES = 32 << 20
_ODD_SUFFIXES = (".pyc", ".pyo")


def scan_path(
    path: str | os.PathLike[str],
    *,
    known: Callable[[Sequence[str]], Mapping[str, FileFacts]] | None = None,
    learned: Callable[[Mapping[str, FileFacts]], None] | None = None,
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
    scan.flush()
    return scan.facts([Problem(*problem) for problem in problems])


class _Scan:
    def __init__(
        self,
        known: Callable[[Sequence[str]], Mapping[str, FileFacts]] | None,
        learned: Callable[[Mapping[str, FileFacts]], None] | None,
    ) -> None:
        self._known = known
        self._learned = learned
        self._names: list[str] = []
        self._waiting: list[tuple[str, str, bytes]] = []
        self._waiting_bytes = 0
        self._sources: dict[str, FileFacts] = {}
        self._data: dict[str, bytes] = {}
        """Bytes of the files of source, until all is linked."""
        self._data_bytes = 0
        self._light: set[str] = set()
        """Files of which only imports were read."""
        self._taken: dict[str, dict[str, Alias]] = {}
        """What names are that files take from others."""
        self._scripts: set[str] = set()
        """Members without the suffix of Python source that are Python nevertheless."""
        self._pth: list[tuple[str, int, str]] = []
        self._starts: list[str] = []
        self._metadata: dict[str, str] = {}
        self._packaging: list[str] = []
        """Texts of an sdist's setup.py."""
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
                self._notebook(name, member.read(MAX_SOURCE))
            elif not pickles.is_plain(lowered) or member.executable or "/scripts/" in lowered:
                self._other(name, lowered, member)
        except ArchiveError as error:
            code = lowered.endswith((".py", ".pyw", ".pth"))  # nobody has read what Python will
            self._problems.append(Problem("unread", str(error), name, fatal=code))

    def _other(self, name: str, lowered: str, member: Member) -> None:
        base = lowered.rpartition("/")[2]
        named = lowered.endswith(NATIVE_SUFFIXES) or ".so." in base
        runs = member.executable or is_shell(lowered) or "." not in base or "/scripts/" in lowered
        head = member.head(4096 if named or runs else _MAGIC)
        if (named or runs) and is_native(head):
            self._native(name, member.head(_NATIVE_HEAD))
        elif pickles.may_be_pickle(lowered, head):
            self._placed += pickles.examine_pickle(name, member.head(pickles.MAX_BYTES))
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

    def _notebook(self, name: str, data: bytes) -> None:
        try:
            cells = json.loads(data)["cells"]
            code = "\n".join("".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return
        plain = "\n".join(line for line in code.split("\n") if not line.lstrip().startswith(("%", "!")))
        self._sources[name] = analyse_python(plain.encode("utf-8", "replace"))

    def _is_installed(self, installed: str) -> bool:
        """Tell whether an sdist may install a file; those beside its setup.py are mostly tools.

        Where that is told in no literal way, the wheel that is built is judged again.
        """
        stem = installed.partition(".")[0]
        if "/" in installed or not self._packaging:
            return True
        return any(stem in text for text in (*self._packaging, *self._metadata.values()))

    def _source(self, name: str, data: bytes) -> None:
        if name.rpartition("/")[2] == "setup.py" and name.count("/") <= 1:
            self._packaging.append(data.decode("utf-8", "replace"))
        self._python_bytes += len(data)
        self._waiting.append((name, hashlib.sha256(data).hexdigest(), data))
        self._waiting_bytes += len(data)
        if len(self._waiting) >= _BATCH_FILES or self._waiting_bytes >= _BATCH_BYTES:
            self.flush()
            if not gc.isenabled():  # as in the worker, which collects after each archive
                gc.collect()

    def flush(self) -> None:
        """Read what has been gathered, but for what is known."""
        found = (
            self._known([digest for _, digest, _ in self._waiting]) if self._known and self._waiting else {}
        )
        new: dict[str, FileFacts] = {}
        for name, digest, data in self._waiting:
            facts = found.get(digest) or new.get(digest)
            if facts is None:
                facts = new[digest] = analyse_python(data)
            self._sources[name] = facts
            if self._data_bytes + len(data) <= _MAX_DATA:
                self._data[name] = data
                self._data_bytes += len(data)
                if facts.light:
                    self._light.add(name)
        self._learn(new)
        self._waiting, self._waiting_bytes = [], 0

    def _learn(self, new: Mapping[str, FileFacts]) -> None:
        """Have what was read kept; but for what can't be: another Python may read it."""
        readable = {digest: facts for digest, facts in new.items() if not facts.problem}
        if self._learned and readable:
            self._learned(readable)

    # --- all together ---------------------------------------------------------------------------------

    def facts(self, problems: list[Problem]) -> ArchiveFacts:
        """Link what was read."""
        wheel = any(name.count("/") == 1 and name.endswith(".dist-info/WHEEL") for name in self._metadata)
        kind = "wheel" if wheel else "sdist"
        root = "" if wheel else common_root(self._names)
        modules: list[Module] = []
        entry_points = self._startup_code(kind, root, modules)
        installed = [place_of(name, kind, root).installed for name in self._sources]
        all_aside = all(is_aside(name) for name in installed if name not in ("", "setup.py"))
        for name, facts in self._sources.items():
            place = place_of(name, kind, root)
            script = place.script or name in self._scripts
            roots = roots_of(place.installed, kind=kind, script=script, all_aside=all_aside)
            if roots == (IMPORT,) and kind != "wheel" and not self._is_installed(place.installed):
                roots = ()
            if STARTUP in roots:
                self._placed.append(Placed(STARTUP_FILE, STARTUP, name, 1, place.installed.partition(".")[0]))
            modules.append(Module(name, module_name(place.installed), facts, roots))
        dependencies, scripts, more = self._read_metadata(kind, root)
        placed, ties = self._linked(modules, (*entry_points, *more))
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
            unparsed=tuple(sorted(name for name, facts in self._sources.items() if facts.problem)),
            python=sys.version_info[:2],
            files=len(self._names),
            python_files=len(self._sources),
            python_bytes=self._python_bytes,
        )

    def _linked(
        self, modules: list[Module], entry_points: Sequence[tuple[str, str]]
    ) -> tuple[tuple[Placed, ...], tuple[Tie, ...]]:
        """Link; read again what takes something from another file, and whole what may lead to something."""
        names = Names(modules)
        aliases = Aliases(modules, names, self._data)
        while self._take_over(modules, aliases):
            pass  # what was read again may have something for a third
        while True:
            linker = Linker(modules, entry_points, names)
            leads = Leads(linker, self._has_parts)
            more = any(module.facts.secrets for module in modules)
            while files := leads.unread() & self._light:
                self._light -= files
                read = self._read_again({name: {} for name in sorted(files)})
                self._sources.update(read)
                linker.read(read)
                more = True
            if not more or not self._take_over(linker.modules, aliases, senders(linker)):
                return linker.result()
            modules = linker.modules

    def _has_parts(self, name: str) -> bool:
        data = self._data.get(name)
        return data is None or has_parts(readable(data), self._sources[name].imports)

    def _take_over(self, modules: list[Module], aliases: Aliases, senders: Container[int] = ()) -> bool:
        """Read again what takes something that matters from another file; tell whether anything does now."""
        taken = {}
        for place, names in aliases.taken(modules, senders).items():
            path = modules[place].path
            before = self._taken.get(path, {})
            if names.keys() - before.keys():
                taken[path] = {**before, **names}  # it only grows, so that this ends
        self._taken.update(taken)
        self._light -= taken.keys()
        read = self._read_again(taken)
        for place, module in enumerate(modules):
            if module.path in read:
                modules[place] = module._replace(facts=read[module.path])
        self._sources.update(read)
        return bool(taken)

    def _read_again(self, files: Mapping[str, Mapping[str, Alias]]) -> dict[str, FileFacts]:
        """Read files whole, but for what is known: by path, with what names are of other files."""
        # What is cached of a file's bytes is what they tell by themselves; this is kept beside that.
        digests = {}
        for name, taken in files.items():
            told = json.dumps(sorted(taken.items())).encode()
            digests[name] = hashlib.sha256(b"whole " + told + b" " + self._data[name]).hexdigest()
        known = self._known(list(digests.values())) if self._known and digests else {}
        read = {
            name: known.get(digest) or analyse_python(self._data[name], always=True, aliases=files[name])
            for name, digest in digests.items()
        }
        new = {digests[name]: facts for name, facts in read.items() if digests[name] not in known}
        self._learn(new)
        return read

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
                    if group in ("console_scripts", "gui_scripts"):
                        if is_own_metadata(inner):  # not that of an environment in a source tree
                            scripts.update(script for script, _ in entries)
                        more += [(target, SCRIPT) for _, target in entries]
            elif inner == "pyproject.toml" and kind != "wheel":
                backend, path = metadata.backend(text)
                if backend and path:
                    more += [(f"{backend.replace(':', '.')}{hook}", BUILD) for hook in _HOOKS]
        return found, scripts, more


def _is_model(member: Member) -> bool:
    """Tell whether a ``.pth`` file holds weights: it is large and lies where ``site`` doesn't look."""
    return member.size > MAX_SOURCE and "/" in member.name and ".data/" not in member.name


_HOOKS = (
    "", ".build_wheel", ".build_sdist", ".prepare_metadata_for_build_wheel", ".get_requires_for_build_wheel",
    ".build_editable", ".get_requires_for_build_sdist",
)  # fmt: skip
