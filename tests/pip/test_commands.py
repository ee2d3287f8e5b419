"""Every command, option and interpreter that pip can be asked with; see test_paths.py for where files come from."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from support import cache, envs
from support.builders import make_sdist, make_wheel
from support.held import OLD, YOUNG, assert_held

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env
    from support.index_server import IndexServer


@pytest.fixture
def env(shared_env: Env) -> Env:
    """The newest pip on the newest Python, shared: tests here install into directories of their own."""
    return shared_env


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Commands and options


@pytest.mark.parametrize("command", ["download", "wheel", "lock"])
def test_other_commands(env: Env, young: IndexServer, tmp_path: Path, target: Path, command: str) -> None:
    where = {"download": ["-d", str(target)], "wheel": ["-w", str(target)], "lock": ["-o", str(target)]}
    assert_held(env.run_pip(command, *where[command], "demo", index=young), target)
    assert not young.downloads


def test_prefix(env: Env, young: IndexServer, target: Path) -> None:
    assert_held(env.run_pip("install", "--prefix", str(target), "demo", index=young), target)
    assert not young.downloads


def test_user_site(newest_env: Env, young: IndexServer) -> None:
    # The user site is visible in a virtualenv only if the system's packages are.
    config = newest_env.prefix / "pyvenv.cfg"
    config.write_text(
        config.read_text().replace("system-site-packages = false", "system-site-packages = true")
    )
    held = newest_env.run_pip("install", "--user", "demo", index=young)
    assert held.returncode == 75, held
    assert not young.downloads
    passed = newest_env.run_pip(
        "install", "--user", "demo", index=young, env={"VELN_HOOK_COOLING_MIN_AGE": "0"}
    )
    assert passed.returncode == 0, passed
    assert list(newest_env.home.path.rglob("site-packages/demo.py"))


def test_isolated_interpreter(env: Env, young: IndexServer, target: Path) -> None:
    result = env.run("-I", "-m", "pip", "install", "-t", str(target), "demo", index=young)
    assert_held(result, target)


def test_dry_run_says_that_contents_were_not_judged(
    env: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD, core_metadata=True)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG, core_metadata=True)
    report = tmp_path / "report.json"
    result = env.run_pip(
        "install", "-t", str(target), "--dry-run", "--report", str(report), "demo", index=index
    )
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0" in result.out
    assert "contents were not downloaded: demo 1.0" in result.out, result
    assert [i["metadata"]["version"] for i in json.loads(report.read_text())["install"]] == ["1.0"]
    assert [name for name in index.downloads if name.endswith(".whl")] == []


@pytest.mark.parametrize("feature", ["venv-isolation", "inprocess-build-deps"])
def test_build_isolation_features(
    env: Env, index: IndexServer, tmp_path: Path, unconfined: dict[str, str], feature: str
) -> None:
    marker, target = tmp_path / "ran", tmp_path / "target"
    index.add(make_wheel(tmp_path, "helper", "3.0"), upload_time=YOUNG)
    index.add(make_sdist(tmp_path, "demo", "2.0", marker=marker, build_requires=["helper"]), upload_time=OLD)
    command = ["install", "-t", str(target), f"--use-feature={feature}", "demo"]
    result = env.run_pip(*command, index=index, env=unconfined)
    if "invalid choice" in result.out or "no such" in result.out:
        pytest.skip(f"this pip has no {feature}")
    assert_held(result, target, words="HOLD  helper 3.0")
    assert not marker.exists()
    assert not index.downloads["helper-3.0-py3-none-any.whl"]
    passed = env.run_pip(*command, index=index, env={**unconfined, "VELN_HOOK_COOLING_MIN_AGE": "0"})
    assert passed.returncode == 0, passed
    assert marker.exists()


def test_lock_files(env: Env, index: IndexServer, tmp_path: Path, target: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "2.0")
    index.add(wheel, upload_time=YOUNG)
    lock = tmp_path / "pylock.toml"
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "a test"\n[[packages]]\nname = "demo"\nversion = "2.0"\n'
        # A lock file comes with other people's code: what it says of the upload time is not believed.
        f'[[packages.wheels]]\nname = "{wheel.name}"\nurl = "{index.file_url(wheel.name)}"\n'
        f'upload-time = 2020-01-01T00:00:00Z\n[packages.wheels.hashes]\nsha256 = "{_sha256(wheel)}"\n'
    )
    result = env.run_pip("install", "-t", str(target), "-r", str(lock), index=index)
    assert_held(result, target)
    assert "uploaded 12 min ago" in result.out, result
    assert not index.downloads


def test_another_interpreter(env: Env, bare_env: Env, young: IndexServer, target: Path) -> None:
    for arguments in (["-t", str(target)], ["--prefix", str(target)]):
        result = env.run(
            "-m", "pip", "--python", str(bare_env.python), "install", *arguments, "demo", index=young
        )
        assert_held(result, target)
    assert not young.downloads
    control = env.run(
        "-m", "pip", "--python", str(bare_env.python), "install", "-t", str(target), "demo",
        index=young, env={"VELN_HOOK": "off"},
    )  # fmt: skip
    assert control.returncode == 0, control


@pytest.fixture
def able(home: envs.Home) -> Env:
    """The newest pip that still runs on the oldest Python, on the newest one."""
    usable = [
        p for p in envs.PAIRS if p.pip in {q.pip for q in envs.PAIRS if q.python == envs.PAIRS[0].python}
    ]
    return envs.shared_env(next(p for p in reversed(usable) if envs.find_python(p.python)), home)


@pytest.fixture
def oldest_python(env: Env, make_env: Callable[..., Env]) -> Env:
    """An environment without veln-hook on the oldest Python here."""
    oldest = next(p for p in envs.PAIRS if envs.find_python(p.python))
    if oldest.python == env.pair.python:
        pytest.skip("only one Python here")
    return make_env(oldest, hooked=False)


@pytest.mark.slow
def test_an_older_interpreter_gets_dependencies_it_can_run(
    able: Env, oldest_python: Env, young: IndexServer, tmp_path: Path, target: Path
) -> None:
    for wheel in cache.dependency_wheels(oldest_python.pair.python):
        young.add(wheel, upload_time=OLD)
    for _ in range(2):
        result = able.run(
            "-m", "pip", "--python", str(oldest_python.python), "install", "-t", str(target), "demo", index=young
        )  # fmt: skip
        assert_held(result, target)
    young.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    passed = able.run(
        "-m", "pip", "--python", str(oldest_python.python), "install", "-t", str(target), "demo", index=young
    )  # fmt: skip
    assert passed.returncode == 0, passed
    assert sorted(p.name for p in target.iterdir() if not p.name.startswith("__")) == [
        "demo-1.0.dist-info",
        "demo.py",
    ]


def test_an_older_interpreter_that_no_dependencies_fit_is_refused(
    able: Env, oldest_python: Env, young: IndexServer, target: Path
) -> None:
    result = able.run(
        "-m", "pip", "--python", str(oldest_python.python), "install", "-t", str(target), "demo", index=young
    )  # fmt: skip
    assert result.returncode == 78, result
    assert "can't be fetched" in result.out, result
    assert not target.exists()
    assert not young.downloads
    assert "Traceback" not in result.out, result


@pytest.mark.slow
def test_pip_upgrades_itself(
    newest_env: Env, make_env: Callable[..., Env], index: IndexServer, tmp_path: Path
) -> None:
    del newest_env
    older = next(
        p for p in reversed(envs.PAIRS) if p.pip != envs.newest_pair().pip and envs.find_python(p.python)
    )
    env = make_env(older)
    newest = cache.pip_wheel(envs.newest_pair().pip)
    index.add(newest, upload_time=OLD)
    result = env.run_pip("install", "--upgrade", "pip", index=index)
    assert result.returncode == 0, result
    assert env.installed()["pip"] == envs.newest_pair().pip
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    held = env.run_pip("install", "demo", index=index)
    assert held.returncode == 75, held
    assert env.run("-c", "pass").out == ""
