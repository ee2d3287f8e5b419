"""``pylock.toml`` and ``pylock.NAME.toml`` (PEP 751)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.locks import fields
from veln_hook.locks.model import OriginKind, Pin, PinnedFile
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from veln_hook.locks.fields import Table

_MAJOR = re.compile(r"1(\.[0-9]+)*", re.ASCII)
_ORIGINS = ("vcs", "directory", "archive")


def read(table: Table) -> list[Pin]:
    """Return what it pins.

    Raises:
        UsageError: It isn't understood.
    """
    version = table.string("lock-version")
    if not _MAJOR.fullmatch(version):
        raise table.error(f"lock-version {version!r} isn't known here")
    return [_pin(each) for each in fields.pins(table, "packages")]


def _pin(table: Table) -> Pin:
    project, version = table.project(), table.version()
    files = [_file(table.table("sdist"))] if "sdist" in table.data else []
    files += [_file(each) for each in table.tables("wheels")]
    origins = [key for key in _ORIGINS if key in table.data]
    # PEP 751: vcs, directory and archive exclude each other, and sdist and wheels.
    if len(origins) > 1 or (origins and files):
        raise table.error("comes from more than one place")
    kind, place, fixed = OriginKind.REGISTRY, table.string("index"), True
    if origins:
        source = table.table(origins[0])
        place = source.string("url") or source.string("path")
        kind = OriginKind.URL if "url" in source.data else OriginKind.PATH
        if origins == ["vcs"]:
            commit = source.string("commit-id")
            kind, place, fixed = OriginKind.VCS, f"{place}@{commit}", fields.is_commit(commit)
        elif origins == ["archive"]:
            files = [_file(source)]
    elif not files:
        raise table.error("names no file")
    elif not version:
        named = parse_filename(files[0].filename)
        version = named.version if named else ""
        if not version:
            raise table.error("has no version")
    return Pin(
        project=project,
        version=version,
        origin=kind,
        source=place,
        files=tuple(files),
        marker=table.prose("marker"),
        fixed=fixed,
        path=table.text.path,
        line=table.line,
    )


def _file(table: Table) -> PinnedFile:
    hashes = table.hashes()
    url = table.string("url")
    return PinnedFile(
        filename=table.filename("name", url or table.string("path")),
        url=url,
        hashes=hashes,
        line=table.line_of(hashes),
    )
