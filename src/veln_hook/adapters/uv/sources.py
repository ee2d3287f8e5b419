"""Where what a command installs may come from: indexes, files, git, and what lies on this machine already.

Read from options, variables, lists of requirements, the project, its lock, and scripts. Whoever wrote those
may be an attacker: an index that is named there is one whose pages and files are judged, and nothing else on
its host opens. What is missed here isn't reached, since the gate knows nothing of it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from veln_hook.adapters.uv.environment import CHANGED
from veln_hook.adapters.uv.local_pages import links_of
from veln_hook.errors import UsageError
from veln_hook.names import parse_filename
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_LOCAL = 500
"""Archives in directories of archives; each is read whole."""
_MAX_NAMED = 100_000
"""URLs of one kind; the lock of the largest projects has a few thousand files."""
_INDEX_NAME = re.compile(r"[A-Za-z0-9._-]+=(?=\S+)", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://", re.ASCII)
_REMOTE = ("https://", "http://")
_MORE_ENDINGS = (".tar.zst", ".tar.lz", ".tar.lzma", ".tlz")
"""Source archives that uv unpacks and pip doesn't (uv-distribution-filename's SourceDistExtension)."""
_END_OF_URL = re.compile(r"\s+;|\s+#|\s+--hash")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}", re.ASCII)
_EXTRAS = re.compile(r"\[[A-Za-z0-9._, -]*\]\s*$", re.ASCII)


@dataclass
class Sources:
    """What is known of where things come from."""

    indexes: dict[str, None] = field(default_factory=dict)
    """URLs, as they were written."""
    pages: dict[str, None] = field(default_factory=dict)
    """URLs of pages that list files of several projects."""
    files: dict[str, None] = field(default_factory=dict)
    """URLs of files that were named themselves."""
    git: dict[str, str] = field(default_factory=dict)
    """By URL of the repository: where it is named."""
    archives: dict[str, str] = field(default_factory=dict)
    """By path on this machine: where it is named."""
    trees: dict[str, str] = field(default_factory=dict)
    """By path of a directory that would be built: where it is named."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """For what is written as ``${NAME}``."""
    directory: str = ""
    """What ``${PROJECT_ROOT}`` means, where no variable of that name is set: uv's working directory."""

    def filled(self, text: str, place: str) -> str:
        """Return a text with its variables filled in as uv does it (``expand_env_vars`` of uv-pep508).

        Raises:
            UsageError: It names a variable that uv has otherwise than its user.
        """

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name in CHANGED:
                raise UsageError(
                    f"{printable(place)}: {printable(found[0])} means something else behind the gate",
                    advice="Write what it stands for.",
                )
            return self.variables.get(name, self.directory if name == "PROJECT_ROOT" else found[0])

        return _VARIABLE.sub(value, text)

    def index(self, text: str, base: str, place: str, *, flat: bool = False) -> None:
        """Note an index: ``URL``, ``NAME=URL``, or a directory.

        Args:
            text: As it was written.
            base: Directory that paths start from.
            place: Where it is named, for messages.
            flat: Whether it is a page of files, or a directory of them.
        """
        text = self.filled(text, place)
        spellings = [text] if _SCHEME.match(text) else [_INDEX_NAME.sub("", text, count=1), text]
        for each in dict.fromkeys(spellings):  # in a file, what looks like a name is part of a path
            if each.startswith(_REMOTE):
                _note(self.pages if flat else self.indexes, each)
            else:
                self._directory(each, base, place)

    def find_links(self, text: str, base: str, place: str) -> None:
        """Note a page, a file or a directory of ``--find-links``."""
        text = self.filled(text, place)
        if text.startswith(_REMOTE) and is_archive(_last_part(text)):
            _note(self.files, text)
        else:
            self.index(text, base, place, flat=True)

    def requirement(self, text: str, base: str, place: str) -> None:
        """Note what a requirement names itself: ``name @ URL``, a URL, a path; a name alone is an index's."""
        text = self.filled(text, place)
        try:
            url = Requirement(text).url
        except InvalidRequirement:
            url = text.partition(" @ ")[2].strip() or text.strip()
            if _SCHEME.match(url) or _looks_like_path(url, base):
                self.url(_END_OF_URL.split(url, maxsplit=1)[0].strip(), base, place)
            return
        if url:
            self.url(url, base, place)
        elif _looks_like_path(text, base):  # the name of a project may look like a file's
            self.url(text, base, place)

    def url(self, text: str, base: str, place: str) -> None:
        """Note a URL or a path that is installed itself."""
        if text.startswith("git+"):
            self.repository(text[4:], place)
        elif text.startswith(_REMOTE):
            _note(self.files, text)
        else:
            self.path(_EXTRAS.sub("", text), base, place)

    def repository(self, url: str, place: str) -> None:
        """Note a git repository."""
        if len(self.git) < _MAX_NAMED:
            self.git[url] = place

    def path(self, text: str, base: str, place: str) -> None:
        """Note an archive or a directory that is installed."""
        for path in local_paths(text, base):
            if os.path.isdir(path):
                self.trees[path] = place
            elif is_archive(os.path.basename(path)) and os.path.exists(path):
                self.archives[path] = place

    def archive(self, text: str, base: str, place: str) -> None:
        """Note an archive, if that is what a path or a URL leads to."""
        for path in local_paths(text, base):
            if is_archive(os.path.basename(path)):
                self._archive(path, path, place)

    def _directory(self, text: str, base: str, place: str) -> None:
        """Note every archive in a directory, or on a page of links, that stands in for an index."""
        for path in local_paths(text, base):
            if os.path.isdir(path):
                for found in _archives_below(path):
                    self._archive(found, path, place)
                for directory in _directories(path):
                    page = os.path.join(directory, "index.html")
                    self._page(page, f"{Path(directory).as_uri()}/", place)
            elif is_archive(os.path.basename(path)):
                self._archive(path, path, place)
            else:
                self._page(path, Path(path).as_uri(), place)

    def _page(self, path: str, url: str, place: str) -> None:
        """Note what a page on this machine links to."""
        for link in links_of(path, url):
            if link.startswith(_REMOTE):
                _note(self.files, link)
            elif link.startswith("file:"):
                self.archive(link, "/", place)

    def _archive(self, path: str, source: str, place: str) -> None:
        if not os.path.isfile(path):
            return
        self.archives[path] = place
        if len(self.archives) > MAX_LOCAL:
            raise UsageError(
                f"{printable(source)} has more than {MAX_LOCAL} archives, and each would have to be read",
                advice="Serve it as an index, and name that.",
            )


def is_archive(filename: str) -> bool:
    """Tell whether uv would unpack a file of this name."""
    return parse_filename(filename) is not None or filename.endswith(_MORE_ENDINGS)


def local_paths(text: str, base: str) -> list[str]:
    """Return the absolute paths that a path or a ``file:`` URL may mean, the likeliest first.

    Whether ``~``, ``#`` and ``..`` behind a link mean something differs among uvs, and where it stands.

    Args:
        text: Either.
        base: Directory that relative ones start from.
    """
    if text.lower().startswith("file:"):
        try:
            text = unquote(urlsplit(text).path)
        except ValueError:
            text = text[len("file:") :]
        spellings = [text]
    else:
        spellings = [os.path.expanduser(text)] if text.startswith("~/") else []
        spellings += [text, *([text.partition("#")[0]] if "#" in text else [])]
    found: dict[str, None] = {}
    for each in filter(None, spellings):
        joined = os.path.join(base, f"/{each.lstrip('/')}" if each.startswith("/") else each)
        plain = os.path.normpath(joined)
        found[plain] = None
        if ".." in each and os.path.realpath(joined) != os.path.realpath(plain):
            found[joined] = None
    return list(found)


def texts(value: Any) -> Iterator[str]:
    """Yield the strings of a setting that is one or a list of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (each for each in value if isinstance(each, str))


def _archives_below(path: str) -> Iterator[str]:
    """Yield the archives in a directory, and in those of a local index (a directory for each project)."""
    for directory in (path, *_directories(path)):
        for name in _names(directory):
            if is_archive(name):
                yield os.path.join(directory, name)


def _directories(path: str) -> list[str]:
    """Return the directories in one, those that are links to others included."""
    found = (os.path.join(path, name) for name in _names(path))
    return [each for each in found if os.path.isdir(each)]


def _names(path: str) -> list[str]:
    """Return what is in a directory.

    Raises:
        UsageError: It is so much that it can't be looked through, or it can't be read.
    """
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise UsageError(
            f"{printable(path)} can't be looked through: {error.strerror}", advice="Name another directory."
        ) from None
    if len(names) > _MAX_NAMED:
        raise UsageError(
            f"{printable(path)} holds too much to be looked through", advice="Serve it as an index."
        )
    return names


def _looks_like_path(text: str, base: str) -> bool:
    """Tell whether uv takes a requirement for a path: by a slash, a dot, or its ending (uv-pep508)."""
    plain = _EXTRAS.sub("", _END_OF_URL.split(text, maxsplit=1)[0]).strip()
    if not plain:
        return False
    return (
        plain.startswith((".", "/", "~/"))
        or "/" in plain
        or (is_archive(plain) and os.path.exists(os.path.join(base, plain)))
    )


def _last_part(url: str) -> str:
    try:
        return unquote(urlsplit(url).path).rpartition("/")[2]
    except ValueError:
        return ""


def _note(table: dict[str, None], text: str) -> None:
    if len(table) < _MAX_NAMED:
        table[text] = None


def note_all(sources: Sources, requirements: Iterable[Any], base: str, place: str) -> None:
    """Note every requirement of a list; what is no string is uv's to complain about."""
    for text in requirements:
        if isinstance(text, str):
            sources.requirement(text, base, place)
