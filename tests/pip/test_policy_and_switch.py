"""Policies and the switch, as a pip user meets them (Must show 7 of the foundation)."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from support.builders import make_wheel
from support.held import OLD, YOUNG

if TYPE_CHECKING:
    from pathlib import Path

    from support.envs import Env
    from support.index_server import IndexServer


@pytest.fixture
def env(shared_env: Env) -> Env:
    return shared_env


def test_a_project_file_loosens_nothing(env: Env, young: IndexServer, target: Path) -> None:
    (env.home.work / "pyproject.toml").write_text(
        '[tool.veln-hook.cooling]\nmin_age = "0"\nexempt = ["demo"]\n'
    )
    result = env.run_pip("install", "-t", str(target), "demo", index=young)
    assert result.returncode == 75, result
    assert "HOLD  demo 2.0" in result.out
    assert "cooling.min_age" in result.out, "the user isn't told that the project asked for it"
    assert not young.downloads


def test_a_project_file_can_tighten(env: Env, index: IndexServer, tmp_path: Path, target: Path) -> None:
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=timedelta(hours=5))
    (env.home.work / "pyproject.toml").write_text('[tool.veln-hook.cooling]\nmin_age = "1 day"\n')
    result = env.run_pip("install", "-t", str(target), "demo", index=index)
    assert result.returncode == 75, result
    assert "policy: 1 day" in result.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[cooling]\nmin_age = "soon"\n', ["policy.toml:2", "cooling.min_age"]),
        ('[cooling]\n\nmin_ages = "2h"\n', ["policy.toml:3", "min_ages"]),
        ("[cooling\n", ["policy.toml:1"]),
    ],
)
def test_a_broken_policy_stops_the_install(
    env: Env, young: IndexServer, target: Path, text: str, words: list[str]
) -> None:
    result = env.run_pip("install", "-t", str(target), "demo", index=young, policy=text)
    assert result.returncode == 78, result
    for word in words:
        assert word in result.out, result
    assert "veln-hook policy validate" in result.out
    assert "Traceback" not in result.out
    assert not young.requests
    listed = env.run_pip("list", index=young)
    assert listed.returncode == 0, listed


def test_the_switch_is_shown_and_logged(env: Env, young: IndexServer, target: Path) -> None:
    result = env.run_pip("install", "-t", str(target), "demo", index=young, env={"VELN_HOOK": "off"})
    assert result.returncode == 0, result
    assert "switched off by VELN_HOOK=off" in result.out
    assert (target / "demo-2.0.dist-info").is_dir()
    log = env.run_script("veln-hook", "log", "--json")
    assert log.returncode == 0, log
    assert any("VELN_HOOK=off" in json.dumps(line) for line in json.loads(log.stdout)["results"]), log


def test_the_switch_logs_no_password(env: Env, young: IndexServer, target: Path) -> None:
    urls = ["--extra-index-url", "https://bob:s3cret@127.0.0.1:9/simple/", "--trusted-host=tok3n"]
    config = ["--config-settings", "key=k3y"]
    env.run_pip("install", "-t", str(target), *urls, *config, "demo==2.0", index=young, protected=False)
    log = env.run_script("veln-hook", "log", check=True).out
    assert (
        "VELN_HOOK=off: pip install -t ... --extra-index-url ... ... --config-settings ... demo==2.0" in log
    )
    store = b"".join(path.read_bytes() for path in env.home.state_dir.rglob("*") if path.is_file())
    assert not [word for word in (b"s3cret", b"tok3n", b"k3y") if word in store]


@pytest.mark.parametrize("text", ['min_age = "0"', 'min_ages = "0"'])
def test_a_directorys_name_cannot_drive_the_terminal(
    env: Env, young: IndexServer, target: Path, text: str
) -> None:
    directory = env.home.work / "a\x1b[31mRED"
    directory.mkdir()
    (directory / "pyproject.toml").write_text(f"[tool.veln-hook.cooling]\n{text}\n")
    result = env.run_pip("install", "-t", str(target), "demo", index=young, cwd=directory)
    assert result.returncode in (75, 78), result
    assert "a\\x1b[31mRED" in result.out, result
    assert "\x1b[31mRED" not in result.out


def test_the_switch_works_in_a_project_whose_file_is_broken(
    env: Env, young: IndexServer, target: Path
) -> None:
    (env.home.work / "pyproject.toml").write_text("[tool.veln-hook\n")
    held = env.run_pip("install", "-t", str(target), "demo", index=young)
    assert held.returncode == 78, held
    result = env.run_pip("install", "-t", str(target), "demo", index=young, env={"VELN_HOOK": "off"})
    assert result.returncode == 0, result


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to lay a system policy into a mount namespace")
def test_a_system_policy_can_lock_the_switch(
    env: Env, young: IndexServer, target: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "system.toml"
    policy.write_text('[lock]\nkeys = ["switch", "cooling.min_age"]\n')

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = " ".join(shlex.quote(word) for word in (str(env.python), "-m", "pip", *words))
        script = (
            "mount -t tmpfs tmpfs /etc/xdg && mkdir /etc/xdg/veln-hook && "
            f"cp {shlex.quote(str(policy))} /etc/xdg/veln-hook/policy.toml && exec {command}"
        )
        return subprocess.run(
            ["unshare", "-m", "sh", "-ec", script],
            env={**env.environ(index=young), **variables},
            cwd=env.home.work,
            capture_output=True,
            text=True,
            check=False,
        )

    os.makedirs("/etc/xdg", exist_ok=True)
    off = run("install", "-t", str(target), "demo", VELN_HOOK="off")
    assert off.returncode == 75, off
    assert "VELN_HOOK=off is not honoured here: locked by" in off.stderr, off
    loosened = run("install", "-t", str(target), "demo", VELN_HOOK_COOLING_MIN_AGE="0")
    assert loosened.returncode == 78, loosened
    assert "locked" in loosened.stderr, loosened
    stricter = run("install", "-t", str(target), "demo", VELN_HOOK_COOLING_MIN_AGE="1 day")
    assert stricter.returncode == 75, stricter
    assert "policy: 1 day" in stricter.stderr, stricter
    assert not young.downloads


def test_per_project_thresholds_and_exemptions(
    env: Env, young: IndexServer, tmp_path: Path, target: Path
) -> None:
    young.add(make_wheel(tmp_path, "acme-tool", "1.0"), upload_time=YOUNG)
    young.add(make_wheel(tmp_path, "slow", "1.0"), upload_time=timedelta(days=2))
    policy = '[cooling]\nexempt = ["acme-*", "demo<2"]\n[cooling.projects]\nslow = "3 days"\n'
    for name, status in (("acme-tool", 0), ("demo", 75), ("slow", 75)):
        result = env.run_pip("install", "-t", str(target / name), name, index=young, policy=policy)
        assert result.returncode == status, result


def test_quiet_and_colour(env: Env, young: IndexServer, tmp_path: Path, target: Path) -> None:
    young.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    quiet = env.run_pip("install", "-q", "-t", str(target / "a"), "demo", index=young)
    assert "HOLD  demo 2.0" in quiet.out
    quieter = env.run_pip("install", "-qq", "-t", str(target / "b"), "demo", index=young)
    assert quieter.out == "", quieter
    plain = env.run_pip("install", "--no-color", "-t", str(target / "c"), "demo", index=young)
    assert "\x1b" not in plain.out
