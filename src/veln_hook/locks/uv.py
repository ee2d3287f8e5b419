"""``uv.lock``, and ``SCRIPT.py.lock`` of the same form.

Source: ``uv-resolver/src/lock/mod.rs`` of uv; versions 1 of the format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.locks import fields
from veln_hook.locks.model import OriginKind, Pin, PinnedFile

if TYPE_CHECKING:
    from veln_hook.locks.fields import Table

_VERSION = 1
_COMMIT = re.compile(r"#[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)
_PATHS = ("path", "directory", "editable", "virtual")


def read(table: Table) -> list[Pin]:
    """Return what it pins.

    Raises:
        UsageError: It isn't understood.
    """
    version = table.data.get("version")
    if version != _VERSION or isinstance(version, bool):
        raise table.error(f"version {version!r} of uv's lock isn't known here")
    return [_pin(each) for each in fields.pins(table, "package")]


def _pin(table: Table) -> Pin:
    project, version = table.project(), table.version()
    source = table.table("source")
    kind, place = _source(source)
    files: list[PinnedFile] = []
    if "sdist" in table.data:
        files.append(_file(table.table("sdist"), place))
    files += [_file(each, place) for each in table.tables("wheels")]
    if kind is OriginKind.REGISTRY and not version:
        raise table.error("has no version")
    markers = table.data.get("resolution-markers", [])
    if not isinstance(markers, list):
        raise table.error("'resolution-markers' is no list")
    return Pin(
        project=project,
        version=version,
        origin=kind,
        source=place,
        files=tuple(files),
        marker=" or ".join(str(each) for each in markers if isinstance(each, str))[:1000],
        fixed=kind is not OriginKind.VCS or bool(_COMMIT.search(place)),
        path=table.text.path,
        line=table.line,
    )


def _source(source: Table) -> tuple[OriginKind, str]:
    if len([key for key in source.data if key in ("registry", "url", "git", *_PATHS)]) != 1:
        raise source.error("doesn't tell where it comes from")
    if "registry" in source.data:
        place = source.string("registry")
        return (OriginKind.REGISTRY if "://" in place else OriginKind.PATH), place
    if "url" in source.data:
        return OriginKind.URL, source.string("url")
    if "git" in source.data:
        return OriginKind.VCS, source.string("git")
    key = next(key for key in _PATHS if key in source.data)
    return OriginKind.PATH, source.string(key)


def _file(table: Table, place: str) -> PinnedFile:
    hashes = table.hash()
    url = table.string("url") or table.string("path")
    if not url and "filename" not in table.data:
        url = place  # of a URL's or a path's, uv writes only the hash
    return PinnedFile(
        filename=table.filename("filename", url),
        url=url if "://" in url else "",
        hashes=hashes,
        line=table.line_of(hashes),
    )
