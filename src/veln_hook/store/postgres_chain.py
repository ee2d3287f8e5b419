"""The verdict log of the shared store as a chain: each row's hash covers its content and the hash before.

What the database computes (``append_row`` in ``postgres_schema``) is computed
again here, from the rows alone: a database that was tampered with can't vouch
for itself. What no chain can show is that all of it was written anew, or that
its end was cut off and the head set back: for that, note a head and give it to
``expected`` later.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Link(NamedTuple):
    """A row's number, and the hash that covers it and every row before."""

    number: int
    hash: str
    """Hexadecimal; of nothing (SHA-256 of no bytes) before the first row."""


@dataclass(frozen=True)
class ChainReport:
    """What became of verifying a chain."""

    rows: int
    """How many rows were computed."""
    anchor: Link
    """After which row the log begins: row 0, or the newest one that retention has deleted."""
    head: Link
    """The last row that is good."""
    problem: str = ""
    """What is wrong with the first row that isn't; empty if all of it is good."""


def spelled(fields: Sequence[Optional[str]]) -> bytes:
    """Return the fields as bytes, each with its length before it, as ``veln_hook.spelled`` does in SQL."""
    parts = []
    for field in fields:
        if field is None:
            parts.append(b"-,")
        else:
            data = field.encode("utf-8")
            parts.append(b"%d:%s," % (len(data), data))
    return b"".join(parts)


def verify(
    rows: Iterable[Sequence[Any]], *, anchor: Link, head: Link, expected: Link | None = None
) -> ChainReport:
    """Compute the chain again.

    Args:
        rows: Number, the other columns as text or ``None``, and the hash as bytes; by number.
        anchor: After which row they begin.
        head: Which row the log says is its last.
        expected: A row that was noted earlier.
    """
    last = anchor
    count = 0
    met = expected is None or expected == anchor
    for number, *fields, kept in rows:
        if number != last.number + 1:
            return ChainReport(count, anchor, last, f"row {last.number + 1} is missing")
        spelling = spelled([str(number), *fields])
        computed = hashlib.sha256(bytes.fromhex(last.hash) + spelling).hexdigest()
        if computed != bytes(kept).hex():
            return ChainReport(count, anchor, last, f"row {number} is not what was written")
        last = Link(number, computed)
        met = met or last == expected
        count += 1
    if last != head:
        return ChainReport(count, anchor, last, f"the log says that it ends with row {head.number}")
    if expected is not None and not met:
        if expected.number < anchor.number:
            problem = f"row {expected.number} was deleted by age, so it can't be compared"
        elif expected.number > last.number:
            problem = f"row {expected.number}, which was noted earlier, is gone"
        else:
            problem = f"row {expected.number} is not the one that was noted earlier: the log was written anew"
        return ChainReport(count, anchor, last, problem)
    return ChainReport(count, anchor, last)
