"""Typed looks into a lock: what has another type than its format says is an error that names the place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from veln_hook.errors import UsageError
from veln_hook.locks.model import PinnedFile
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PINS = 20_000
MAX_FILES = 10_000
"""Of one pin. A release on PyPI that has most has some hundreds."""
_MAX_LENGTH = 4096
_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]{0,198}[A-Z0-9]", re.IGNORECASE | re.ASCII)
"""The names of PEP 508, with an end."""
_VERSION = re.compile(r"[A-Z0-9][A-Z0-9._+!-]{0,127}", re.IGNORECASE | re.ASCII)
"""Whatever could be a version; which of them an index has, it tells itself."""
_HASH = re.compile(r"([a-z0-9_]{1,20})[:=]([0-9a-f]{8,256})", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{8,256}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)
_HEXES = re.compile(r"\b[0-9a-f]{32,128}\b", re.ASCII)
_HEADER = re.compile(r"""^[ \t]*\[\[[ \t]*["']?(packages?)["']?[ \t]*\]\]""", re.MULTILINE)
_ADVICE = "Make the lock anew with the tool it belongs to, and compare."


class LockText(NamedTuple):
    """A lock's text, and where in it what stands."""

    path: str
    headers: tuple[int, ...]
    """Lines on which pins begin."""
    digests: dict[str, int]
    """Line of each hash: its first."""

    @classmethod
    def of(cls, text: str, path: str) -> LockText:
        """Look a lock through, once."""
        headers: list[int] = []
        line = position = 0
        for found in _HEADER.finditer(text):
            line += text.count("\n", position, found.start(1))
            position = found.start(1)
            headers.append(line + 1)
        digests: dict[str, int] = {}
        for number, row in enumerate(text.split("\n"), 1):
            for digest in _HEXES.findall(row):
                digests.setdefault(digest, number)
        return cls(path, tuple(headers), digests)

    def error(self, message: str, line: int = 0) -> UsageError:
        """Return the error that the lock can't be understood."""
        place = f"{self.path}:{line}" if line else self.path
        return UsageError(f"{printable(place)}: {printable(message)}", advice=_ADVICE)


class Table:
    """A table of a lock.

    Args:
        data: As it was parsed.
        text: Of the lock.
        line: Where the pin begins that it belongs to; 0 if that can't be told.
        name: For messages.
    """

    def __init__(self, data: dict[str, Any], text: LockText, line: int = 0, name: str = "") -> None:
        self.data, self.text, self.line, self.name = data, text, line, name

    def error(self, message: str) -> UsageError:
        """Return the error that this table can't be understood."""
        return self.text.error(f"{self.name}: {message}" if self.name else message, self.line)

    def string(self, key: str) -> str:
        """Return a text; empty if there is none.

        Raises:
            UsageError: It is no text, too long, or has control characters.
        """
        value = self.data.get(key, "")
        if not isinstance(value, str):
            raise self.error(f"{key!r} is no text")
        if len(value) > _MAX_LENGTH:
            raise self.error(f"{key!r} is longer than {_MAX_LENGTH} characters")
        if not value.isprintable():
            raise self.error(f"{key!r} has characters that can't be shown")
        return value

    def prose(self, key: str) -> str:
        """Return a text that is only shown, in one line; empty if there is none, or something else."""
        value = self.data.get(key, "")
        return printable(" ".join(value.split())) if isinstance(value, str) else ""

    def table(self, key: str) -> Table:
        """Return a table; an empty one if there is none.

        Raises:
            UsageError: It is no table.
        """
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise self.error(f"{key!r} is no table")
        return Table(value, self.text, self.line, f"{self.name}.{key}" if self.name else key)

    def tables(self, key: str, most: int | None = None) -> list[Table]:
        """Return a list of tables; an empty one if there is none.

        Raises:
            UsageError: It is no list of tables, or has more than ``most``; without it, than a pin has files.
        """
        most = MAX_FILES if most is None else most
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.error(f"{key!r} is no list of tables")
        if len(value) > most:
            raise self.error(f"{key!r} has more than {most} entries")
        name = f"{self.name}.{key}" if self.name else key
        return [Table(each, self.text, self.line, name) for each in value]

    def project(self) -> str:
        """Return ``name``, normalized.

        Raises:
            UsageError: It is no project's name.
        """
        name = self.string("name")
        if not _NAME.fullmatch(name):
            raise self.error(f"{name!r} is no name of a project")
        return canonicalize_name(name)

    def version(self) -> str:
        """Return ``version``; empty if there is none.

        Raises:
            UsageError: It can't be a version.
        """
        version = self.string("version")
        if version and not _VERSION.fullmatch(version):
            raise self.error(f"{version!r} is no version")
        return version

    def hash(self, key: str = "hash") -> tuple[tuple[str, str], ...]:
        """Return a hash of the form ``sha256:0123...``; nothing if there is none.

        Raises:
            UsageError: It has another form.
        """
        text = self.string(key).lower()
        if not text:
            return ()
        found = _HASH.fullmatch(text)
        if found is None:
            raise self.error(f"{text!r} is no hash")
        return (self._sound(found[1], found[2]),)

    def hashes(self, key: str = "hashes") -> tuple[tuple[str, str], ...]:
        """Return a table of hashes by algorithm.

        Raises:
            UsageError: It is none.
        """
        table = self.table(key)
        found = []
        for algorithm in table.data:
            digest = table.string(algorithm).lower()
            if not _DIGEST.fullmatch(digest) or not _HASH.fullmatch(f"{algorithm.lower()}:{digest}"):
                raise table.error(f"{digest!r} is no hash")
            found.append(self._sound(algorithm.lower(), digest))
        return tuple(sorted(found))

    def _sound(self, algorithm: str, digest: str) -> tuple[str, str]:
        if algorithm == "sha256" and len(digest) != 64:  # noqa: PLR2004 - 256 bits
            raise self.error(f"{digest!r} is no sha256")
        return algorithm, digest

    def line_of(self, hashes: tuple[tuple[str, str], ...]) -> int:
        """Return the line of a hash, or of the pin where that can't be told."""
        return next((self.text.digests.get(digest, 0) for _, digest in hashes), 0) or self.line

    def filename(self, key: str, place: str = "") -> str:
        """Return the name of a file, or the last part of a URL or path in its stead.

        Raises:
            UsageError: It names a directory, or nothing.
        """
        name = self.string(key) or last_part(place)
        if not name or "/" in name or "\\" in name or not name.isprintable():
            raise self.error(f"{name!r} is no name of a file")
        return name


def is_commit(text: str) -> bool:
    """Tell whether a text is a whole commit of Git or Mercurial: a branch or a tag can be moved."""
    return bool(_COMMIT.fullmatch(text))


def listed_file(table: Table) -> PinnedFile:
    """Return a file as poetry's and pdm's locks list it.

    Raises:
        UsageError: It isn't understood.
    """
    hashes, url = table.hash(), table.string("url")
    return PinnedFile(
        filename=table.filename("file", url), url=url, hashes=hashes, line=table.line_of(hashes)
    )


def last_part(place: str) -> str:
    """Return the last part of a URL or path, unquoted where it is a URL; empty if there is none."""
    if "://" not in place:
        return place.replace("\\", "/").rstrip("/").rpartition("/")[2]
    try:
        # Not the other way round: a slash that is quoted is read in both ways by those who install.
        return unquote(urlsplit(place).path.rpartition("/")[2])
    except ValueError:  # such as "http://["
        return ""


def pins(table: Table, key: str) -> Iterator[Table]:
    """Yield the pins of a lock, each with its line.

    Raises:
        UsageError: They are no list of tables, or too many.
    """
    found = table.tables(key, MAX_PINS)
    headers = table.text.headers
    # Written in another way than programs write it, nothing can be said of lines.
    known = len(headers) == len(found)
    for number, pin in enumerate(found):
        pin.line = headers[number] if known else 0
        name = pin.data.get("name")
        pin.name = printable(name, limit=80) if isinstance(name, str) and name else f"{key}[{number}]"
        yield pin
