"""Which indexes an installer is told of: by variables, its words, pip's configuration, a project, its lock.

Whoever wrote those may be an attacker: an index that is named there is one whose pages and files are judged,
and nothing else on its host opens. What is missed here isn't reached.

Source: pip's "Configuration", poetry's "Repositories", pdm's "Configure the project", Pipenv's "Pipfile".
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import sys
from typing import TYPE_CHECKING, Any

from veln_hook.adapters.uv.files import MAX_TEXT, read_text, read_toml
from veln_hook.adapters.uv.project import Projects
from veln_hook.adapters.uv.sources import Sources, is_archive
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PYPI = "https://pypi.org/simple/"
_VARIABLES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "PDM_PYPI_URL",
    "PIPENV_PYPI_MIRROR",
)
_POETRY_VARIABLE = re.compile(r"POETRY_REPOSITORIES_\w+_URL", re.ASCII)
_INDEX_OPTIONS = ("-i", "--index-url", "--extra-index-url", "--index", "--default-index", "--pypi-mirror")
_LINK_OPTIONS = ("-f", "--find-links")
_ARGUMENTS_OPTION = "--pip-args"
_KEYS = ("index-url", "extra-index-url", "index_url", "extra_index_url")
_LINK_KEYS = ("find-links", "find_links")
_LOCKS = ("poetry.lock", "pdm.lock", "pylock.toml", "uv.lock")
_URL = re.compile(r"""\burl\s*=\s*(?:"([^"\\\n]*)"|'([^'\n]*)')""", re.ASCII)
_VARIABLE = re.compile(r"\$\{(\w+)\}", re.ASCII)
_MAX_WORDS = 10_000


def sources_for(
    command: Sequence[str],
    environ: Mapping[str, str],
    cwd: str,
    *,
    indexes: Iterable[str] = (),
) -> Sources:
    """Return what an installer may fetch from.

    Args:
        command: Its name and arguments.
        environ: Its environment.
        cwd: Its working directory.
        indexes: Further ones.

    Raises:
        UsageError: A project's file can't be read before the installer does.
    """
    sources = Sources()
    for url in (PYPI, *indexes):
        _index(sources, url, environ)
    for name in environ:
        if name in _VARIABLES or _POETRY_VARIABLE.fullmatch(name):
            for url in environ[name].split():
                _index(sources, url, environ)
    for url in environ.get("PIP_FIND_LINKS", "").split():
        _links(sources, url)
    _note_words(sources, command[1:_MAX_WORDS], environ)
    for path in _pip_files(environ):
        _note_pip_file(sources, path, environ)
    project = _project(cwd)
    if project:
        _note_project(sources, project, environ)
    # What is on this machine already isn't fetched, and is the installer's own business.
    sources.archives.clear()
    sources.trees.clear()
    return sources


def _note_words(sources: Sources, words: Sequence[str], environ: Mapping[str, str]) -> None:
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not equals and at + 1 < len(words):
            value = words[at + 1]
        if name == _ARGUMENTS_OPTION:
            try:
                _note_words(sources, shlex.split(value), environ)
            except ValueError:
                continue
        elif name in _INDEX_OPTIONS:
            _index(sources, value, environ)
        elif name in _LINK_OPTIONS:
            _links(sources, value)
        elif word.startswith("git+") or is_archive(word.partition("#")[0].partition("?")[0]):
            sources.requirement(word, os.sep, "the command line")


def _pip_files(environ: Mapping[str, str]) -> list[str]:
    home = environ.get("HOME") or os.path.expanduser("~")
    base = environ.get("XDG_CONFIG_HOME", "") or os.path.join(home, ".config")
    found = ["/etc/pip.conf", "/etc/xdg/pip/pip.conf", os.path.join(home, ".pip", "pip.conf")]
    if sys.platform == "darwin":
        found.append(os.path.join(home, "Library", "Application Support", "pip", "pip.conf"))
    found.append(os.path.join(base, "pip", "pip.conf"))
    found += [
        os.path.join(environ[name], "pip.conf")
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX")
        if environ.get(name)
    ]
    return [*found, *filter(None, [environ.get("PIP_CONFIG_FILE")])]


def _note_pip_file(sources: Sources, path: str, environ: Mapping[str, str]) -> None:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(read_text(path, MAX_TEXT) or "")
    except (configparser.Error, UsageError):
        return  # pip's to complain about; what it names isn't reached
    for section in parser.sections():
        for key, value in parser.items(section):
            for url in value.split() if key in _KEYS else ():
                _index(sources, url, environ)
            for url in value.split() if key in _LINK_KEYS else ():
                _links(sources, url)


def _project(start: str) -> str:
    directory = start
    while True:
        if any(os.path.isfile(os.path.join(directory, name)) for name in ("pyproject.toml", "Pipfile")):
            return directory
        above = os.path.dirname(directory)
        if above == directory:
            return ""
        directory = above


def _note_project(sources: Sources, directory: str, environ: Mapping[str, str]) -> None:
    projects = Projects(sources, directory)
    file = projects.directory(directory)
    tool = _table(file.table if file is not None else {}, "tool")
    for name in ("poetry", "pdm"):
        for entry in _entries(tool.get(name), "source"):
            if entry.get("type") == "find_links":
                _links(sources, _expanded(entry["url"], environ))
            else:
                _index(sources, entry["url"], environ)
    for dependency in _dependencies(_table(tool, "poetry")):
        if isinstance(dependency.get("url"), str):
            sources.url(dependency["url"], directory, "pyproject.toml")
    pipfile = read_toml(os.path.join(directory, "Pipfile"))
    for entry in _entries(pipfile.table if pipfile is not None else None, "source"):
        _index(sources, entry["url"], environ)
    for name in _LOCKS:
        text = read_text(os.path.join(directory, name), MAX_TEXT) or ""
        for found in _URL.finditer(text):
            url = found[1] if found[1] is not None else found[2]
            if is_archive(url.partition("#")[0].partition("?")[0]):
                sources.url(url, directory, name)
            else:
                _index(sources, url, environ)


def _dependencies(poetry: Mapping[str, Any]) -> list[dict[str, Any]]:
    tables = [_table(poetry, "dependencies"), _table(poetry, "dev-dependencies")]
    tables += [
        _table(group, "dependencies") for group in _table(poetry, "group").values() if isinstance(group, dict)
    ]
    values = [value for table in tables for value in table.values()]
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [each for each in flat if isinstance(each, dict)]


def _entries(table: Any, key: str) -> list[dict[str, Any]]:
    found = table.get(key) if isinstance(table, dict) else None
    return [
        each
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict) and isinstance(each.get("url"), str)
    ]


def _table(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _index(sources: Sources, url: str, environ: Mapping[str, str]) -> None:
    plain = (
        _expanded(url, environ).rpartition("=")[2]
        if "=" in url.partition("://")[0]
        else _expanded(url, environ)
    )
    if plain.startswith(("https://", "http://")):
        sources.index(plain, os.sep, "")


def _links(sources: Sources, url: str) -> None:
    if url.startswith(("https://", "http://")):
        sources.find_links(url, os.sep, "")


def _expanded(text: str, environ: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: environ.get(found[1], ""), text)
