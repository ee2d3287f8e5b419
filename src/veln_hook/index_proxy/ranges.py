"""Which part of a file a request wants (RFC 9110 section 14). Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

_SINGLE = re.compile(rb"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})", re.IGNORECASE)


class Span(NamedTuple):
    """A part of a file."""

    start: int
    """Of its first byte."""
    length: int
    """In bytes; at least one."""


class UnsatisfiableError(ValueError):
    """The file has no such part: the answer is 416."""


def span_of(header: bytes | None, size: int) -> Span | None:
    """Read a ``Range`` header.

    Args:
        header: Its value.
        size: Of the file, in bytes.

    Returns:
        The part; ``None`` for the whole file: where there is no header, where it can't be read, and where it
        asks for several parts, which a server may answer in full (RFC 9110 section 14.2).

    Raises:
        UnsatisfiableError: Nothing of the file lies in it.
    """
    match = _SINGLE.fullmatch(header.strip()) if header is not None else None
    if match is None or match.groups() == (b"", b""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
        if int(last) == 0:
            raise UnsatisfiableError
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= size:
        raise UnsatisfiableError
    return Span(start, end - start)
