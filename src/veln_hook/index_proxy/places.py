"""What a request asks for, by its URL: a project's page, a file, its metadata, the project API, or nothing.

Pure, but for what it is told of redirections.

Rules of this module: a path that two programs could read differently is no index's page; what is no page, no
file and no API of an index is left to whoever decides about other hosts.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import canonicalize_name

from veln_hook.gate.hosts import Target, Url, origin_of, read_url
from veln_hook.index import strip_credentials
from veln_hook.index_proxy.bounded import Bounded
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Iterable

PYPI = "https://pypi.org/simple/"
FILE_HOSTS = {
    "files.pythonhosted.org": PYPI,
    "test-files.pythonhosted.org": "https://test.pypi.org/simple/",
}
"""Hosts that serve files of one index only, and which."""
METADATA = ".metadata"
"""What PEP 658 adds to a file's URL."""

_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_KEPT_ESCAPES = "/?#%"
_MAX_REDIRECTED = 10_000
"""Targets of redirections that are known at a time."""
_MAX_URL = 16_384


class Kind(enum.Enum):
    """What a request can ask for."""

    PAGE = "page"
    FILE = "file"
    METADATA = "metadata"
    API = "api"


class Asked(NamedTuple):
    """What a request asks for."""

    kind: Kind
    url: str
    """Under which it is known: for the target of a redirection, what was asked for at first."""
    index: str = ""  # type: ignore[assignment] # the field's word, as in Candidate
    """Base URL of the index, ending in ``/``; empty for a file until it is looked up."""
    project: str = ""
    """Normalized; empty for a file."""
    filename: str = ""
    """Of the file; that of its metadata is the same."""
    several: bool = False
    """Whether a page is one that lists files of any project (``--find-links``)."""
    direct: bool = False
    """Whether the user or a lock file named this very URL."""
    sha256: str = ""
    """What was named with it."""


class Index(NamedTuple):
    """An index that may be asked."""

    base: str
    """Without credentials, ending in ``/``."""
    secure: bool
    target: Target
    path: str
    """Of the base, ending in ``/``."""
    api: str
    """Path below which the project API lies, ending in ``/``; empty if the base doesn't tell."""


class Places:
    """Everything that may be asked for as what it is.

    Args:
        indexes: Base URLs of indexes.
        find_links: URLs of pages that list files of several projects.
        files: URLs of files that the user or a lock file named; a fragment may tell ``sha256=``.
    """

    def __init__(
        self, indexes: Iterable[str], *, find_links: Iterable[str] = (), files: Iterable[str] = ()
    ) -> None:
        self.indexes = sorted(
            {index for index in map(_index, indexes) if index is not None},
            key=lambda index: len(index.path),
            reverse=True,
        )
        """The innermost first."""
        self._exact: dict[str, Asked] = {}
        for url in find_links:
            plain = strip_credentials(url)
            self._exact[identity(plain)] = Asked(Kind.PAGE, plain, index=plain, several=True)
        for url in files:
            plain = strip_credentials(url)
            if parse_filename(filename_of(plain)) is None:
                continue
            self._exact[identity(plain)] = Asked(
                Kind.FILE, plain, filename=filename_of(plain), direct=True, sha256=_promised(url)
            )
        self._redirected: Bounded[str, Asked] = Bounded(_MAX_REDIRECTED)

    def asked(self, url: str) -> Optional[Asked]:
        """Tell what a URL is; ``None`` for what is nothing of an index.

        Whether a file may be had at all isn't told by its URL.
        """
        if len(url) > _MAX_URL:
            return None
        key = identity(url)
        found = self._exact.get(key) or self._redirected.get(key)
        if found is not None:
            return found
        if key.partition("?")[0].endswith(METADATA):
            stem = identity(without_metadata(url))
            above = self._exact.get(stem) or self._redirected.get(stem)
            if above is not None and above.kind is Kind.FILE:
                return above._replace(kind=Kind.METADATA)
        try:
            parts = read_url(url)
        except ValueError:
            return None
        return self._of_index(parts, url) or _file(url)

    def index_at(self, target: Target) -> bool:
        """Tell whether an index lies on a host and port."""
        return target.host in FILE_HOSTS or any(index.target == target for index in self.indexes)

    def indexes_for(self, url: str) -> list[str]:
        """Return the bases of the indexes that could list a file, the likeliest first."""
        try:
            target = read_url(url).target
        except ValueError:
            return []
        own = FILE_HOSTS.get(target.host)
        if own is not None:
            return [own]
        near = [index.base for index in self.indexes if index.target == target]
        return near or [index.base for index in self.indexes]

    def redirect(self, asked: Asked, url: str, location: str) -> bool:
        """Let the target of a redirection be asked for as what redirected there.

        Args:
            asked: What was asked for.
            url: With which URL.
            location: The ``Location`` header.

        Returns:
            Whether it may: not from TLS to plain text, and not to anything but a server.
        """
        try:
            to = urljoin(url, location)
            read_url(to)
        except ValueError:
            return False
        if len(to) > _MAX_URL or (url.startswith("https:") and not to.startswith("https:")):
            return False
        plain = to.partition("#")[0]
        known = self.asked(plain)
        if known is None or known.kind is not asked.kind or not known.index:
            self._redirected.put(identity(plain), asked)
        return True

    def _of_index(self, url: Url, text: str) -> Optional[Asked]:
        path = url.path.partition("?")[0]
        for index in self.indexes:
            if (url.secure, url.target) != (index.secure, index.target):
                continue
            if path.startswith(index.path):
                rest = path[len(index.path) :]
                project = _project(rest.removesuffix("/"))
                # A project may be called like a file, but then its page ends in a slash.
                if project and (rest.endswith("/") or _file(text) is None):
                    return Asked(Kind.PAGE, text, index=index.base, project=project)
            if index.api and path.startswith(index.api):
                parts = path[len(index.api) :].split("/")
                project = _project(parts[0])
                if project and parts[-1] == "json" and len(parts) in (2, 3) and all(parts):
                    return Asked(Kind.API, text, index=index.base, project=project)
        return None


def identity(url: str) -> str:
    """Return a URL in the one spelling by which it is looked up: no credentials, no fragment, few escapes."""
    plain = strip_credentials_or_nothing(url)
    path, question, query = plain.partition("?")
    return f"{_ESCAPE.sub(_unescaped, path)}{question}{query}"


def strip_credentials_or_nothing(url: str) -> str:
    """Return a URL in lower case up to its path, without what would tell who asks; as it is if it is none."""
    try:
        parts = read_url(strip_credentials(url))
    except ValueError:
        return url
    return f"{origin_of(parts.target, secure=parts.secure)}{parts.path}"


def without_metadata(url: str) -> str:
    """Return the URL of the file whose metadata a URL names (PEP 658); the same if it names none."""
    path, question, query = url.partition("?")
    return f"{path.removesuffix(METADATA)}{question}{query}"


def filename_of(url: str) -> str:
    """Return the last part of a URL's path, unquoted; a slash at its end is passed over, as pip does."""
    try:
        return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    except ValueError:
        return ""


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return match[0].upper() if character in _KEPT_ESCAPES else character


def _file(url: str) -> Optional[Asked]:
    filename = filename_of(url)
    kind = Kind.FILE
    if filename.endswith(METADATA):
        filename, kind = filename[: -len(METADATA)], Kind.METADATA
    if parse_filename(filename) is None:
        return None
    return Asked(kind, without_metadata(url) if kind is Kind.METADATA else url, filename=filename)


def _project(segment: str) -> str:
    """Return the normalized name of a project; empty if a part of a path is none."""
    return canonicalize_name(segment) if _PROJECT.fullmatch(segment) else ""


def _index(url: str) -> Optional[Index]:
    plain = strip_credentials(url).partition("?")[0].rstrip("/") + "/"
    try:
        parts = read_url(plain)
    except ValueError:
        return None
    stem = parts.path[: -len("simple/")] if parts.path.endswith("/simple/") else ""
    return Index(str(parts), parts.secure, parts.target, parts.path, f"{stem}pypi/" if stem else "")


def _promised(url: str) -> str:
    found = re.search(r"[#&]sha256=([0-9a-fA-F]{64})(?:&|$)", url)
    return found[1].lower() if found else ""
