"""Real installers that have a standing gate in their environment, as a team's machines would."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from support import uv_versions
from support.builders import make_wheel
from support.envs import newest_pair, shared_env
from support.gated import User, installed
from support.held import EVIL, OLD
from support.pythons import find_python
from support.selection import everyday

if TYPE_CHECKING:
    from pathlib import Path

    from standing_world import StandingGate


def behind(gate: StandingGate, **more: str) -> dict[str, str]:
    """Return what a client's environment has."""
    ca = str(gate.certificate)
    return {
        "HTTPS_PROXY": gate.url,
        "HTTP_PROXY": gate.url,
        "NO_PROXY": "",
        "SSL_CERT_FILE": ca,
        "REQUESTS_CA_BUNDLE": ca,
        "PIP_CERT": ca,
        **more,
    }


class Uv:
    """A uv of somebody who has no veln-hook."""

    def __init__(self, gate: StandingGate, bin_dir: Path, user: User) -> None:
        self.gate, self.bin, self.user = gate, bin_dir, user

    def run(self, *words, index, **env):
        python = find_python(newest_pair().python)
        variables = behind(
            self.gate,
            UV_DEFAULT_INDEX=index.url,
            UV_PYTHON=str(python),
            UV_PYTHON_DOWNLOADS="never",
            UV_NO_PROGRESS="1",
            UV_HTTP_TIMEOUT="600",
        )
        return self.user.run([self.bin / "uv", *words], env={**variables, **env})


@pytest.fixture(params=everyday(uv_versions.UVS, [uv_versions.NEWEST]))
def uv(request, make_gate, demo, home, authority):
    try:
        bin_dir = uv_versions.uv_bin(request.param)
    except uv_versions.NotHereError as error:
        pytest.skip(str(error))
    # The client trusts the gate alone; that the index has another authority is the gate's business.
    return Uv(make_gate(demo), bin_dir, User(home, home.path / "no-hook", authority.file))


def test_uv_takes_what_is_old_enough(uv, demo, tmp_path):
    prefix = tmp_path / "venv"
    assert uv.run("venv", prefix, index=demo).returncode == 0
    result = uv.run("pip", "install", "--python", prefix, "demo", index=demo)
    assert result.returncode == 0, result
    assert installed(prefix) == {"demo": "1.0"}
    uv.gate.wait_for("hold", asked="page", project="demo", version="2.0")


def test_uv_s_pin_of_what_is_held_fails(uv, demo, tmp_path):
    prefix = tmp_path / "venv"
    assert uv.run("venv", prefix, index=demo).returncode == 0
    result = uv.run("pip", "install", "--python", prefix, "demo==2.0", index=demo)
    assert result.returncode != 0
    assert installed(prefix) == {}


def test_uv_without_the_password_reaches_nothing(uv, demo, tmp_path):
    prefix = tmp_path / "venv"
    assert uv.run("venv", prefix, index=demo).returncode == 0
    proxy = f"http://team:wrong@127.0.0.1:{uv.gate.port}"
    env = {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "UV_HTTP_RETRIES": "0"}
    result = uv.run("pip", "install", "--python", prefix, "demo", index=demo, **env)
    assert result.returncode != 0
    assert not demo.requests


def test_uv_past_the_gate_trusts_nobody(uv, demo, tmp_path):
    prefix = tmp_path / "venv"
    assert uv.run("venv", prefix, index=demo).returncode == 0
    direct = {"HTTPS_PROXY": "", "HTTP_PROXY": "", "UV_HTTP_RETRIES": "0"}
    result = uv.run("pip", "install", "--python", prefix, "demo", index=demo, **direct)
    assert result.returncode != 0
    assert demo.connections
    assert not demo.requests


def test_a_lock_of_what_is_held_installs_nothing(uv, demo, home):
    project = home.work / "proj"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "proj"\nversion = "0.1"\nrequires-python = ">=3.9"\ndependencies = ["demo"]\n'
    )
    served = demo.files["demo-2.0-py3-none-any.whl"]
    (project / "uv.lock").write_text(
        f"""version = 1
requires-python = ">=3.9"

[[package]]
name = "demo"
version = "2.0"
source = {{ registry = "{demo.url.rstrip("/")}" }}
wheels = [
    {{ url = "{served.url}", hash = "sha256:{served.sha256}", size = {len(served.content)} }},
]

[[package]]
name = "proj"
version = "0.1"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "demo" }},
]

[package.metadata]
requires-dist = [{{ name = "demo" }}]
"""
    )
    result = uv.run("sync", "--frozen", "--project", project, index=demo)
    assert result.returncode != 0, result
    assert installed(project / ".venv") == {}
    assert demo.file_bytes("demo-2.0-py3-none-any.whl") == 0
    uv.gate.wait_for("hold", asked="file", project="demo", version="2.0")


def test_pip_takes_what_is_old_enough(make_gate, demo, home, tmp_path):
    gate = make_gate(demo)
    env = shared_env(newest_pair(), home)
    target = tmp_path / "target"
    words = ["install", "--target", target, "--no-cache-dir"]
    result = env.run_pip(*words, "demo", index=demo.url, protected=False, env=behind(gate))
    assert result.returncode == 0, result
    assert (target / "demo-1.0.dist-info").exists()
    shutil.rmtree(target)
    result = env.run_pip(*words, "demo==2.0", index=demo.url, protected=False, env=behind(gate))
    assert result.returncode != 0
    assert not target.exists()


def test_pip_gets_no_archive_that_is_blocked(make_gate, index, home, tmp_path):
    index.add(make_wheel(tmp_path, "evil", "1.0", EVIL), upload_time=OLD)
    gate = make_gate(index)
    env = shared_env(newest_pair(), home)
    target = tmp_path / "target"
    words = ["install", "--target", target, "--no-cache-dir", "evil"]
    result = env.run_pip(*words, index=index.url, protected=False, env=behind(gate))
    assert result.returncode != 0
    assert not target.exists()
    gate.wait_for("block", project="evil")
