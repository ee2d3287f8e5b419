"""A compressed file as a stream that can only go forward, and whose output is counted."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.archive.limits import Journal

_PACKED_CHUNK = 1 << 17
_UNPACKED_CHUNK = 1 << 20
_MAX_XZ_MEMORY = 256 << 20
"""``xz -9`` needs 65 MiB to unpack; the format would allow 4 GiB."""
_MAX_ZSTD_WINDOW = 27
"""Power of two, as the zstd command has it; ``--ultra --long`` goes further, no sdist does."""


class Unpacker(Protocol):
    """What bz2, lzma and zstd have in common."""

    @property
    def eof(self) -> bool:
        """The end of one compressed stream was met."""

    @property
    def needs_input(self) -> bool:
        """It gives nothing more without more input."""

    @property
    def unused_data(self) -> bytes:
        """What came after the end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return no more than so many bytes."""


class _Gunzip:
    """zlib in that shape."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        # Output that is full can hide more of it in zlib's own window.
        self.needs_input = not self._zlib.unconsumed_tail and len(out) < max_length
        return out


def _unbzip2() -> Unpacker:
    from bz2 import BZ2Decompressor  # noqa: PLC0415 - some Pythons are built without it

    return BZ2Decompressor()


def _unxz() -> Unpacker:
    import lzma  # noqa: PLC0415 - some Pythons are built without it

    return lzma.LZMADecompressor(memlimit=_MAX_XZ_MEMORY)


def _unzstd() -> Unpacker:  # pragma: no cover - Python 3.14
    from compression.zstd import (  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - new in 3.14
        DecompressionParameter,
        ZstdDecompressor,
    )

    unpacker: Unpacker = ZstdDecompressor(options={DecompressionParameter.window_log_max: _MAX_ZSTD_WINDOW})
    return unpacker


_MAGICS: tuple[tuple[bytes, Callable[[], Unpacker]], ...] = (
    (b"\x1f\x8b", _Gunzip),
    (b"BZh", _unbzip2),
    (b"\xfd7zXZ\0", _unxz),
    (b"]\0\0", _unxz),  # .lzma, which tarfile's "r:xz" takes as well
    (b"\x28\xb5\x2f\xfd", _unzstd),
)


def unpacker_of(head: bytes) -> Callable[[], Unpacker] | None:
    """Return what unpacks a file that begins like this; ``None`` if it is not compressed."""
    return next((make for magic, make in _MAGICS if head.startswith(magic)), None)


class ForwardStream:
    """The unpacked bytes of a file, in one direction.

    It has what tarfile asks of a file object. Concatenated streams are read as
    one and zeros between them skipped, as gzip, bz2 and lzma of Python do.

    Attributes:
        garbage: Something that is no further stream followed the compressed data.
    """

    def __init__(self, file: BinaryIO, make: Callable[[], Unpacker] | None, journal: Journal) -> None:
        self._file = file
        self._make = make
        self._unpacker = make() if make else None
        self._packed = b""
        self._journal = journal
        self._buffer = b""
        self._place = 0  # in the buffer
        self._position = 0
        self._unpacked = 0
        self._ended = False
        self.garbage = False

    def tell(self) -> int:
        """Return how many unpacked bytes lie behind."""
        return self._position

    def seek(self, position: int) -> int:
        """Go forward to a position, or to the end if that comes before.

        Raises:
            OSError: It lies behind.
        """
        left = position - self._position
        if left < 0:
            raise OSError("its headers lead back in the archive")
        while left:
            step = min(left, len(self._buffer) - self._place)
            self._place += step
            self._position += step
            left -= step
            if left and not self._fill():
                break
        return self._position

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end only."""
        place = self._place
        data = self._buffer[place : place + size]
        self._place = place + len(data)
        if len(data) < size:
            parts, left = [data], size - len(data)
            while left and self._fill():
                part = self._buffer[:left]
                self._place = len(part)
                left -= len(part)
                parts.append(part)
            data = b"".join(parts)
        self._position += len(data)
        return data

    def _fill(self) -> bool:
        """Replace the buffer, which is used up, by the next bytes.

        Raises:
            EOFError: A compressed stream is cut off.
        """
        self._buffer, self._place = b"", 0
        while not self._buffer and not self._ended:
            self._buffer = self._next()
        self._unpacked += len(self._buffer)
        self._journal.check_total(self._unpacked)
        return bool(self._buffer)

    def _next(self) -> bytes:
        if self._unpacker is None or self._make is None:
            data = self._file.read(_UNPACKED_CHUNK)
            self._ended = not data
            return data
        if self._unpacker.eof:
            return self._begin()
        if self._unpacker.needs_input and not self._packed:
            self._packed = self._file.read(_PACKED_CHUNK)
            if not self._packed:
                raise EOFError("its compressed data is cut off")
        packed, self._packed = self._packed, b""
        return self._unpacker.decompress(packed, _UNPACKED_CHUNK)

    def _begin(self) -> bytes:
        """Begin the stream that follows one that ended, if there is one."""
        make, unpacker = self._make, self._unpacker
        if make is None or unpacker is None:  # pragma: no cover - only compressed files come here
            return b""
        rest = unpacker.unused_data.lstrip(b"\0")
        while not rest:
            rest = self._file.read(_PACKED_CHUNK)
            if not rest:
                self._ended = True
                return b""
            rest = rest.lstrip(b"\0")
        rest += self._file.read(8)  # a magic number may have been cut
        if unpacker_of(rest) is not make:
            self._ended = self.garbage = True
            return b""
        self._unpacker, self._packed = make(), rest
        return b""
