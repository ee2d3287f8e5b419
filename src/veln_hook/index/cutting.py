"""A PEP 691 page of which files are cut out, byte by byte, without being written anew.

A page that passes through a proxy should leave it as it came, less the files that are held: hashes,
order, white space and keys that nobody here knows stay as they are.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from veln_hook.index.entries import json_entry, names_of, same_name
from veln_hook.index.json_page import Walked, walk, without_spans
from veln_hook.index.limits import MAX_PAGE
from veln_hook.index.simple import FileEntry, parse_upload_time
from veln_hook.index.strict_json import text_of
from veln_hook.index.versions import lost_versions

if TYPE_CHECKING:
    from collections.abc import Collection


class PageView:
    """A JSON page of the Simple API, as it came.

    Every method but ``parse`` may find out that the page is none, or one that clients could read
    differently: each raises ``ValueError`` then, and the page has to be refused.
    """

    def __init__(self, body: bytes, page_url: str) -> None:
        self._body = body
        self._page_url = page_url

    @classmethod
    def parse(cls, body: bytes, page_url: str) -> PageView:
        """Take a page.

        Args:
            body: The page, with no content encoding left.
            page_url: Where it came from; relative file URLs are relative to it.

        Raises:
            ValueError: It is too large, or no project page.
        """
        if len(body) > MAX_PAGE:
            raise ValueError("the page is too large")
        return cls(body, page_url)

    @property
    def project(self) -> str:
        """The project that the page says it is about, normalized; empty if it doesn't say."""
        return canonicalize_name(self._walked.name)

    def open_entries(
        self, *, before: str, filenames: Collection[str] = (), sha256s: Collection[str] = ()
    ) -> list[FileEntry]:
        """Return the files that need a look.

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
        return [
            entry
            for name, entry in self.entries().items()
            if entry.flaw
            or entry.upload_time is None
            or entry.upload_time >= limit
            or name in filenames
            or entry.sha256 in sha256s
        ]

    def entry(self, filename: str) -> FileEntry | None:
        """Return one file; ``None`` if the page has none of that name.

        Raises:
            ValueError: The page has to be refused.
        """
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
        files = self._walked.files
        return bool(files) and len(self._dropped(filenames)) == len(files)

    def without(self, filenames: Collection[str]) -> bytes:
        """Return the page less these files, and less the versions of which no file is left then.

        Args:
            filenames: An entry goes if any client could call its file by one of these.

        Raises:
            ValueError: The page has to be refused.
        """
        dropped = self._dropped(filenames)
        if not dropped:
            return self._body
        page = self._walked
        text = self._text
        cuts = [(page.files, dropped)]
        if page.versions:
            gone = lost_versions(
                [page.files[number].value.filename for number in dropped],
                [span.value.filename for number, span in enumerate(page.files) if number not in dropped],
                [span.value for span in page.versions],
            )
            if gone:
                cuts.append((page.versions, gone))
        for spans, numbers in sorted(cuts, key=lambda cut: cut[0][0].start, reverse=True):
            text = text[: spans[0].start] + without_spans(text, spans, numbers) + text[spans[-1].end :]
        self._prove(text, dropped)
        return text.encode()

    def _prove(self, text: str, dropped: set[int]) -> None:
        """Read the page that was made: whatever went wrong, an entry too many must not get out."""
        left = [span.value for span in walk(text, self._read).files]
        if left != [span.value for number, span in enumerate(self._walked.files) if number not in dropped]:
            raise ValueError("the page can't be cut")

    def _dropped(self, filenames: Collection[str]) -> set[int]:
        wanted = frozenset(filenames)
        return {
            number
            for number, span in enumerate(self._walked.files)
            if not wanted.isdisjoint(names_of(span.value))
        }

    @cached_property
    def _text(self) -> str:
        return text_of(self._body)

    @cached_property
    def _walked(self) -> Walked:
        return walk(self._text, self._read)

    def _read(self, file: object) -> FileEntry:
        return json_entry(file, self._page_url)
