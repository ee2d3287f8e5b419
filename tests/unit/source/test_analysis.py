"""Whatever a file holds, reading it ends in facts."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veln_hook.source import vocabulary as v
from veln_hook.source.analysis import MAX_PARSED, analyse_python
from veln_hook.source.facts import FileFacts, file_from_plain


def read(data):
    """Read it always, and check what must hold for any facts."""
    facts = analyse_python(data, always=True)
    assert isinstance(facts, FileFacts)
    assert file_from_plain(list(facts)) == facts
    assert facts.scopes[0].name == ""
    return facts


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\xef\xbb\xbfimport os\n",
        b"print 'Python 2'\nexec 'x'\n",
        b"def f(:\n",
        b"import os\0\nos.system('id')\n",
        b"\xff\xfe\x00",
        b"# -*- coding: no-such-coding -*-\nimport os\n",
        b"# -*- coding: utf-16 -*-\nimport os\n",
        b"# -*- coding: rot13 -*-\nvzcbeg bf\n",
        b"# -*- coding: zlib -*-\nimport os\n",
        b"x = '\xe9'\n",
        "x = '\ud800'\n".encode("utf-8", "surrogatepass"),
        b"import os\r\nos.system('id')\r",
        b"(" * 5_000,
        b"(" * 150 + b")" * 150,
        b"[" * 95 + b"]" * 95,
        b"-" * 100_000 + b"1",
        b"not " * 20_000 + b"1",
        b"x" + b".a" * 20_000,
        b"x" + b"()" * 5_000,
        b"x" + b"[0]" * 5_000,
        b"x = " + b"1+" * 50_000 + b"1",
        b"x = " + b"'a'+" * 20_000 + b"''",
        b"x = " + b"a if b else " * 2_000 + b"c",
        b"x = " + b"lambda: " * 500 + b"1",
        b"if 1:\n x\n" + b"elif 1:\n x\n" * 3_000,
        b"\n".join(b" " * depth + b"if 1:" for depth in range(90)) + b"\n" + b" " * 90 + b"x",
        b"x = f'" + b"{1}" * 5_000 + b"'",
        b"x = 1" + b"0" * 50_000,
        b"x = 0x" + b"f" * 50_000 + b"\ny = '%d' % x\nz = str(x)\nw = f'{x}'\n",
        b"x = 'a' * 10**9\ny = x * 10**9\nz = [0] * 10**9\n",
        b"x = 'a' * 1000\n" + b"x = x + x\n" * 60,
        b"x = ('a',) * 1000\n" + b"x = (x, x, x)\n" * 60 + b"y = str(x)\nz = '%s' % (x,)\nw = f(x)\n",
        b"x = [1]\n" + b"x = [x] * 1000000\n" * 6 + b"import os\nos.system(x)\n",
        b"x = 1 << 10**10\ny = 10 ** 10 ** 10\nz = -1 >> 3\nw = 1 % 0\n",
        b"x = '%99999999999d' % 1\ny = '{:99999999999}'.format(1)\nz = '%*d' % (10**10, 1)\n",
        b"x = '" + b"a" * 3_000_000 + b"'\n",
        b"x = " + repr(list(range(300_000))).encode() + b"\nexec(''.join(chr(c) for c in x))\n",
        b"exec(" * 90 + b"'x'" + b")" * 90,
        b"import a\n" * 50_000,
        b"exec(x)\n" * 50_000,
        b"def f(): pass\n" * 20_000,
        b"class C(C): pass\n" * 5_000,
        b"import os\nos.environ = os.environ\nos = os.os\nx = x\nx.y = x.y\n",
        b"from . import *\nfrom ...... import x\nfrom .......... import *\n",
        b"exec('exec(' + repr('x') + ')')\nexec(exec)\nexec()\neval()\ncompile()\ngetattr()\nopen()\n__import__()\n",
        b"import os, subprocess, base64\nos.getenv()\nos.environ.get()\nos.system()\nsubprocess.run()\nbase64.b64decode()\nmap()\nmap(chr)\n",
        b"x = {**{}, 'a': 1, None: 2}\ny = {1: 2}[[]]\nz = (1, 2)[9]\nw = 'a'['b']\nv = ''[::0]\n",
        b"global x\nnonlocal y\nreturn 1\nyield 2\nawait 3\nbreak\n",
        b"lambda *a, b=1, **c: (yield)\ndef f(a, /, b, *, c): pass\n",
        b"print(*a, **b, c=d)\nx, *y = 1, 2, 3\n[a, b] = 1\n(a, (b, c)) = 1, (2, 3)\nfor a, (b, c) in d: pass\n",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_nothing_is_raised_and_it_ends(data):
    begun = time.process_time()
    read(data)
    assert time.process_time() - begun < 20


@pytest.mark.parametrize(
    "source",
    [
        "match x:\n    case {'a': [1, *y], **z} if f(): pass\n    case C(a=1) | None: pass\n",
        "try:\n    pass\nexcept* E:\n    pass\n",
        "type X[T] = list[T]\n",
        "def f[T: int, *U, **V](x: T) -> U: ...\n",
        "class C[T]: pass\n",
        "x = f'{f'{1}'}'\n",
        "x = t'{a}'\n",
        "async def f():\n    async with a as b, c:\n        async for d in e:\n            yield [g async for g in h]\n",
        "with (open(a) as b, open(c) as d):\n    pass\n",
        "if (x := 1) and [y := 2 for z in w]: pass\n",
    ],
)
def test_other_grammars(source):
    facts = read(source.encode())
    assert facts.problem == "" or "SyntaxError" in facts.problem


def test_what_cannot_be_parsed_tells_what_it_names():
    facts = read(b"import os\nexec(open('x').read(\n")
    assert "SyntaxError" in facts.problem
    assert [(each.kind, each.detail) for each in facts.scopes[0].capabilities] == [
        (v.TEXT, "unparsable-risky")
    ]
    assert read(b"print 'Python 2'\n").scopes[0].capabilities == ()
    assert read(b"x = = 1\ndialog.exec()\ndef eval(): pass\n").scopes[0].capabilities == ()
    assert read(b"x = = 1\ndialog.requests\n").scopes[0].capabilities != ()
    assert read(b"# exec subprocess\nprint 'Python 2'\n").scopes[0].capabilities == ()
    assert read(b"x = 'exec'\nprint 'Python 2'\n").scopes[0].capabilities == ()


def test_what_is_too_large_is_not_parsed():
    facts = read(b"import subprocess\n" + b"#" * MAX_PARSED)
    assert "more than is parsed" in facts.problem
    assert facts.scopes[0].capabilities


def test_what_does_nothing_is_not_parsed():
    assert analyse_python(b"def f(:\n").problem == ""
    assert analyse_python(b"def f(:\n", always=True).problem


def test_text_that_is_odd_is_told_in_every_case():
    hidden = b"x = 1;" + b" " * 200 + b"y = 2\n"
    for data in (hidden, hidden + b"import subprocess\n", hidden + b"exec(\n"):
        facts = analyse_python(data)
        assert "hidden-blanks" in {each.detail for each in facts.scopes[0].capabilities}


def test_a_limit_of_recursion_is_kept():
    before = sys.getrecursionlimit()
    read(b"x = " + b"-" * 3_000 + b"1")
    assert sys.getrecursionlimit() == before


PIECES = st.lists(
    st.sampled_from(
        [
            "import os",
            "from os import *",
            "x",
            "y",
            "=",
            "os.environ",
            "['A_TOKEN']",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ":",
            "\n",
            "    ",
            "exec",
            "getattr",
            "'a'",
            "b'a'",
            "1",
            "+",
            "%",
            "*",
            ".get",
            ".join",
            "lambda",
            "for",
            "in",
            "def f",
            "class C",
            "@x",
            "return",
            "yield",
            "await",
            "async",
            "with",
            "as",
            "try:",
            "except:",
            "if",
            "else",
            ",",
            "**",
            "f'{x}'",
            "requests.post",
            "base64.b64decode",
            "chr",
            "map",
            "not",
            "global x",
            "del x",
            "while",
            "~",
            "-",
            "<<",
            "None",
            "__import__",
            "globals()",
            ".append",
            ":=",
            "match x:",
            "case _:",
        ]
    ),
    max_size=40,
)


@settings(max_examples=400)
@given(PIECES, st.sampled_from([" ", ""]))
def test_pieces_of_code(pieces, between):
    read(between.join(pieces).encode())


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=6))
def test_lines_of_code(lines):
    kept = []
    for line in lines:
        text = " ".join(piece for piece in line if "\n" not in piece).strip()
        try:
            compile(text, "x", "exec")
        except (SyntaxError, ValueError):
            continue
        kept.append(text)
    read("\n".join(kept).encode())


@settings(max_examples=200)
@given(st.binary())
def test_bytes(data):
    read(data)
    analyse_python(data)
