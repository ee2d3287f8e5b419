"""Which commands run build code, and what they write: commands as real pips make them."""

from __future__ import annotations

import json
import sys

import pytest

from veln_hook.adapters.pip.build_command import Scheme, is_pip, recognise

SHIM_21 = (
    "import io, os, sys, setuptools, tokenize; sys.argv[0] = '/tmp/pip-req-build-x/setup.py'; "
    "__file__='/tmp/pip-req-build-x/setup.py';f = getattr(tokenize, 'open', open)(__file__)"
)
PYTHON = sys.executable


def _hook(tmp_path, name, **kwargs):
    (tmp_path / "input.json").write_text(json.dumps({"kwargs": kwargs}))
    script = "/venv/lib/python3.12/site-packages/pip/_vendor/pyproject_hooks/_in_process/_in_process.py"
    return recognise([PYTHON, script, name, str(tmp_path)], "/src/demo")


def test_a_hook_writes_its_control_directory_and_what_its_arguments_name(tmp_path):
    found = _hook(
        tmp_path, "build_wheel", wheel_directory="/tmp/w", metadata_directory="/tmp/m", config_settings=None
    )
    assert found.what == "build_wheel"
    assert found.cwd == "/src/demo"
    assert set(found.write) == {str(tmp_path), "/tmp/w", "/tmp/m"}
    assert found.script.endswith("/_in_process.py")
    assert found.scheme is None


def test_a_hook_of_a_pip_that_runs_from_a_zip(tmp_path):
    (tmp_path / "input.json").write_text('{"kwargs": {}}')
    found = recognise([PYTHON, "/tmp/tmpab12_in_process.py", "build_wheel", str(tmp_path)], "/src")
    assert (found.what, found.write) == ("build_wheel", (str(tmp_path),))
    assert found.script == "/tmp/tmpab12_in_process.py"


def test_a_hook_without_directories_writes_its_control_directory_only(tmp_path):
    assert _hook(tmp_path, "get_requires_for_build_wheel", config_settings={"a": "b"}).write == (
        str(tmp_path),
    )


def test_a_hook_whose_arguments_cant_be_read_is_an_error(tmp_path):
    (tmp_path / "input.json").write_text("no JSON")
    with pytest.raises(ValueError):
        recognise([PYTHON, "/x/_in_process.py", "build_wheel", str(tmp_path)], "/src")
    with pytest.raises(OSError):
        recognise([PYTHON, "/x/_in_process.py", "build_wheel", str(tmp_path / "absent")], "/src")


@pytest.mark.parametrize(
    "arguments, what, write",
    [
        (["egg_info", "--egg-base", "/tmp/pip-pip-egg-info-x"], "egg_info", {"/tmp/pip-pip-egg-info-x"}),
        (["bdist_wheel", "-d", "/tmp/pip-wheel-x"], "bdist_wheel", {"/tmp/pip-wheel-x"}),
        (["clean", "--all"], "clean", set()),
        (["--no-user-cfg", "egg_info"], "egg_info", set()),
        (["bdist_wheel", "--dist-dir=out"], "bdist_wheel", {"/src/demo/out"}),
    ],
)
@pytest.mark.parametrize("unbuffered", [[], ["-u"]])
def test_setup_py(arguments, what, write, unbuffered):
    found = recognise([PYTHON, *unbuffered, "-c", SHIM_21, *arguments], "/src/demo")
    assert found.what == what
    assert set(found.write) == write
    assert found.scheme is None
    assert found.script == ""


def test_setup_py_install():
    words = [PYTHON, "-u", "-c", SHIM_21, "install", "--record", "/tmp/r/install-record.txt"]
    words += [
        "--single-version-externally-managed",
        "--compile",
        "--install-headers",
        "/venv/include/site/demo",
    ]
    found = recognise(words, "/src/demo")
    assert set(found.write) == {"/tmp/r", "/venv/include/site/demo"}
    assert found.scheme == Scheme()


@pytest.mark.parametrize(
    "arguments, scheme",
    [
        (["--user", "--prefix="], Scheme(user=True)),
        (["--prefix", "/opt/x"], Scheme(prefix="/opt/x")),
        (["--root", "/image", "--prefix=/usr"], Scheme(root="/image", prefix="/usr")),
        (["--home", "/tmp/target"], Scheme(home="/tmp/target")),
        (["--prefix", "relative"], Scheme(prefix="/src/demo/relative")),
    ],
)
@pytest.mark.parametrize("command", ["install", "develop"])
def test_where_setup_py_installs(command, arguments, scheme):
    assert recognise([PYTHON, "-c", SHIM_21, command, *arguments], "/src/demo").scheme == scheme


@pytest.mark.parametrize(
    "words",
    [
        ["git", "clone", "https://example.org/x", "/tmp/x"],
        ["hg", "update"],
        [
            PYTHON,
            "/venv/pip/__pip-runner__.py",
            "install",
            "--ignore-installed",
            "--prefix",
            "/tmp/o",
            "--",
            "x",
        ],
        ["/tmp/e/bin/python", "/tmp/veln-hook-x/pip-0.py", "install", "--prefix", "/tmp/e", "--", "x"],
        [],
    ],
)
def test_what_is_no_build(words):
    assert recognise(words, "/src") is None


def test_pip_is_told_from_a_build_by_its_own_arguments():
    assert is_pip([PYTHON, "pip", "install", "--prefix", "/x"])
    assert not is_pip([PYTHON, "-c", SHIM_21, "install", "--prefix", "/x"])
    assert not is_pip([PYTHON, "-u", "-c", SHIM_21, "install", "--prefix", "/x"])
    assert not is_pip([PYTHON, "/x/_in_process.py", "install", "/tmp/control"])


def test_python_that_runs_something_unknown_counts_as_a_build():
    found = recognise(["/usr/bin/python3.99", "-m", "something.new"], "src")
    assert found.words == ("/usr/bin/python3.99", "-m", "something.new")
    assert found.cwd.endswith("/src")
    assert found.write == ()
