"""What the administrators locked, a user of the machine can't loosen: each attempt, by a real user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from machine import TOOL, USER

from support.pythons import find_python, newest_pair

if TYPE_CHECKING:
    from machine import Image

    from support.envs import Result

pytestmark = pytest.mark.slow

POLICY = """
[cooling]
min_age = "2h"
[approvals]
accept = "none"
[lock]
keys = ["*"]
"""
LOOSE = '[cooling]\nmin_age = "0"\n'
HOME = f"/tmp/home-{USER}"


@pytest.fixture(scope="module")
def locked(image: Image) -> Image:
    put(image, "/etc/xdg/veln-hook/policy.toml", POLICY, user=0)
    python = find_python(newest_pair().python)
    assert python is not None
    assert image.run(python, "-m", "venv", "/tmp/mine", user=USER).returncode == 0
    return image


def put(image: Image, path: str, text: str, *, user: int = USER) -> None:
    done = image.run(
        "sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1"', "sh", path, text, user=user
    )
    assert done.returncode == 0, done


def attempt(
    image: Image, *options: str, python: str = "/tmp/mine/bin/python", cwd: str = "/tmp", **env: str
) -> Result:
    words = [python, *options, "-m", "pip", "install", "--target", "/tmp/locked", "demo==2.0"]
    return image.run(*words, user=USER, env=env, cwd=cwd)


def assert_not_installed(image: Image, result: Result) -> None:
    assert result.returncode in (75, 77, 78), result
    assert not image.rootfs.path("/tmp/locked/demo.py").exists(), result


def test_it_is_held_to_begin_with(locked: Image) -> None:
    result = attempt(locked)
    assert result.returncode == 75, result


VARIABLES = {
    "the switch": {"VELN_HOOK": "off"},
    "no cooling": {"VELN_HOOK_COOLING_MIN_AGE": "0"},
    "another store": {"VELN_HOOK_STORE_URL": "sqlite:////tmp/other.sqlite3"},
    "other configuration": {"XDG_CONFIG_DIRS": "/tmp/nowhere", "XDG_CONFIG_HOME": "/tmp/nowhere"},
    "another home": {"HOME": "/tmp/nowhere"},
    "no home": {"HOME": ""},
    "another state": {"XDG_STATE_HOME": "/tmp/nowhere"},
    "isolated pip": {"PIP_ISOLATED": "1"},
    "no user site": {"PYTHONNOUSERSITE": "1"},
    "safe path": {"PYTHONSAFEPATH": "1"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
    "another prefix": {"PYTHONHOME": ""},
    "as if pip were a child of pip": {"_PIP_RUNNING_IN_SUBPROCESS": "1"},
}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable(locked: Image, name: str) -> None:
    assert_not_installed(locked, attempt(locked, **VARIABLES[name]))


@pytest.mark.parametrize(
    "options", [("-I",), ("-E",), ("-s",), ("-P",), ("-OO",), ("-X", "utf8"), ("-B",)], ids=" ".join
)
def test_an_option(locked: Image, options: tuple[str, ...]) -> None:
    assert_not_installed(locked, attempt(locked, *options))


@pytest.mark.parametrize("name", ["the switch", "no cooling", "the user's policy"])
def test_without_the_lock_the_same_attempt_installs(locked: Image, name: str) -> None:
    locked.run("mv", "/etc/xdg/veln-hook/policy.toml", "/tmp/policy.toml")
    try:
        if name in FILES:
            put(locked, FILES[name], LOOSE)
        result = attempt(locked, **VARIABLES.get(name, {}))
        assert result.returncode == 0, result
    finally:
        locked.run("mv", "/tmp/policy.toml", "/etc/xdg/veln-hook/policy.toml")
        locked.run("rm", "-rf", "/tmp/locked", FILES["the user's policy"])


FILES = {
    "the user's policy": f"{HOME}/.config/veln-hook/policy.toml",
    "the environment's policy": "/tmp/mine/veln-hook.toml",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file(locked: Image, name: str) -> None:
    put(locked, FILES[name], LOOSE)
    try:
        assert_not_installed(locked, attempt(locked))
    finally:
        locked.run("rm", FILES[name])


def test_a_project(locked: Image) -> None:
    put(locked, "/tmp/proj/pyproject.toml", '[tool.veln-hook.cooling]\nmin_age = "0"\n')
    assert_not_installed(locked, attempt(locked, cwd="/tmp/proj"))


SHADOWS = {
    "a veln_hook": ("veln_hook/__init__.py", "def install(): pass\n"),
    "a pluggy": ("pluggy/__init__.py", "1 / 0\n"),
    "a packaging": ("packaging/__init__.py", "__path__ = []\n"),
    "a platformdirs": ("platformdirs.py", "def user_config_dir(*a, **k): return '/nowhere'\n"),
    "a sitecustomize": ("sitecustomize.py", "import sys\nsys.modules['veln_hook'] = sys\n"),
    "a usercustomize": ("usercustomize.py", "import sys\nsys.modules['veln_hook'] = sys\n"),
    "a sqlite3": ("sqlite3.py", "raise ImportError('none')\n"),
    "a fallback": ("_veln_hook_fallback.py", "def find_spec(*a): pass\n"),
}


@pytest.mark.parametrize("name", SHADOWS)
@pytest.mark.parametrize("way", ["PYTHONPATH", "working directory"])
def test_a_module_in_the_way(locked: Image, name: str, way: str) -> None:
    path, text = SHADOWS[name]
    directory = f"/tmp/shadow-{path.replace('/', '-')}"
    put(locked, f"{directory}/{path}", text)
    more = {"PYTHONPATH": directory} if way == "PYTHONPATH" else {}
    assert_not_installed(locked, attempt(locked, cwd=directory, **more))


def test_a_pth_file_of_the_user_s_that_comes_first(locked: Image) -> None:
    python = find_python(newest_pair().python)
    site = locked.run(
        python, "-c", "import site; print(site.getusersitepackages())", user=USER
    ).stdout.strip()
    put(
        locked,
        f"{site}/0.pth",
        "import sys, types; sys.modules['veln_hook'] = types.ModuleType('veln_hook')\n",
    )
    try:
        assert_not_installed(locked, attempt(locked, python=python))
    finally:
        locked.run("rm", "-r", site)


def test_an_approval_of_the_user_s_own(locked: Image) -> None:
    locked.hook("approve", "demo==2.0", "--reason", "I want it", user=USER)
    assert_not_installed(locked, attempt(locked))


def test_a_pip_of_the_user_s_own(locked: Image) -> None:
    assert (
        locked.run("/tmp/mine/bin/pip", "download", "-q", "-d", "/tmp/x", "demo==1.0", user=USER).returncode
        == 0
    )
    locked.run(
        "sh", "-c", "mkdir -p /tmp/own && cp -r /tmp/mine/lib/python3*/site-packages/pip /tmp/own", user=USER
    )
    assert_not_installed(locked, attempt(locked, PYTHONPATH="/tmp/own"))


@pytest.mark.parametrize(
    "words",
    [
        ("rm", "-rf", "/opt/veln-hook"),
        ("sh", "-c", "echo > /etc/xdg/veln-hook/policy.toml"),
        (f"{TOOL}/bin/veln-hook", "disable", "--image"),
        (f"{TOOL}/bin/pip", "uninstall", "-y", "veln-hook"),
    ],
    ids=" ".join,
)
def test_taking_it_away(locked: Image, words: tuple[str, ...]) -> None:
    assert locked.run(*words, user=USER).returncode != 0
    assert_not_installed(locked, attempt(locked))
