"""Private indexes: credentials go to their index and nowhere else, and none is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.gated import installed, releases, untouched, write_project
from support.selection import everyday
from support.tls_index import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uv_world import Uv

    from support.envs import Home, Result
    from support.tls_index import TlsIndex

USER, PASSWORD = "ci-user", "s3cret/w0rd"
BASIC = "Basic Y2ktdXNlcjpzM2NyZXQvdzByZA=="
TRACES = (b"s3cret", b"Y2ktdXNlcjpz", b"w0rd")


@pytest.fixture
def private(make_index: Callable[..., TlsIndex], tmp_path: Path) -> TlsIndex:
    return releases(make_index(auth=(USER, PASSWORD)), tmp_path)


def _kept_nowhere(home: Home, *results: Result) -> None:
    """What we print, keep and log has no password; uv itself writes what it is told into its own files only."""
    for result in results:
        assert not [trace for trace in TRACES if trace in result.out.encode()], result
    uvs = home.path / ".cache" / "veln-hook" / "uv"
    for place in (home.state_dir, home.path / ".cache", home.tmp):
        for path in place.rglob("*"):
            if path.is_file() and uvs not in path.parents:
                assert not [trace for trace in TRACES if trace in path.read_bytes()], path


def _ways(private: TlsIndex, home: Home, way: str) -> tuple[str, dict[str, str]]:
    if way == "url":
        return private.auth_url, {}
    if way == "netrc":
        netrc = home.path / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
        netrc.chmod(0o600)
        return private.url, {}
    names = {"UV_INDEX_INNER_USERNAME": USER, "UV_INDEX_INNER_PASSWORD": PASSWORD}
    return f"inner={private.url}", names


@pytest.mark.parametrize("way", everyday(["url", "netrc", "variables"], 2))
def test_credentials_reach_their_index(target, private: TlsIndex, home: Home, way: str) -> None:
    index, env = _ways(private, home, way)
    held = target.install(index, "demo==2.0", env=env)
    assert held.returncode == 75, held
    target.falls_back(index, env=env)
    assert untouched(private)
    assert private.authorizations() <= {"", BASIC}
    assert BASIC in private.authorizations()
    _kept_nowhere(home, held, target.uv.veln_hook("log"), target.uv.veln_hook("log", "--json"))


def test_without_them_there_is_nothing(target, private: TlsIndex) -> None:
    result = target.fails(private.url, "demo")
    assert result.returncode not in (75, 77, 78), result
    assert not private.downloads


def test_they_go_to_no_other_host(
    target, private: TlsIndex, make_index: Callable[..., TlsIndex], tmp_path: Path, home: Home
) -> None:
    """Neither after a redirect nor for a file that lies elsewhere."""
    other = releases(make_index(host="127.0.0.2"), tmp_path)
    name = "demo-1.0-py3-none-any.whl"
    private.faults[f"/files/{name}"] = Fault(redirect=other.file_url(name))
    target.falls_back(private)
    assert other.authorizations() == {""}
    private.faults.clear()
    private.files[name].url = other.file_url(name)
    target.falls_back(private, "--reinstall", "--refresh")
    assert other.authorizations() == {""}
    _kept_nowhere(home)


def test_a_named_index_of_a_project(
    newest: Uv, demo: TlsIndex, make_index: Callable[..., TlsIndex], tmp_path: Path, home: Home
) -> None:
    private = releases(make_index(auth=(USER, PASSWORD), host="127.0.0.2"), tmp_path, "inner")
    more = (
        f'[[tool.uv.index]]\nname = "private"\nurl = "{private.url}"\nexplicit = true\n'
        '[tool.uv.sources]\ninner = { index = "private" }\n'
    )
    project = write_project(home.work / "proj", "demo", "inner", more=more)
    env = {"UV_INDEX_PRIVATE_USERNAME": USER, "UV_INDEX_PRIVATE_PASSWORD": PASSWORD}
    result = newest.gated("sync", index=demo, cwd=project, env=env)
    assert result.returncode == 0, result
    assert "HOLD  inner 2.0" in result.stderr, result
    assert installed(project / ".venv") == {"demo": "1.0", "inner": "1.0"}
    assert demo.authorizations() == {""}
    _kept_nowhere(home, result)


def test_a_signature_in_a_query_is_not_kept(newest: Uv, index: TlsIndex, tmp_path: Path, home: Home) -> None:
    releases(index, tmp_path)
    for file in index.files.values():
        file.url += "?sig=s3cret/abc"
    venv = newest.venv(tmp_path / "venv")
    result = newest.gated("pip", "install", "--python", venv, "demo", index=index)
    assert (result.returncode, installed(venv)) == (0, {"demo": "1.0"}), result
    assert any("sig=s3cret" in path for path in index.paths("demo-1.0"))
    refused = newest.gated("pip", "install", "--python", venv, "demo==2.0", index=index)
    assert refused.returncode == 75, refused
    _kept_nowhere(home, result, newest.veln_hook("log", "--json"))
