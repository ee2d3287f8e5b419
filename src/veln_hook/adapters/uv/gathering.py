"""Everything that one command of uv will read, looked at before: may it run, and from where may it fetch?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook.adapters.uv import configuration
from veln_hook.adapters.uv.commands import RUN
from veln_hook.adapters.uv.files import TomlFile, read_script, script_metadata
from veln_hook.adapters.uv.project import Projects
from veln_hook.adapters.uv.requirements import Lists
from veln_hook.adapters.uv.sources import Sources
from veln_hook.adapters.uv.words import read_line
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.adapters.uv.commands import Line
    from veln_hook.adapters.uv.words import Words

PYPI = "https://pypi.org/simple/"
_INDEX_OPTIONS = ("--index", "--default-index", "--index-url", "-i", "--extra-index-url", "--check-url")
_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
_LIST_OPTIONS = (
    "-r",
    "--requirement",
    "--requirements",
    "-c",
    "--constraint",
    "--constraints",
    "--override",
    "--overrides",
    "--exclude",
    "--excludes",
    "-b",
    "--build-constraint",
    "--build-constraints",
    "--with-requirements",
)
_LIST_VARIABLES = ("UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT", "UV_EXCLUDE")
_REQUIREMENT_OPTIONS = (
    "--from",
    "--with",
    "-w",
    "--with-editable",
    "-e",
    "--editable",
    "--with-executables-from",
    "-P",
    "--upgrade-package",
)
_NAMES_REQUIREMENTS = {("add",), ("pip", "install"), ("tool", "install"), ("tool", "upgrade")}
"""Whose plain words are requirements."""
_NAMES_LISTS = {("pip", "compile"), ("pip", "sync")}
"""Whose plain words are lists of them."""
_NAMES_TREES = {("build",)}
_WITHOUT_PROJECT = {"pip", "tool", "self", "venv", "python", "publish", "auth", "cache"}
_PROJECT_SCRIPTS = ("--script",)


class Gathered(NamedTuple):
    """What is known of a command."""

    words: Words
    where: configuration.Places
    sources: Sources
    script: Optional[TomlFile]
    """The metadata of the script that it is about."""
    settings: list[configuration.Settings]
    """Of every file that counts."""
    no_cache: str
    """Where the configuration says that uv is to keep nothing; empty if it doesn't."""


def gather(
    line: Line, environ: Mapping[str, str], cwd: str, *, script: str = "", stdin: str | None = None
) -> Gathered:
    """Read what a command will read.

    Args:
        line: The command.
        environ: Its environment.
        cwd: The working directory.
        script: Path of the Python file that ``uv run`` will read, or ``-``.
        stdin: What comes on standard input, where that is the script.

    Raises:
        UsageError: It would lead around the gate, or something can't be read before uv does.
    """
    words = read_line(line)
    where = configuration.places(words, environ, cwd)
    metadata = _script(line, words, where, script, stdin)
    settings = configuration.settings(line, words, environ, where, metadata)
    configuration.refuse_ways_around(settings, words)
    sources = Sources(variables=environ, directory=where.directory)
    sources.index(PYPI, cwd, "")
    projects = Projects(sources)
    for one in settings:
        projects.settings(one.table, os.path.dirname(one.file.path), one.file.path)
    if metadata is not None:
        base = os.path.dirname(metadata.path) if metadata.path != "-" else where.directory
        projects.note(metadata, base)
        projects.lock(f"{metadata.path}.lock")
    elif line.command[:1] and line.command[0] not in _WITHOUT_PROJECT:
        root = projects.root(where.project)
        if root:
            projects.workspace(root)
    _note_variables(sources, environ, where.directory)
    _note_words(line, words, projects, where.directory, environ)
    for tree in list(sources.trees):
        projects.directory(tree)
    kept_not = next((one.place("no-cache") for one in settings if one.table.get("no-cache") is True), "")
    return Gathered(words, where, sources, metadata, settings, kept_not)


def _script(
    line: Line, words: Words, where: configuration.Places, script: str, stdin: str | None
) -> TomlFile | None:
    if stdin is not None:
        return script_metadata(stdin, "-")
    if not script and line.way != RUN:
        script = next(iter(words.values(*_PROJECT_SCRIPTS)), "")
    return read_script(os.path.join(where.directory, script)) if script else None


def _note_variables(sources: Sources, environ: Mapping[str, str], base: str) -> None:
    for name in _INDEX_VARIABLES:
        for text in environ.get(name, "").split():
            sources.index(text, base, name)
    for text in environ.get("UV_FIND_LINKS", "").replace(",", " ").split():
        sources.find_links(text, base, "UV_FIND_LINKS")


def _note_words(line: Line, words: Words, projects: Projects, base: str, environ: Mapping[str, str]) -> None:
    sources = projects.sources
    for option in _INDEX_OPTIONS:
        for text in words.values(option):
            sources.index(text, base, option)
    for text in words.values("--find-links", "-f"):
        for each in text.split(",") if "://" not in text else [text]:
            sources.find_links(each, base, "--find-links")
    _note_lists(line, words, projects, base, environ)
    wanted = [each for value in words.values(*_REQUIREMENT_OPTIONS) for each in _requirements(value)]
    if line.command in _NAMES_REQUIREMENTS or not line.command:
        wanted += words.plain()
    if line.command[:1] == ("tool",):
        wanted += words.program[:1]
    for text in wanted:
        sources.requirement(text, base, "the command line")
    for text in words.plain() or ["."] if line.command in _NAMES_TREES else ():
        sources.path(text, base, "the command line")
        tree = os.path.normpath(os.path.join(base, text))
        sources.trees.pop(tree, None)  # what is built is the user's own; what its build needs is not
        projects.directory(tree)


def _note_lists(line: Line, words: Words, projects: Projects, base: str, environ: Mapping[str, str]) -> None:
    lists = Lists(projects.sources, project=projects.pyproject, lock=projects.lock)
    named = [text for value in words.values(*_LIST_OPTIONS) for text in _parts(value, base)]
    named += [text for name in _LIST_VARIABLES for text in environ.get(name, "").split()]
    named += words.plain() if line.command in _NAMES_LISTS else []
    for text in named:
        if text == "-" and line.command != ("pip", "compile"):
            raise UsageError(
                "a list of requirements on standard input can't be looked at before uv reads it",
                advice="Put it in a file.",
            )
        lists.read(text, base)


def _parts(value: str, base: str) -> list[str]:
    """Return the paths of a value that may be one or several, by commas or spaces."""
    if os.path.exists(os.path.join(base, value)):
        return [value]
    return value.replace(",", " ").split()


def _requirements(value: str) -> list[str]:
    """Return the requirements of ``--with``, which are one or several, by commas; extras have commas too."""
    parts: list[str] = []
    depth = 0
    for piece in value.split(","):
        if depth > 0:
            parts[-1] += f",{piece}"
        else:
            parts.append(piece.strip())
        depth += piece.count("[") - piece.count("]")
    return [part for part in parts if part]
