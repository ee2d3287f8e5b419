"""Damaged files of ours: Python and the mending parts of pip go on, installing stops in one line, one command repairs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from datetime import timedelta

import pytest

from support.builders import make_wheel
from support.cache import dependency_wheels, hook_wheel
from support.selection import everyday

OLD = timedelta(days=365)


def break_module(relative):
    def damage(site):
        (site / relative).write_text("this is no Python\n")

    return damage


def remove(relative):
    def damage(site):
        path = site / relative
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def raise_in(relative):
    def damage(site):
        (site / relative).write_text("raise RuntimeError('damaged for a test')\n")

    return damage


def of_another_type(relative):
    def damage(site):
        (site / relative).write_text("")

    return damage


DAMAGES = {
    "startup missing": remove("veln_hook/_startup.py"),
    "startup no syntax": break_module("veln_hook/_startup.py"),
    "startup empty": of_another_type("veln_hook/_startup.py"),
    "package removed": remove("veln_hook"),
    "package init missing": remove("veln_hook/__init__.py"),
    "package init empty": of_another_type("veln_hook/__init__.py"),
    "package init raises": raise_in("veln_hook/__init__.py"),
    "points missing": remove("veln_hook/adapters/pip/points.py"),
    "preload raises": raise_in("veln_hook/adapters/pip/preload.py"),
    "commands no syntax": break_module("veln_hook/adapters/pip/commands.py"),
    "finder empty": of_another_type("veln_hook/adapters/pip/finder.py"),
    "policy raises": raise_in("veln_hook/policy/loading.py"),
    "guard missing": remove("veln_hook/guard/orchestrator.py"),
    "pluggy missing": remove("pluggy"),
    "pluggy no syntax": break_module("pluggy/__init__.py"),
    "packaging empty": of_another_type("packaging/version.py"),
    "platformdirs missing": remove("platformdirs"),
}
# One of each kind for what takes long.
SOME = ("startup missing", "package removed", "policy raises", "pluggy missing")


@pytest.fixture
def damaged(request, newest_env, tmp_path):
    """An environment with a package ``victim`` in it, damaged in the way of the parameter."""
    newest_env.run_pip("install", "--quiet", make_wheel(tmp_path, "victim", "1.0"), check=True)
    DAMAGES[request.param](newest_env.site_packages)
    return newest_env


def serve_everything(index, env, tmp_path):
    """Put veln-hook, what it needs, and a package ``demo`` on the index, all of them old."""
    for wheel in [hook_wheel(), *dependency_wheels(env.pair.python), make_wheel(tmp_path, "demo", "1.0")]:
        index.add(wheel, upload_time=OLD)


most_damage = pytest.mark.parametrize("damaged", everyday(DAMAGES, SOME), indirect=True)
a_damage = pytest.mark.parametrize("damaged", everyday(SOME, 2), indirect=True)


@most_damage
def test_python_starts_and_pip_installs_nothing(damaged, index, tmp_path):
    for code in ("pass", "import json"):
        result = damaged.run("-c", code)
        assert (result.returncode, result.out) == (0, ""), result

    serve_everything(index, damaged, tmp_path)
    before = damaged.files()
    result = damaged.run_pip("install", "demo", index=index)
    assert result.returncode == 78, result
    assert result.stdout == "", result
    assert result.stderr.count("\n") == 1, result
    assert result.stderr.startswith("ERROR: veln-hook"), result
    assert f"Repair: {damaged.python} -m pip install --force-reinstall veln-hook\n" in result.stderr
    assert damaged.files() == before
    assert index.requests == []


@a_damage
def test_the_command_that_is_named_repairs_it(damaged, index, tmp_path):
    serve_everything(index, damaged, tmp_path)
    told = damaged.run_pip("install", "demo", index=index).stderr
    command = shlex.split(told.partition("Repair: ")[2])
    result = damaged.run(*command[1:], index=index)
    assert result.returncode == 0, result

    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=timedelta(minutes=1))
    result = damaged.run_pip("install", "demo", index=index)
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0" in result.out
    assert damaged.installed()["demo"] == "1.0"


@a_damage
def test_what_doesnt_install_still_works(damaged):
    for arguments in (["--version"], ["list"], ["show", "victim"], ["uninstall", "-y", "victim"]):
        result = damaged.run_pip(*arguments)
        assert (result.returncode, result.stderr) == (0, ""), result
    assert "victim" not in damaged.installed()


@a_damage
def test_uninstalling_ourselves_is_a_way_out(damaged, index, tmp_path):
    serve_everything(index, damaged, tmp_path)
    result = damaged.run_pip("uninstall", "-y", "veln-hook")
    assert result.returncode == 0, result
    result = damaged.run_pip("install", "demo", index=index)
    assert (result.returncode, result.stderr) == (0, ""), result


@a_damage
@pytest.mark.parametrize("command", ["download", "wheel", "lock"])
def test_every_command_that_fetches_is_refused(damaged, index, tmp_path, command):
    serve_everything(index, damaged, tmp_path)
    result = damaged.run_pip(command, "demo", index=index)
    assert result.returncode == 78, result
    assert result.stderr.count("\n") == 1, result
    assert index.downloads == {}


@a_damage
@pytest.mark.parametrize(
    "arguments",
    [
        ["install", "--force-reinstall", "veln-hook", "demo"],
        ["install", "--force-reinstall", "demo"],
        ["install", "veln-hook"],
        ["install", "--force-reinstall", "veln-hook", "--index-url", "https://elsewhere.example/simple"],
        ["install", "--force-reinstall", "--pre", "veln-hook"],
        ["--require-virtualenv", "install", "--force-reinstall", "veln-hook-tools"],
    ],
    ids=" ".join,
)
def test_only_that_very_command_repairs(damaged, index, tmp_path, arguments):
    serve_everything(index, damaged, tmp_path)
    result = damaged.run_pip(*arguments, index=index)
    assert result.returncode == 78, result
    assert index.requests == []


@a_damage
def test_switched_off_it_installs(damaged, index, tmp_path):
    serve_everything(index, damaged, tmp_path)
    result = damaged.run_pip("install", "demo", index=index, protected=False)
    assert result.returncode == 0, result
    assert damaged.installed()["demo"] == "1.0"


def _can_unshare():
    return (
        shutil.which("unshare") is not None
        and os.path.isdir("/etc/xdg")
        and subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/etc/xdg"], capture_output=True, check=False
        ).returncode
        == 0
    )


@pytest.mark.skipif(not _can_unshare(), reason="no mount namespaces here, and the real /etc is never touched")
@a_damage
def test_a_system_policy_locks_the_switch_even_then(damaged, index, tmp_path):
    serve_everything(index, damaged, tmp_path)
    script = (
        "mount -t tmpfs none /etc/xdg && mkdir /etc/xdg/veln-hook && "
        'printf \'[lock]\\nkeys = ["switch"]\\n\' > /etc/xdg/veln-hook/policy.toml && exec "$@"'
    )
    command = ["unshare", "-rm", "sh", "-c", script, "sh", damaged.python, "-m", "pip"]

    def pip(*arguments):
        return subprocess.run(
            [*command, *arguments],
            env={**damaged.environ(index=index), "VELN_HOOK": "off"},
            cwd=damaged.home.work,
            capture_output=True,
            text=True,
            check=False,
        )

    done = pip("install", "demo")
    assert done.returncode == 78, done
    assert done.stderr.count("\n") == 1, done
    assert index.requests == []
    # ... and the way back is open even so.
    done = pip("install", "--force-reinstall", "veln-hook")
    assert done.returncode == 0, done
    assert not os.path.exists("/etc/xdg/veln-hook/policy.toml")


def test_on_each_python_a_missing_package_is_silent_and_refuses(any_env, index, tmp_path):
    serve_everything(index, any_env, tmp_path)
    DAMAGES["package removed"](any_env.site_packages)
    result = any_env.run("-X", "dev", "-W", "error", "-c", "import json")
    assert (result.returncode, result.out) == (0, ""), result
    result = any_env.run_pip("install", "demo", index=index)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (78, "", 1), result
