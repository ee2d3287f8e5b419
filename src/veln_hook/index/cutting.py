"""A PEP 691 page of which files are cut out, byte by byte, without being written anew.

A page that passes through a proxy should leave it as it came, less the files that are held: hashes,
order, white space and keys that nobody here knows stay as they are. And most pages hold nothing that needs
a look, which must cost next to nothing: ``sieve`` says how.
"""

from __future__ import annotations

from datetime import date, timezone
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from veln_hook.index.entries import json_entry, names_of, same_name
from veln_hook.index.json_page import Span, Walked, cut, elements, walk
from veln_hook.index.limits import MAX_PAGE
from veln_hook.index.page_facts import json_page_facts
from veln_hook.index.sieve import Sifted, sift, span_of
from veln_hook.index.simple import FileEntry, parse_upload_time
from veln_hook.index.strict_json import loads, text_of
from veln_hook.index.versions import lost_versions

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from veln_hook.history import ProjectPage

_ANY_DAY = date(2099, 12, 31)
_MANY = 100
"""Files to be found one by one; for more it is quicker to read the whole page."""


class _Cut(NamedTuple):
    """What goes and what stays."""

    spans: list[tuple[int, int]]
    """Where on the page the entries are that go."""
    dropped: list[str]
    """Their names."""
    kept: list[str]
    versions: list[Span]
    """PEP 700's, with their places on the page."""


class PageView:
    """A JSON page of the Simple API, as it came.

    Every method but ``parse`` may find out that the page is none, or one that clients could read
    differently: each raises ``ValueError`` then, and the page has to be refused. A text that is no JSON at
    all may get by, if nothing in it needs a look: no client can read it.
    """

    def __init__(self, body: bytes, page_url: str) -> None:
        self._body = body
        self._page_url = page_url
        self._sifted: Sifted | None = None

    @classmethod
    def parse(cls, body: bytes, page_url: str) -> PageView:
        """Take a page.

        Args:
            body: The page, with no content encoding left.
            page_url: Where it came from; relative file URLs are relative to it.

        Raises:
            ValueError: It is too large.
        """
        if len(body) > MAX_PAGE:
            raise ValueError("the page is too large")
        return cls(body, page_url)

    @property
    def project(self) -> str:
        """The project that the page says it is about, normalized; empty if it doesn't say."""
        sifted = self._parts()
        return canonicalize_name((sifted.walked if sifted else self._walked).name)

    @cached_property
    def facts(self) -> ProjectPage:
        """What the page says of its project as a whole; nothing is read before it is asked for."""
        return json_page_facts(self._body)

    def open_entries(
        self, *, before: str, filenames: Collection[str] = (), sha256s: Collection[str] = ()
    ) -> list[FileEntry]:
        """Return the files that need a look, in no order.

        Args:
            before: What was uploaded at this time or later does: ``2026-11-22T16:00:00.000000Z``.
            filenames: These do.
            sha256s: Those with one of these hashes (lower case) do.

        Returns:
            Also the files without an upload time, and those with a flaw, which may come under two names.

        Raises:
            ValueError: The page has to be refused; or ``before`` is no time.
        """
        limit = parse_upload_time(before)
        if limit is None:
            raise ValueError(f"no time: {before!r}")
        sifted = self._sift(limit.astimezone(timezone.utc).date(), hashes=bool(sha256s))
        entries = self._suspects(sifted, frozenset(filenames), frozenset(sha256s)) if sifted else None
        if entries is None:
            entries = self.entries()
        return [
            entry
            for name, entry in entries.items()
            if _is_open(entry, limit) or name in filenames or entry.sha256 in sha256s
        ]

    def entry(self, filename: str) -> FileEntry | None:
        """Return one file; ``None`` if the page has none of that name.

        Raises:
            ValueError: The page has to be refused.
        """
        sifted = self._parts()
        if sifted is not None:
            if filename in sifted.taken:
                return self._taken(sifted, filename)
            return same_name([span.value for span in sifted.walked.files]).get(filename)
        return self.entries().get(filename)

    def entries(self) -> dict[str, FileEntry]:
        """Return all files by name; a flawed one may stand under two.

        Raises:
            ValueError: The page has to be refused.
        """
        return same_name([span.value for span in self._walked.files])

    def is_empty_without(self, filenames: Collection[str]) -> bool:
        """Tell whether the page has files, and none of them would be left.

        Raises:
            ValueError: The page has to be refused.
        """
        wanted = frozenset(filenames)
        sifted = self._parts()
        if sifted is not None and not wanted.issuperset(sifted.taken):
            return False
        files = self._walked.files
        return bool(files) and not any(wanted.isdisjoint(names_of(span.value)) for span in files)

    def without(self, filenames: Collection[str]) -> bytes:
        """Return the page less these files, and less the versions of which no file is left then.

        Args:
            filenames: An entry goes if any client could call its file by one of these.

        Raises:
            ValueError: The page has to be refused.
        """
        wanted = frozenset(filenames)
        sifted = self._parts()
        found = self._find(sifted, wanted) if sifted else None
        if found is None:
            found = self._find_in_all(wanted)
        if not found.spans:
            return self._body
        spelled = [span.value for span in found.versions]
        gone = lost_versions(found.dropped, found.kept, spelled) if spelled else ()
        spans = [*found.spans, *(found.versions[number][:2] for number in gone)]
        return cut(self._body.decode(), sorted(spans)).encode()

    def _parts(self) -> Sifted | None:
        return self._sifted or self._sift(_ANY_DAY, hashes=False)

    def _sift(self, day: date, *, hashes: bool) -> Sifted | None:
        known = self._sifted
        if known is None or known.day != day or (hashes and not known.hashes):
            self._sifted = sift(self._body, self._page_url, day, self._read, hashes=hashes)
        return self._sifted

    def _suspects(
        self, sifted: Sifted, filenames: frozenset[str], sha256s: frozenset[str]
    ) -> dict[str, FileEntry] | None:
        """Return the entries that weren't taken, and of the taken ones those that are asked for."""
        wanted = sifted.taken.keys() & filenames
        digests = {digest.encode() for digest in sha256s}
        if not digests.isdisjoint(sifted.hashes):
            wanted |= {name for name, digest in zip(sifted.taken, sifted.hashes) if digest in digests}
        if len(wanted) > _MANY:
            return None
        taken = [self._taken(sifted, name) for name in wanted]
        return same_name([*(span.value for span in sifted.walked.files), *taken])

    def _taken(self, sifted: Sifted, filename: str) -> FileEntry:
        span = span_of(self._body, sifted, filename)
        if span is None:
            raise ValueError("the page can't be read")
        return self._read(loads(self._body[span[0] : span[1]]))

    def _find(self, sifted: Sifted, wanted: frozenset[str]) -> _Cut | None:
        """Find entries on a page that wasn't parsed; ``None`` if that isn't quick."""
        taken = sifted.taken.keys() & wanted
        if len(taken) > _MANY:
            return None
        spans: list[tuple[int, int]] = []
        for name in taken:
            span = span_of(self._body, sifted, name)
            if span is None:
                return None
            spans.append(span)
        others = [span for span in sifted.walked.files if not wanted.isdisjoint(names_of(span.value))]
        position = 0
        for other in others:
            # No entry that was taken has another within, so what is once in the rest is once on the page.
            text = sifted.rest[other.start : other.end]
            position = self._body.find(text.encode(), position)
            if position < 0 or sifted.rest.count(text) != 1:
                return None
            spans.append((position, position + len(text)))
            position += len(text)
        versions = elements(sifted.rest, sifted.walked.versions) if sifted.walked.versions is not None else []
        if versions and versions[0].start > sifted.walked.files_end:
            ahead = len(self._body) - len(sifted.rest)
            versions = [Span(start + ahead, end + ahead, value) for start, end, value in versions]
        return _Cut(
            spans,
            [*taken, *(other.value.filename for other in others)],
            [
                *(name for name in sifted.taken if name not in taken),
                *(
                    span.value.filename
                    for span in sifted.walked.files
                    if wanted.isdisjoint(names_of(span.value))
                ),
            ],
            versions,
        )

    def _find_in_all(self, wanted: frozenset[str]) -> _Cut:
        page = self._walked
        goes = [not wanted.isdisjoint(names_of(span.value)) for span in page.files]
        return _Cut(
            [(span.start, span.end) for span, going in zip(page.files, goes) if going],
            [span.value.filename for span, going in zip(page.files, goes) if going],
            [span.value.filename for span, going in zip(page.files, goes) if not going],
            elements(self._text, page.versions) if page.versions is not None else [],
        )

    @cached_property
    def _text(self) -> str:
        return text_of(self._body)

    @cached_property
    def _walked(self) -> Walked:
        return walk(self._text, self._read)

    def _read(self, file: object) -> FileEntry:
        return json_entry(file, self._page_url)


def _is_open(entry: FileEntry, limit: datetime) -> bool:
    return bool(entry.flaw) or entry.upload_time is None or entry.upload_time >= limit
