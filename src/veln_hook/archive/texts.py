"""What a person can read of an archive: every member's hash, and the text of those that are text."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook.archive.members import iter_members
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from veln_hook.archive.limits import Problem

MAX_TEXT = 1 << 20
"""Bytes of a member that is shown; nobody reads more of one file."""
MAX_TEXTS = 64 << 20
"""Bytes of all texts together, which are held in memory."""
MAX_HASHED = 64 << 20
"""Bytes of a member whose content is compared; larger ones are compared by their size."""


class Entry(NamedTuple):
    """One member."""

    size: int
    sha256: str
    """Empty if it is too large, or could not be read."""
    text: Optional[str]
    """``None`` if it is not text, or too long to be shown."""


class Texts(NamedTuple):
    """All members, by their name."""

    files: dict[str, Entry]
    problem: str
    """Why not all of them could be read; empty if they could."""


def read_texts(path: str) -> Texts:
    """Read the members of a wheel, an sdist or a directory; nothing is raised for what it holds."""
    problems: list[Problem] = []
    files: dict[str, Entry] = {}
    left = MAX_TEXTS
    for member in iter_members(path, problems=problems):
        if member.size > MAX_HASHED:
            files[member.name] = Entry(member.size, "", None)
            continue
        try:
            data = member.read(MAX_HASHED)
        except ArchiveError:
            files[member.name] = Entry(member.size, "", None)
            continue
        text = _decoded(data) if len(data) <= min(MAX_TEXT, left) else None
        left -= len(data) if text is not None else 0
        files[member.name] = Entry(member.size, hashlib.sha256(data).hexdigest(), text)
    fatal = next((problem.message for problem in problems if problem.fatal), "")
    return Texts(files, fatal)


def _decoded(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    # Python takes source in other encodings; it is shown so that whatever is ASCII in it can be read.
    return data.decode("latin-1") if b"coding" in data[:200] else None
