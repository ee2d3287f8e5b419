"""What a file declares about its bytes, and what they are then."""

from __future__ import annotations

import io
import tokenize

import pytest

from veln_hook.source.analysis import analyse_python
from veln_hook.source.encodings import declared, hides, readable

ACT = "import os\nos.system('id')\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", ""),
        (b"# coding: utf-8\n", "utf-8"),
        (b"#!/usr/bin/env python\n# -*- coding: latin-1 -*-\n", "latin-1"),
        (b"#!/usr/bin/env python\r# vim: set fileencoding=cp1252 :\r\n", "cp1252"),
        (b"\xef\xbb\xbf# coding: utf-8\n", "utf-8"),
        (b"\f # coding=utf-7\n", "utf-7"),
        (b"\n# coding: utf-7\n", "utf-7"),
        (b"\n\n# coding: utf-7\n", ""),
        (b"x = 1\n# coding: utf-7\n", ""),
        (b"x = 1  # coding: utf-7\n", ""),
        (b"# encoding: none of\n", "none"),
        (b"# no coding\n", ""),
        (b"#" * 100_000 + b"coding: utf-7\n", "utf-7"),
    ],
)
def test_what_is_declared_is_what_python_takes(head, expected):
    assert declared(head + b"pass\n") == expected
    if expected and expected != "none" and b"\r" not in head:
        assert tokenize.detect_encoding(io.BytesIO(head).readline)[0] in (expected, "iso-8859-1", "utf-8-sig")


@pytest.mark.parametrize("encoding", ["", "utf-8", "utf8", "UTF_8", "utf-8-unix", "latin-1", "ascii", "cp1252", "gbk", "euc-jp"])  # fmt: skip
def test_what_looks_like_code_is_code_in_these(encoding):
    assert not hides(encoding)


@pytest.mark.parametrize(
    "encoding",
    ["utf-7", "utf_7", "unicode_escape", "raw-unicode-escape", "cp037", "hz", "utf-16", "idna", "punycode", "rot13", "of-my-own"],
)  # fmt: skip
def test_what_looks_like_code_need_not_be_code_in_these(encoding):
    assert hides(encoding)
    facts = analyse_python(f"# coding: {encoding}\nx = 1\n".encode())
    assert not facts.light
    assert "hidden-encoding" in {each.detail for each in facts.scopes[0].capabilities}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"x = 1\r\ny = 2\rz\fw\n", "x = 1\ny = 2\nz w\n"),
        ("\ufb01le.\uff4fpe\uff4e(\xaax\xb2, \U0001d41b)\n".encode(), "file.open(ax\xb2, b)\n"),
        ("# coding: gbk\n\uff4f\uff53 = '\u4e2d'\n".encode("gbk"), "# coding: gbk\nos = '\u4e2d'\n"),
        ("# coding: latin-1\n\xaa = '\xe9'\n".encode("latin-1"), "# coding: latin-1\na = '\xe9'\n"),
    ],
)
def test_what_is_searched_is_what_python_reads(data, expected):
    assert readable(data).decode() == expected


def test_what_cannot_be_decoded_stays_what_it_is():
    for data in (b"x = '\xff'\n", b"# coding: gbk\nx = '\xff\xff'\n"):
        assert readable(data) == data


def test_an_encoding_hides_nothing_that_is_done():
    shifted = b"# coding: utf-7\n" + ACT.replace("i", "+AGk-").encode()
    assert "import" not in shifted.decode()
    kinds = {each.kind for each in analyse_python(shifted).scopes[0].capabilities}
    assert "process" in kinds
