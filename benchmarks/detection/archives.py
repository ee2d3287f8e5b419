"""Archives as bytes: their members in memory, or unpacked as plain files for tools that want a tree.

Everything here may be malware. Nothing is imported, installed, built or run; an
archive is told by its magic bytes, never by its name. The standard library only.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMBER_LIMIT = 32 * 2**20
_TOTAL_LIMIT = 512 * 2**20
_COUNT_LIMIT = 50_000
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    OverflowError,
)


class UnreadableError(Exception):
    """Neither a zip nor a tar, or damaged before its first member."""


class Member(NamedTuple):
    """One regular file of an archive."""

    name: str
    data: bytes
    year: int


def kind(data: bytes) -> str:
    """Return ``wheel``, ``zip``, ``tar`` or, for what is neither, the empty string."""
    if data[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        try:
            names = zipfile.ZipFile(io.BytesIO(data)).namelist()
        except _DAMAGE:
            return ""
        return "wheel" if any(name.endswith(".dist-info/WHEEL") for name in names) else "zip"
    if (
        data[:2] == b"\x1f\x8b"
        or data[:3] == b"BZh"
        or data[:6] == b"\xfd7zXZ\x00"
        or data[257:262] == b"ustar"
    ):
        return "tar"
    return ""


def _unpressed(data: bytes) -> io.BufferedIOBase:
    stream = io.BytesIO(data)
    if data[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=stream)
    if data[:3] == b"BZh":
        return bz2.BZ2File(stream)
    if data[:6] == b"\xfd7zXZ\x00":
        return lzma.LZMAFile(stream)
    return stream


def _of_zip(data: bytes) -> Iterator[Member]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if info.is_dir() or info.file_size > _MEMBER_LIMIT:
                continue
            # One encrypted or damaged member is no reason to lose the others.
            with contextlib.suppress(*_DAMAGE):
                yield Member(info.filename, archive.read(info), info.date_time[0])


def _of_tar(data: bytes) -> Iterator[Member]:
    with tarfile.open(fileobj=_unpressed(data), mode="r|") as archive:
        for info in archive:
            if info.isfile() and info.size <= _MEMBER_LIMIT:
                stream = archive.extractfile(info)
                if stream is not None:
                    yield Member(info.name, stream.read(), 1970 + int(info.mtime / 31_556_952))


def members(data: bytes) -> Iterator[Member]:
    """Yield the regular files of an archive, as many as are readable and within the limits.

    Raises:
        UnreadableError: Not one member could be read.
    """
    found = kind(data)
    if not found:
        raise UnreadableError("neither a zip nor a tar")
    total = count = 0
    try:
        for member in _of_tar(data) if found == "tar" else _of_zip(data):
            total, count = total + len(member.data), count + 1
            if total > _TOTAL_LIMIT or count > _COUNT_LIMIT:
                return
            yield member
    except _DAMAGE as error:
        if not count:
            raise UnreadableError(str(error)) from error


def is_python(name: str) -> bool:
    """Whether a member is Python source, by its name."""
    return name.lower().endswith((".py", ".pyw"))


def unpack(path: Path, into: Path, *, only: tuple[str, ...] = ()) -> int:
    """Write the members of an archive as plain files below a directory and return how many were written.

    Links and devices are left out; a path is taken apart and its risky parts
    are dropped, so nothing lands outside ``into``. Files aren't executable.

    Args:
        path: The archive.
        into: An empty directory.
        only: Suffixes to keep; everything if empty.

    Raises:
        UnreadableError: Not one member could be read.
    """
    written = 0
    for member in members(path.read_bytes()):
        if only and not member.name.lower().endswith(only):
            continue
        parts = [
            re.sub(r"[^\w.+@=-]", "_", part, flags=re.ASCII)[:120]
            for part in PurePosixPath(member.name.replace("\\", "/")).parts
            if part not in {"/", "..", "."}
        ]
        if not parts:
            continue
        target = into.joinpath(*parts)
        # A file where another member needs a directory, or the same path twice: the first one stays.
        with contextlib.suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(member.data)
            written += 1
    return written
