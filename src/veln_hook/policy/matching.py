"""What a policy entry applies to: projects by glob and version, index URLs by path prefix. Pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple, Optional
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_EXEMPTION = re.compile(r"([A-Za-z0-9*?][A-Za-z0-9._*?-]*)\s*(.*)", re.DOTALL | re.ASCII)
_PROJECT = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_PORTS = {"http": 80, "https": 443}
_SECRET = re.compile(r"(?<![a-z])((?:ssl)?password=)[^&]*", re.IGNORECASE)


class Exemption(NamedTuple):
    """One entry of ``cooling.exempt``."""

    pattern: str
    """A glob over normalized project names."""
    specifier: Optional[SpecifierSet]
    """Which versions; ``None`` for all of them."""

    @property
    def text(self) -> str:
        """The entry in one spelling, so that two entries can be compared."""
        return f"{self.pattern}{self.specifier or ''}"

    def covers(self, project: str, version: str) -> bool:
        """Tell whether a release is exempt; a version nobody can parse is covered by no specifier."""
        if not fnmatchcase(project, self.pattern):
            return False
        if self.specifier is None:
            return True
        try:
            return self.specifier.contains(Version(version), prereleases=True)
        except InvalidVersion:
            return False


@lru_cache(maxsize=512)
def parse_exemption(text: str) -> Exemption:
    """Read ``acme-*``, ``litellm==1.82.8`` or ``foo>=2,<3``.

    Raises:
        ValueError: It is no glob of project names, or what follows is no PEP 440 specifier set.
    """
    match = _EXEMPTION.fullmatch(text.strip())
    if match is None:
        raise ValueError('not a project pattern; write "acme-*", "litellm==1.82.8" or "foo>=2,<3"')
    pattern = canonicalize_name(match.group(1))
    try:
        specifier = SpecifierSet(match.group(2)) if match.group(2) else None
    except InvalidSpecifier:
        raise ValueError(
            'not a PEP 440 version specifier after the name; write "litellm==1.82.8" or "foo>=2,<3"'
        ) from None
    return Exemption(pattern, specifier)


def project_name(text: str) -> str:
    """Return the normalized form (PEP 503) of a project's name.

    Raises:
        ValueError: It is no project name.
    """
    if _PROJECT.fullmatch(text) is None:
        raise ValueError("not a project name; globs belong into cooling.exempt")
    return canonicalize_name(text)


class UrlKey(NamedTuple):
    """A URL with everything taken away in which two spellings of one place may differ."""

    scheme: str
    host: str
    port: Optional[int]
    path: tuple[str, ...]

    def is_under(self, other: UrlKey) -> bool:
        """Tell whether this place is ``other`` or lies below it, by whole path segments."""
        return self[:3] == other[:3] and self.path[: len(other.path)] == other.path


@lru_cache(maxsize=512)
def url_key(url: str) -> UrlKey:
    """Return what identifies the place a URL names: no credentials, query, default port or trailing slash.

    Dot segments are resolved, so that ``/private/../simple/`` is not under ``/private/``.

    Raises:
        ValueError: It is no URL.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port
    path: list[str] = []
    for quoted in parts.path.split("/"):
        segment = unquote(quoted)
        if segment == "..":
            del path[-1:]
        elif segment not in ("", "."):
            path.append(segment)
    host = (parts.hostname or "").rstrip(".")
    return UrlKey(scheme, host, None if port == _PORTS.get(scheme) else port, tuple(path))


def without_secrets(url: str) -> str:
    """Return the URL fit to be shown: its password is ``****``, as userinfo or as a parameter."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "****"
    userinfo, at, host = parts.netloc.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    netloc = f"{user}{':****' if colon else ''}{at}{host}"
    query = _SECRET.sub(r"\1****", parts.query)
    return urlunsplit(SplitResult(parts.scheme, netloc, parts.path, query, parts.fragment))
