"""From a page's bytes to what it says of its project: see ``veln_hook.history``.

PyPI's longest pages take thirty milliseconds to parse, and three facts of each file are wanted. So a page is
taken apart at the key ``filename``, which every file has once, and the facts are looked for in what follows
it. Where that could go wrong (the other keys come first, or something is escaped) the page is parsed.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any, NamedTuple

from veln_hook.history import ProjectPage, is_plain_time
from veln_hook.index.simple import parse_upload_time

_NAME = re.compile(rb'\s*:\s*"([^"\\]+)"')
_TIME = re.compile(rb'"upload-time"\s*:\s*"([^"\\]+)"')
_PROVENANCE = re.compile(rb'"provenance"\s*:\s*"[^"]')
_STATUS = re.compile(rb'"project-status"\s*:\s*(?=\{)')
_META = re.compile(rb"<meta\s[^>]{0,4000}>", re.IGNORECASE)
_META_NAME = re.compile(r"""\sname\s*=\s*["']?pypi:project-status(-reason)?["'\s/>]""", re.IGNORECASE)
_CONTENT = re.compile(r"""\scontent\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_MAX_STATUS = 65_536
"""Bytes in which marker and reason must stand."""
_MAX_REASON = 300
_decoder = json.JSONDecoder()
_STRICTEST = "quarantined"


class _File(NamedTuple):
    name: str
    time: object
    attested: bool


def json_page_facts(body: bytes) -> ProjectPage:
    """Return what a PEP 691 page says of its project; the body is read when it is asked for.

    Args:
        body: The page. What can't be read of it counts as absent: whoever judges a page reads it, too.
    """
    page = _JsonPage(body)
    return ProjectPage(page.files, page.attested, page.status, page.first)


def html_page_facts(body: bytes) -> ProjectPage:
    """Return what a PEP 503 page says of its project, which is its status (PEP 792) at most.

    Args:
        body: The page.
    """
    return ProjectPage(tuple, tuple, lambda: html_status(body))


class _JsonPage:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def files(self) -> list[tuple[str, object]]:
        return [(file.name, file.time) for file in self._files]

    def first(self) -> object:
        time = _TIME.search(self._body)
        return _time(time[1].decode("utf-8", "replace")) if time else None

    def attested(self) -> list[str]:
        # Looked for without an expression first, which takes a tenth of the time where the key isn't there.
        if b'"provenance"' not in self._body or not _PROVENANCE.search(self._body):
            return []
        return [file.name for file in self._files if file.attested]

    def status(self) -> tuple[str, str]:
        return json_status(self._body)

    @cached_property
    def _files(self) -> list[_File]:
        pieces = self._body.split(b'"filename"')
        ahead = pieces[0]
        if b'"upload-time"' not in ahead and not _PROVENANCE.search(ahead) and self._body.isascii():
            files: list[_File] = []
            for piece in pieces[1:]:
                name = _NAME.match(piece)
                if name is None:
                    break
                time = _TIME.search(piece)
                attested = _PROVENANCE.search(piece) is not None
                files.append(_File(name[1].decode(), _time(time[1].decode() if time else None), attested))
            if len(files) == len(pieces) - 1:
                return files
        return self._parsed()

    def _parsed(self) -> list[_File]:
        try:
            data = json.loads(self._body)
        except (ValueError, RecursionError):
            return []
        entries: Any = data.get("files") if isinstance(data, dict) else None
        return [
            _File(entry["filename"], _time(entry.get("upload-time")), _is_attested(entry))
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and isinstance(entry.get("filename"), str)
        ]


def json_status(body: bytes) -> tuple[str, str]:
    """Return PEP 792's status marker of a JSON page and its reason; empty texts where there is none.

    Args:
        body: The page. A key of this name can't stand within a text, whose quotes are escaped.
    """
    if b'"project-status"' not in body:
        return "", ""
    found = []
    for match in _STATUS.finditer(body):
        try:
            text = body[match.end() : match.end() + _MAX_STATUS].decode("utf-8", "replace")
            told = _decoder.raw_decode(text)[0]
        except (ValueError, RecursionError):
            continue
        marker, reason = told.get("status"), told.get("reason")
        if isinstance(marker, str):
            found.append((marker[:_MAX_REASON], reason[:_MAX_REASON] if isinstance(reason, str) else ""))
    return _the_strictest(found)


def html_status(body: bytes) -> tuple[str, str]:
    """Return the same of an HTML page, where it stands in ``<meta>``.

    Args:
        body: The page.
    """
    if b"pypi:project-status" not in body:
        return "", ""
    markers: list[str] = []
    reason = ""
    for match in _META.finditer(body):
        tag = match[0].decode("utf-8", "replace")
        named, content = _META_NAME.search(tag), _CONTENT.search(tag)
        if named is None or content is None:
            continue
        value = next(group for group in content.groups() if group is not None)[:_MAX_REASON]
        if named[1]:
            reason = value
        else:
            markers.append(value)
    return _the_strictest([(marker, reason) for marker in markers])


def _the_strictest(found: list[tuple[str, str]]) -> tuple[str, str]:
    """Return the one that counts where a page says it more than once, which none should."""
    return next((each for each in found if each[0] == _STRICTEST), found[0] if found else ("", ""))


def _is_attested(entry: dict[str, Any]) -> bool:
    provenance = entry.get("provenance")
    return isinstance(provenance, str) and bool(provenance)


def _time(told: object) -> object:
    """Return an upload time as PyPI spells it, whichever way its index spells it."""
    if isinstance(told, str) and not is_plain_time(told):
        moment = parse_upload_time(told)
        return (
            None if moment is None else f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        )
    return told
