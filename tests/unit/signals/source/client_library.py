"""An honest release of a small HTTP client library, and its wheel's files; what attacks and updates are added to."""

from __future__ import annotations

INIT = '''\
"""A client for the Acme API."""

from acme.client import Client, complete, list_models
from acme.errors import AcmeError, ApiError, ConfigurationError
from acme.models import Completion, Model
from acme.utils import backoff, chunked, mask, parse_duration
from acme._version import __version__

__all__ = [
    "AcmeError", "ApiError", "Client", "Completion", "ConfigurationError", "Model", "__version__", "backoff",
    "chunked", "complete", "list_models", "mask", "parse_duration",
]
'''
VERSION = '__version__ = "1.4.0"\n'
ERRORS = '''\
"""What can go wrong."""


class AcmeError(Exception):
    """Base of everything that this package raises."""


class ConfigurationError(AcmeError):
    """A setting is missing or wrong."""


class ApiError(AcmeError):
    """The API said no."""

    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message

    @property
    def retryable(self):
        return self.status in (408, 429, 500, 502, 503, 504)
'''
CONFIG = '''\
"""Settings, from the environment or given by hand."""

import os
from dataclasses import dataclass, field

from acme.errors import ConfigurationError

API_KEY = os.environ.get("ACME_API_KEY", "")
BASE_URL = os.environ.get("ACME_BASE_URL", "https://api.acme.example/v1")
DEFAULT_TIMEOUT = float(os.environ.get("ACME_TIMEOUT", "30"))
DEFAULT_RETRIES = 3


@dataclass
class Settings:
    """How to reach the API."""

    api_key: str = field(default=API_KEY, repr=False)
    organization: str = ""
    base_url: str = BASE_URL
    timeout: float = DEFAULT_TIMEOUT
    retries: int = DEFAULT_RETRIES
    proxies: dict = field(default_factory=dict)

    @classmethod
    def from_env(cls, prefix="ACME"):
        """Read the settings anew."""
        key = os.environ.get("ACME_API_KEY") or os.getenv("ACME_TOKEN")
        if not key:
            raise ConfigurationError(f"set {prefix}_API_KEY")
        proxies = {}
        for scheme in ("http", "https"):
            proxy = os.environ.get(f"{scheme}_proxy")
            if proxy:
                proxies[scheme] = proxy
        return cls(api_key=key, organization=os.environ.get("ACME_ORGANIZATION", ""), proxies=proxies)

    def headers(self):
        """Return what every request carries."""
        found = {"Authorization": f"Bearer {self.api_key}", "Accept": "application/json"}
        if self.organization:
            found["Acme-Organization"] = self.organization
        return found
'''
UTILS = '''\
"""Small things."""

import base64
import hashlib
import json
import logging
import os
import random
import re
import time
from functools import wraps

logger = logging.getLogger(__name__)

_DURATION = re.compile(r"(?P<number>\\d+(?:\\.\\d+)?)(?P<unit>ms|s|m|h|d)?$")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def mask(key):
    """Return a key as a log may show it."""
    return f"{key[:3]}...{key[-4:]}" if len(key) > 12 else "***"


def fingerprint(key):
    """Return a short hash of a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def basic_auth(user, password):
    """Return the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def chunked(items, size):
    """Yield lists of at most so many items."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def parse_duration(text):
    """Return seconds."""
    match = _DURATION.match(text.strip())
    if match is None:
        raise ValueError(f"no duration: {text!r}")
    return float(match["number"]) * _UNITS[match["unit"] or "s"]


def backoff(attempt, base=0.5, cap=30.0):
    """Return how long to wait before the next try."""
    return min(cap, base * 2**attempt) * (0.5 + random.random() / 2)


def retrying(function):
    """Try again what may work the next time."""

    @wraps(function)
    def wrapper(self, *args, **kwargs):
        for attempt in range(self.settings.retries):
            try:
                return function(self, *args, **kwargs)
            except ConnectionError as error:
                logger.warning("attempt %d failed: %s", attempt + 1, error)
                time.sleep(backoff(attempt))
        return function(self, *args, **kwargs)

    return wrapper


def load_json(path):
    """Read a file of JSON."""
    with open(os.path.expanduser(path), encoding="utf-8") as file:
        return json.load(file)
'''
MODELS = '''\
"""What the API answers with."""

from dataclasses import dataclass, field


@dataclass
class Model:
    """A model that can be asked."""

    id: str
    owner: str = ""
    context: int = 0

    @classmethod
    def from_json(cls, data):
        return cls(id=data["id"], owner=data.get("owned_by", ""), context=int(data.get("context", 0)))


@dataclass
class Usage:
    """What a request cost."""

    prompt: int = 0
    completion: int = 0

    @property
    def total(self):
        return self.prompt + self.completion


@dataclass
class Completion:
    """An answer."""

    text: str
    model: str
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def from_json(cls, data):
        choice = data["choices"][0]
        usage = data.get("usage", {})
        return cls(
            text=choice["text"],
            model=data["model"],
            usage=Usage(usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)),
        )
'''
CLIENT = '''\
"""The client."""

import logging

import requests

from acme.config import Settings
from acme.errors import ApiError
from acme.models import Completion, Model
from acme.utils import retrying

logger = logging.getLogger(__name__)


class Client:
    """Talks to the API."""

    def __init__(self, settings=None, session=None):
        self.settings = settings or Settings.from_env()
        self.session = session or requests.Session()
        self.session.headers.update(self.settings.headers())

    @retrying
    def _request(self, method, path, **options):
        url = f"{self.settings.base_url}/{path.lstrip('/')}"
        logger.debug("%s %s", method, url)
        response = self.session.request(method, url, timeout=self.settings.timeout, **options)
        if response.status_code >= 400:
            raise ApiError(response.status_code, response.text)
        return response.json()

    def models(self):
        """List the models."""
        return [Model.from_json(row) for row in self._request("GET", "models")["data"]]

    def complete(self, prompt, model="acme-small", **options):
        """Ask a model."""
        body = {"model": model, "prompt": prompt, **options}
        return Completion.from_json(self._request("POST", "completions", json=body))

    def stream(self, prompt, model="acme-small"):
        """Ask a model and yield what it says as it says it."""
        response = requests.post(
            f"{self.settings.base_url}/completions",
            json={"model": model, "prompt": prompt, "stream": True},
            headers=self.settings.headers(),
            stream=True,
            timeout=self.settings.timeout,
        )
        for line in response.iter_lines():
            if line.startswith(b"data: "):
                yield line[6:].decode()


def list_models(api_key):
    """List the models without a client."""
    response = requests.get(
        "https://api.acme.example/v1/models", headers={"Authorization": f"Bearer {api_key}"}, timeout=30
    )
    return [Model.from_json(row) for row in response.json()["data"]]


def complete(prompt, **options):
    """Ask the default model."""
    return Client().complete(prompt, **options)
'''
CLI = '''\
"""The command."""

import argparse
import json
import sys

from acme._version import __version__
from acme.client import Client
from acme.errors import AcmeError


def _models(client, arguments):
    for model in client.models():
        print(model.id)


def _complete(client, arguments):
    answer = client.complete(arguments.prompt, model=arguments.model)
    print(json.dumps({"text": answer.text}) if arguments.json else answer.text)


def build_parser():
    parser = argparse.ArgumentParser(prog="acme")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True)
    models = commands.add_parser("models")
    models.set_defaults(run=_models)
    complete = commands.add_parser("complete")
    complete.add_argument("prompt")
    complete.add_argument("--model", default="acme-small")
    complete.add_argument("--json", action="store_true")
    complete.set_defaults(run=_complete)
    return parser


def main(argv=None):
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(Client(), arguments)
    except AcmeError as error:
        print(f"acme: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
'''
METADATA = """\
Metadata-Version: 2.1
Name: acme
Version: 1.4.0
Summary: A client for the Acme API
Requires-Dist: requests>=2.31
Requires-Dist: pydantic>=2; extra == "models"
Provides-Extra: models

A client for the Acme API.
"""
ENTRY_POINTS = "[console_scripts]\nacme = acme.cli:main\n"

BASE = {
    "acme/__init__.py": INIT,
    "acme/_version.py": VERSION,
    "acme/errors.py": ERRORS,
    "acme/config.py": CONFIG,
    "acme/utils.py": UTILS,
    "acme/models.py": MODELS,
    "acme/client.py": CLIENT,
    "acme/cli.py": CLI,
    "acme/py.typed": "",
    "acme-1.0.dist-info/METADATA": METADATA,
    "acme-1.0.dist-info/entry_points.txt": ENTRY_POINTS,
}

PRICES = '''\
"""What models cost; told by the API, else by the copy in the package."""

import json
import os

import requests

_HERE = os.path.dirname(__file__)


def _load(url):
    try:
        response = requests.get(url, timeout=5)
        response.raise_for_status()
        return response.json()
    except Exception:
        pass
    with open(os.path.join(_HERE, "prices.json"), encoding="utf-8") as file:
        return json.load(file)


PRICES = _load(os.environ.get("ACME_PRICES_URL", "https://prices.acme.example/models.json"))


def _notify(data):
    if not os.environ.get("ACME_WEBHOOK_URL"):
        return
    requests.post(os.environ["ACME_WEBHOOK_URL"], json=data, timeout=5)


_notify({"started": True})
'''
BUSY = {**BASE, "acme/prices.py": PRICES, "acme/__init__.py": INIT + "\nfrom acme.prices import PRICES\n"}
"""The same library, which reaches the network when it is imported, as litellm does for its prices."""


def changed(changes, base=None):
    """Return the files of a release with changes: ``+`` adds to a file, ``None`` takes it away, else it is new."""
    files = dict(BASE if base is None else base)
    for path, text in changes.items():
        if text is None:
            del files[path]
        elif text.startswith("+"):
            files[path] = f"{files[path]}\n{text[1:]}"
        else:
            files[path] = text
    return files
