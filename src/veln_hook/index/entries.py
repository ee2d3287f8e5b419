"""What an entry of a project page says, and whether every client reads it that way.

pip takes a file's name from its URL and uv takes it from ``filename``; pip looks at ``core-metadata``
before ``dist-info-metadata`` and uv takes whichever stands first. An entry in which that matters is
flawed: it has two meanings, and nobody should take the file.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from veln_hook.index.simple import FileEntry, parse_upload_time

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
# Nothing that urllib strips, and no backslash, which the WHATWG's parser (uv's) takes for a slash.
_PLAIN_URL = re.compile(r"(?! )[ -\[\]-~]{1,8192}(?<! )")
METADATA_KEYS = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")
"""PEP 714's name, PEP 691's older one, and the one that PyPI sends by a mistake which uv reads, too."""


def json_entry(file: object, page_url: str) -> FileEntry:
    """Read an entry of a PEP 691 page.

    Args:
        file: The entry, parsed.
        page_url: Where the page came from.

    Returns:
        The entry, under the name in ``filename``; with a flaw if clients would differ.

    Raises:
        ValueError: It lacks what PEP 691 demands, so that nobody can name the file.
    """
    if not isinstance(file, dict):
        raise ValueError("a file on the page is no object")  # noqa: TRY004 - callers know ValueError
    filename, url, hashes = file.get("filename"), file.get("url"), file.get("hashes")
    if not isinstance(filename, str) or not isinstance(url, str) or not isinstance(hashes, dict):
        raise ValueError("a file on the page has no name, no URL or no hashes")  # noqa: TRY004 - as above
    size, requires, yanked = file.get("size"), file.get("requires-python"), file.get("yanked")
    offered = [file[key] for key in METADATA_KEYS if file.get(key) is not None]
    has_metadata, metadata_sha256 = _metadata(offered)
    absolute, flaw = resolve(url, page_url, filename)
    if any(value != offered[0] or type(value) is not type(offered[0]) for value in offered):
        flaw = flaw or "its entry tells two things of its metadata"
    return FileEntry(
        filename=filename,
        url=absolute,
        sha256=sha256_of(hashes.get("sha256")),
        upload_time=parse_upload_time(file.get("upload-time")),
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        requires_python=requires if isinstance(requires, str) else "",
        yanked=bool(yanked) or isinstance(yanked, str),
        provenance=isinstance(file.get("provenance"), str) and bool(file["provenance"]),
        has_metadata=has_metadata,
        metadata_sha256=metadata_sha256,
        flaw=flaw,
    )


def resolve(url: str, base: str, filename: str) -> tuple[str, str]:
    """Make the URL of a file absolute, and look whether it is one that all read alike.

    Args:
        url: As the page has it.
        base: What it is relative to.
        filename: The name that its last part must be.

    Returns:
        The absolute URL without fragment (empty if there is none), and its flaw (empty if it has none).
    """
    if not _PLAIN_URL.fullmatch(url):
        return "", "its URL has characters that no URL has"
    try:
        absolute = url if url.startswith(("https://", "http://")) else urljoin(base, url)
        absolute = absolute.partition("#")[0]
        parts = urlsplit(absolute)
        _ = parts.port
        last = unquote(parts.path.rpartition("/")[2], errors="strict")
    except ValueError:
        return "", "its URL is none"
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return absolute, "its URL leads to no server"
    if last != filename:
        return absolute, f"its URL names {last or 'no file'}"
    if "/" in last:
        return absolute, "its URL has a quoted slash"
    return absolute, ""


def url_name(url: str) -> str:
    """Return the file name at the end of a URL, unquoted as pip does it; empty if there is none."""
    try:
        return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    except ValueError:
        return ""


def same_name(entries: list[FileEntry]) -> dict[str, FileEntry]:
    """Put entries under their names, of which a flawed one may have two.

    Args:
        entries: All of a page, in its order.

    Returns:
        An entry for each name; with a flaw where several bear it that aren't the same.
    """
    found: dict[str, FileEntry] = {}
    for entry in entries:
        for name in names_of(entry):
            other = found.get(name)
            if other is None:
                found[name] = entry._replace(filename=name)
            elif other != entry:
                flaw = other.flaw or entry.flaw or "the page lists it twice, and differently"
                found[name] = other._replace(flaw=flaw)
    return found


def names_of(entry: FileEntry) -> set[str]:
    """Return the names that clients could give the file: one, if its entry is sound."""
    return {entry.filename, url_name(entry.url)} - {""} if entry.flaw else {entry.filename}


def sha256_of(value: object) -> str:
    """Return a SHA-256 in lower case, or nothing for anything else."""
    return value.lower() if isinstance(value, str) and _SHA256.fullmatch(value) else ""


def _metadata(offered: list[Any]) -> tuple[bool, str]:
    if not offered:
        return False, ""
    first = offered[0]
    if isinstance(first, dict):
        return True, sha256_of(first.get("sha256"))
    return bool(first), ""
