"""The updates that an honest client library gets pass, whatever the release before does when it is imported."""

from __future__ import annotations

import pytest
from client_library import BASE, BUSY, CONFIG, INIT, UTILS, changed

from support.code import judge, scan
from veln_hook.model import Severity

OLD = scan(BASE)
BASES = {"quiet": (BASE, OLD), "busy": (BUSY, scan(BUSY))}
HONEST: dict[str, dict[str, str | None]] = {}

HONEST["nothing"] = {}
HONEST["a new endpoint"] = {
    "acme/client.py": (
        "+\n\ndef embed(text, api_key):\n    response = requests.post(\n        'https://embeddings.acme.example/v1/embed', json={'input': text},\n"
        "        headers={'Authorization': f'Bearer {api_key}'}, timeout=30,\n    )\n    return response.json()['embedding']\n"
    )
}
HONEST["a new method"] = {
    "acme/client.py": "+\n\nclass AsyncClient(Client):\n    def embed(self, text):\n        return self._request('POST', 'embeddings', json={'input': text})\n"
}
HONEST["a new setting at import"] = {
    "acme/config.py": "+\nORGANIZATION_KEY = os.environ.get('ACME_ORG_KEY', '')\n"
}
HONEST["a new setting when called"] = {
    "acme/client.py": "+\nimport os\n\ndef login():\n    return requests.post('https://api.acme.example/v1/login', json={'key': os.environ['ACME_LOGIN_TOKEN']}, timeout=9)\n"
}
HONEST["a moved file"] = {
    "acme/utils.py": "from acme._internal.utils import *\n",
    "acme/_internal/__init__.py": "",
    "acme/_internal/utils.py": UTILS,
}
HONEST["a renamed file"] = {
    "acme/utils.py": None,
    "acme/helpers.py": UTILS,
    "acme/__init__.py": INIT.replace("acme.utils", "acme.helpers"),
    "acme/client.py": BASE["acme/client.py"].replace("acme.utils", "acme.helpers"),
}
HONEST["renamed functions"] = {
    "acme/client.py": BASE["acme/client.py"]
    .replace("list_models", "fetch_models")
    .replace("_request", "_send"),
    "acme/__init__.py": INIT.replace("list_models", "fetch_models"),
}
HONEST["a new command"] = {
    "acme-1.0.dist-info/entry_points.txt": "[console_scripts]\nacme = acme.cli:main\nacme-login = acme.login:main\n",
    "acme/login.py": "import getpass\n\nimport requests\n\n\ndef main():\n    token = getpass.getpass('Token: ')\n    print(requests.post('https://api.acme.example/v1/login', json={'token': token}, timeout=9).status_code)\n\n\nif __name__ == '__main__':\n    main()\n",
}
HONEST["a path in a pth"] = {"acme.pth": "acme_vendor\n"}
HONEST["a namespace's pth"] = {
    "acme-1.0-py3.11-nspkg.pth": (
        "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals['sitedir'], "
        "*('acme_plugins',));importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');"
        "m = has_mfs and sys.modules.setdefault('acme_plugins', importlib.util.module_from_spec(importlib.machinery.PathFinder.find_spec("
        "'acme_plugins', [os.path.dirname(p)])));m = m or sys.modules.setdefault('acme_plugins', types.ModuleType('acme_plugins'));"
        "mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n"
    ),
    "acme_plugins/one.py": "x = 1\n",
}
HONEST["a client that becomes a class"] = {
    "acme/_http.py": (
        "import requests\n\nfrom acme.errors import ApiError\n\n\nclass Transport:\n    def __init__(self, settings):\n        self.settings = settings\n"
        "        self.session = requests.Session()\n        self.session.headers.update(settings.headers())\n\n"
        "    def send(self, method, path, **options):\n        response = self.session.request(method, f'{self.settings.base_url}/{path}', **options)\n"
        "        if response.status_code >= 400:\n            raise ApiError(response.status_code, response.text)\n        return response.json()\n"
    ),
    "acme/client.py": BASE["acme/client.py"].replace(
        "import requests\n", "import requests\n\nfrom acme._http import Transport\n"
    ),
}
HONEST["an optional dependency"] = {
    "acme-1.0.dist-info/METADATA": BASE["acme-1.0.dist-info/METADATA"].replace(
        "Provides-Extra", "Requires-Dist: httpx; extra == 'async'\nProvides-Extra"
    ),
    "acme/aio.py": "try:\n    import httpx\nexcept ImportError:\n    httpx = None\n\n\nasync def ask(path, key):\n    async with httpx.AsyncClient() as client:\n        return await client.get('https://api.acme.example/' + path, headers={'key': key})\n",
}
HONEST["a process when called"] = {
    "acme/editor.py": "import os\nimport subprocess\n\n\ndef edit(path):\n    return subprocess.run([os.environ.get('EDITOR', 'vi'), path], check=True)\n"
}
HONEST["a user agent"] = {
    "acme/client.py": BASE["acme/client.py"]
    .replace("import logging\n", "import logging\nimport platform\n", 1)
    .replace(
        "def list_models",
        "def user_agent():\n    return f'acme/1.5 ({platform.platform()}; Python {platform.python_version()})'\n\n\ndef list_models",
    )
    .replace(
        "update(self.settings.headers())", "update({**self.settings.headers(), 'User-Agent': user_agent()})"
    )
}
HONEST["a retry that swallows when called"] = {
    "acme/client.py": "+\n\ndef is_up():\n    try:\n        return requests.get('https://status.acme.example/', timeout=3).ok\n    except Exception:\n        return False\n"
}
HONEST["a check for updates when the command runs"] = {
    "acme/cli.py": BASE["acme/cli.py"]
    .replace("    try:\n        arguments.run", "    _check_version()\n    try:\n        arguments.run")
    .replace(
        "def main(",
        "def _check_version():\n    import requests\n\n    try:\n        latest = requests.get('https://pypi.org/pypi/acme/json', timeout=2).json()['info']['version']\n    except Exception:\n        return\n    if latest != __version__:\n        print(f'acme {latest} is out')\n\n\ndef main(",
    )
}
HONEST["an asset in base64"] = {
    "acme/assets.py": f"import base64\n\nICON = base64.b64decode('{'iVBORw0KGgoAAAANSUhEUgAA' * 20}')\n"
}
HONEST["a configuration file"] = {
    "acme/config.py": CONFIG
    + "\n\ndef from_file(path='~/.config/acme/config.json'):\n    import json\n\n    with open(os.path.expanduser(path), encoding='utf-8') as file:\n        return Settings(**json.load(file))\n"
}
HONEST["tests"] = {
    "acme/tests/__init__.py": "",
    "acme/tests/test_live.py": "import os\nimport requests\n\nKEY = os.environ['ACME_API_KEY']\nANSWER = requests.get('https://api.acme.example/v1/models', headers={'key': KEY})\n",
}
HONEST["a thread when called"] = {
    "acme/background.py": "import threading\n\nfrom acme.client import Client\n\n\ndef start(prompts):\n    client = Client()\n    thread = threading.Thread(target=lambda: [client.complete(prompt) for prompt in prompts], daemon=True)\n    thread.start()\n    return thread\n"
}
HONEST["a socket when called"] = {
    "acme/server.py": "import socket\n\n\ndef free_port():\n    with socket.socket() as sock:\n        sock.bind(('127.0.0.1', 0))\n        return sock.getsockname()[1]\n"
}
HONEST["lazy names"] = {
    "acme/__init__.py": INIT
    + "\n\ndef __getattr__(name):\n    if name == 'AsyncClient':\n        import importlib\n\n        return importlib.import_module('acme.aio').AsyncClient\n    raise AttributeError(name)\n"
}
HONEST["a version from git at import"] = {
    "acme/_version.py": "from importlib.metadata import version\n\n__version__ = version('acme')\n"
}
HONEST["a vendored module"] = {
    "acme/_vendor/__init__.py": "",
    "acme/_vendor/decorators.py": "def make(source, names):\n    scope = {}\n    exec(compile(source, '<made>', 'exec'), scope)\n    return [scope[name] for name in names]\n",
}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_release_passes(name, base):
    files, old = BASES[base]
    found = judge(scan(changed(HONEST[name], files)), old, project="acme")
    assert [(f.signal, f.path, f.line, f.message) for f in found if f.severity >= Severity.HIGH] == []


def test_the_library_itself_passes_without_a_release_to_compare_with():
    found = judge(OLD, project="acme")
    assert [(f.signal, f.path, f.line, f.message) for f in found if f.severity >= Severity.HIGH] == []


def _evaluates(argument: str) -> str:
    return f"import os\n\ndef make(text):\n    return eval(text)\n\nVALUE = make({argument})\n"


_DECODED = "bytes.fromhex(os.getcwd()).decode()"


@pytest.mark.parametrize(
    ("before", "now", "held"),
    [(_DECODED, "os.getcwd()", set()), ("os.getcwd()", _DECODED, {"execution-at-import"})],
)
def test_data_that_is_made_of_less_is_nothing_new_and_of_more_is(before, now, held):
    found = judge(
        scan({"acme/__init__.py": _evaluates(now)}),
        scan({"acme/__init__.py": _evaluates(before)}),
        project="acme",
    )
    assert {each.signal for each in found if each.severity >= Severity.HIGH} == held
