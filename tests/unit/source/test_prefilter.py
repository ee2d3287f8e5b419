"""The prefilter drops no file in which the walk would see something that matters by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from veln_hook.source import vocabulary as v
from veln_hook.source.analysis import analyse_python
from veln_hook.source.graph import BITS, STRONG
from veln_hook.source.imports import imports_of, leads_of
from veln_hook.source.prefilter import has_parts, is_interesting
from veln_hook.source.vocabulary import CALLS

if TYPE_CHECKING:
    from veln_hook.source.facts import FileFacts

_STRONG = sorted(name for name, kind in CALLS.items() if BITS[kind] & STRONG)
_NO_IMPORT = ("exec", "eval", "compile", "execfile")
_MODULES = {
    "urllib.request", "six.moves.urllib.request", "http.client", "xmlrpc.client", "dns.resolver", "asyncio.subprocess",
    "ctypes.windll.shell32", "ctypes.windll.kernel32", "ctypes.windll.crypt32", "ctypes.windll", "ctypes.cdll",
    "pip._internal", "pip._internal.cli.main", "distutils.spawn", "setuptools.distutils.spawn", "requests.api",
    "requests.sessions", "curl_cffi.requests", "botocore.vendored.requests", "pip._vendor.requests",
    "pip._vendor.urllib3", "requests_futures.sessions", "paho.mqtt.client", "importlib.util", "importlib.machinery",
    "importlib._bootstrap_external", "pynput.keyboard", "pynput.mouse", "PIL.ImageGrab", "robloxpy.Utils",
}  # fmt: skip


def _split(name: str) -> tuple[str, str]:
    """Return the module of a dotted name, and what is in it."""
    module = max((each for each in _MODULES if name.startswith(f"{each}.")), key=len, default="")
    module = module or name.partition(".")[0]
    return module, name[len(module) + 1 :]


def _forms(name: str) -> dict[str, str]:
    """Return sources that call something, as the walk follows it."""
    module, rest = _split(name)
    first, dot, tail = rest.replace("()", "(1)").partition(".")
    bare = first.replace("(1)", "")
    made = first[len(bare) :]
    called = f"{dot}{tail}('x')"
    return {
        "plain": f"import {module}\n{module}.{first}{called}\n",
        "renamed module": f"import {module} as zz\nzz.{first}{called}\n",
        "taken": f"from {module} import {bare}\n{first}{called}\n",
        "taken and renamed": f"from {module} import {bare} as zz\nzz{made}{called}\n",
        "taken in parentheses": f"from {module} import (  # why\n    loads,\n    {bare} as zz,\n)\nzz{made}{called}\n",
        "assigned module": f"import {module}\nzz = {module}\nzz.{first}{called}\n",
        "assigned function": f"import {module}\nzz = {module}.{bare}\nzz{made}{called}\n",
        "by getattr": f"import {module}\ngetattr({module}, '{bare}'){made}{called}\n",
        "in a function": f"def f():\n    import {module} as zz\n    return zz.{first}{called}\n",
        "after a semicolon": f"x = 1; import {module} as zz; zz.{first}{called}\n",
    }


def _matters(facts: FileFacts) -> bool:
    return any(BITS[each.kind] & STRONG for scope in facts.scopes for each in scope.capabilities)


@pytest.mark.parametrize("name", [name for name in _STRONG if name not in _NO_IMPORT])
def test_what_the_walk_would_see_is_parsed(name):
    seen = 0
    for form, source in _forms(name).items():
        data = source.encode()
        if _matters(analyse_python(data, always=True)):
            seen += 1
            assert is_interesting(data, imports_of(data)), (form, source)
    assert seen, "the walk sees none of them"


@pytest.mark.parametrize(
    "source",
    [
        "exec(x)", "exec (x)", "eval(x)", "e = exec\ne(x)", "list(map(exec, [x]))", "[exec][0](x)", "(exec)(x)",
        "{'a': exec}['a'](x)", "f = lambda x: exec(x)", "x and eval(x)", "eval\\\n(x)", "exec\t(x)", "g(eval)",
        "__builtins__.exec(x)", "import builtins\nbuiltins.exec(x)", "from builtins import exec as e\ne(x)",
        "import builtins as b\nb.exec(x)", "import sys\nsys.modules['os'].system('id')",
        "from sys import modules\nmodules['os'].system('id')", "import sys as s\ns.modules['os'].system('id')",
        "import sys\nm = sys.modules\nm['os'].system('id')", "__import__('os').system('id')",
        "globals()['__builtins__']['exec'](x)", "vars()['x'](1)", "locals()['x'](1)",
        "from os import *\nsystem('id')", "from subprocess import *\nrun('id')",
    ],
)  # fmt: skip
def test_what_executes_or_resolves_is_parsed(source):
    data = source.encode()
    assert is_interesting(data, imports_of(data))


@pytest.mark.parametrize(
    "source",
    [
        "import ast\nast.literal_eval('1')", "self.eval(x)", "model.eval()", "evaluate(x)", "cursor.execute('SELECT 1')",
        "import sys\nsys.modules[__name__].x = 1", "import platform\nimport os\nplatform.system()\nos.getcwd()",
        "import os\ncursor.execute(os.path.join('a', 'b'))", "from socket import timeout",
        "from http.client import HTTPException", "from requests.exceptions import ConnectionError",
        "import requests\n\n# says nothing\n", "'see `exec`'", "from urllib.parse import urlencode",
    ],
)  # fmt: skip
def test_what_does_nothing_is_not(source):
    data = source.encode()
    assert not is_interesting(data, imports_of(data))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os\nos.environ['X_TOKEN']", True),
        ("from os import environ", True),
        ("from base64 import b64decode as d", True),
        ("p = '~/.ssh/id_rsa'", True),
        ("import os\nos.getcwd()", False),
        ("import json\njson.loads('1')", False),
    ],
)
def test_parts_of_something(source, expected):
    data = source.encode()
    assert has_parts(data, [each.module for each in imports_of(data)]) is expected


@pytest.mark.parametrize(
    ("source", "leads"),
    [
        ("from .a import b, c as d", [".a.b", ".a.c"]),
        ("from acme.a import b, c as d", ["acme.a.b", "acme.a.c"]),
        ("from . import a", [".a!"]),
        ("from . import a\na.f(a.g.h)", [".a!", ".a.f", ".a.g.h"]),
        ("from . import a as z\nxz.f(z.g)", [".a!", ".a.g"]),
        ("from . import a\nx = a", [".a!", ".a.*"]),
        ("from . import a\nf(1, a)", [".a!", ".a.*"]),
        ("from .a import *", [".a.*"]),
        ("import acme.a\nacme.a.f()", ["acme!", "acme.a.f", "acme.a"]),
        ("import acme.a as a\na.f()", ["acme.a!", "acme.a.f"]),
        ("import json, os\nfrom typing import Any", []),
        (
            "def f():\n    from acme.a import (\n        b,  # why\n        c,\n    )\n",
            ["acme.a.b", "acme.a.c"],
        ),
    ],
)
def test_where_a_file_may_lead(source, leads):
    data = source.encode()
    found = leads_of(data, imports_of(data))
    assert len(found) == len(set(found))
    assert set(found) == set(leads)


def test_strong_kinds_are_those_without_which_nothing_is_held():
    assert {kind for kind in v.KINDS if BITS[kind] & STRONG} == {
        v.NET, v.DNS, v.PROC, v.EXEC, v.SPY, v.NATIVE, v.LOAD, v.STARTUP_FILE,
    }  # fmt: skip
