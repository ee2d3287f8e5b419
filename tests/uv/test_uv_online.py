"""Real uvs on the real index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import uv_versions
from support.gated import installed, write_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from uv_world import Uv

    from support.envs import Home

pytestmark = [pytest.mark.online, pytest.mark.slow]

WANTED = (
    "six==1.16.0", "requests==2.32.3", "attrs==24.2.0", "flask==3.0.3", "numpy", "pydantic==2.9.2",
    "boto3==1.35.0", "rich==13.9.2", "click==8.1.7", "sqlalchemy==2.0.35",
)  # fmt: skip
"""Releases that will never be young again, and what they need as it was in 2024."""
THEN = {"UV_EXCLUDE_NEWER": "2024-10-20T00:00:00Z"}
INDEX = "https://pypi.org/simple"


@pytest.fixture(params=uv_versions.UVS)
def world(request: pytest.FixtureRequest, make_uv: Callable[..., Uv]) -> Uv:
    """Each uv, trusting whom this machine trusts."""
    uv = make_uv(request.param)
    for place in (os.environ.get("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"):
        if place and Path(place).exists():
            uv.ca_file = Path(place)
            return uv
    pytest.skip("where this machine keeps its certificates isn't known")


def test_pip_install(world: Uv, tmp_path: Path) -> None:
    venv = world.venv(tmp_path / "venv")
    result = world.gated("pip", "install", "--python", venv, "six", index=INDEX)
    assert result.returncode == 0, result
    assert list(installed(venv)) == ["six"]


def test_a_hold_and_a_fallback(world: Uv, tmp_path: Path) -> None:
    venv = world.venv(tmp_path / "venv")
    strict = {"VELN_HOOK_COOLING_MIN_AGE": "20000 days"}
    result = world.gated("pip", "install", "--python", venv, "six", index=INDEX, env=strict)
    assert result.returncode == 75, result
    assert "HOLD  six" in result.stderr, result
    assert installed(venv) == {}


def test_a_lock_is_what_it_is_without_us(world: Uv, home: Home) -> None:
    project = write_project(home.work / "proj", *WANTED)
    world.direct("lock", index=INDEX, cwd=project, env=THEN, check=True)
    expected = (project / "uv.lock").read_bytes()
    (project / "uv.lock").unlink()
    result = world.gated("lock", index=INDEX, cwd=project, env=THEN)
    assert result.returncode == 0, result
    assert (project / "uv.lock").read_bytes() == expected
    synced = world.gated("sync", "--frozen", index=INDEX, cwd=project)
    assert synced.returncode == 0, synced
    assert len(installed(project / ".venv")) >= len(WANTED)


def test_a_tool(world: Uv) -> None:
    result = world.gated("tool", "run", "pycowsay", "moo", index=INDEX)
    assert result.returncode == 0, result
    assert "moo" in result.stdout, result
