"""Whether every reader of a zip finds the same directory and the same entries in it.

zipfile, and so pip, takes the last directory of the file and believes it. Others
read from the front, or look for the directory in another way; an archive that
shows them something else was made to. The checks follow APPNOTE.TXT 4.3 and
what CPython's zipfile does.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    import zipfile

    from veln_hook.archive.limits import Journal

_END = b"PK\x05\x06"
_END_SIZE = 22
_END64_LOCATOR = b"PK\x06\x07"
_LOCATOR_SIZE = 20
_END64 = b"PK\x06\x06"
_END64_SIZE = 56
_CENTRAL = b"PK\x01\x02"
_LOCAL = b"PK\x03\x04"
_LOCAL_SIZE = 30
_MAX_COMMENT = 0xFFFF
_UNKNOWN16, _UNKNOWN32 = 0xFFFF, 0xFFFFFFFF
_MAX_DIRECTORY_BYTES = 256 << 20
"""200,000 entries with names of 1024 characters; zipfile reads it at once."""
_DESCRIPTOR_SIZES = (0, 12, 16, 20, 24)
_CHUNK = 1 << 20
_DESCRIPTOR = 0x08
_ZIP64_EXTRA, _UNICODE_PATH_EXTRA = 0x0001, 0x7075


class End(NamedTuple):
    """Where the central directory lies, as zipfile computes it."""

    start: int
    size: int


def find_directory(file: BinaryIO, journal: Journal) -> End:
    """Find the directory that zipfile will read, before it reads it.

    Raises:
        FatalProblemError: There is none, another one could be taken for it, it
            has too many entries, or something stands before the archive.
    """
    size = journal.packed
    tail_start = max(size - _MAX_COMMENT - _END_SIZE, 0)
    file.seek(tail_start)
    tail = file.read(size - tail_start)
    place = len(tail) - _END_SIZE
    if place < 0 or not (tail.startswith(_END, place) and tail.endswith(b"\0\0")):
        place = tail.rfind(_END)
    if place < 0 or place + _END_SIZE > len(tail):
        journal.fail("unreadable", "it has no directory of a zip at its end")
    _, disk, disk_start, _, count, length, offset, comment = struct.unpack_from("<4s4H2IH", tail, place)
    trailing = len(tail) - place - _END_SIZE - comment
    _check_other_ends(tail, place, tail_start, trailing, journal)
    end = tail_start + place
    wide = _wide_end(file, end, journal)
    if wide is not None:
        narrow = (disk, disk_start, count, length, offset)
        for value, other, unknown in zip(narrow, wide, (*[_UNKNOWN16] * 3, _UNKNOWN32, _UNKNOWN32)):
            if value not in (other, unknown):
                journal.fail("second-directory", "its zip64 directory is not the one that its end names")
        count, length, offset = wide[2:]
        end -= _END64_SIZE + _LOCATOR_SIZE
    start = end - length
    if start < 0:
        journal.fail("truncated", "its directory begins before the file")
    if start != offset:
        journal.fail("prepended-data", "its directory is not where its end says, so readers disagree")
    _check_count(file, End(start, length), count, journal)
    return End(start, length)


def _check_other_ends(tail: bytes, place: int, tail_start: int, trailing: int, journal: Journal) -> None:
    other = -1
    while (other := tail.find(_END, other + 1)) >= 0:
        if other == place or other + _END_SIZE > len(tail):
            continue
        length, offset, comment = struct.unpack_from("<2IH", tail, other + 12)
        # One whose comment ends the file, or whose directory stands right before it. An honest zip that is
        # stored as a member has neither: its offsets count from its own beginning.
        if other + _END_SIZE + comment == len(tail) or offset + length == tail_start + other or trailing:
            journal.fail("second-directory", "it has two directories, and readers disagree which counts")
    if trailing:
        # Negative if the comment is cut off; a reader that checks its length finds no directory at all.
        journal.note("trailing-data", "its end is not the end of the file")


def _wide_end(file: BinaryIO, end: int, journal: Journal) -> tuple[int, int, int, int, int] | None:
    """Return (disk, disk of the directory, entries, size, offset) of a zip64 end; zipfile prefers it."""
    if end < _LOCATOR_SIZE:
        return None
    file.seek(end - _LOCATOR_SIZE)
    signature, _, place, _ = struct.unpack("<4sIQI", file.read(_LOCATOR_SIZE))
    if signature != _END64_LOCATOR:
        return None
    expected = end - _LOCATOR_SIZE - _END64_SIZE
    if expected < 0 or place != expected:
        journal.fail("second-directory", "its zip64 directory is not where zipfile looks for it")
    file.seek(expected)
    record = file.read(_END64_SIZE)
    if not record.startswith(_END64):
        journal.fail("second-directory", "its zip64 directory is missing")
    disk, disk_start, _, count, length, offset = struct.unpack_from("<2I4Q", record, 16)
    return disk, disk_start, count, length, offset


def _check_count(file: BinaryIO, end: End, declared: int, journal: Journal) -> None:
    limit = journal.limits.max_members
    if end.size > _MAX_DIRECTORY_BYTES:
        journal.fail("too-many-members", f"its directory is larger than {_MAX_DIRECTORY_BYTES} bytes")
    file.seek(end.start)
    # zipfile makes an object of each before anybody can stop it. Signatures in names count too.
    found = file.read(end.size).count(_CENTRAL)
    if found > limit:
        journal.fail("too-many-members", f"it has {found} members, the limit is {limit}")
    if declared > found:
        journal.fail("truncated", f"its directory has {found} entries of {declared}")


def data_offsets(file: BinaryIO, infos: list[zipfile.ZipInfo], end: End, journal: Journal) -> dict[int, int]:
    """Hold every local header against the directory.

    Returns:
        Where the data of an entry begins, by the offset of its local header.

    Raises:
        FatalProblemError: A local header differs from the directory's entry, two
            entries share bytes (David Fifield's "better zip bomb"), or an entry
            stands in the file that the directory does not have.
    """
    places: dict[int, int] = {}
    position = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        offset, name = info.header_offset, info.filename
        if offset < position:
            journal.fail("overlap", "it shares bytes with another member", name)
        if offset > position:
            _check_gap(file, position, offset, name, journal)
        file.seek(offset)
        header = file.read(_LOCAL_SIZE)
        if len(header) != _LOCAL_SIZE or not header.startswith(_LOCAL):
            journal.fail("truncated", "it is not where the directory says", name)
        name_length, extra_length = struct.unpack_from("<2H", header, 26)
        rest = file.read(name_length + extra_length)
        start = offset + _LOCAL_SIZE + name_length + extra_length
        _check_local(info, header, rest[:name_length], rest[name_length:], journal)
        places[offset] = start
        position = start + info.compress_size
        if position > end.start:
            journal.fail("overlap", "it reaches into the directory", name)
    if position < end.start:
        _check_gap(file, position, end.start, "", journal)
    return places


def _check_local(info: zipfile.ZipInfo, header: bytes, name: bytes, extra: bytes, journal: Journal) -> None:
    flags, method = struct.unpack_from("<2H", header, 6)
    crc, packed, size = struct.unpack_from("<3I", header, 14)
    original = info.orig_filename
    # zipfile decodes both with the flag of the directory.
    if name != original.encode("utf-8" if info.flag_bits & 0x800 else "cp437"):
        journal.fail("local-mismatch", "its own header has another name than the directory", info.filename)
    if info.extra or extra:
        _check_unicode_path(info, journal)
        _check_unicode_path(info, journal, extra)
    if (flags ^ info.flag_bits) & 1 or method != info.compress_type:
        journal.fail("local-mismatch", "its own header has another method than the directory", info.filename)
    if _UNKNOWN32 in (packed, size):
        size, packed = _wide_sizes(extra, size, packed)
    streamed = flags & _DESCRIPTOR
    for local, central in ((crc, info.CRC), (packed, info.compress_size), (size, info.file_size)):
        if local != central and not (streamed and local == 0):
            journal.fail("local-mismatch", "its own header has other sizes than the directory", info.filename)


def _extras(extra: bytes, kind: int) -> bytes | None:
    """Return the first extra field of a kind."""
    place = 0
    while place + 4 <= len(extra):
        found, length = struct.unpack_from("<2H", extra, place)
        if found == kind:
            return extra[place + 4 : place + 4 + length]
        place += 4 + length
    return None


def _wide_sizes(extra: bytes, size: int, packed: int) -> tuple[int, int]:
    field = _extras(extra, _ZIP64_EXTRA) or b""
    values = [value for (value,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8])]
    if size == _UNKNOWN32 and values:
        size = values.pop(0)
    if packed == _UNKNOWN32 and values:
        packed = values.pop(0)
    return size, packed


def _check_unicode_path(info: zipfile.ZipInfo, journal: Journal, extra: bytes | None = None) -> None:
    """Info-ZIP's Unicode path replaces the name for some readers, and for zipfile since Python 3.13."""
    field = _extras(info.extra if extra is None else extra, _UNICODE_PATH_EXTRA)
    # Version, CRC of the name that it replaces, name.
    if field is not None and field[5:] != info.orig_filename.encode("utf-8", "surrogateescape"):
        journal.fail("local-mismatch", "an extra field gives it another name", info.filename)


def _check_gap(file: BinaryIO, start: int, end: int, name: str, journal: Journal) -> None:
    """Look at bytes that belong to no entry, which may be the data descriptor of the one before."""
    if start == 0:
        journal.fail("prepended-data", "something stands before its first member")
    file.seek(start)
    left, tail = end - start, b""
    while left > 0 and (chunk := file.read(min(left, _CHUNK))):
        left -= len(chunk)
        if _LOCAL in tail + chunk:
            journal.fail("hidden-entry", "it holds a member that its directory does not have", name)
        tail = chunk[-3:]
    if end - start not in _DESCRIPTOR_SIZES:
        journal.note("gap", f"{end - start} bytes before it belong to no member", name)
