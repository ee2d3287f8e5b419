"""``veln-hook enable --env``: an environment is protected without our code or our dependencies in it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.envs import Env, find_python
from support.selection import everyday

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Pair, Result
    from support.index_server import IndexServer

ACTIVE = "import sys; m = sys.modules.get('veln_hook'); print(m is not None and m in sys.meta_path)"
OURS = "import sys; print(sorted({n.partition('.')[0] for n in sys.modules} & {'pluggy', 'packaging', 'platformdirs'}))"


@pytest.fixture
def enable(newest_env: Env, served: IndexServer) -> Callable[..., Result]:
    """Run the command of an environment that has veln-hook for another one."""

    def run(env: Env, command: str = "enable", *options: str) -> Result:
        return newest_env.run_script("veln-hook", command, "--env", str(env.prefix), *options, index=served)

    return run


def test_a_young_release_is_held_on_each_python(
    bare: Env, enable: Callable[..., Result], served: IndexServer
) -> None:
    before = bare.files()
    enabled = enable(bare)
    assert enabled.returncode == 0, enabled
    new = set(bare.files()) - set(before)
    assert {path.rpartition("/")[2] for path in new} == {"_veln_hook.pth", "enabled.json"}
    result = bare.run_pip("install", "demo", index=served)
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0" in result.out, result
    assert bare.installed()["demo"] == "1.0"
    pinned = bare.run_pip("install", "demo==2.0", index=served)
    assert pinned.returncode == 75, pinned


@pytest.mark.parametrize("options", [(), ("-E",), ("-s",), ("-I",), ("-O", "-B")], ids=" ".join)
def test_each_start_mode_is_covered(
    make_env: Callable[..., Env], enable: Callable[..., Result], served: IndexServer, options: tuple[str, ...]
) -> None:
    bare = make_env(hooked=False)
    assert enable(bare).returncode == 0
    assert bare.run(*options, "-c", ACTIVE).stdout.strip() == "True"
    result = bare.run(*options, "-m", "pip", "install", "demo==2.0", index=served)
    assert result.returncode == 75, result


def test_an_ordinary_process_has_nothing_of_ours_but_the_finder(
    bare: Env, enable: Callable[..., Result]
) -> None:
    assert enable(bare).returncode == 0
    loaded = bare.run(
        "-X", "dev", "-W", "error", "-c", "import sys; print(sorted(n for n in sys.modules if 'veln' in n))"
    )
    assert (loaded.stdout.strip(), loaded.stderr) == ("['veln_hook']", "")


def test_our_dependencies_are_nobody_else_s(bare: Env, enable: Callable[..., Result]) -> None:
    assert enable(bare).returncode == 0
    result = bare.run(
        "-c", f"import pip._internal.commands.install; import pip._internal.index.package_finder; {OURS}"
    )
    assert result.stdout.strip() == "[]", result


@pytest.mark.slow
def test_another_version_of_them_is_no_matter(
    make_env: Callable[..., Env], enable: Callable[..., Result], served: IndexServer
) -> None:
    bare = make_env(hooked=False)
    broken = bare.site_packages / "packaging"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('not yours')\n")
    assert enable(bare).returncode == 0
    assert bare.run_pip("install", "demo==2.0", index=served).returncode == 75


@pytest.mark.parametrize("gone", everyday(["veln_hook/guard", "veln_hook", "carried/pluggy", ""], 2))
def test_where_the_code_is_damaged_python_starts_and_pip_refuses(
    make_env: Callable[..., Env],
    newest_env: Env,
    enable: Callable[..., Result],
    served: IndexServer,
    gone: str,
) -> None:
    bare = make_env(hooked=False)
    assert enable(bare).returncode == 0
    hook = newest_env.home.path / ".local/share/veln-hook/hook"
    shutil.rmtree(hook / gone)
    started = bare.run("-W", "error", "-c", "import json")
    assert (started.returncode, started.out) == (0, ""), started
    listed = bare.run_pip("list")
    assert (listed.returncode, listed.stderr) == (0, ""), listed
    refused = bare.run_pip("install", "demo", index=served)
    assert refused.returncode == 78, refused
    assert refused.stderr.count("\n") == 1, refused
    assert f"Repair: veln-hook enable --env {bare.prefix}\n" in refused.stderr, refused
    assert enable(bare).returncode == 0
    assert bare.run_pip("install", "demo==1.0", index=served).returncode == 0


def test_disable_takes_back_every_byte(bare: Env, enable: Callable[..., Result], served: IndexServer) -> None:
    before = bare.files()
    assert enable(bare).returncode == 0
    assert enable(bare, "disable").returncode == 0
    assert bare.files() == before
    assert not (bare.prefix / "veln-hook").exists()
    assert bare.run_pip("install", "demo==2.0", index=served).returncode == 0
    again = enable(bare, "disable")
    assert (again.returncode, "nothing was switched on" in again.out) == (0, True), again


def test_a_dry_run_tells_each_file_and_writes_none(
    make_env: Callable[..., Env], enable: Callable[..., Result]
) -> None:
    bare = make_env(hooked=False)
    before = bare.files()
    told = enable(bare, "enable", "--dry-run", "--json")
    assert bare.files() == before
    paths = [each["path"] for each in json.loads(told.stdout)["results"]]
    assert str(bare.site_packages / "_veln_hook.pth") in paths
    assert enable(bare).returncode == 0
    nothing = enable(bare, "enable", "--dry-run", "--json")
    assert json.loads(nothing.stdout)["results"] == []


def test_one_that_has_veln_hook_is_left_as_it_is(newest_env: Env, enable: Callable[..., Result]) -> None:
    before = newest_env.files()
    told = enable(newest_env)
    assert (told.returncode, "is installed in" in told.out) == (0, True), told
    assert newest_env.files() == before


def test_what_is_no_environment_is_a_usage_error(newest_env: Env, tmp_path: Path) -> None:
    result = newest_env.run_script("veln-hook", "enable", "--env", str(tmp_path))
    assert result.returncode == 2, result
    assert "is no virtual environment" in result.stderr
    assert "Traceback" not in result.out


def test_a_file_of_somebody_else_s_is_not_written_over(
    make_env: Callable[..., Env], enable: Callable[..., Result]
) -> None:
    bare = make_env(hooked=False)
    pth = bare.site_packages / "_veln_hook.pth"
    pth.write_text("# mine\n")
    result = enable(bare)
    assert result.returncode != 0, result
    assert "isn't veln-hook's" in result.stderr, result
    assert pth.read_text() == "# mine\n"


WAYS = {
    "venv": ["-m", "venv"],
    "venv, isolated": ["-I", "-m", "venv"],
    "venv, without pip": ["-m", "venv", "--without-pip"],
    "from code": ["-c", "import sys, venv; venv.create(sys.argv[1], with_pip=True)"],
}


@pytest.mark.parametrize("way", everyday(WAYS, ("venv, isolated", "venv, without pip")))
def test_environments_made_from_then_on_inherit(
    newest_env: Env, served: IndexServer, tmp_path: Path, way: str
) -> None:
    made = tmp_path / "made"
    result = newest_env.run(*WAYS[way], str(made))
    assert (result.returncode, result.stderr) == (0, ""), result
    env = Env(made, newest_env.pair, newest_env.home)
    if "without" in way:
        assert env.run("-c", ACTIVE).stdout.strip() == "True"
        return
    held = env.run_pip("install", "demo==2.0", index=served)
    assert held.returncode == 75, held
    again = tmp_path / "again"
    assert env.run("-m", "venv", str(again)).returncode == 0
    assert (
        Env(again, newest_env.pair, newest_env.home).run_pip("install", "demo==2.0", index=served).returncode
        == 75
    )


@pytest.mark.slow
def test_so_do_those_of_an_enabled_one(
    bare: Env, enable: Callable[..., Result], served: IndexServer, tmp_path: Path
) -> None:
    assert enable(bare).returncode == 0
    made = tmp_path / "made"
    assert bare.run("-m", "venv", str(made)).returncode == 0
    env = Env(made, bare.pair, bare.home)
    assert env.run_pip("install", "demo==2.0", index=served).returncode == 75


def test_virtualenv_s_do_too_even_of_another_python(
    make_env: Callable[..., Env], served: IndexServer, tmp_path: Path, pair: Pair
) -> None:
    env = make_env()
    source = subprocess.run(
        [sys.executable, "-c", "import virtualenv, os; print(os.path.dirname(os.path.dirname(virtualenv.__file__)))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    made = tmp_path / "made"
    code = f"import sys; sys.path.append({source!r}); import virtualenv; virtualenv.cli_run(sys.argv[1:])"
    result = env.run(
        "-c", code, "-q", "--no-download", "-p", find_python(pair.python), str(made), index=served
    )
    assert result.returncode == 0, result
    other = Env(made, pair, env.home)
    assert other.run("-c", ACTIVE).stdout.strip() == "True"
    assert other.run_pip("install", "demo==2.0", index=served).returncode == 75
