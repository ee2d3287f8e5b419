"""Wheel, editable and user installs work, and leave as they came."""

from __future__ import annotations

import csv
import os
import subprocess
from datetime import timedelta

import pytest
from distributions import PTH, newest_pip

from support.builders import make_wheel
from support.cache import dependency_wheels, pip_wheel
from support.envs import Pair, find_python
from support.pythons import PYTHONS
from support.selection import everyday

HOOKED = "import sys; print('veln_hook' in sys.modules)"


@pytest.fixture(params=everyday(PYTHONS, PYTHONS[-1:]))
def python(request):
    """Each Python that is on this machine; the newest every day."""
    if find_python(request.param) is None:
        pytest.skip(f"Python {request.param} was not found on this machine")
    return request.param


@pytest.fixture
def demo(index, tmp_path):
    """An index with an old and a young ``demo``."""
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=timedelta(days=365))
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=timedelta(minutes=5))
    return index


def bare(make_env, python):
    """An environment without us, but with our dependencies, and its files."""
    env = make_env(Pair(newest_pip(python), python), hooked=False)
    env.run_pip("install", "--quiet", "--no-deps", *dependency_wheels(python), check=True)
    return env, env.files()


def assert_at_work(env, index):
    result = env.run("-W", "error", "-c", HOOKED)
    assert (result.returncode, result.out) == (0, "True\n"), result
    result = env.run_pip("install", "demo==2.0", index=index)
    assert result.returncode == 75, result


def assert_gone(env, before, index):
    assert env.files() == before
    left = [path for path in env.site_packages.rglob("*") if "veln" in path.name]
    assert left == []
    result = env.run("-W", "error", "-c", HOOKED)
    assert (result.returncode, result.out) == (0, "False\n"), result
    result = env.run_pip("install", "demo==2.0", index=index)
    assert result.returncode == 0, result


@pytest.mark.parametrize("python", everyday(PYTHONS, (PYTHONS[0], PYTHONS[-1])), indirect=True)
def test_a_wheel(make_env, python, wheel, demo):
    env, before = bare(make_env, python)
    env.run_pip("install", "--no-index", wheel, check=True)
    assert (env.site_packages / PTH).is_file()
    with next(env.site_packages.glob("veln_hook-*.dist-info/RECORD")).open() as file:
        assert PTH in {row[0] for row in csv.reader(file)}
    assert_at_work(env, demo)
    result = env.run_pip("uninstall", "-y", "veln-hook")
    assert (result.returncode, result.stderr) == (0, ""), result
    assert_gone(env, before, demo)


@pytest.mark.slow
def test_an_editable_install(make_env, python, editable_wheel, demo):
    env, before = bare(make_env, python)
    env.run_pip("install", "--no-index", editable_wheel, check=True)
    assert (env.site_packages / PTH).is_file()
    assert not (env.site_packages / "veln_hook").exists()
    assert_at_work(env, demo)
    result = env.run_pip("uninstall", "-y", "veln-hook")
    assert (result.returncode, result.stderr) == (0, ""), result
    assert_gone(env, before, demo)


@pytest.mark.slow
def test_an_sdist_and_a_tree_through_pip_itself(make_env, sdist, tree, demo):
    pytest.importorskip("hatchling")
    env, before = bare(make_env, PYTHONS[-1])
    # The backend that these tests run with, seen from that environment.
    import hatchling

    beside = {"PYTHONPATH": os.path.dirname(os.path.dirname(hatchling.__file__))}
    for what in ([sdist], ["-e", tree]):
        result = env.run_pip("install", "--no-index", "--no-build-isolation", "--no-deps", *what, env=beside)
        assert result.returncode == 0, result
        assert_at_work(env, demo)
        env.run_pip("uninstall", "-y", "veln-hook", check=True)
        assert_gone(env, before, demo)
        env.run_pip("uninstall", "-y", "demo", check=True)


@pytest.mark.slow
def test_installing_twice_and_upgrading_in_place(make_env, wheel, hook_wheel, demo):
    env, before = bare(make_env, PYTHONS[-1])
    env.run_pip("install", "--no-index", wheel, check=True)
    once = env.files()
    result = env.run_pip("install", "--no-index", "--force-reinstall", "--no-deps", wheel)
    assert (result.returncode, result.stderr) == (0, ""), result
    changed = {path for path, digest in env.files().items() if once.get(path) != digest}
    assert {path for path in changed if "dist-info" not in path} == set()
    assert_at_work(env, demo)
    env.run_pip("uninstall", "-y", "veln-hook", check=True)
    assert_gone(env, before, demo)


def test_a_user_install(python, home, wheel, demo, tmp_path):
    base = find_python(python)
    user = tmp_path / "user"
    environ = {
        **home.environ(),
        "PYTHONUSERBASE": str(user),
        "PIP_BREAK_SYSTEM_PACKAGES": "1",  # Debian's Python refuses user installs otherwise (PEP 668)
        "PIP_NO_WARN_SCRIPT_LOCATION": "1",
    }

    def run(*arguments):
        return subprocess.run(
            [base, *map(str, arguments)],
            env=environ,
            cwd=home.work,
            capture_output=True,
            text=True,
            check=False,
        )

    if run("-c", "import site, sys; sys.exit(not site.ENABLE_USER_SITE)").returncode != 0:
        pytest.skip("this Python has no user site")
    pip = pip_wheel(newest_pip(python)) / "pip"
    wheels = [wheel, *dependency_wheels(python)]
    done = run(pip, "install", "--user", "--no-index", "--no-deps", "--ignore-installed", *wheels)
    assert done.returncode == 0, done
    assert [path.name for path in user.rglob(PTH)] == [PTH]

    done = run("-W", "error", "-c", HOOKED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", ""), done
    # -s and -I leave the user site out, and the hook with it.
    for option in ("-s", "-I"):
        assert run(option, "-c", HOOKED).stdout == "False\n"
    environ["PIP_INDEX_URL"] = demo.url
    del environ["PIP_NO_INDEX"]
    done = run(pip, "install", "--user", "demo==2.0")
    assert done.returncode == 75, done

    done = run(pip, "uninstall", "-y", "veln-hook")
    assert done.returncode == 0, done
    assert [path for path in user.rglob("*") if "veln" in path.name] == []
    done = run("-W", "error", "-c", HOOKED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", ""), done


@pytest.mark.online
def test_from_the_tree_with_this_machines_own_index(bare_env, tree, demo):
    result = bare_env.run_pip("install", tree, online=True, timeout=300)
    assert result.returncode == 0, result
    assert_at_work(bare_env, demo)
