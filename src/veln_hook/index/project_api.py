"""PyPI's JSON API (``/pypi/<project>/json``): upload times from indexes whose simple pages are HTML only.

Older than PEP 691 and offered by PyPI and several repository managers beside
``/simple/``. Only its times and hashes are used, and only for files that the
simple page lists with the same hash. As everywhere, a field of the wrong type
counts as absent.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from veln_hook.index.simple import FileEntry, parse_upload_time


def project_api_url(index: str, project: str) -> str:
    """Return where the API of an index would be; empty if the index' URL doesn't tell.

    Args:
        index: Base URL of a simple index.
        project: Normalized name.
    """
    stem = index.rstrip("/")
    if not stem.endswith("/simple"):
        return ""
    return f"{stem[: -len('/simple')]}/pypi/{quote(project)}/json"


def parse_project_api(content: bytes) -> dict[str, FileEntry]:
    """Parse an answer of the API.

    Args:
        content: The answer's body.

    Returns:
        Entries by filename, of files with a sha256 only.

    Raises:
        ValueError: The body is no JSON object with releases.
    """
    try:
        data = json.loads(content)
    except RecursionError:
        raise ValueError("the answer is nested too deeply") from None
    releases = data.get("releases") if isinstance(data, dict) else None
    if not isinstance(releases, dict):
        raise ValueError("the answer tells no releases")  # noqa: TRY004 - callers know ValueError
    entries: dict[str, FileEntry] = {}
    for files in releases.values():
        for file in files if isinstance(files, list) else ():
            entry = _entry(file)
            if entry is not None:
                entries[entry.filename] = entry
    return entries


def _entry(file: object) -> FileEntry | None:
    if not isinstance(file, dict):
        return None
    filename, url, digests, size = (file.get(key) for key in ("filename", "url", "digests", "size"))
    sha256 = digests.get("sha256") if isinstance(digests, dict) else None
    if not isinstance(filename, str) or not isinstance(sha256, str):
        return None
    return FileEntry(
        filename=filename,
        url=url if isinstance(url, str) else "",
        sha256=sha256.lower(),
        upload_time=parse_upload_time(file.get("upload_time_iso_8601")),
        size=size if isinstance(size, int) else None,
        requires_python="",
        yanked=bool(file.get("yanked")),
    )
