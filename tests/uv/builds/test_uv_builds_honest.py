"""uv's builds run in the sandbox, and an honest one doesn't notice."""

from __future__ import annotations

import json
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist, make_tree
from support.hostile_builds import PYPROJECT, Sink
from support.selection import EVERYDAY_RUNGS, everyday
from veln_hook.policy.settings import SandboxPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uv_builder import Builder

    from support.index_server import IndexServer


RUNGS = ("namespaces", "bubblewrap", "netns-supervisor", "supervisor")
OFF = SandboxPolicy(builds="off")


def _contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_wheel_built_inside_is_the_one_built_outside(builder: Builder, tmp_path: Path) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    built = {}
    for policy in (SandboxPolicy(), OFF):
        place = tmp_path / policy.builds
        ran = builder.run("build", "--wheel", "--python", builder.python, "-o", place, tree, policy=policy)
        assert ran.returncode == 0, ran
        built[policy.builds] = _contents(place / "demo-1.0-py3-none-any.whl")
    assert built["auto"] == built["off"]


def test_an_editable_of_the_user_s_own(builder: Builder, tmp_path: Path) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    ran = builder.install("-e", tree)
    assert ran.returncode == 0, ran
    python = builder.target / "bin/python"
    where = subprocess.run(
        [python, "-c", "import demo; print(demo.__file__)"], capture_output=True, text=True, check=True
    )
    assert where.stdout.strip() == str(tree / "demo.py")


@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
def test_a_build_without_isolation_imports_from_the_environment(
    make_builder: Callable[..., Builder], plain_index: IndexServer, tmp_path: Path, rung: str
) -> None:
    builder = make_builder(rung=rung)
    helper = make_tree(tmp_path / "mine", "helper", "1.0")
    assert builder.install("-e", helper).returncode == 0
    files = {
        "hostile.py": "import helper\nassert helper.VERSION == '1.0'\nfrom _test_backend import *\n",
        "demo.py": "",
    }
    plain_index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files=files))
    ran = builder.install("--no-build-isolation", "demo", index=plain_index)
    assert ran.returncode == 0, ran
    assert builder.installed("demo.py").exists()


ASKS_GIT = """
import subprocess
commit = subprocess.run(["git", "describe", "--always", "--abbrev=40"], capture_output=True, text=True)
assert commit.returncode == 0, commit
open("demo.py", "w").write("COMMIT = %r\\n" % commit.stdout.strip())
from _test_backend import *
"""


def _git(tree: Path, *command: str) -> str:
    words = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *command]
    return subprocess.run(words, cwd=tree, check=True, capture_output=True, text=True).stdout


def _repository(tmp_path: Path) -> Path:
    """Return a project in a subdirectory of a repository, whose backend asks git."""
    files = {"hostile.py": ASKS_GIT, "demo.py": ""}
    tree = make_tree(tmp_path / "repository", "demo", "1.0", pyproject=PYPROJECT, files=files)
    _git(tree.parent, "init", "-q")
    _git(tree.parent, "add", ".")
    _git(tree.parent, "commit", "-q", "-m", "x")
    return tree


@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
@pytest.mark.parametrize("remote", [False, True], ids=["own", "git"])
def test_a_build_in_a_subdirectory_of_a_repository_asks_git(
    make_builder: Callable[..., Builder], tmp_path: Path, rung: str, remote: bool
) -> None:
    builder = make_builder(rung=rung)
    tree = _repository(tmp_path)
    source = f"demo @ git+file://{tree.parent}#subdirectory={tree.name}" if remote else tree
    ran = builder.install(source)
    assert ran.returncode == 0, ran
    assert _git(tree, "rev-parse", "HEAD").strip() in builder.installed("demo.py").read_text()


def test_what_uv_was_given_for_itself_is_taken_back(newest: Builder, tmp_path: Path) -> None:
    code = "import json, os\njson.dump(dict(os.environ), open('environ.json', 'w'))\nfrom _test_backend import *\n"
    tree = make_tree(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files={"hostile.py": code, "demo.py": ""})
    theirs = {"SSL_CERT_FILE": "/etc/theirs.pem", "PYTHONPATH": "/theirs", "PYTHONWARNINGS": "ignore"}
    ran = newest.install(
        tree,
        env=theirs,
        given={"SSL_CERT_FILE": "/gate.pem", "HTTPS_PROXY": "http://gate", "UV_HTTP_TIMEOUT": "7"},
    )
    assert ran.returncode == 0, ran
    seen = json.loads((tree / "environ.json").read_text())
    assert {name: seen.get(name) for name in theirs} == theirs
    assert "UV_HTTP_TIMEOUT" not in seen
    assert "gate" not in str(seen.get("HTTPS_PROXY"))


def test_a_host_that_the_policy_allows_is_reached(newest: Builder, tmp_path: Path, sink: Sink) -> None:
    url = f"http://127.0.0.1:{sink.port}/"
    code = (
        "import os, urllib.request\nproxy = urllib.request.ProxyHandler({'http': os.environ['http_proxy']})\n"
        "os.environ.pop('no_proxy', None); os.environ.pop('NO_PROXY', None)\n"
        f"urllib.request.build_opener(proxy).open({url!r}, b'built', 20).read()\nfrom _test_backend import *\n"
    )
    tree = make_tree(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files={"hostile.py": code, "demo.py": ""})
    ran = newest.install(tree, policy=SandboxPolicy(allow_hosts=(f"127.0.0.1:{sink.port}",)))
    assert ran.returncode == 0, ran
    assert set(sink.received) == {b"built"}


def test_a_build_that_fails_for_a_host_is_told_how_to_have_it(newest: Builder, tmp_path: Path) -> None:
    code = "import urllib.request\nurllib.request.urlopen('http://files.example.org/', timeout=5)\n"
    tree = make_tree(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files={"hostile.py": code, "demo.py": ""})
    ran = newest.install(tree)
    assert ran.returncode != 0, ran
    told = "\n".join(ran.lines)
    if newest.rung == "bubblewrap":
        assert "the build of demo-1.0 had no network" in told, ran
    else:
        assert "the build of demo-1.0 tried to reach files.example.org" in told, ran
        assert 'sandbox.allow_hosts = ["files.example.org"]' in told


def test_private_directories_are_gone_afterwards(newest: Builder, tmp_path: Path) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    ran = newest.install(tree)
    assert ran.returncode == 0, ran
    assert list(newest.home.tmp.glob("veln-hook*")) == []
