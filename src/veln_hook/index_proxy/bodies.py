"""Bodies of pages, as they came over the wire and as a client will read them. Pure."""

from __future__ import annotations

import zlib

from veln_hook.index.limits import MAX_PAGE

_GZIP = 16 + zlib.MAX_WBITS
_MAX_RATIO = 200
"""Bytes that one byte may become; pages of names and hashes reach 12, deflate can't pass 1032."""
_RATIO_FREE = 4 << 20
"""Bytes that hurt nobody, whatever they were made of."""


def decoded(body: bytes, coding: bytes | None) -> bytes:
    """Take a body's content coding off.

    Args:
        body: As it came.
        coding: The ``Content-Encoding`` header; ``None`` if there is none.

    Raises:
        ValueError: It is another coding than was asked for, is broken, unpacks to too much, or has something
            behind its end, which some clients would read and others not.
    """
    word = (coding or b"identity").strip().lower()
    if word == b"identity":
        return body
    if word not in (b"gzip", b"x-gzip"):
        raise ValueError("its content coding can't be read")
    limit = min(MAX_PAGE, max(_RATIO_FREE, len(body) * _MAX_RATIO))
    reader = zlib.decompressobj(_GZIP)
    try:
        data = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise ValueError(f"it is no gzip: {error}") from None
    if len(data) > limit:
        raise ValueError("it unpacks to too much")
    if not reader.eof or reader.unused_data:
        raise ValueError("its gzip doesn't end where it ends")
    return data
