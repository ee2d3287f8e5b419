"""``pdm.lock``, of pdm 1.8 to 2.

Source: ``src/pdm/formats`` and ``src/pdm/project/lockfile`` of pdm. Until version 4.2 of the format, files
stood in ``[metadata.files]`` under ``"name version"``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.locks import fields
from veln_hook.locks.model import OriginKind, Pin

if TYPE_CHECKING:
    from veln_hook.locks.fields import Table

_KNOWN = re.compile(r"[34](\.[0-9]+)*", re.ASCII)
_REPOSITORIES = ("git", "hg", "svn", "bzr")


def read(table: Table) -> list[Pin]:
    """Return what it pins.

    Raises:
        UsageError: It isn't understood.
    """
    metadata = table.table("metadata")
    version = metadata.string("lock_version")
    if not _KNOWN.fullmatch(version):
        raise metadata.error(f"lock_version {version!r} isn't known here")
    found = [_pin(each, metadata) for each in fields.pins(table, "package")]
    # A project stands there once more for each set of its extras.
    return list({pin.content: pin for pin in reversed(found)}.values())[::-1]


def _pin(table: Table, metadata: Table) -> Pin:
    project, version = table.project(), table.version()
    kind, place = OriginKind.REGISTRY, ""
    fixed = True
    repository = next((key for key in _REPOSITORIES if key in table.data), "")
    if repository:
        revision = table.string("revision")
        kind, place = OriginKind.VCS, f"{table.string(repository)}@{revision or table.string('ref')}"
        fixed = fields.is_commit(revision)
    elif "url" in table.data:
        kind, place = OriginKind.URL, table.string("url")
    elif "path" in table.data:
        kind, place = OriginKind.PATH, table.string("path")
    elif not version:
        raise table.error("has no version")
    if "files" in table.data:
        files = table.tables("files")
    else:
        old = metadata.table("files")
        key = f"{table.string('name')} {version}"
        files = old.tables(key) if key in old.data else []
    return Pin(
        project=project,
        version=version,
        origin=kind,
        source=place,
        files=tuple(fields.listed_file(each) for each in files),
        marker=table.prose("marker"),
        fixed=fixed,
        path=table.text.path,
        line=table.line,
    )
