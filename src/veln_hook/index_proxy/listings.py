"""What indexes have said of projects' files, kept for the moment when one of the files is asked for."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.index.cutting import PageView
from veln_hook.index_proxy.bounded import Bounded
from veln_hook.index_proxy.candidates import candidate_of, facts_of, projects_of, with_time
from veln_hook.index_proxy.places import identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from veln_hook.index import FileEntry
    from veln_hook.index_proxy.candidates import View
    from veln_hook.model import Candidate, Source

_NAME = re.compile(rb'"filename"\s?:\s?"([A-Za-z0-9._+!-]{1,300})"')
_KEPT_BYTES = 96 << 20
"""Of pages, unpacked; the 73 projects of a big application have half of it."""
_MAX_INDEXES = 100
"""That pages are kept of at a time."""


class Found(NamedTuple):
    """A file that an index lists."""

    candidate: Candidate
    metadata_sha256: str
    """Of the metadata that the index offers beside it; empty if it promises none."""


@dataclass(frozen=True)
class Listing:
    """A page that was read."""

    index: str
    """Base URL; of a page with files of several projects, its own."""
    project: str
    """Normalized; empty for such a page."""
    url: str
    source: Source
    view: View
    body: bytes
    """The page, without its content coding."""
    times: Mapping[str, FileEntry] = field(default_factory=dict)
    """By filename: what the page itself doesn't tell."""

    def entry(self, filename: str) -> FileEntry | None:
        """Return a file of the page.

        Raises:
            ValueError: The page can't be read.
        """
        view = self.view
        return view.entry(filename) if isinstance(view, PageView) else view.entries().get(filename)

    def names(self) -> list[str]:
        """Return the names of its files, which may be too many: of a JSON page they are only looked for.

        Raises:
            ValueError: The page can't be read.
        """
        if isinstance(self.view, PageView):
            return [name.decode() for name in dict.fromkeys(_NAME.findall(self.body))]
        return list(self.view.entries())

    def found(self, entry: FileEntry, source: Source | None = None) -> Found | None:
        """Describe a file of the page; ``None`` if it has a flaw, or is nothing that is installed."""
        candidate = candidate_of(
            entry,
            project=self.project,
            index=self.index,
            source=self.source if source is None else source,
            page=facts_of(self.view, self.project),
        )
        if candidate is None or entry.flaw:
            return None
        return Found(with_time(candidate, self.times), entry.metadata_sha256)


class Listings:
    """Pages, as many as there is room for. Usable from several threads."""

    def __init__(self, most_bytes: int = _KEPT_BYTES) -> None:
        self._lock = threading.Lock()
        self._pages: Bounded[tuple[str, str], Listing] = Bounded(most_bytes, lambda page: len(page.body))
        self._indexes: Bounded[str, bool] = Bounded(_MAX_INDEXES)

    def keep(self, listing: Listing) -> None:
        """Keep a page in place of an older one of the same index and project."""
        with self._lock:
            self._pages.put((listing.index, listing.project), listing)
            self._indexes.put(listing.index, True)

    def get(self, index: str, project: str) -> Listing | None:
        """Return the page of a project on an index, if it is still here."""
        with self._lock:
            return self._pages.get((index, project))

    def about(self, filename: str) -> list[Listing]:
        """Return the pages that could list a file, by its name."""
        projects = [*projects_of(filename), ""]
        with self._lock:
            found = [
                self._pages.get((index, project)) for project in projects for index in self._indexes.all()
            ]
        return [page for page in found if page is not None]


def at_url(listings: Iterable[Listing], filename: str, urls: Sequence[str]) -> list[Found]:
    """Return what pages say of a file under one of its URLs; a page that can't be read says nothing.

    Args:
        listings: The pages.
        filename: Of the file.
        urls: Its URLs (`places.identity`).
    """
    found = []
    for listing, entry in _entries(listings, filename):
        if identity(entry.url) in urls:
            each = listing.found(entry)
            if each is not None:
                found.append(each)
    return found


def by_name(listings: Iterable[Listing], filename: str, sha256: str, source: Source) -> Found | None:
    """Return what the first page that promises a hash for a file's name says of it, if that is the right one.

    Args:
        listings: The pages.
        filename: Of the file.
        sha256: That it is asked for with; empty for any.
        source: How it came to be asked for.
    """
    for listing, entry in _entries(listings, filename):
        if entry.sha256 and sha256 in ("", entry.sha256):
            each = listing.found(entry, source)
            if each is not None:
                return each
    return None


def _entries(listings: Iterable[Listing], filename: str) -> Iterable[tuple[Listing, FileEntry]]:
    for listing in listings:
        try:
            entry = listing.entry(filename)
        except ValueError:
            continue
        if entry is not None:
            yield listing, entry
