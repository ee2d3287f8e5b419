"""What of a wheel is read without unpacking it: members' names, commands, what its metadata claims."""

from __future__ import annotations

import csv
import os
import posixpath
import re
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.archive.reading import open_regular
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_MEMBERS = 200_000
"""More files than any wheel on PyPI has; torch has about 10,000."""
MAX_ENTRY_POINTS_BYTES = 1 << 20
"""Of all files of entry points in a wheel; awscli, with hundreds of commands, needs a few kilobytes."""
MAX_RECORD_BYTES = 32 << 20
"""Of all RECORDs in a wheel: a line for each of MAX_MEMBERS long paths; torch's has one megabyte."""
MAX_LINES = 2 * MAX_MEMBERS
"""Of one such file: a byte of an archive can be a line, and each line costs us time."""
MAX_NAMES = 10_000
"""Distinct commands, and distinct claims; an honest wheel has hundreds of those, and hardly any of these."""
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
_LINE_ENDS = (
    b"\n",
    b"\r",
    b"\v",
    b"\f",
    b"\x1c",
    b"\x1d",
    b"\x1e",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
)
"""What str.splitlines, and so pip, takes for the end of a line, in UTF-8."""


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
        with open_regular(path) as file, zipfile.ZipFile(file) as wheel:
            return _Metadata(wheel).contents()
    except ArchiveError:
        raise
    # zipfile, zlib, lzma, struct and csv have no common base, and what hostile bytes make them raise is
    # no contract.
    except Exception as error:
        raise ArchiveError(f"{name} is no readable wheel: {error}") from error


class _Metadata:
    """The metadata of one wheel, all of it together within the limits."""

    def __init__(self, wheel: zipfile.ZipFile) -> None:
        self._members = tuple(wheel.namelist())
        if len(self._members) > MAX_MEMBERS:
            raise ArchiveError(f"it has {len(self._members)} members, the limit is {MAX_MEMBERS}")
        # A name can stand in the directory many times; its last entry is what is read, by pip as by us.
        self._known = set(self._members)
        self._commands = _Names("commands")
        self._claims = _Names("files that it claims without bringing them")
        self._entry_points = _Reader(wheel, "entry points", MAX_ENTRY_POINTS_BYTES)
        self._records = _Reader(wheel, "lists of files", MAX_RECORD_BYTES)

    def contents(self) -> WheelContents:
        found = ((member, _METADATA.fullmatch(_in_site_packages(member))) for member in sorted(self._known))
        read = 0
        for member, match in found:
            if match is None:
                continue
            if match["script"]:
                self._commands.add(posixpath.basename(member))
                continue
            read += 1
            if read > MAX_METADATA_FILES:
                raise ArchiveError(f"it has more than {MAX_METADATA_FILES} files of metadata")
            self._read(member, match)
        return WheelContents(self._members, tuple(self._commands.seen), tuple(self._claims.seen))

    def _read(self, member: str, match: re.Match[str]) -> None:
        if match["file"] == "entry_points.txt":
            for command in _commands(self._entry_points.lines(member)):
                self._commands.add(command)
        elif match["file"] == "record":
            for row in csv.reader(self._records.lines(member)):
                if row and row[0] not in self._known:
                    self._claims.add(row[0])
        elif match["kind"] == "egg":  # pip reads these of an egg-info only
            base = "" if match["file"] == "top_level.txt" else match["info"]
            for line in self._records.lines(member):
                if line.strip():
                    self._claims.add(posixpath.join(base, line.strip()))


class _Names:
    """Names without repetition, and no more than an honest wheel has."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.seen: dict[str, None] = {}
        """In order of appearance."""

    def add(self, name: str) -> None:
        self.seen[name] = None
        if len(self.seen) > MAX_NAMES:
            raise ArchiveError(f"it has more than {MAX_NAMES} {self._what}")


class _Reader:
    """Reads text members within limits that hold for all of a kind together: an archive may bring many."""

    def __init__(self, wheel: zipfile.ZipFile, what: str, limit: int) -> None:
        self._wheel = wheel
        self._what = what
        self._limit = self._left = limit

    def lines(self, member: str) -> list[str]:
        with self._wheel.open(member) as file:
            # Read one byte more than allowed: the size a zip claims is the attacker's word.
            data = file.read(self._left + 1)
        if len(data) > self._left:
            raise ArchiveError(f"its {self._what} are larger than {self._limit} bytes")
        self._left -= len(data)
        if sum(map(data.count, _LINE_ENDS)) > MAX_LINES:
            raise ArchiveError(f"{member} has more than {MAX_LINES} lines")
        return data.decode("utf-8", "replace").splitlines()


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


def _commands(lines: Iterable[str]) -> Iterator[str]:
    """Yield what any of pip's readers takes for the name of a command.

    pip has had three of them (pkg_resources, importlib.metadata, distlib's own
    for the script it writes), which disagree about names that hold ``=``, blanks
    or brackets; every reading counts.

    Raises:
        ArchiveError: A line is a section to one reader and an entry to another.
    """
    section = ""
    for raw in lines:
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
