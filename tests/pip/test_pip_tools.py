"""pip-tools drives pip's internals itself, and starts other interpreters' pips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import cache
from support.builders import make_sdist, make_wheel
from support.held import OLD, YOUNG

if TYPE_CHECKING:
    from pathlib import Path

    from support.envs import Env
    from support.index_server import IndexServer


@pytest.fixture
def tools(newest_env: Env) -> Env:
    """An environment with veln-hook and pip-tools."""
    wheels = [str(wheel) for wheel in cache.pip_tools_wheels(newest_env.pair.python)]
    newest_env.run_pip("install", "--no-index", "--no-deps", *wheels, check=True)
    _as_from_an_index(newest_env)
    return newest_env


def _as_from_an_index(env: Env) -> None:
    """Forget that everything here came from files, which pip-sync would replace; users install from an index."""
    for path in env.site_packages.glob("*.dist-info/direct_url.json"):
        path.unlink()


@pytest.fixture
def demo(index: IndexServer, tmp_path: Path) -> IndexServer:
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    return index


def test_pip_compile_pins_what_passes(tools: Env, demo: IndexServer, tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("demo\n")
    compile_it = ("pip-compile", "-o", str(tmp_path / "out.txt"), str(tmp_path / "requirements.in"))
    result = tools.run_script(*compile_it, index=demo)
    assert result.returncode == 0, result
    assert "demo==1.0" in (tmp_path / "out.txt").read_text()
    assert "HOLD  demo 2.0" in result.out, result


def test_pip_compile_of_a_held_pin_fails_with_the_reason(
    tools: Env, demo: IndexServer, tmp_path: Path
) -> None:
    (tmp_path / "requirements.in").write_text("demo==2.0\n")
    result = tools.run_script(
        "pip-compile", "-o", str(tmp_path / "out.txt"), str(tmp_path / "requirements.in"), index=demo
    )
    assert result.returncode != 0, result
    assert "HOLD  demo 2.0" in result.out, result
    assert "Traceback" not in result.out, result
    assert not demo.downloads["demo-2.0-py3-none-any.whl"]


@pytest.mark.slow
def test_pip_compile_builds_no_held_sdist(
    tools: Env, index: IndexServer, tmp_path: Path, unconfined: dict[str, str]
) -> None:
    marker = tmp_path / "ran"
    index.add(make_sdist(tmp_path, "demo", "2.0", marker=marker), upload_time=YOUNG)
    (tmp_path / "requirements.in").write_text("demo\n")
    command = ["pip-compile", "-o", "-", str(tmp_path / "requirements.in")]
    result = tools.run_script(*command, index=index, env=unconfined)
    assert result.returncode != 0, result
    assert not marker.exists()


@pytest.mark.slow
def test_pip_sync(tools: Env, bare_env: Env, demo: IndexServer, tmp_path: Path) -> None:
    _as_from_an_index(bare_env)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("demo==1.0\n")
    synced = tools.run_script("pip-sync", str(requirements), index=demo)
    assert synced.returncode == 0, synced.out
    assert {"demo", "veln-hook", "pluggy"} <= set(tools.installed())
    tools.run_pip("uninstall", "-y", "demo", check=True)
    requirements.write_text("demo==2.0\n")
    for extra, other in (([], tools), (["--python-executable", str(bare_env.python)], bare_env)):
        result = tools.run_script("pip-sync", *extra, str(requirements), index=demo)
        assert result.returncode != 0, result
        assert "HOLD  demo 2.0" in result.out, result
        assert "demo" not in other.installed()
    assert not demo.downloads["demo-2.0-py3-none-any.whl"]
