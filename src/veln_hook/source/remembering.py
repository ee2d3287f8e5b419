"""Facts in and out of the store: packed small, believed only when they are whole."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Callable, TypeVar

from veln_hook.source.facts import RULES, ArchiveFacts, FileFacts, file_from_plain, from_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veln_hook.store import Store

_Facts = TypeVar("_Facts")
_MAX_BYTES = 64 << 20
_LEVEL = 1


def pack(facts: ArchiveFacts | FileFacts) -> bytes:
    """Return facts as the store keeps them."""
    return zlib.compress(json.dumps(facts, separators=(",", ":")).encode("ascii"), _LEVEL)


def unpack(packed: bytes) -> ArchiveFacts | None:
    """Return the facts that ``pack`` was given; ``None`` if these bytes are something else."""
    return _unpacked(packed, from_plain)


def unpack_file(packed: bytes) -> FileFacts | None:
    """Return the facts of a file that ``pack`` was given; ``None`` if these bytes are something else."""
    return _unpacked(packed, file_from_plain)


def _unpacked(packed: bytes, read: Callable[[object], _Facts]) -> _Facts | None:
    try:
        stream = zlib.decompressobj()
        text = stream.decompress(packed, _MAX_BYTES)
        return read(json.loads(text)) if stream.eof else None
    except (zlib.error, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError):
        return None


class StoredFiles:
    """What the store knows of single files, as ``client.Scanner`` asks for it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def known(self, sha256s: Sequence[str]) -> Mapping[str, FileFacts]:
        """Return the facts of those that are known."""
        found = {
            sha256: unpack_file(packed) for sha256, packed in self._store.file_scans(sha256s, RULES).items()
        }
        return {sha256: facts for sha256, facts in found.items() if facts is not None}

    def learned(self, facts: Mapping[str, FileFacts]) -> None:
        """Keep these."""
        self._store.remember_file_scans({sha256: pack(each) for sha256, each in facts.items()}, RULES)
