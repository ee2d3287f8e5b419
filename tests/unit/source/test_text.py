"""What is odd about a file before it is parsed."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.code import seen
from veln_hook.source import vocabulary as v
from veln_hook.source.text import examine_text

BLOB = base64.b64encode(bytes(range(256)) * 20).decode()


def odd(text):
    data = text.encode()
    return {(detail) for _, detail, _, _ in seen(data, v.TEXT)}


@pytest.mark.parametrize(
    "text, detail",
    [
        ("x = 1;" + " " * 200 + "import os\n", "hidden-blanks"),
        ("x = 1;" + "\t" * 130 + "import os\n", "hidden-blanks"),
        ("# \u202e x\n", "bidi"),
        ("x = '\u2066'\n", "bidi"),
        ("x = '" + "\ufe00" * 20 + "'\n", "invisible"),
        ("x = '" + "\U000e0120" * 20 + "'\n", "invisible"),
        ("r\u0435quest = f(1)\n", "homoglyph"),
        (f"x = '{BLOB}'\n", "blob"),
        ("x = '" + "\\x41" * 1200 + "'\n", "blob"),
        ("x = [" + "101, " * 1000 + "]\n", "blob"),
        ("from pyarmor_runtime import __pyarmor__\n", "obfuscator"),
        ("_0x1 = _0x2 = _0x3 = _0x4 = _0x5 = 1\n", "obfuscator"),
    ],
)
def test_what_is_odd(text, detail):
    assert detail in odd(text)


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n",
        "x = 1" + " " * 200 + "# a remark\n",
        "x = 1" + " " * 200 + "\n",
        "x = '" + " " * 200 + "'\n",
        '"""\n' + " " * 300 + 'text\n"""\n',
        "# \u041f\u0440\u0438\u0432\u0435\u0442 world\n",
        "\u043f\u0435\u0440\u0435\u043c\u0435\u043d\u043d\u0430\u044f = 1\n",
        "x = '\u4f60\u597d'\n",
        "x = 'a\u200bb'\n",
        "x = '" + "a b " * 2000 + "'\n",
    ],
)
def test_what_is_not(text):
    assert odd(text) == set()


def test_the_line_is_told():
    (found,) = examine_text(b"x = 1\ny = 2\nz = 3;" + b" " * 200 + b"import os\n")
    assert (found.line, found.evidence[:6]) == (3, "z = 3;") or found.evidence.endswith("import os")


@given(st.binary())
def test_nothing_is_raised(data):
    list(examine_text(data))
    list(examine_text(b" " * 130 + data))


@pytest.mark.parametrize(
    "piece",
    [
        b" ",
        b"a" + b" " * 119,
        b"x" * 100 + b" ",
        b"\t",
        b"a",
        b"1,",
        b"\\x41",
        "\ufe00".encode(),
        "\u0435".encode(),
        b"\n",
        b"\r",
    ],
)
def test_long_files_take_no_long(piece):
    data = (piece * ((4 << 20) // len(piece))) + b"!"
    begun = time.process_time()
    list(examine_text(data))
    assert time.process_time() - begun < 5
