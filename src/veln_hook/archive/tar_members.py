"""Members of a tar, as tarfile and so pip reads it, in one pass."""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING, BinaryIO

from veln_hook.archive.member import Member
from veln_hook.archive.member_names import Names
from veln_hook.archive.unpacking import ForwardStream, unpacker_of
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.archive.limits import Journal

_BLOCK = tarfile.BLOCKSIZE
_DRAIN_CHUNK = 1 << 20
_LONG_NUMBER = re.compile(rb"[0-9]{32}")
"""Older tarfile searches pax headers in quadratic time if they hold many digits (CVE-2024-6232)."""


class _Headers:
    """What tarfile reads headers from: no more of them than an honest member has."""

    def __init__(self, stream: ForwardStream, journal: Journal) -> None:
        self._stream = stream
        self._journal = journal
        self._left = 0
        self.last = b""
        """The last block that was read."""
        self.tell = stream.tell
        self.seek = stream.seek

    def begin(self) -> None:
        """Begin a member."""
        self._left = self._journal.limits.max_header_bytes

    def read(self, size: int) -> bytes:
        self._left -= size
        if size < 0 or self._left < 0:
            self._journal.fail("header", "the headers of a member are longer than any honest ones")
        self.last = data = self._stream.read(size)
        if size != _BLOCK and _LONG_NUMBER.search(data):
            self._journal.fail("header", "a header of a member holds a number that is none")
        return data


class TarMember(Member):
    """A regular file of a tar; what was read of it is kept, since there is no way back."""

    __slots__ = ("_headers", "_info", "_kept", "_stream", "_tar")

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        name: str,
        info: tarfile.TarInfo,
        tar: tarfile.TarFile,
        stream: ForwardStream,
        headers: _Headers,
        journal: Journal,
    ) -> None:
        super().__init__(name, info.size, executable=bool(info.mode & 0o111), journal=journal)
        self._info = info
        self._tar = tar
        self._headers = headers
        self._stream = stream
        self._kept = b""

    def _read(self) -> bytes:
        return self._head(self.size)

    def _head(self, count: int) -> bytes:
        kept = len(self._kept)
        if count > kept:
            if self._tar.offset != self._info.offset_data + self._blocks() and not self._info.issparse():
                raise ArchiveError(f"{self.name!r} lies behind, a tar is read in one direction")
            self._kept += self._sparse() if self._info.issparse() else self._plain(kept, count)
        return self._kept[:count]

    def _blocks(self) -> int:
        return -(-self._info.size // _BLOCK) * _BLOCK

    def _plain(self, start: int, end: int) -> bytes:
        self._stream.seek(self._info.offset_data + start)
        return self._stream.read(end - start)

    def _sparse(self) -> bytes:
        # tarfile alone knows the map of the holes.
        file = self._tar.extractfile(self._info)
        if file is None or self._kept:
            return b""
        return file.read(self.size)


def tar_members(file: BinaryIO, head: bytes, journal: Journal) -> Iterator[Member]:
    """Yield the regular files of a tar, compressed or not; each can be read until the next is asked for.

    Args:
        file: At its beginning.
        head: Its first bytes, by which the compression is told.
        journal: Of this archive.

    Raises:
        FatalProblemError: It can't be read whole, or readers would disagree about it.
        Exception: Whatever tarfile and the decompressors raise.
    """
    stream = ForwardStream(file, unpacker_of(head), journal)
    headers = _Headers(stream, journal)
    headers.begin()
    names = Names(journal)
    total = 0
    # As pip opens it; see pip/_internal/utils/unpacking.py.
    tar = tarfile.TarFile(fileobj=headers, encoding="utf-8")  # type: ignore[arg-type]
    while (info := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # nothing is looked up in it, and it grows
        if info.size < 0 or tar.offset < stream.tell():
            journal.fail("size", "its declared size is negative", info.name)
        total += info.size
        journal.check_total(total)
        name = _checked(info, names, journal)
        if name is not None:
            yield TarMember(name, info, tar, stream, headers, journal)
        headers.begin()
    _check_end(stream, headers, journal)


def _checked(info: tarfile.TarInfo, names: Names, journal: Journal) -> str | None:
    """Return the name of a regular file, ``None`` for anything else."""
    if info.isdir():
        names.directory(info.name)
        return None
    if info.issym() or info.islnk():
        if info.size:
            journal.fail("link", "it is a link that has a content, so readers disagree", info.name)
        names.link(info.name, info.linkname, hard=info.islnk())
        return None
    if not info.isreg():
        # tarfile takes what it does not know for a regular file, others skip it.
        journal.fail(
            "special-file", "it is a device, a pipe, or of a kind that not every reader knows", info.name
        )
    if info.issparse():
        journal.note("sparse", "it is stored with holes, which not every reader knows", info.name)
    return names.file(info.name)


def _check_end(stream: ForwardStream, headers: _Headers, journal: Journal) -> None:
    """Look why tarfile ended, and at what follows: it ends at whatever is no header, without a word."""
    last = headers.last
    if not last:
        journal.note("truncated", "it ends without the mark of its end")
    elif last.count(b"\0") != _BLOCK:
        journal.fail("unreadable", "a header in the midst is damaged, so readers disagree about what follows")
    trailing = another = False
    while chunk := stream.read(_DRAIN_CHUNK):
        if chunk.count(b"\0") != len(chunk):
            trailing = True
            another = another or any(
                chunk[place + 257 : place + 262] == b"ustar" for place in range(0, len(chunk), _BLOCK)
            )
    if another:
        journal.note("trailing-data", "another tar follows its end")
    elif trailing or stream.garbage:
        journal.note("trailing-data", "its end is not the end of the file")
