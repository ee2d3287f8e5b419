"""What indexes tell of files by requests of our own, where the page that pip read doesn't tell it.

They go through pip's own session, which keeps its proxies, certificates and credentials.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from veln_hook import __version__
from veln_hook.index import (
    ACCEPT_JSON,
    FileEntry,
    parse_json_page,
    parse_project_api,
    project_api_url,
    strip_credentials,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.model import Candidate
    from veln_hook.policy.settings import Policy

logger = logging.getLogger("veln_hook")

_OK = 200
_HEADERS = {
    # PyPI answers some of pip's own user agents with HTML whatever they accept (measured with pip/22.x).
    "User-Agent": f"veln-hook/{__version__}",
    # pip's HTTP cache keys pages by URL alone: its HTML is not our JSON, nor may our JSON become its HTML.
    "Cache-Control": "no-cache, no-store",
}

_silent: dict[str, int] = {}
"""Index -> questions about upload times that it left unanswered, since it last answered one."""
_PATIENCE = 2
"""Unanswered questions after which an index isn't asked again; each costs two requests a project."""
_lookups: dict[str, dict[str, FileEntry]] = {}
"""Entries by page URL, of pages that were read to look a file up."""


def looked_up(finder: Any, candidate: Candidate) -> Candidate:
    """Return a candidate that no page offered with what the configured indexes say of its file.

    Args:
        finder: pip's ``PackageFinder``.
        candidate: With its project.
    """
    for index_url in finder.index_urls:
        if not index_url.startswith(("https:", "http:")):
            continue
        entry = _entries(finder, index_url, candidate.project).get(candidate.filename)
        if entry is None or not entry.sha256:
            continue
        # Without a hash the index's is taken as expected; the bytes are compared once they are here.
        if candidate.sha256 in ("", entry.sha256):
            return candidate._replace(
                index=strip_credentials(index_url).rstrip("/") + "/",
                sha256=entry.sha256,
                upload_time=entry.upload_time,
                size=entry.size,
            )
    return candidate


def with_upstream_times(
    finder: Any, project: str, candidates: list[Candidate], policy: Policy
) -> list[Candidate]:
    """Fill in the times that a mirror doesn't tell from the index it mirrors, for the same bytes only."""
    if not any(index.upstream for index in policy.indexes):
        return candidates
    filled = []
    for candidate in candidates:
        index = (
            policy.index_for(candidate.index) if candidate.upload_time is None and candidate.index else None
        )
        if index is not None and index.upstream and candidate.sha256:
            entry = _entries(finder, index.upstream, project).get(candidate.filename)
            if entry is not None and entry.sha256 == candidate.sha256:
                filled.append(candidate._replace(upload_time=entry.upload_time))
                continue
        filled.append(candidate)
    return filled


def _entries(finder: Any, index_url: str, project: str) -> dict[str, FileEntry]:
    url = f"{index_url.rstrip('/')}/{quote(project)}/"
    if url not in _lookups:
        _lookups[url] = ask(finder, index_url, url, url) or {}
    return _lookups[url]


def ask(finder: Any, index: str, page_url: str, project_url: str) -> dict[str, FileEntry] | None:
    """Ask an index what it knows of a project's files: as a JSON page, else through PyPI's older API.

    No answer is no error here: what isn't known has no age, and is held for that.

    Args:
        finder: pip's ``PackageFinder``.
        index: Base URL of the index; with credentials if it needs any and pip's session has none.
        page_url: The project's page, after redirects.
        project_url: The same as pip first asked for it.
    """
    if _silent.get(index, 0) >= _PATIENCE:
        return None
    entries = _fetch(finder, page_url, ACCEPT_JSON, lambda body: parse_json_page(body, page_url))
    if entries is None:
        stem, _, project = project_url.rstrip("/").rpartition("/")
        api = project_api_url(stem, unquote(project))
        entries = _fetch(finder, api, "application/json", parse_project_api) if api else None
    _silent[index] = 0 if entries is not None else _silent.get(index, 0) + 1
    return entries


def _fetch(
    finder: Any, url: str, media_type: str, parse: Callable[[bytes], dict[str, FileEntry]]
) -> dict[str, FileEntry] | None:
    """Read JSON through pip's session, with its proxies, certificates and credentials."""
    session = finder._link_collector.session  # noqa: SLF001 - pip's, and how pip itself reaches it
    try:
        response = session.get(url, headers={**_HEADERS, "Accept": media_type})
        if response.status_code == _OK and response.headers.get("Content-Type", "").lower().startswith(
            media_type
        ):
            return parse(response.content)
    except Exception as error:  # noqa: BLE001 - requests, urllib3 and pip's own; see ask
        logger.debug("veln-hook: no upload times from %s: %s", strip_credentials(url), error)
    return None
