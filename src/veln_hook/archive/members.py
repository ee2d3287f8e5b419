"""Streams the members of whatever is installed from: wheel, sdist or directory."""

from __future__ import annotations

import os
import tarfile
import zipfile
from typing import TYPE_CHECKING, BinaryIO

from veln_hook.archive.limits import LIMITS, FatalProblemError, Journal, Limits, Problem
from veln_hook.archive.member import Member
from veln_hook.archive.reading import open_regular
from veln_hook.archive.record import check_record
from veln_hook.archive.tar_members import tar_members
from veln_hook.archive.tree_members import tree_members
from veln_hook.archive.unpacking import unpacker_of
from veln_hook.archive.zip_members import zip_members

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LIMITS", "Limits", "Member", "Problem", "check_record", "iter_members"]

_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


def iter_members(path: str, *, problems: list[Problem], limits: Limits = LIMITS) -> Iterator[Member]:
    """Yield the regular files of an archive or a directory.

    The format is told by the content as pip does it (``unpack_file`` of
    pip/_internal/utils/unpacking.py), never by the name. Nothing of a member is
    read until it is asked for. Members of a zip come in the order of its
    directory, those of a tar as they stand, those of a directory sorted by path.

    Args:
        path: Of the file or directory.
        problems: Where problems are appended as they are met. A fatal one is
            the last: the iteration ends with it.
        limits: What the archive may ask of us.

    Yields:
        Members, which can be read until the next one is asked for. Nothing is
        raised here; `Member.read` raises `ArchiveError`.
    """
    journal = Journal(problems, limits)
    try:
        for member in _members(path, journal):
            yield member
            if journal.ended:
                return
    except FatalProblemError:
        pass  # noted
    except EOFError as error:
        journal.note("truncated", str(error) or "it is cut off", fatal=True)
    except UnicodeError:
        journal.note("name-not-utf8", "the name of a member can't be decoded", fatal=True)
    except tarfile.ReadError as error:
        slug = "truncated" if "end of data" in str(error) else "unreadable"
        journal.note(slug, f"it can't be read: {error}", fatal=True)
    # zipfile, tarfile and the decompressors have no common base, and what hostile bytes make them raise
    # is no contract. ArchiveError too: it came from a read of ours, or of the path.
    except Exception as error:  # noqa: BLE001 - see above
        if not journal.ended:
            journal.note("unreadable", f"it can't be read: {str(error) or type(error).__name__}", fatal=True)


def _members(path: str, journal: Journal) -> Iterator[Member]:
    if os.path.isdir(path):
        yield from tree_members(path, journal)
        return
    with open_regular(path) as file:
        head = file.read(tarfile.BLOCKSIZE)
        journal.packed = os.fstat(file.fileno()).st_size
        yield from _packed_members(file, head, journal)


def _packed_members(file: BinaryIO, head: bytes, journal: Journal) -> Iterator[Member]:
    if head.startswith(_ZIP_MAGICS):
        yield from zip_members(file, journal)
        return
    as_zip = zipfile.is_zipfile(file)
    make, plain = unpacker_of(head), _begins_tar(head)
    if make is None and not plain:
        if as_zip:
            journal.fail("prepended-data", "something stands before its first member")
        journal.fail("unreadable", "it is neither a zip nor a tar")
    if as_zip:
        # pip asks first whether it is a zip, other installers go by the name.
        journal.fail("two-formats", "it is a tar by its beginning and a zip by its end")
    if make is not None:
        try:
            make()
        except ImportError:
            journal.fail("unreadable", "it is compressed in a way that this Python can't read, such as zstd")
    file.seek(0)
    yield from tar_members(file, head, journal)


def _begins_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        # An empty tar is two blocks of zeros.
        return len(head) == tarfile.BLOCKSIZE and not head.strip(b"\0")
    return True
