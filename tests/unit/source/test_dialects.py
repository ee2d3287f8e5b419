"""Python under the types of Cython, line by line, and in the cells of notebooks."""

from __future__ import annotations

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veln_hook.source.dialects import cython_code, notebook_code

LINES = {
    "cimport numpy as np": "pass",
    "    from libc.math cimport sqrt": "    pass",
    "ctypedef unsigned long ulong": "pass",
    "cdef extern from 'x.h' nogil:": "if 0:",
    "cdef class A(B):": "class A(B):",
    "cdef public class A [object X, type Y]:": "class A [object X, type Y]:",
    "cpdef int f(int x, y=3) except? -1 nogil:": "def f(*_, **__):",
    "def f(self, double[:, :] a not None):": "def f(*_, **__):",
    "cdef inline void f() noexcept: pass": "def f(*_, **__): pass",
    "cdef int x = g(1)": "x = g(1)",
    "cdef int i, j": "pass",
    "DEF N = 3": "N = 3",
    "IF UNAME == 'Linux':": "if UNAME == 'Linux':",
    "    with nogil:": "    if 1:",
    "for i from 0 <= i < n:": "for i in (0,):",
    "x = <double *>malloc(n) + <int>y": "x = malloc(n) + y",
    "f(&x, y)": "f(x, y)",
    "x = a < b and c > (d)": "x = a < b and c > (d)",
    "import os; os.system('x')": "import os; os.system('x')",
}  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_a_line(line):
    body = f"\n{' ' * (len(line) - len(line.lstrip()))}    pass" if LINES[line].endswith(":") else ""
    around = "if 1:\n" if line.startswith(" ") else ""
    found = cython_code(f"{around}{line}{body}\n".encode()).decode().split("\n")
    expected = f"{around}{LINES[line]}{body}\n".split("\n")
    try:
        ast.parse("\n".join(expected))
    except SyntaxError:
        expected = [""] * len(expected)  # what is no Python is left out
    assert found == expected


def test_lines_keep_their_numbers():
    text = "cimport a\n\ndef f(int x):\n    x = @@\n\nimport os\nx = 1\n"
    assert cython_code(text.encode()).decode().split("\n") == [
        "pass",
        "",
        "",
        "",
        "",
        "import os",
        "x = 1",
        "",
    ]


@given(st.binary(max_size=300))
def test_whatever_it_is_gives_python(data):
    ast.parse(cython_code(data).replace(b"\0", b""))


@given(st.lists(st.sampled_from([*LINES, "", "    x = 1", "  pass", "else:", "@@", "'''", ")"]), max_size=12))
def test_whatever_lines_there_are_give_python(lines):
    ast.parse(cython_code("\n".join(lines).encode()))


def test_a_notebook():
    cells = [
        {"cell_type": "code", "source": ["import os\n", "%matplotlib inline\n", "!pip install x\n"]},
        {"cell_type": "markdown", "source": ["text"]},
        {"cell_type": "code", "source": "x = 1"},
    ]
    assert notebook_code(json.dumps({"cells": cells}).encode()) == b"import os\n\nx = 1"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"cells": [1]}', b"\xff", b"[" * 100_000])
def test_what_is_no_notebook_has_no_code(data):
    assert notebook_code(data) == b""
