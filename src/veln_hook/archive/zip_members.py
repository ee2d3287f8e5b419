"""Members of a zip, as zipfile and so pip read it."""

from __future__ import annotations

import stat
import sys
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO

from veln_hook.archive.member import Member
from veln_hook.archive.member_names import Names, link_target
from veln_hook.archive.zip_directory import data_offsets, find_directory
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.archive.limits import Journal

_ENCRYPTED = 0x01 | 0x40 | 0x2000
"""Flags: encrypted, strongly, and with masked headers."""
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
if sys.version_info >= (3, 14):  # pragma: no cover - newer than the Python of most
    _METHODS.add(zipfile.ZIP_ZSTANDARD)
_MAX_LINK = 4096
"""Characters of the target of a symbolic link; Linux takes no longer one."""


class ZipMember(Member):
    """A regular file of a zip."""

    __slots__ = ("_archive", "_file", "_info", "_start")

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        name: str,
        info: zipfile.ZipInfo,
        start: int,
        archive: zipfile.ZipFile,
        file: BinaryIO,
        journal: Journal,
    ) -> None:
        mode = info.external_attr >> 16
        super().__init__(
            name, info.file_size, executable=bool(stat.S_ISREG(mode) and mode & 0o111), journal=journal
        )
        self._info = info
        self._start = start
        self._archive = archive
        self._file = file

    def _read(self) -> bytes:
        info = self._info
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size:
            data = self._packed(info.compress_size)
        elif info.compress_type == zipfile.ZIP_DEFLATED:
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            # A byte more than declared: zipfile cuts it off there, other readers don't.
            data = inflate.decompress(self._packed(info.compress_size), info.file_size + 1)
            if not inflate.eof and len(data) == info.file_size:
                data += inflate.decompress(inflate.unconsumed_tail, 1)
            if not inflate.eof or inflate.unused_data:
                raise ArchiveError(f"{self.name!r} does not end where the directory says")
        else:
            with self._archive.open(info) as file:
                data = file.read(info.file_size) + file.read(1)
        if len(data) == info.file_size and zlib.crc32(data) != info.CRC:
            raise ArchiveError(f"{self.name!r} has not the declared CRC")
        return data

    def _head(self, count: int) -> bytes:
        info = self._info
        if info.compress_type == zipfile.ZIP_STORED:
            return self._packed(min(count, info.compress_size))
        if info.compress_type == zipfile.ZIP_DEFLATED and count:
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            data, left, place = b"", info.compress_size, self._start
            while len(data) < count and left and not inflate.eof:
                self._file.seek(place)
                chunk = self._file.read(min(left, max(4096, count)))
                if not chunk:
                    break
                place, left = place + len(chunk), left - len(chunk)
                data += inflate.decompress(inflate.unconsumed_tail + chunk, count - len(data))
            return data
        with self._archive.open(info) as file:
            return file.read(count)

    def _packed(self, count: int) -> bytes:
        self._file.seek(self._start)
        data = self._file.read(count)
        if len(data) != count:
            raise ArchiveError(f"{self.name!r} is cut off")
        return data


def zip_members(file: BinaryIO, journal: Journal) -> Iterator[Member]:
    """Yield the regular files of a zip in the order of its directory; they can be read until the end.

    Raises:
        FatalProblemError: It can't be read, or readers would disagree about it.
        Exception: Whatever zipfile raises for what is no zip.
    """
    end = find_directory(file, journal)
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if archive.start_dir != end.start:
            journal.fail("second-directory", "zipfile of this Python finds another directory")
        names = Names(journal)
        total = 0
        kept = [(info, _checked(info, names, journal)) for info in infos]
        total = sum(info.file_size for info in infos)
        journal.check_total(total)
        places = data_offsets(file, infos, end, journal)
        for info, name in kept:
            if name is not None:
                member = ZipMember(name, info, places[info.header_offset], archive, file, journal)
                if stat.S_ISLNK(info.external_attr >> 16):
                    _check_link(member, journal)
                yield member


def _checked(info: zipfile.ZipInfo, names: Names, journal: Journal) -> str | None:
    """Return the name of a regular file, ``None`` for a directory."""
    name, mode = info.filename, info.external_attr >> 16
    if "\0" in info.orig_filename:
        journal.fail("null-byte", "its name holds a null byte, at which some readers end", name)
    if info.flag_bits & _ENCRYPTED:
        journal.fail("encrypted", "it is encrypted", name)
    if not (info.flag_bits & 0x800 or name.isascii()):
        # pip reads them as code page 437, others as UTF-8 or as their system has it.
        journal.note("name-not-utf8", "its name is not marked as UTF-8", name)
    if name.endswith("/"):
        if info.file_size:
            journal.fail("file-and-directory", "it is a directory that has a content", name)
        names.directory(name)
        return None
    if info.compress_type not in _METHODS:
        journal.fail(
            "unreadable", f"it is compressed with method {info.compress_type}, which pip can't read", name
        )
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFDIR:
        journal.fail("file-and-directory", "it is a directory by its mode and a file by its name", name)
    if kind not in (0, stat.S_IFREG, stat.S_IFLNK):
        journal.fail("special-file", "it is a device, a pipe or a socket", name)
    return names.file(name)


def _check_link(member: ZipMember, journal: Journal) -> None:
    """Judge a symbolic link: pip writes its target into a file, others make a link of it."""
    if member.size > _MAX_LINK:
        journal.fail("link", "it is a symbolic link whose target is too long", member.name)
    target = member.read(_MAX_LINK).decode("utf-8", "replace")
    if link_target(member.name, target, hard=False) is None:
        journal.fail("link", f"it is a link that leads outside: {target[:100]!a}", member.name)
    journal.note("link", f"it is a link to {target[:100]!a}", member.name)
