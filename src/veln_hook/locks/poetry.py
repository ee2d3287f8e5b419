"""``poetry.lock``, of poetry 1.0 to 2.

Source: ``src/poetry/packages/locker.py`` of poetry. Until 1.2, files stood in ``[metadata.files]``; before
1.0, nothing but hashes in ``[metadata.hashes]``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.locks import fields
from veln_hook.locks.model import OriginKind, Pin, PinnedFile

if TYPE_CHECKING:
    from veln_hook.locks.fields import Table

_KNOWN = re.compile(r"[12](\.[0-9]+)*", re.ASCII)
_KINDS = {
    "": OriginKind.REGISTRY,
    "legacy": OriginKind.REGISTRY,
    "pypi": OriginKind.REGISTRY,
    "url": OriginKind.URL,
    "git": OriginKind.VCS,
    "hg": OriginKind.VCS,
    "svn": OriginKind.VCS,
    "file": OriginKind.PATH,
    "directory": OriginKind.PATH,
}
PYPI = "https://pypi.org/simple/"


def read(table: Table) -> list[Pin]:
    """Return what it pins.

    Raises:
        UsageError: It isn't understood.
    """
    metadata = table.table("metadata")
    version = metadata.string("lock-version")
    if version and not _KNOWN.fullmatch(version):
        raise metadata.error(f"lock-version {version!r} isn't known here")
    return [_pin(each, metadata) for each in fields.pins(table, "package")]


def _pin(table: Table, metadata: Table) -> Pin:
    project, version = table.project(), table.version()
    source = table.table("source")
    word = source.string("type")
    kind = _KINDS.get(word)
    if kind is None:
        raise source.error(f"{word!r} is no kind of source that is known here")
    if not version:
        raise table.error("has no version")
    place = source.string("url") or (PYPI if word in ("", "pypi") else "")
    commit = source.string("resolved_reference") or source.string("reference")
    return Pin(
        project=project,
        version=version,
        origin=kind,
        source=f"{place}@{commit}" if kind is OriginKind.VCS and commit else place,
        files=tuple(_files(table, metadata)),
        marker=table.prose("markers") or table.prose("marker"),
        fixed=kind is not OriginKind.VCS or fields.is_commit(commit),
        path=table.text.path,
        line=table.line,
    )


def _files(table: Table, metadata: Table) -> list[PinnedFile]:
    name = str(table.data.get("name"))
    if "files" in table.data:
        return [fields.listed_file(each) for each in table.tables("files")]
    lists = metadata.table("files")
    key = next((key for key in (name, name.lower(), table.project()) if key in lists.data), "")
    if key:
        return [fields.listed_file(each) for each in lists.tables(key)]
    old = metadata.table("hashes")
    digests = old.data.get(name, old.data.get(name.lower(), []))
    if not isinstance(digests, list) or len(digests) > fields.MAX_FILES:
        raise table.error("its hashes are no list")
    found = []
    for digest in digests:
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise table.error(f"{str(digest)[:80]!r} is no sha256")
        line = table.text.digests.get(digest, table.line)
        found.append(PinnedFile("", hashes=(("sha256", digest),), line=line))
    return found
