"""From a path to an ``Archive`` record, and the member names of a wheel."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zipfile
import zlib
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.errors import ArchiveError
from veln_hook.model import Archive, ArchiveKind, Origin
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.model import Candidate

MAX_MEMBERS = 200_000
"""More files than any wheel on PyPI has; torch has about 10,000."""
MAX_ENTRY_POINTS_BYTES = 1 << 20
"""awscli, with hundreds of commands, needs a few kilobytes."""
_CHUNK_BYTES = 1 << 20


def hash_file(path: str) -> tuple[str, int]:
    """Return (lower-case hex sha256, size in bytes) of a file.

    Raises:
        ArchiveError: It is no regular file, or can't be read.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with open(path, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ArchiveError(f"{path} is not a regular file")
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise ArchiveError(f"{path} can't be read: {error.strerror or error}") from error
    return digest.hexdigest(), size


def describe_archive(path: str, *, origin: Origin, candidate: Candidate | None = None) -> Archive:
    """Describe the bytes of a wheel or sdist.

    Args:
        path: Of the file.
        origin: How it came here.
        candidate: What was known before it was fetched. Its filename is used
            rather than the path's, which can be a temporary one.

    Raises:
        ArchiveError: The file can't be read.
    """
    sha256, size = hash_file(path)
    filename = os.path.basename(path)
    named = parse_filename(filename)
    if named is None and candidate is not None:
        filename = candidate.filename
        named = parse_filename(filename)
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


class WheelContents(NamedTuple):
    """What of a wheel is read without unpacking it."""

    members: tuple[str, ...]
    """Names as the zip's central directory spells them; pip installs by the same directory."""
    commands: tuple[str, ...]
    """Names of console and GUI scripts, as the entry points spell them."""


def wheel_contents(path: str) -> WheelContents:
    """Read the names of a wheel's members and commands.

    Raises:
        ArchiveError: The file is no readable zip, has more members than any
            honest wheel, or entry points that are larger than any honest ones.
    """
    name = os.path.basename(path)
    try:
        with zipfile.ZipFile(path) as wheel:
            members = tuple(wheel.namelist())
            if len(members) > MAX_MEMBERS:
                raise ArchiveError(f"{name} has {len(members)} members, the limit is {MAX_MEMBERS}")
            texts = [
                _read_text(wheel, member)
                for member in members
                if member.lower().endswith(".dist-info/entry_points.txt")
            ]
    # zlib.error and struct.error have no common base with the rest.
    except (
        OSError,
        zipfile.BadZipFile,
        ValueError,
        NotImplementedError,
        RuntimeError,
        EOFError,
        zlib.error,
    ) as error:
        raise ArchiveError(f"{name} is no readable wheel: {error}") from error
    return WheelContents(members, tuple(command for text in texts for command in _commands(text)))


def _read_text(wheel: zipfile.ZipFile, member: str) -> str:
    with wheel.open(member) as file:
        # Read one byte more than allowed: the size a zip claims is the attacker's word.
        data = file.read(MAX_ENTRY_POINTS_BYTES + 1)
    if len(data) > MAX_ENTRY_POINTS_BYTES:
        raise ArchiveError(f"{member} is larger than {MAX_ENTRY_POINTS_BYTES} bytes")
    return data.decode("utf-8", "replace")


def _commands(text: str) -> Iterator[str]:
    """Yield what stands before ``=`` in the sections that become scripts."""
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line.strip("[] \t").lower()
        elif section in ("console_scripts", "gui_scripts"):
            # configparser, which pip reads this with, takes either delimiter.
            name = re.split(r"[=:]", line, maxsplit=1)[0].strip()
            if name and not name.startswith(("#", ";")):
                yield name
