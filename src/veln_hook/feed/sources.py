"""Where records come from: OSV's zip of them, a directory, or one file; read as if a stranger had made it.

Rules of this module: nothing is unpacked to disk and no name in a zip is used as one; memory is bounded by
one record and the zip's directory, whatever the file claims.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from veln_hook.archive.limits import FatalProblemError, Journal, Limits, Problem
from veln_hook.archive.zip_directory import find_directory
from veln_hook.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_BYTES = 1 << 30
"""Of a zip; OSV's of PyPI had some 30 MB in 2026."""
MAX_RECORDS = 500_000
"""PyPI has some 30,000; all of OSV's ecosystems together have about as many as this."""
MAX_RECORD_BYTES = 8 << 20
"""Of one record; the largest known has one."""
MAX_TOTAL_BYTES = 8 << 30
"""Of all of them."""
_JSON = ".json"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What OSV's own has. The others can ask for much more memory than they say."""
_ENCRYPTED = 0x1
_ADVICE = "Take OSV's own file (feed.url in docs/policy.md), a directory of its records, or one record."


class Raw(NamedTuple):
    """One record as it stands in its source."""

    name: str
    """Of the file; whatever the source says."""
    data: bytes
    problem: str = ""
    """Why it can't be had; then there is no data."""


def raw_records(path: str) -> Iterator[Raw]:
    """Yield the records of a zip, a directory or a file.

    Args:
        path: Of it.

    Raises:
        FeedError: There is no such file, it can't be read as a whole, or it is larger than any feed.
    """
    try:
        if os.path.isdir(path):
            yield from _in_directory(path)
            return
        with open(_regular(path), "rb") as file:
            head = file.read(4)
            if head.startswith(b"PK"):
                yield from _in_zip(file, path)
                return
            file.seek(0)
            yield _bounded(os.path.basename(path), file)
    except OSError as error:
        raise FeedError(f"{path} can't be read: {error.strerror or error}", advice=_ADVICE) from error


def _regular(path: str) -> int:
    """Open a file for reading, if it is one: a pipe would keep us waiting for ever."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FeedError(f"{path} is no regular file", advice=_ADVICE)
    return descriptor


def _bounded(name: str, file: BinaryIO) -> Raw:
    data = file.read(MAX_RECORD_BYTES + 1)
    if len(data) > MAX_RECORD_BYTES:
        return Raw(name, b"", f"it is larger than {MAX_RECORD_BYTES} bytes")
    return Raw(name, data)


class _Budget:
    """Counts what was read of one source."""

    def __init__(self, path: str) -> None:
        self._path, self._records, self._bytes = path, 0, 0

    def spend(self, raw: Raw) -> Raw:
        self._records += 1
        self._bytes += len(raw.data)
        if self._records > MAX_RECORDS or self._bytes > MAX_TOTAL_BYTES:
            raise FeedError(f"{self._path} holds more than any feed of PyPI", advice=_ADVICE)
        return raw


def _in_directory(path: str) -> Iterator[Raw]:
    budget = _Budget(path)

    def failed(error: OSError) -> None:
        raise error

    for directory, inner, names in os.walk(path, onerror=failed):
        inner.sort()
        for name in sorted(names):
            if not name.endswith(_JSON):
                continue
            shown = os.path.relpath(os.path.join(directory, name), path)
            try:
                with open(_regular(os.path.join(directory, name)), "rb") as file:
                    raw = _bounded(shown, file)
            except (OSError, FeedError) as error:
                raw = Raw(shown, b"", str(error))
            yield budget.spend(raw)


def _in_zip(file: BinaryIO, path: str) -> Iterator[Raw]:
    size = os.fstat(file.fileno()).st_size
    if size > MAX_FILE_BYTES:
        raise FeedError(f"{path} is larger than {MAX_FILE_BYTES} bytes", advice=_ADVICE)
    problems: list[Problem] = []
    try:
        # Before zipfile makes an object of each entry of a directory with millions.
        find_directory(file, Journal(problems, Limits(max_members=MAX_RECORDS), size))
        file.seek(0)
        archive = zipfile.ZipFile(file)
    except FatalProblemError as error:
        raise FeedError(f"{path} is no sound zip: {problems[-1].message}", advice=_ADVICE) from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise FeedError(f"{path} is no sound zip: {error}", advice=_ADVICE) from error
    budget = _Budget(path)
    with archive:
        for info in archive.infolist():
            if not info.is_dir() and info.filename.endswith(_JSON):
                yield budget.spend(_member(archive, info))


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Raw:
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        return Raw(info.filename, b"", "it is encrypted or packed in another way than OSV's")
    try:
        with archive.open(info) as member:
            data = member.read(MAX_RECORD_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        return Raw(info.filename, b"", f"it can't be unpacked: {error}")
    if len(data) > MAX_RECORD_BYTES:
        return Raw(info.filename, b"", f"it is larger than {MAX_RECORD_BYTES} bytes")
    return Raw(info.filename, data)
