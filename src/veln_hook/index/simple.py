"""Pages of the Simple API as data.

Everything on a page is written by whoever runs the index, or broke into it:
a field of the wrong type counts as absent, never as an error of ours.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import NamedTuple, Optional
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

ACCEPT_JSON = "application/vnd.pypi.simple.v1+json"
"""Media type of a PEP 691 page."""

_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
# fromisoformat before Python 3.11 wants exactly 3 or 6 fraction digits and no Z.
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:?\d\d)?")


class FileEntry(NamedTuple):
    """One file of a project page, with the fields this program reads."""

    filename: str
    url: str
    """Absolute, without fragment."""
    sha256: str
    upload_time: Optional[datetime]
    size: Optional[int]
    requires_python: str
    yanked: bool
    has_metadata: bool = False
    """Whether the index offers the file's metadata beside it (PEP 658, 714)."""
    metadata_sha256: str = ""
    """Lower-case hex digest of that metadata; empty if the index promises none."""
    flaw: str = ""
    """Why nobody should take the file from this page: clients would read its entry differently.

    Empty for a sound one. Only ``PageView``, ``HtmlPage`` and ``ProjectAnswer`` look for any.
    """
    provenance: bool = False
    """Whether the index has attestations for the file (PEP 740)."""


def parse_upload_time(text: object) -> datetime | None:
    """Parse a PEP 700 ``upload-time``.

    Args:
        text: The field's value as it came; anything but a string counts as absent.

    Returns:
        An aware UTC instant, or ``None`` if the text is no time. A time without
        a zone is taken as UTC, which PEP 700 demands.
    """
    if not isinstance(text, str):
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    date, time, fraction, zone = match.groups()
    micros = f"{fraction or '0':0<6}"[:6]
    if zone is None or zone in "Zz":
        zone = "+00:00"
    elif len(zone) == len("+0000"):
        zone = f"{zone[:3]}:{zone[3:]}"
    try:
        return datetime.fromisoformat(f"{date}T{time}.{micros}{zone}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def parse_json_page(content: bytes, page_url: str) -> dict[str, FileEntry]:
    """Parse a PEP 691 page.

    Args:
        content: The page's body.
        page_url: Where it came from; relative file URLs are relative to it.

    Returns:
        Entries by filename; the last one wins where a name stands twice.

    Raises:
        ValueError: The body is no JSON object with a list of files.
    """
    try:
        data = json.loads(content)
    except RecursionError:
        raise ValueError("the page is nested too deeply") from None
    files = data.get("files") if isinstance(data, dict) else None
    if not isinstance(files, list):
        raise ValueError("the page is no Simple API project page")  # noqa: TRY004 - callers know ValueError
    entries: dict[str, FileEntry] = {}
    for file in files:
        if not isinstance(file, dict) or not isinstance(file.get("url"), str):
            continue
        try:
            url = urljoin(page_url, file["url"]).partition("#")[0]
            filename = unquote(urlsplit(url).path).rpartition("/")[2]
        except ValueError:  # no URL, such as "http://["
            continue
        hashes = file.get("hashes")
        sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
        size = file.get("size")
        requires = file.get("requires-python")
        entries[filename] = FileEntry(
            filename=filename,
            url=url,
            sha256=sha256.lower() if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else "",
            upload_time=parse_upload_time(file.get("upload-time")),
            size=size if isinstance(size, int) and not isinstance(size, bool) else None,
            requires_python=requires if isinstance(requires, str) else "",
            yanked=bool(file.get("yanked")),
            provenance=isinstance(file.get("provenance"), str) and bool(file["provenance"]),
        )
    return entries


def strip_credentials(url: str) -> str:
    """Return the URL without user, password and fragment, fit for a log."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def base_url(page_url: str, project: str) -> str:
    """Return the index that a project page belongs to: its URL less the project, ending in ``/``.

    A page that doesn't end in the project's name (a ``--find-links`` page) is its own base.
    """
    url = strip_credentials(page_url).partition("?")[0]
    stem = url.rstrip("/")
    head, _, last = stem.rpartition("/")
    if re.sub(r"[-_.]+", "-", unquote(last)).lower() == project:
        return f"{head}/"
    return f"{stem}/"
