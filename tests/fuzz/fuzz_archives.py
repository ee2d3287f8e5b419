"""Archives that are nearly right: seeds, changes to them, and what reading them must never do.

python tests/fuzz/fuzz_archives.py [options of libFuzzer]    searches with atheris
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import tempfile
import time
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING

from fuzzing import WORDS, changed, instrumented, search

from support.streams import OneWay

with instrumented(__name__):
    from veln_hook.archive.members import LIMITS, iter_members
    from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    import random

SMALL = LIMITS._replace(
    max_members=200, max_total_bytes=4 << 20, ratio_free_bytes=1 << 18, max_header_bytes=1 << 16
)
SECONDS = 10
"""For one archive of some kilobytes; it takes milliseconds."""
FILES = (
    ("demo/__init__.py", b"import os\n" * 40),
    ("demo/n\u00e4me.txt", bytes(range(256)) * 3),
    ("demo/empty", b""),
    ("demo-1.0.dist-info/WHEEL", b"Wheel-Version: 1.0\n"),
)
UNPACKERS = {b"\x1f\x8b": (gzip.decompress, gzip.compress), b"BZh": (bz2.decompress, bz2.compress)}
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def _zip(method, *, comment=b"", wide=False, link=False, stream=None):
    buffer = stream or io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, content in FILES:
            with archive.open(zipfile.ZipInfo(name) if wide else name, "w", force_zip64=wide) as file:
                file.write(content)
        archive.writestr("demo/sub/", b"")
        if link:
            info = zipfile.ZipInfo("demo/link")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, b"empty")
    return stream.data if stream else buffer.getvalue()


def _tar(form, *, long=False, links=False, headers=None):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, pax_headers=headers) as archive:
        for name, content in FILES:
            info = tarfile.TarInfo(f"{'d' * 90}/{'e' * 90}/{name}" if long else name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE) if links else ():
            info = tarfile.TarInfo(f"demo/kind{kind.decode()}")
            info.type, info.linkname = kind, "" if kind == tarfile.DIRTYPE else "demo/empty"
            archive.addfile(info)
    return buffer.getvalue()


def _sparse() -> bytes:
    """A file of GNU tar that has holes, in the format of pax."""
    headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "demo/holes",
        "GNU.sparse.realsize": "4096",
    }
    content = b"1\n1024\n10\n".ljust(512, b"\0") + b"0123456789".ljust(512, b"\0")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("demo/GNUSparseFile.0/holes")
        info.size, info.pax_headers = len(content), headers
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def seeds() -> list[bytes]:
    """Return honest archives of every format, and of every feature of one."""
    plain = _zip(zipfile.ZIP_DEFLATED)
    pax = _tar(tarfile.PAX_FORMAT, long=True, headers={"comment": "n\u00e4"})
    links = _tar(tarfile.USTAR_FORMAT, links=True)
    return [
        plain,
        _zip(zipfile.ZIP_STORED, comment=b"a comment"),
        _zip(zipfile.ZIP_BZIP2),
        _zip(zipfile.ZIP_LZMA, link=True),
        _zip(zipfile.ZIP_DEFLATED, wide=True),
        _zip(zipfile.ZIP_DEFLATED, stream=OneWay()),
        links,
        _tar(tarfile.GNU_FORMAT, long=True),
        pax,
        _sparse(),
        gzip.compress(links, mtime=0),
        gzip.compress(pax, mtime=0),
        bz2.compress(links),
        lzma.compress(links),
        gzip.compress(links, mtime=0) + gzip.compress(plain, mtime=0),
    ]


def mutated(data: bytes, changes, other: bytes = b"") -> bytes:
    """Change an archive: its bytes, or what its format makes of them, within its compression too."""
    for change in changes:
        kind = change[0] % 16
        if kind < 4:
            data = changed(data, (change[0] // 16, *change[1:]), other)
        elif kind < 10 and data.startswith(b"PK"):
            data = _changed_zip(data, kind, change[1], change[2])
        else:
            data = _within(data, change, other)
    return data


def _within(data: bytes, change, other: bytes) -> bytes:
    unpack, pack = UNPACKERS.get(data[:2], UNPACKERS.get(data[:3], (None, None)))
    if unpack is not None:
        try:
            inner = unpack(data)
        except (OSError, EOFError, ValueError, zlib.error):
            return data
        return pack(_changed_tar(inner, change, other))
    return _changed_tar(data, change, other)


def _changed_tar(data: bytes, change, other: bytes) -> bytes:
    """Change a block of a tar and correct its checksum, or drop, double or exchange blocks."""
    kind, place, value = change
    at = place % (len(data) // 512 + 1) * 512
    block = data[at : at + 512]
    if len(block) < 512 or value % 5 == 0:
        return changed(data, (kind // 16, place, value), other)
    if value % 5 == 1:
        return data[:at] + (block * 2 if value % 2 else b"") + data[at + 512 :]
    if value % 5 == 2:
        return data[:at] + data[at + 512 : at + 1024] + block + data[at + 1024 :]
    start, width = ((0, 100), (100, 8), (124, 12), (156, 1), (157, 100), (257, 8), (345, 155), (386, 48))[
        kind // 16 % 8
    ]
    texts = (b"", b"../x", b"/etc/x", b"x" * width, b"-1", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"77777777777",
        bytes([value & 0xFF]), b"a\0b", b"\xff\xfe", b"demo/empty", b"L", b"K", b"x", b"g", b"S", b"1", b"2")  # fmt: skip
    new = texts[value % len(texts)][:width].ljust(width, b"\0")
    block = block[:start] + new + block[start + width :]
    block = block[:148] + b" " * 8 + block[156:]
    block = block[:148] + b"%06o\0 " % sum(block) + block[156:]
    return data[:at] + block + data[at + 512 :]


def _places(data: bytes, magic: bytes) -> list[int]:
    found, place = [], -1
    while (place := data.find(magic, place + 1)) >= 0:
        found.append(place)
    return found


def _changed_zip(data: bytes, kind: int, place: int, value: int) -> bytes:
    """Double, exchange or drop entries of the directory, or change a field of one entry or of the end."""
    end = data.rfind(_END)
    entries = [at for at in _places(data, _CENTRAL) if at < end]
    if kind < 7:
        magic, fields = (
            (
                _CENTRAL,
                ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (38, 4), (42, 4), (46, 4)),
            ),
            (_LOCAL, ((6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2), (30, 4))),
            (_END, ((8, 2), (10, 2), (12, 4), (16, 4), (20, 2))),
        )[kind - 4]
        found = _places(data, magic)
        if not found:
            return data
        offset, width = fields[value % len(fields)]
        at = found[place % len(found)] + offset
        old = int.from_bytes(data[at : at + width], "little")
        new = (WORDS[value // 8 % len(WORDS)], old + 1, old - 1, old ^ 1 << value % 16)[value // 3 % 4]
        return data[:at] + (new & ((1 << 8 * width) - 1)).to_bytes(width, "little") + data[at + width :]
    if len(entries) < 2 or end + 22 > len(data):
        return data
    pieces = [data[start:stop] for start, stop in zip(entries, [*entries[1:], end])]
    chosen = place % len(pieces)
    if kind == 7:
        pieces.insert(value % len(pieces), pieces[chosen])
    elif kind == 8:
        pieces.append(pieces.pop(chosen))
    else:
        pieces.pop(chosen)
    directory = b"".join(pieces)
    tail = struct.pack("<2HI", len(pieces), len(pieces), len(directory))
    return data[: entries[0]] + directory + data[end : end + 8] + tail + data[end + 16 :]


def check(data: bytes, directory: str) -> None:
    """Read an archive to its end; it ends in members and problems, and within the limits."""
    path = os.path.join(directory, f"archive-{os.getpid()}")
    with open(path, "wb") as file:
        file.write(data)
    problems: list = []
    begun = time.monotonic()
    count = total = 0
    for number, member in enumerate(iter_members(path, problems=problems, limits=SMALL)):
        assert not any(problem.fatal for problem in problems), problems
        count += 1
        assert isinstance(member.name, str), member
        assert member.size >= 0, member
        try:
            if number % 3 != 1:
                head = member.head(7)
                assert len(head) == min(7, member.size), member
            if number % 3:
                content = member.read(1 << 20)
                total += len(content)
                assert len(content) == member.size, member
        except ArchiveError:
            assert member.size > 1 << 20 or problems[-1].fatal, (member, problems)
    assert count <= SMALL.max_members
    assert total <= SMALL.max_total_bytes
    assert [problem.fatal for problem in problems[:-1]].count(True) == 0, problems
    for problem in problems:
        assert problem.message, problem
        str(problem).encode()
    took = time.monotonic() - begun
    assert took < SECONDS, took


def _mutated_by(chance: random.Random, data: bytes, whole: list[bytes]) -> bytes:
    changes = [
        (chance.getrandbits(16), chance.getrandbits(24), chance.getrandbits(24))
        for _ in range(chance.randint(1, 4))
    ]
    return mutated(data, changes, chance.choice(whole))


def main() -> int:
    """Search with atheris until it is stopped."""
    warnings.simplefilter("ignore")
    whole = seeds()
    with tempfile.TemporaryDirectory(prefix="veln-fuzz-") as directory:
        return search(
            lambda data: check(data, directory),
            whole,
            lambda chance, data: _mutated_by(chance, data, whole),
            directory,
        )


if __name__ == "__main__":
    raise SystemExit(main())
