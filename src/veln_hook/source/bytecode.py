"""Compiled Python in an archive: nobody reads it, so it must not run in the place of what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.source.facts import IMPORT, Placed
from veln_hook.source.vocabulary import BYTECODE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEADER = 16
"""Bytes that tell how a file of bytecode belongs to its source."""
_FIRST, _PAST = 3390, 20_000
"""Magic numbers of the Pythons whose headers have flags: 3.7 and later; those of Python 2 are far above."""
_BY_HASH = 1


def runs_unseen(name: str, header: bytes, names: set[str]) -> str:
    """Return why bytecode may run though nobody has read what it does; empty if it can't.

    Args:
        name: Its path in the archive.
        header: Its first bytes.
        names: All paths in the archive.
    """
    directory, _, base = name.rpartition("/")
    parent, _, last = directory.rpartition("/")
    beside = parent if last == "__pycache__" else directory
    if f"{beside}/{base.partition('.')[0]}.py".lstrip("/") not in names:
        return "without source"
    # PEP 552: it is held against a hash of the source, which anybody can write into it, or against nothing.
    magic, flags = int.from_bytes(header[:2], "little"), int.from_bytes(header[4:8], "little")
    by_hash = _FIRST <= magic < _PAST and header[2:4] == b"\r\n" and flags & _BY_HASH
    return "in the place of its source" if by_hash else ""


def unseen(headers: Mapping[str, bytes], names: set[str]) -> Iterator[Placed]:
    """Yield what of an archive's bytecode may run unseen.

    Args:
        headers: Of its files of bytecode, by path.
        names: All its paths.
    """
    for name, header in headers.items():
        why = runs_unseen(name, header, names)
        if why:
            yield Placed(BYTECODE, IMPORT, name, 1, why)
