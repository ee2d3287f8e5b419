"""From a path to an ``Archive`` record, and the member names of a wheel."""

from __future__ import annotations

import csv
import hashlib
import os
import posixpath
import re
import stat
import zipfile
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from urllib.parse import unquote

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
MAX_RECORD_BYTES = 64 << 20
"""A line for each of MAX_MEMBERS files with long paths; torch's RECORD has one megabyte."""
MAX_METADATA_FILES = 100
"""Files of metadata that are read; an honest wheel has three."""
_SITE = ("site-packages", "dist-packages")
# What pip reads when it installs or uninstalls, of any *.dist-info or *.egg-info that ends in site-packages.
_METADATA = re.compile(
    r"(?P<info>[^/]+\.(?P<kind>dist|egg)-info)/"
    r"(?:(?P<file>entry_points\.txt|record|installed-files\.txt|top_level\.txt)|scripts/(?P<script>[^/]+))"
)
_MAX_EQUAL_SIGNS = 10
"""An honest line has one."""
_CHUNK_BYTES = 1 << 20


def hash_file(path: str) -> tuple[str, int]:
    """Return (lower-case hex sha256, size in bytes) of a file.

    Raises:
        ArchiveError: It is no regular file, or can't be read.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with _open(path) as file:
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


class WheelContents(NamedTuple):
    """What of a wheel is read without unpacking it."""

    members: tuple[str, ...] = ()
    """Names as the zip's central directory spells them; pip installs by the same directory."""
    commands: tuple[str, ...] = ()
    """Names of console and GUI scripts, as the entry points spell them."""
    claims: tuple[str, ...] = ()
    """Paths that its metadata calls its own though they are no members, relative to site-packages.

    pip keeps such lines of RECORD, and deletes what they name when the wheel is
    uninstalled or replaced by a newer one.
    """


def wheel_contents(path: str) -> WheelContents:
    """Read the names of a wheel's members, its commands, and what else it claims.

    Raises:
        ArchiveError: The file is no readable zip, has more members than any
            honest wheel, or metadata that is larger than any honest one or reads
            differently to different readers.
    """
    name = os.path.basename(path)
    try:
        with _open(path) as file, zipfile.ZipFile(file) as wheel:
            return _contents(wheel, tuple(wheel.namelist()))
    except ArchiveError:
        raise
    # zipfile, zlib, lzma, struct and csv have no common base, and what hostile bytes make them raise is
    # no contract.
    except Exception as error:
        raise ArchiveError(f"{name} is no readable wheel: {error}") from error


def _open(path: str) -> BinaryIO:
    """Open a regular file; a pipe would keep us waiting for ever."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ArchiveError(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")


def _contents(wheel: zipfile.ZipFile, members: tuple[str, ...]) -> WheelContents:
    if len(members) > MAX_MEMBERS:
        raise ArchiveError(f"it has {len(members)} members, the limit is {MAX_MEMBERS}")
    commands: list[str] = []
    claims: list[str] = []
    known = set(members)
    read = 0
    # A name can stand in the directory many times; the last entry is what is read under it, by pip as by us.
    for member in sorted(known):
        match = _METADATA.fullmatch(_in_site_packages(member))
        if match is None:
            continue
        if match["script"]:
            commands.append(posixpath.basename(member))
            continue
        read += 1
        if read > MAX_METADATA_FILES:
            raise ArchiveError(f"it has more than {MAX_METADATA_FILES} files of metadata")
        if match["file"] == "entry_points.txt":
            commands.extend(_commands(_read_text(wheel, member, MAX_ENTRY_POINTS_BYTES)))
        elif match["file"] == "record":
            rows = csv.reader(_read_text(wheel, member, MAX_RECORD_BYTES).splitlines())
            claims.extend(row[0] for row in rows if row and row[0] not in known)
        elif match["kind"] == "egg":  # pip reads these of an egg-info only
            lines = _read_text(wheel, member, MAX_RECORD_BYTES).splitlines()
            base = "" if match["file"] == "top_level.txt" else match["info"]
            claims.extend(posixpath.join(base, line.strip()) for line in lines if line.strip())
    return WheelContents(members, tuple(commands), tuple(claims))


def _in_site_packages(member: str) -> str:
    """Return where in site-packages a member ends, in lower case; empty if elsewhere."""
    parts = posixpath.normpath(member.replace("\\", "/")).casefold().split("/")
    if len(parts) > 1 and parts[0].endswith(".data"):
        if parts[1] in ("purelib", "platlib"):
            return "/".join(parts[2:])
        for position, part in enumerate(parts):
            if part in _SITE:
                return "/".join(parts[position + 1 :])
        return ""
    return "/".join(parts)


def _read_text(wheel: zipfile.ZipFile, member: str, limit: int) -> str:
    with wheel.open(member) as file:
        # Read one byte more than allowed: the size a zip claims is the attacker's word.
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ArchiveError(f"{member} is larger than {limit} bytes")
    return data.decode("utf-8", "replace")


def _commands(text: str) -> Iterator[str]:
    """Yield what any of pip's readers takes for the name of a command.

    pip has had three of them (pkg_resources, importlib.metadata, distlib's own
    for the script it writes), which disagree about names that hold ``=``, blanks
    or brackets; every reading counts.

    Raises:
        ArchiveError: A line is a section to one reader and an entry to another.
    """
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            if not line.endswith("]"):
                raise ArchiveError(
                    f"its entry points hold a line that is no section and no entry: {line[:80]!r}"
                )
            section = line.strip("[] \t").lower()
        elif section in ("console_scripts", "gui_scripts") and not line.startswith("#"):
            parts = line.split("=")
            if len(parts) > _MAX_EQUAL_SIGNS:
                raise ArchiveError("its entry points hold a line with too many '='")
            for end in range(1, len(parts)) or (1,):
                name = "=".join(parts[:end]).strip()
                yield from filter(None, dict.fromkeys((name, *name.split())))
