"""Whatever happens to veln-hook's own files, pip and Python go on (Must show 8 of the foundation)."""

from __future__ import annotations

import shlex
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from support import cache
from support.builders import make_wheel
from support.held import OLD, YOUNG
from support.selection import everyday

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env
    from support.index_server import IndexServer


def _assert_silent(env: Env) -> None:
    for flags in ([], ["-I"], ["-W", "error"]):
        assert env.run(*flags, "-c", "pass").out == ""


def test_uninstalling(newest_env: Env, young: IndexServer) -> None:
    result = newest_env.run_pip("uninstall", "-y", "veln-hook")
    assert result.returncode == 0, result
    assert [path for path in newest_env.files() if "veln" in path] == []
    _assert_silent(newest_env)
    installed = newest_env.run_pip("install", "demo", index=young)
    assert installed.returncode == 0, installed


@pytest.mark.parametrize("name", everyday(["packaging", "pluggy", "platformdirs"], 1))
def test_pip_replaces_a_dependency_of_ours_while_it_runs(
    newest_env: Env, young: IndexServer, name: str
) -> None:
    wheels = cache.dependency_wheels(newest_env.pair.python)
    young.add(next(wheel for wheel in wheels if wheel.name.startswith(f"{name}-")), upload_time=OLD)
    result = newest_env.run_pip("install", "--force-reinstall", "--no-deps", name, index=young)
    assert result.returncode == 0, result
    assert "DEPRECATION" not in result.out
    _assert_silent(newest_env)
    held = newest_env.run_pip("install", "demo", index=young)
    assert held.returncode == 75, held


@pytest.mark.slow
def test_pip_upgrades_all_dependencies_of_ours_while_it_runs(
    newest_env: Env, young: IndexServer, tmp_path: Path
) -> None:
    lowest = cache.dependency_wheels(newest_env.pair.python, lowest=True)
    newest_env.run_pip("install", "--no-deps", *map(str, lowest), check=True)
    before = newest_env.installed()
    newest = cache.dependency_wheels(newest_env.pair.python)
    # Another package in the same set, so that something is installed after our files were replaced.
    for wheel in [*newest, make_wheel(tmp_path, "zebra", "1.0")]:
        young.add(wheel, upload_time=OLD)
    names = [wheel.name.partition("-")[0] for wheel in newest]
    result = newest_env.run_pip("install", "--upgrade", *names, "zebra", index=young)
    assert result.returncode == 0, result
    assert "DEPRECATION" not in result.out
    after = newest_env.installed()
    assert all(after[name] != before[name] for name in names), (before, after)
    assert after["zebra"] == "1.0"
    _assert_silent(newest_env)
    held = newest_env.run_pip("install", "demo", index=young)
    assert held.returncode == 75, held


def _renumbered(wheel: Path, version: str, directory: Path) -> Path:
    """Return a copy of our wheel that says it is another version."""
    old = wheel.name.split("-")[1]
    copy = directory / wheel.name.replace(f"-{old}-", f"-{version}-")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(copy, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "veln_hook/__init__.py" or name.endswith((".dist-info/METADATA", ".dist-info/RECORD")):
                content = content.replace(old.encode(), version.encode())
            target.writestr(name.replace(f"veln_hook-{old}.", f"veln_hook-{version}."), content)
    return copy


def test_pip_upgrades_veln_hook_while_it_runs(
    newest_env: Env, young: IndexServer, hook_wheel: Path, tmp_path: Path
) -> None:
    young.add(_renumbered(hook_wheel, "9.9", tmp_path), upload_time=OLD)
    young.add(make_wheel(tmp_path, "zebra", "1.0"), upload_time=OLD)
    for wheel in cache.dependency_wheels(newest_env.pair.python):
        young.add(wheel, upload_time=OLD)
    result = newest_env.run_pip("install", "--upgrade", "veln-hook", "zebra", index=young)
    assert result.returncode == 0, result
    assert "DEPRECATION" not in result.out
    assert newest_env.installed()["veln-hook"] == "9.9"
    assert newest_env.run_script("veln-hook", "--version").stdout == "veln-hook 9.9\n"
    _assert_silent(newest_env)
    held = newest_env.run_pip("install", "demo", index=young)
    assert held.returncode == 75, held


def test_a_young_release_of_veln_hook_is_held_by_the_one_at_work(
    newest_env: Env, index: IndexServer, hook_wheel: Path, tmp_path: Path
) -> None:
    index.add(_renumbered(hook_wheel, "9.9", tmp_path), upload_time=YOUNG)
    result = newest_env.run_pip("install", "--upgrade", "veln-hook==9.9", index=index)
    assert result.returncode == 75, result
    assert newest_env.installed()["veln-hook"] != "9.9"


@pytest.mark.slow
def test_pip_replaces_itself_while_it_installs(newest_env: Env, young: IndexServer, tmp_path: Path) -> None:
    young.add(cache.pip_wheel(newest_env.pair.pip), upload_time=OLD)
    young.add(make_wheel(tmp_path, "zebra", "1.0"), upload_time=OLD)
    result = newest_env.run_pip("install", "--force-reinstall", "pip", "zebra", index=young)
    assert result.returncode == 0, result
    assert "DEPRECATION" not in result.out
    assert newest_env.installed()["zebra"] == "1.0"
    held = newest_env.run_pip("install", "demo", index=young)
    assert held.returncode == 75, held


def test_pip_replaces_veln_hook_while_it_runs(newest_env: Env, young: IndexServer, hook_wheel: Path) -> None:
    young.add(hook_wheel, upload_time=OLD)
    result = newest_env.run_pip("install", "--force-reinstall", "--no-deps", "veln-hook", index=young)
    assert result.returncode == 0, result
    _assert_silent(newest_env)
    held = newest_env.run_pip("install", "demo", index=young)
    assert held.returncode == 75, held


def test_a_set_that_would_break_us_is_refused(newest_env: Env, index: IndexServer, tmp_path: Path) -> None:
    index.add(make_wheel(tmp_path, "packaging", "21.3", {"packaging/__init__.py": ""}), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    before = newest_env.files()
    result = newest_env.run_pip("install", "demo", "packaging==21.3", index=index)
    assert result.returncode == 77, result
    assert "packaging 21.3 would break veln-hook, which needs packaging>=22" in result.out, result
    assert newest_env.files() == before
    elsewhere = newest_env.run_pip("install", "-t", str(tmp_path / "t"), "packaging==21.3", index=index)
    assert elsewhere.returncode == 0, elsewhere


def test_a_pip_that_lacks_a_point_is_refused(
    newest_env: Env, young: IndexServer, hook_wheel: Path, tmp_path: Path
) -> None:
    builder = newest_env.site_packages / "pip" / "_internal" / "wheel_builder.py"
    builder.write_text(builder.read_text().replace("_build_one", "_build_a_wheel"))
    young.add(make_wheel(tmp_path, "other", "1.0"), upload_time=OLD)
    for command in (["install", "other"], ["download", "other"], ["wheel", "other"]):
        result = newest_env.run_pip(*command, index=young)
        assert result.returncode == 78, result
        assert f"pip {newest_env.pair.pip} can't be guarded" in result.out, result
        assert "build" in result.out
        assert "use a pip between 21.3 and 26.3:  VELN_HOOK=off" in result.out
    assert not young.downloads
    for name in ("pluggy", "packaging", "platformdirs"):
        wheels = cache.dependency_wheels(newest_env.pair.python)
        young.add(next(wheel for wheel in wheels if wheel.name.startswith(f"{name}-")), upload_time=OLD)
    young.add(hook_wheel, upload_time=OLD)
    command = next(line for line in result.out.splitlines() if "a newer veln-hook:" in line)
    repaired = newest_env.run(*shlex.split(command.partition(":")[2])[1:], index=young)
    assert repaired.returncode == 0, repaired
    assert "only this repair goes on" in repaired.out
    assert newest_env.run_pip("list").returncode == 0
    assert newest_env.run_pip("uninstall", "-y", "veln-hook").returncode == 0


def test_a_pip_without_its_command_hook_is_refused(newest_env: Env, young: IndexServer) -> None:
    base = newest_env.site_packages / "pip" / "_internal" / "cli" / "base_command.py"
    base.write_text(base.read_text().replace("_main(", "_run_it("))
    result = newest_env.run_pip("install", "demo", index=young)
    assert result.returncode == 78, result
    assert not young.downloads
    assert newest_env.run_pip("list").returncode == 0


def test_several_pips_at_once_share_one_store(shared_env: Env, young: IndexServer, tmp_path: Path) -> None:
    young.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)

    def install(number: int) -> int:
        target = str(tmp_path / f"target{number}")
        return shared_env.run_pip("install", "-t", target, "demo", index=young).returncode

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(install, range(8))) == [0] * 8
    log = shared_env.run_script("veln-hook", "log", "demo", "--json", check=True)
    assert log.stdout.count('"hold"') == 8, log


def test_a_home_that_cannot_be_written(shared_env: Env, young: IndexServer, tmp_path: Path) -> None:
    shared_env.home.state_dir.parent.mkdir(parents=True, exist_ok=True)
    shared_env.home.state_dir.write_text("a file where the directory should be")
    result = shared_env.run_pip("install", "-t", str(tmp_path / "t"), "demo", index=young)
    assert result.returncode == 75, result
    assert not young.downloads


def test_a_corrupt_store_is_set_aside_and_said(shared_env: Env, young: IndexServer, tmp_path: Path) -> None:
    approved = shared_env.run_script("veln-hook", "approve", "demo==2.0", "--reason", "x", index=young)
    assert approved.returncode == 0, approved
    store = next(path for path in shared_env.home.state_dir.rglob("store.sqlite3"))
    store.write_bytes(b"not a database at all" * 1000)
    result = shared_env.run_pip("install", "-t", str(tmp_path / "t"), "demo", index=young)
    assert result.returncode == 75, result
    assert "set aside" in result.out, result


def test_nothing_of_ours_stays_in_the_environment_of_what_is_installed(
    newest_env: Env, index: IndexServer, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    before = newest_env.files()
    newest_env.run_pip("install", "demo", index=index, check=True)
    newest_env.run_pip("uninstall", "-y", "demo", check=True)
    assert newest_env.files() == before


def test_a_virtualenv_seeded_by_ensurepip(newest_env: Env, tmp_path: Path) -> None:
    """``python -m venv`` installs pip's bundled wheel in a child: a local file, which must not be held."""
    made = newest_env.run("-m", "venv", str(tmp_path / "inner"))
    assert made.returncode == 0, made
    version = subprocess.run(
        [tmp_path / "inner" / "bin" / "python", "-m", "pip", "--version"], capture_output=True, check=False
    )
    assert version.returncode == 0, version


def test_every_pip_keeps_pip_freeze_and_show(make_env: Callable[..., Env]) -> None:
    env = make_env()
    for command in (
        ["freeze"],
        ["show", "veln-hook"],
        ["check"],
        ["config", "list"],
        ["cache", "dir"],
        ["--version"],
    ):
        result = env.run_pip(*command)
        assert result.returncode == 0, result
        assert "veln-hook:" not in result.stderr
