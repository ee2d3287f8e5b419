"""From a path to an ``Archive`` record."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from veln_hook.errors import ArchiveError
from veln_hook.model import Archive, ArchiveKind, Origin
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from veln_hook.model import Candidate

_CHUNK_BYTES = 1 << 20


def hash_file(path: str) -> tuple[str, int]:
    """Return (lower-case hex sha256, size in bytes) of a file.

    Raises:
        ArchiveError: It is no regular file, or can't be read.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with open_regular(path) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise ArchiveError(f"{path} can't be read: {error.strerror or error}") from error
    return digest.hexdigest(), size


def identify(path: str) -> tuple[int, ...]:
    """Return what changes whenever a file's bytes do.

    The change time can't be set by a program, so a file with the same identity
    was not written to since; hashing it again would tell nothing more.

    Raises:
        OSError: It isn't there.
    """
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def describe_archive(path: str, *, origin: Origin, candidate: Candidate | None = None) -> Archive:
    """Describe the bytes of a wheel or sdist.

    Args:
        path: Of the file.
        origin: How it came here.
        candidate: What was known before it was fetched. Its filename is used
            rather than the path's, which can be a temporary one, or one that the
            server chose (``Content-Disposition``) to have a wheel pass for an sdist.
            A wheel that was built here has its own.

    Raises:
        ArchiveError: The file can't be read.
    """
    sha256, size = hash_file(path)
    filename = os.path.basename(path)
    named = parse_filename(filename)
    if candidate is not None and (origin is Origin.FETCHED or named is None):
        # As pip takes it from a URL, which unquotes it twice: a file's history goes by its name.
        known_as = unquote(candidate.filename).rpartition("/")[2]
        asked = parse_filename(known_as)
        if asked is not None or named is None:
            filename, named = known_as, asked
    project = named.project if named else ""
    version = named.version if named else ""
    if candidate is not None:
        project, version = candidate.project or project, version or candidate.version
    return Archive(
        path=os.path.abspath(path),
        kind=named.kind if named else ArchiveKind.SDIST,
        origin=origin,
        filename=filename,
        project=project,
        version=version,
        sha256=sha256,
        size=size,
        candidate=candidate,
    )


def describe_tree(path: str, *, candidate: Candidate | None = None) -> Archive:
    """Describe a source tree: the user's own directory or a VCS checkout. It has no hash and no age."""
    return Archive(
        path=os.path.abspath(path),
        kind=ArchiveKind.DIRECTORY,
        origin=Origin.TREE,
        filename=os.path.basename(os.path.abspath(path)),
        project=candidate.project if candidate else "",
        version=candidate.version if candidate else "",
        candidate=candidate,
    )


def open_regular(path: str) -> BinaryIO:
    """Open a regular file; a pipe would keep us waiting for ever.

    Raises:
        ArchiveError: It is something else.
        OSError: It can't be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ArchiveError(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")
