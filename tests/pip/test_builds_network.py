"""A build that truly needs a host reaches that host through the gate, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import machines
from support.builders import make_sdist
from support.held import OLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.envs import Env, Pair
    from support.index_server import IndexServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the route to the gate is Linux'")

PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "asking"\nbackend-path = ["."]\n'
ASKING = """
import http.client, json, os, urllib.parse

def ask(url):
    # Explicitly through the proxy, which is where programs are told to ask.
    proxy = urllib.parse.urlsplit(os.environ.get("http_proxy", "http://127.0.0.1:9"))
    connection = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=20)
    try:
        connection.request("GET", url)
        answer = connection.getresponse()
        return [answer.status, answer.read().decode()]
    except OSError as error:
        return [0, repr(error)]
    finally:
        connection.close()

if not os.path.exists("seen.json") or os.path.getsize("seen.json") < 3:
    with open("seen.json", "w") as file:
        json.dump({{url: ask(url) for url in {urls!r}}}, file)
from _test_backend import *
"""


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"what the build needs"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    if not machines.rung():
        pytest.skip("this machine has no sandbox")


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Two servers of this machine."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _Files) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    yield servers[0].server_port, servers[1].server_port
    for server, thread in zip(servers, threads):
        server.shutdown()
        thread.join()
        server.server_close()


def _sdist(tmp_path: Path, urls: list[str]) -> Path:
    files = {"asking.py": ASKING.format(urls=urls), "seen.json": "{}", "demo.py": ""}
    return make_sdist(tmp_path / "files", "demo", "1.0", pyproject=PYPROJECT, files=files)


def _index_with(index: IndexServer, tmp_path: Path, urls: list[str]) -> IndexServer:
    index.html_for_pip22 = True
    index.add(_sdist(tmp_path, urls), upload_time=OLD)
    return index


def _policy(*hosts: str) -> str:
    return f'[sandbox]\nallow_hosts = {json.dumps(hosts)}\n[decisions]\nhigh = "warn"\nmedium = "allow"\n'


def _with_gate(env: Env) -> Env:
    """Put what the extra installs into the environment: pure Python, as it lies beside pytest."""
    spec = importlib.util.find_spec("h11")
    assert spec is not None
    assert spec.submodule_search_locations
    shutil.copytree(Path(spec.submodule_search_locations[0]), env.site_packages / "h11")
    return env


def test_a_listed_host_is_reached_and_no_other(
    make_env: Callable[..., Env], pair: Pair, tmp_path: Path, ports: tuple[int, int]
) -> None:
    env = _with_gate(make_env(pair))
    listed, other = (f"http://127.0.0.1:{port}/x" for port in ports)
    # Not from a server of this machine: as an index, it would be closed to builds whatever is listed.
    sdist = _sdist(tmp_path, [listed, other])
    command = ["install", "--find-links", str(sdist.parent), "demo"]
    result = env.run_pip(*command, policy=_policy(f"127.0.0.1:{ports[0]}"))
    assert result.returncode == 0, result
    seen = json.loads((env.site_packages / "seen.json").read_text())
    assert seen[listed] == [200, "what the build needs"]
    assert seen[other][0] == 403, seen
    line = f"veln-hook: the build of demo 1.0 tried to reach 127.0.0.1:{ports[1]}"
    assert result.out.count(line) == 1, result
    assert list(env.home.tmp.iterdir()) == []


def test_the_index_is_never_reached_by_a_build(
    make_env: Callable[..., Env], pair: Pair, index: IndexServer, tmp_path: Path
) -> None:
    env = _with_gate(make_env(pair))
    place = index.url.partition("//")[2].partition("/")[0]
    server = _index_with(index, tmp_path, [f"http://{place}/simple/demo/"])
    result = env.run_pip("install", "demo", index=server, policy=_policy(place))
    assert result.returncode == 0, result
    seen = json.loads((env.site_packages / "seen.json").read_text())
    assert [status for status, _ in seen.values()] == [403], seen
    assert "veln-hook: the build of demo 1.0 tried to reach 127.0.0.1" in result.out
    assert "allow_hosts" not in result.out


def test_without_the_extra_it_is_said_which(
    make_env: Callable[..., Env], pair: Pair, index: IndexServer, tmp_path: Path
) -> None:
    env = make_env(pair)
    result = env.run_pip(
        "install", "demo", index=_index_with(index, tmp_path, []), policy=_policy("files.example.org")
    )
    assert result.returncode == 78, result
    assert "h11 is not installed" in result.out, result
    assert "veln-hook[gate]" in result.out
    assert "Traceback" not in result.out
    assert "demo" not in env.installed()
