"""What is installed in an environment, by its files alone; nothing of the environment is imported or run.

Every file below a site directory belongs to somebody: to the distributions whose
RECORD lists it, or to nobody, and then it is looked at as well.
"""

from __future__ import annotations

import csv
import os
import re
import stat
import zipfile
from glob import glob
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_LIST_BYTES = 32 << 20
"""Of a RECORD; torch's has one megabyte."""
_MAX_METADATA_BYTES = 1 << 20
_WHOLE_BYTES = 16 << 20
"""Of a file that is read whole; more of one file of source is not read of an archive either."""
_HEAD_BYTES = 1 << 20
"""Of any other: the rest of native code or of data is never looked at."""
_WHOLE_SUFFIXES = (
    ".py",
    ".pyw",
    ".pth",
    ".start",
    ".sh",
    ".ipynb",
    ".txt",
    ".toml",
    ".cfg",
    "METADATA",
    "PKG-INFO",
)
_BYTECODE = (".pyc", ".pyo")
_INFO = re.compile(r"(?P<name>.+?)(?:-(?P<version>[^-]+).*)?\.(?:dist|egg)-info")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SITES = (
    "lib/python*/site-packages",
    "lib64/python*/site-packages",
    "lib/python*/dist-packages",
    "local/lib/python*/dist-packages",
    "lib/pypy*/site-packages",
    "Lib/site-packages",
)


class Installed(NamedTuple):
    """A distribution that is installed, or the files of a site directory that belong to none."""

    project: str
    """Normalized; empty for files of no distribution."""
    version: str
    site: str
    """Where it is."""
    info: str
    """Name of its directory of metadata; empty for files of no distribution."""
    files: dict[str, str]
    """Names as a wheel would have them, and where those files are."""

    def shown(self, member: str) -> str:
        """Return the path of a file as seen from the site directory."""
        path = self.files.get(member)
        return member if path is None else os.path.relpath(path, self.site).replace(os.sep, "/")


def site_directories(prefix: str) -> list[str]:
    """Return where distributions are installed below a prefix; the prefix itself if it is such a place."""
    found = [path for pattern in _SITES for path in sorted(glob(os.path.join(glob_escaped(prefix), pattern)))]
    if not found and glob(os.path.join(glob_escaped(prefix), "*.dist-info")):
        found = [prefix]
    unique = {os.path.realpath(path): path for path in reversed(found) if os.path.isdir(path)}
    return sorted(unique)


def glob_escaped(path: str) -> str:
    """Return a path that ``glob`` takes literally."""
    return re.sub(r"([*?[])", r"[\1]", path)


def installed_in(site: str, prefix: str) -> list[Installed]:
    """Return what is installed in a site directory: files of no distribution first, then by name.

    Args:
        site: The directory.
        prefix: Of the environment; a RECORD's lines that lead out of it are passed over.

    Raises:
        OSError: The directory can't be listed.
    """
    site, prefix = os.path.realpath(site), os.path.realpath(prefix)
    everything = dict(_walk(site))
    owned: set[str] = set()
    found = []
    for name in sorted(os.listdir(site)):
        match = _INFO.fullmatch(name)
        if match is None:
            continue
        info = os.path.join(site, name)
        claimed = _claimed(info, site, everything)
        own = {path for path in claimed if path in everything or _is_below(path, prefix)}
        owned |= own
        project, version = _identity(info, match)
        stem = name.rpartition(".")[0]
        files = {_member(path, site, prefix, stem): path for path in sorted(own) if _matters(path)}
        found.append(Installed(project, version, site, name, files))
    rest = {
        _member(path, site, prefix, "unowned-0"): path
        for path in sorted(set(everything) - owned)
        if _matters(path)
    }
    found.sort(key=lambda each: each.project)
    return [*([Installed("", "", site, "", rest)] if rest else []), *found]


def pack(installed: Installed, target: str) -> None:
    """Write files into an archive that is read as a wheel; never the whole of what nobody would read.

    Args:
        installed: What to pack.
        target: Path of the archive.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        if not any(name.endswith(".dist-info/WHEEL") and name.count("/") == 1 for name in installed.files):
            archive.writestr(zipfile.ZipInfo("unowned-0.dist-info/WHEEL", _EPOCH), b"")
        for member, path in installed.files.items():
            data, mode = _content(path)
            if data is None:
                continue
            entry = zipfile.ZipInfo(member.encode("utf-8", "replace").decode(), _EPOCH)
            entry.external_attr = (stat.S_IFREG | mode & 0o777) << 16
            archive.writestr(entry, data)


def _content(path: str) -> tuple[bytes | None, int]:
    if path.endswith(_BYTECODE):
        return b"", 0o644  # that it is there is all that is told of it
    limit = _WHOLE_BYTES if path.endswith(_WHOLE_SUFFIXES) else _HEAD_BYTES
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None, 0
            return file.read(limit + 1), status.st_mode  # one byte too many tells that it is too long
    except OSError:
        return None, 0


def _walk(site: str) -> Iterator[tuple[str, None]]:
    """Yield every file; links to directories are followed, as an import would, each directory once."""
    seen: set[str] = set()
    pending = [site]
    while pending:
        directory = pending.pop()
        real = os.path.realpath(directory)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError:
            if directory == site:
                raise
            continue
        for entry in entries:
            if entry.is_dir():
                pending.append(entry.path)
            elif entry.is_file():
                yield entry.path, None


def _claimed(info: str, site: str, everything: dict[str, None]) -> set[str]:
    """Return the files that a distribution calls its own."""
    if not os.path.isdir(info):
        return {info}
    own = {path for path in everything if path.startswith(info + os.sep)}
    record = os.path.join(info, "RECORD")
    rows = _rows(record) if os.path.isfile(record) else None
    if rows is not None:
        return own | {os.path.normpath(os.path.join(site, row[0])) for row in rows if row and row[0]}
    text = _text(os.path.join(info, "installed-files.txt"), _MAX_LIST_BYTES)
    if text:
        return own | {os.path.normpath(os.path.join(info, line)) for line in text.splitlines() if line}
    for name in _text(os.path.join(info, "top_level.txt"), _MAX_METADATA_BYTES).split():
        top = os.path.normpath(os.path.join(site, name))
        if os.path.dirname(top) == site:
            own |= {path for path in everything if path == f"{top}.py" or path.startswith(top + os.sep)}
    return own


def _rows(path: str) -> list[list[str]] | None:
    try:
        return list(csv.reader(_text(path, _MAX_LIST_BYTES).splitlines()))
    except csv.Error:
        return None  # so its files are nobody's


def _text(path: str, limit: int) -> str:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > limit:
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(limit)
    except OSError:
        return ""


def _identity(info: str, match: re.Match[str]) -> tuple[str, str]:
    fields: dict[str, str] = {}
    for name in ("METADATA", "PKG-INFO", ""):
        path = os.path.join(info, name) if name else info
        for line in _text(path, _MAX_METADATA_BYTES).splitlines():
            if not line.strip():
                break
            field, _, value = line.partition(":")
            fields.setdefault(field.strip().lower(), value.strip())
    project = canonicalize_name(fields.get("name") or match["name"])
    return project, fields.get("version") or match["version"] or ""


def _is_below(path: str, prefix: str) -> bool:
    return path.startswith(prefix.rstrip(os.sep) + os.sep) and os.path.isfile(path)


def _matters(path: str) -> bool:
    """Leave out the bytecode that Python made of a source that is there."""
    if not path.endswith(_BYTECODE):
        return True
    directory, name = os.path.split(path)
    beside = os.path.dirname(directory) if os.path.basename(directory) == "__pycache__" else directory
    return not os.path.isfile(os.path.join(beside, f"{name.partition('.')[0]}.py"))


def _member(path: str, site: str, prefix: str, stem: str) -> str:
    """Return the name that a file had in its wheel, as far as that can be told."""
    relative = os.path.relpath(path, site).replace(os.sep, "/")
    if not relative.startswith("../"):
        return relative
    below = os.path.relpath(path, prefix).replace(os.sep, "/")
    top, _, rest = below.partition("/")
    return f"{stem}.data/scripts/{rest}" if top in ("bin", "Scripts") else f"{stem}.data/data/{below}"
