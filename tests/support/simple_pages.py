"""Project pages of PEP 691 as PyPI writes them, and what a view of one promises."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from veln_hook.index.cutting import PageView
from veln_hook.index.entries import json_entry
from veln_hook.index.sieve import sift

if TYPE_CHECKING:
    from collections.abc import Collection

    from veln_hook.index.simple import FileEntry

PAGE = "https://pypi.org/simple/demo/"
BEFORE = "2026-11-22T16:00:00.000000Z"
LIMIT = datetime(2026, 11, 22, 16, tzinfo=timezone.utc)
STYLES: list[dict[str, Any]] = [{}, {"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}]
"""Ways to write a page: `json.dumps`'s own, without spaces, on many lines, not only in ASCII."""


def file_of(name: str, uploaded: object = "2026-05-01T12:00:00.123456Z", **more: object) -> dict[str, Any]:
    """Return a file of a page."""
    return {
        "filename": name,
        "hashes": {"sha256": name.encode().hex()[:64].rjust(64, "0")},
        "requires-python": ">=3.9",
        "size": 12345,
        "upload-time": uploaded,
        "url": f"https://files.pythonhosted.org/packages/aa/bb/{name}",
        "yanked": False,
        **more,
    }


def page_of(*files: object, **more: object) -> dict[str, Any]:
    """Return a page with these files."""
    return {"files": list(files), "meta": {"api-version": "1.4"}, "name": "Demo", **more}


def encoded(data: object, **style: Any) -> bytes:
    """Write a page."""
    return json.dumps(data, **style).encode()


def view(data: object, **style: Any) -> PageView:
    """Return a view of a page, written already or not."""
    return PageView.parse(data if isinstance(data, bytes) else encoded(data, **style), PAGE)


def is_sifted(body: bytes) -> bool:
    """Tell whether a page is told from its bytes."""
    return sift(body, PAGE, date(2026, 11, 22), _read, hashes=False) is not None


def opened(body: bytes, **wanted: Collection[str]) -> dict[str, FileEntry]:
    """Return which files need a look, by name."""
    return {each.filename: each for each in view(body).open_entries(before=BEFORE, **wanted)}


def by_definition(
    body: bytes, filenames: Collection[str] = (), sha256s: Collection[str] = ()
) -> dict[str, FileEntry]:
    """Return what `open_entries` promises, from all entries, for which the page is always parsed."""
    return {
        name: each
        for name, each in view(body).entries().items()
        if each.flaw
        or each.upload_time is None
        or each.upload_time >= LIMIT
        or name in filenames
        or each.sha256 in sha256s
    }


def _read(file: object) -> FileEntry:
    return json_entry(file, PAGE)


OLD = [
    file_of(f"demo-{number}.0-py3-none-any.whl", f"20{number:02}-03-04T05:06:07.080910Z")
    for number in range(10, 26)
]
YOUNG = file_of("demo-99.0.tar.gz", "2026-11-22T17:00:00.000000Z")
