"""From an index's word about files to candidates, and which of them have to be looked at. Pure.

The same is done in-process with pip's links (``adapters/pip/pages.py``); the rules are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from packaging.utils import canonicalize_name

from veln_hook.index.cutting import PageView
from veln_hook.index.html_page import HtmlPage
from veln_hook.model import Candidate, Source
from veln_hook.names import SDIST_SUFFIXES, parse_filename
from veln_hook.source.baseline import version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from packaging.version import Version

    from veln_hook.guard import Settled
    from veln_hook.history import ProjectPage
    from veln_hook.index import FileEntry


class View(Protocol):
    """A page of any kind, as it came: ``PageView``, ``HtmlPage`` or ``ProjectAnswer``.

    Every method may raise ``ValueError``: clients could read the page differently.
    """

    def entries(self) -> Mapping[str, FileEntry]:
        """Return all files by name."""
        ...

    def is_empty_without(self, filenames: Collection[str]) -> bool:
        """Tell whether there are files, and none of them would be left."""
        ...

    def without(self, filenames: Collection[str]) -> bytes:
        """Return the page less these files."""
        ...


def open_entries(view: View, settled: Settled | None) -> list[FileEntry]:
    """Return the entries that need a look now; on most pages there are none.

    Args:
        view: The page.
        settled: What needs no look; ``None`` if everything does.

    Raises:
        ValueError: The page has to be refused.
    """
    if settled is None:
        return list(view.entries().values())
    if isinstance(view, PageView):
        return view.open_entries(before=settled.before, filenames=settled.filenames, sha256s=settled.sha256s)
    return [
        entry
        for name, entry in view.entries().items()
        if entry.flaw
        or entry.upload_time is None
        or entry.upload_time >= settled.instant
        or name in settled.filenames
        or entry.sha256 in settled.sha256s
    ]


def candidate_of(
    entry: FileEntry,
    *,
    project: str,
    index: str,
    source: Source = Source.INDEX,
    page: ProjectPage | None = None,
) -> Candidate | None:
    """Describe a file that a page lists; ``None`` for what no installer would take (``.egg``, ``.exe``).

    Args:
        entry: What the page says of it.
        project: Normalized name of the page's project; empty where a page lists files of several.
        index: Base URL of the index, or the page's own.
        source: Where it was learned of.
        page: What the page says of the whole project (`facts_of`).
    """
    named = parse_filename(entry.filename)
    if named is None:
        return None
    project, version = project or named.project, named.version
    if named.project != project:
        version = _sdist_version(entry.filename, project) or version
    return Candidate(
        project=project,
        version=version,
        filename=entry.filename,
        url=entry.url,
        source=source,
        index=index,
        sha256=entry.sha256,
        size=entry.size,
        upload_time=entry.upload_time,
        requires_python=entry.requires_python,
        yanked=entry.yanked,
        page=page,
    )


def facts_of(view: View, project: str) -> ProjectPage | None:
    """Return what a page says of its project; ``None`` if it is no page, or one of several projects.

    Args:
        view: The page.
        project: Normalized; empty for a page with files of several.
    """
    return view.facts if project and isinstance(view, (PageView, HtmlPage)) else None


def with_time(candidate: Candidate, times: Mapping[str, FileEntry]) -> Candidate:
    """Fill in what a page doesn't tell of a file; what names other bytes is about another file.

    Args:
        candidate: The file.
        times: What was learned elsewhere, by filename.
    """
    other = times.get(candidate.filename) if candidate.upload_time is None else None
    if other is None or (candidate.sha256 and other.sha256 not in ("", candidate.sha256)):
        return candidate
    size = other.size if candidate.size is None else candidate.size
    return candidate._replace(upload_time=other.upload_time, size=size)


def projects_of(filename: str) -> list[str]:
    """Return the projects that a file could belong to by its name, the likeliest first.

    Old sdists are called ``name-1.0-1.tar.gz``, and only their page tells where the name ends.
    """
    named = parse_filename(filename)
    if named is None:
        return []
    found = [named.project] if named.project else []
    stem = _stem(filename)
    if stem:
        parts = stem.split("-")
        found += [canonicalize_name("-".join(parts[:count])) for count in range(len(parts) - 1, 0, -1)]
    return list(dict.fromkeys(found))[:8]


def release_of(candidate: Candidate) -> Version | str:
    """Return what two files of one release have in common: 2.0 and 2.0.0 are the same."""
    return version_of(candidate.version) or candidate.version


def order_of(version: str) -> tuple[bool, Version | str]:
    """Return what versions are sorted by; those that are none of PEP 440 come first."""
    parsed = version_of(version)
    return (False, version) if parsed is None else (True, parsed)


def _stem(filename: str) -> str:
    return next((filename[: -len(suffix)] for suffix in SDIST_SUFFIXES if filename.endswith(suffix)), "")


def _sdist_version(filename: str, project: str) -> str:
    """Return the version in an sdist's name where the name alone is ambiguous; as pip finds it."""
    stem = _stem(filename)
    for position, character in enumerate(stem):
        if character == "-" and canonicalize_name(stem[:position]) == project:
            return stem[position + 1 :]
    return ""
