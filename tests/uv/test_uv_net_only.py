"""A real uv in a network of its own: whatever a project's configuration says, the gate is all that it reaches."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from uv_builder import Builder

from support import uv_versions
from support.builders import make_wheel
from support.index_server import IndexServer
from support.selection import everyday
from veln_hook.policy.settings import SandboxPolicy
from veln_hook.sandbox import net_only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.envs import Home

OFF = SandboxPolicy(builds="off")
ONCE = {"UV_HTTP_RETRIES": "0"}
"""Where nothing can be reached, uv waits longer before each of its tries."""


@pytest.fixture(params=everyday(uv_versions.UVS, [uv_versions.NEWEST]))
def builder(home: Home, request: pytest.FixtureRequest) -> Builder:
    found = net_only.find()
    if not found.works:
        pytest.skip(found.reason)
    try:
        return Builder(uv_versions.uv_bin(request.param) / "uv", home, "")
    except uv_versions.NotHereError as error:
        pytest.skip(str(error))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[IndexServer]:
    """On this machine's loopback, and the only thing that the gate lets to."""
    with IndexServer() as server:
        server.add(make_wheel(tmp_path, "demo", "1.0"))
        yield server


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[IndexServer]:
    """Another one, whose demo is newer."""
    with IndexServer() as server:
        server.add(make_wheel(tmp_path / "elsewhere", "demo", "6.6.6"))
        yield server


def test_an_index_on_loopback_is_reached_through_the_gate(builder: Builder, index: IndexServer) -> None:
    ran = builder.install("demo", index=index, policy=OFF, walled=True)
    assert ran.returncode == 0, ran
    assert builder.installed("demo.py").exists()
    assert index.requests


def test_another_index_is_not_reached(builder: Builder, index: IndexServer, elsewhere: IndexServer) -> None:
    ran = builder.install("--index", elsewhere.url, "demo", index=index, policy=OFF, walled=True)
    assert "6.6.6" not in ran.out, "older uvs go on with the other index, newer ones end"
    assert not elsewhere.requests
    ran = builder.install("--index", elsewhere.url, "demo", "--reinstall", index=index, policy=OFF)
    assert ran.returncode == 0, ran
    assert elsewhere.requests, "it is there for others"


@pytest.mark.parametrize("way", ["environment", "project"])
def test_a_project_that_wants_no_proxy_reaches_nothing(
    builder: Builder, index: IndexServer, elsewhere: IndexServer, way: str
) -> None:
    settings = {"environment": {"NO_PROXY": "*", "no_proxy": "*"}, "project": {}}[way]
    if way == "project":
        (builder.home.work / "pyproject.toml").write_text(
            '[tool.uv]\nhttp-proxy = "http://127.0.0.1:9"\nhttps-proxy = "http://127.0.0.1:9"\nno-proxy = ["*"]\n'
        )
    words = ["--index", elsewhere.url, "demo"]
    ran = builder.install(*words, index=index, policy=OFF, walled=True, given=settings, env=ONCE)
    assert "6.6.6" not in ran.out, ran
    assert not elsewhere.requests


def test_a_project_s_own_proxy_is_not_reached(builder: Builder, index: IndexServer) -> None:
    with ExitStack() as stack:
        proxy = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        proxy.setblocking(False)
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        (builder.home.work / "pyproject.toml").write_text(
            f'[tool.uv]\nhttp-proxy = "{url}"\nhttps-proxy = "{url}"\n'
        )
        builder.install("demo", index=index, policy=OFF, walled=True, env=ONCE)
        with pytest.raises(BlockingIOError):
            proxy.accept()
