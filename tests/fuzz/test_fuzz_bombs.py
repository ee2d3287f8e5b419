"""Archives that are made to exhaust whoever reads them, through the worker as it is."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import time
import zipfile
import zlib

import pytest

from support.builders import make_wheel
from veln_hook.errors import ArchiveError
from veln_hook.source.client import Patience, Scanner

PATIENCE = Patience()
SLACK = 10
EXEC = b"import subprocess, base64\nexec(base64.b64decode(x))\nx = "
INFO = ("demo-1.0.dist-info/WHEEL", b"Wheel-Version: 1.0\n")


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in (*members, INFO):
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)


def zeros(path):
    zipped(path, [("demo.py", b"#" * (200 << 20))])


def many_zeros(path):
    zipped(path, [(f"demo{number}.py", b"#" * (15 << 20)) for number in range(14)])


def overlapping(path):
    """Every entry of the directory is the same member (David Fifield's is one of these)."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = b"a = 1\n" * 2_000_000
    data = packed.compress(content) + packed.flush()
    sizes = struct.pack("<3I", zlib.crc32(content), len(data), len(content))
    head = struct.pack("<4s5H", b"PK\x03\x04", 20, 0, 8, 0, 33)
    local = head + sizes + struct.pack("<2H", 7, 0) + b"demo.py"
    entries = b""
    for number in range(2000):
        name = b"demo%d.py" % number if number else b"demo.py"
        entries += (
            struct.pack("<4s6H", b"PK\x01\x02", 20, 20, 0, 8, 0, 33)
            + sizes
            + struct.pack("<5H2I", len(name), 0, 0, 0, 0, 0, 0)
            + name
        )
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2000, 2000, len(entries), len(local) + len(data), 0)
    path.write_bytes(local + data + entries + end)


def nested_zips(path):
    """As 42.zip has it: sixteen zips of sixteen zips of sixteen."""

    def inner(depth):
        buffer = io.BytesIO()
        content = bytes(16 << 20) if depth == 0 else inner(depth - 1)
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(16):
                archive.writestr(f"lib {number}.zip" if depth else f"{number}.dll", content)
        return buffer.getvalue()

    zipped(path, [("demo/42.zip", inner(2)), ("demo/__init__.py", b"import demo\n")])


def gzip_bomb(path):
    """Streams one after the other, which is quicker to write."""
    info = tarfile.TarInfo("demo-1.0/demo.py")
    info.size = 2 << 30
    path.write_bytes(gzip.compress(info.tobuf()) + gzip.compress(bytes(16 << 20)) * 128)


def tiny_members_of_a_zip(path):
    # By hand: zipfile takes minutes.
    name = b"%06x.py"
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, 9, 0)
    central = struct.pack("<4s6H3I5HI", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, 9, 0, 0, 0, 0, 0)
    count, size = 1_000_000, len(local) + 9
    with path.open("wb") as file:
        file.writelines(local + name % number for number in range(count))
        file.writelines(central + struct.pack("<I", number * size) + name % number for number in range(count))
        length = count * (len(central) + 4 + 9)
        file.write(
            struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, count * size)
        )
        file.write(struct.pack("<4sIQI", b"PK\x06\x07", 0, count * size + length, 1))
        file.write(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))


def tiny_members_of_a_tar(path):
    block = tarfile.TarInfo("demo-1.0/000000.py").tobuf()
    checksum = int(block[148:154], 8) - 6 * ord("0")
    with gzip.open(path, "wb", 1) as file:
        for start in range(0, 1_000_000, 10_000):
            blocks = []
            for number in range(start, start + 10_000):
                digits = b"%06x" % number
                fixed = b"%06o" % (checksum + sum(digits))
                blocks.append(block[:9] + digits + block[15:148] + fixed + block[154:])
            file.write(b"".join(blocks))
        file.write(bytes(1024))


def deep_directories(path):
    zipped(path, [("a/" * 500 + f"{number}.py", b"import os\n") for number in range(100)])


def deep_directories_of_a_tar(path):
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for depth in range(1, 2000):
            info = tarfile.TarInfo("demo/" + "d/" * depth)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)


def long_headers(path):
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("demo/a.py")
        info.pax_headers = {"comment": "x" * (50 << 20)}
        archive.addfile(info)


def source(make):
    """Return what writes a wheel with one module of such source."""

    def write(path):
        zipped(
            path,
            [("demo/__init__.py", EXEC + make() + b"\n"), ("demo/next.py", b"import os\nos.system('id')\n")],
            zipfile.ZIP_STORED,
        )

    return write


def noisy(size):
    return bytes(random.Random(0).choices(b"abcdefghijklmnopqrstuvwxyz0123456789+/", k=size))


def functions(count):
    return (
        b"0\n"
        + b"".join(
            b"def f%d(a):\n    return f%d(f%d(a), x)\n" % (n, (n * 7) % count, (n * 11) % count)
            for n in range(count)
        )
        + b"f0(1)"
    )


def methods(count):
    """Each calls a method of something unknown, which every class has."""
    return b"0\n" + b"".join(
        b"class A%d:\n    def run(self, a):\n        a.run(exec(a)); return self.b.run(a)\n" % n
        for n in range(count)
    )


def starred(path):
    """A ring of modules that take everything of each other."""
    zipped(
        path,
        [
            (
                f"demo/m{n}.py",
                b"from .m%d import *\nfrom .m%d import *\nexec(a)\nb()\n" % ((n + 1) % 400, n * 7 % 400),
            )
            for n in range(400)
        ],
    )


BOMBS = {
    "zeros": zeros,
    "many-zeros": many_zeros,
    "overlapping": overlapping,
    "nested-zips": nested_zips,
    "gzip-bomb": gzip_bomb,
    "tiny-members-of-a-zip": tiny_members_of_a_zip,
    "tiny-members-of-a-tar": tiny_members_of_a_tar,
    "deep-directories": deep_directories,
    "deep-directories-of-a-tar": deep_directories_of_a_tar,
    "long-headers": long_headers,
    "parentheses": source(lambda: b"(" * 100_000 + b")" * 100_000),
    "brackets-of-calls": source(lambda: b"a(" * 100_000 + b")" * 100_000),
    "long-literal": source(lambda: b"'" + noisy(20 << 20) + b"'"),
    "literal-below-the-limit": source(lambda: b"'" + noisy(3 << 20) + b"'"),
    "decoded-literal": source(lambda: b"base64.b64decode(base64.b64decode('" + noisy(3 << 20) + b"'))"),
    "sum": source(lambda: b"+".join([b"'a'"] * 20_000)),
    "sum-of-names": source(lambda: b"0\n" + b"x = x + x\n" * 20_000 + b"exec(x)"),
    "doubled": source(
        lambda: (
            b"'a'\n"
            + b"".join(b"x%d = x%d + x%d\n" % (n + 1, n, n) for n in range(200)).replace(b"x0 ", b"x ")
            + b"exec(x200)"
        )
    ),
    "huge-numbers": source(lambda: b"9" * 3_000_000),
    "powers": source(
        lambda: (
            b"9 ** 9 ** 9 ** 9\nexec('a' * 10 ** 12)\nexec(bytes(10 ** 12))\n"
            + b"exec(chr(1) * 99999 * 99999)\n" * 100
        )
    ),
    "many-numbers": source(lambda: b"bytes([" + b"1," * 1_000_000 + b"])"),
    "functions": source(lambda: functions(20_000)),
    "methods": source(lambda: methods(20_000)),
    "lines": source(lambda: b"0\n" * 1_500_000),
    "aliases": source(
        lambda: b"0\n" + b"".join(b"a%d = a%d\n" % (n, n + 1) for n in range(100_000)) + b"a0(1)"
    ),
    "same-name": source(lambda: b"0\n" + b"def f(a):\n    exec(a)\n" * 40_000 + b"f(1)"),
    "branches": source(lambda: b"0\nif a: pass\n" + b"elif exec(a): pass\n" * 10_000),
    "strings": source(lambda: b"[" + b"'https://a.b/c?d=',os.environ['A'],exec('a')," * 60_000 + b"]"),
    "starred": starred,
}


LONG = {"tiny-members-of-a-tar", "lines", "many-numbers", "strings", "huge-numbers"}
"""Those that take seconds, all of which are used."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in BOMBS]
)
def test_a_bomb_ends_in_time_and_the_next_archive_is_read(tmp_path, name):
    path = tmp_path / (
        "demo-1.0.tar.gz"
        if "tar" in name or name in {"gzip-bomb", "long-headers"}
        else "demo-1.0-py3-none-any.whl"
    )
    BOMBS[name](path)
    size = path.stat().st_size
    honest = make_wheel(tmp_path / "honest", "honest", "1.0", {"honest.py": "import os\nos.system('id')\n"})
    with Scanner(patience=PATIENCE) as scanner:
        begun = time.monotonic()
        try:
            facts = scanner.scan(str(path), size=size)
            told = f"{facts.python_files} files, unparsed {list(facts.unparsed)}, problems {[(p.slug, p.fatal) for p in facts.problems][:3]}"
            assert facts.python_files or any(problem.fatal for problem in facts.problems), facts
        except ArchiveError as error:
            told = f"ArchiveError: {error}"
        took = time.monotonic() - begun
        assert took < PATIENCE.seconds(size) + PATIENCE.start + SLACK
        print(f"{name}: {took:.1f} s, {told[:150]}")
        path.unlink()
        assert scanner.scan(str(honest), size=honest.stat().st_size).capabilities
