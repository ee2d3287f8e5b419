"""veln_hook.sandbox.hiding.toolchains: what is opened again for builds, and that no secret is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hiding_homes import covered, hidden, opened, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veln_hook import paths
from veln_hook.sandbox.hiding import secrets, toolchains


@pytest.fixture
def home(tmp_path):
    place = tmp_path / "home"
    place.mkdir()
    return place


@pytest.mark.parametrize(
    "place",
    [
        ".cargo/bin/rustc", ".rustup/toolchains/stable/bin/rustc", ".pyenv/versions/3.12/bin/python3", ".local/bin/x",
        ".local/lib/python3.12/site-packages/x.py", ".local/share/uv/python/cpython-3.12/bin/python3.12",
        ".nvm/versions/node/v20/bin/node", "miniconda3/bin/python", ".config/git/ignore", ".sdkman/candidates/java/x",
    ],
)  # fmt: skip
def test_known_installations_are_opened(home, place):
    assert not covered(home / place, opened(home))
    assert covered(put(home / place), opened(home))


def test_directories_on_path_and_what_is_beside_them(home):
    made = [
        put(home / name)
        for name in ("opt/llvm/bin/clang", "opt/llvm/lib/libx.so", "opt/llvm/share/y", "bin/mine")
    ]
    private = [
        put(home / name)
        for name in ("opt/notes", "opt/llvm/notes", "lib.txt", "share.txt", "work/bin/x", "work/x")
    ]
    places = opened(home, PATH=f"/usr/bin:{home}/opt/llvm/bin:{home}/bin:~/other::.:work/bin")
    assert all(covered(name, places) for name in made)
    assert not any(covered(name, places) for name in private)


@pytest.mark.parametrize("mark", ["conda-meta/history", "pyvenv.cfg", "release", "VERSION"])
def test_an_installation_is_opened_as_a_whole(home, mark):
    tool, other = put(home / "opt/tool/bin/x"), put(home / "opt/tool/x86_64-linux-gnu/sysroot/crt1.o")
    assert not covered(other, opened(home, PATH=os.path.dirname(tool)))
    put(home / "opt/tool" / mark)
    assert covered(other, opened(home, PATH=os.path.dirname(tool)))


@pytest.mark.parametrize(
    "name, value, inside",
    [
        ("CC", "{}/gcc/bin/gcc -m64", "gcc/bin/gcc"), ("CC", "{}/gcc/bin/gcc", "gcc/lib/cc1"), ("JAVA_HOME", "{}/jdk", "jdk/lib/x"),
        ("PKG_CONFIG_PATH", "/usr/lib:{}/pc", "pc/x.pc"), ("LD_LIBRARY_PATH", "{}/a:{}/b", "b/libx.so"),
        ("PYTHONPATH", "{}/code", "code/m.py"), ("RUSTUP_HOME", "{}/rust", "rust/toolchains/x"), ("VIRTUAL_ENV", "~/venv", "venv/x"),
    ],
)  # fmt: skip
def test_what_variables_name_is_opened(home, name, value, inside):
    place = put(home / inside)
    assert not covered(place, opened(home))
    assert covered(place, opened(home, **{name: value.replace("{}", str(home))}))


def test_a_link_is_opened_with_its_target(home, tmp_path):
    tool = put(tmp_path / "real/bin/tool")
    (home / "named").symlink_to(tmp_path / "real")
    places = opened(home, PATH=f"{home}/named/bin")
    assert str(home / "named/bin") in places
    assert covered(tool, places)


def test_a_way_back_through_a_link_opens_what_it_leads_to(home):
    diary, tool = put(home / "mine/diary"), put(home / "opt/tool/x")
    put(home / "opt/tool/deep/x")
    (home / "mine/link").symlink_to(home / "opt/tool/deep")
    places = opened(home, PATH=f"{home}/mine/link/..")
    assert covered(tool, places)
    assert not covered(diary, places)


@pytest.mark.parametrize(
    "value",
    [
        "/", "//", "~", "~/", "{}", "{}/", "{}/.", "{}/..", "{}/x/..", "/tmp", "/run", "/dev", "/proc/self/root", "/home",
        "/root", "/proc", "{}/.ssh", "{}/.ssh/bin", "{}/.config", "{}/.local", "{}/Documents", "{}/toroot", "{}/tohome",
        "{}/tohome/.ssh/bin", "{}/tossh", "{}/tossh/bin", "{}/tossh/..", "{}/toroot/{}", "{}/.docker/bin", "{}/.mozilla",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "JAVA_HOME", "CC", "VIRTUAL_ENV"])
def test_no_variable_opens_a_home_or_a_secret(home, name, value):
    guarded = [
        put(home / name)
        for name in (".ssh/bin/id", ".docker/bin/x", "Documents/x", ".config/x", ".mozilla/x", "x/y", "z")
    ]
    for link, target in (("toroot", "/"), ("tohome", home), ("tossh", ".ssh")):
        (home / link).symlink_to(target)
    environ = {name: value.replace("{}", str(home))}
    if value == "{}/x/..":
        guarded.remove(str(home / "x/y"))
    real = [os.path.realpath(place) for place in opened(home, **environ)]
    assert [name for name in guarded if covered(name, real)] == []


NAMES = [
    "bin",
    "lib",
    ".ssh",
    ".config",
    "gh",
    "tool",
    "..",
    ".",
    "out",
    "in",
    "Documents",
    ".netrc",
    ".local",
    "share",
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.sampled_from(NAMES), max_size=4), min_size=1, max_size=4),
    st.sampled_from(["PATH", "PYTHONPATH", "CONDA_PREFIX"]),
)
def test_nothing_that_is_opened_shows_a_secret(tmp_path, places, name):
    home = tmp_path / "home"
    canaries = [
        home / canary
        for canary in (".ssh/bin/key", ".config/gh/bin/hosts", ".netrc", "Documents/diary", "diary")
    ]
    if not home.exists():
        for canary in (
            *canaries,
            home / "tool/bin/x",
            home / "tool/lib/.ssh/x",
            home / ".local/share/keyrings/k",
        ):
            put(canary)
        (home / "out").symlink_to("..")
        (home / "tool/in").symlink_to("../.ssh")
        (home / "tool/out").symlink_to(home)
    environ = {name: os.pathsep.join(os.path.join(home, *place) for place in places)}
    closed, real = (
        secrets(str(home), environ),
        [os.path.realpath(place) for place in toolchains(str(home), environ)],
    )
    assert toolchains(str(home), environ, closed) == toolchains(str(home), environ)
    for place in real:
        assert not covered(home, [place])  # neither the home nor what is above it
        assert not covered(place, closed)
    readable = [
        canary
        for canary in (*canaries, home / ".local/share/keyrings/k")
        if covered(canary, real) and not covered(canary, closed)
    ]
    # A file that lies directly in a directory on PATH counts as a program.
    assert (
        readable in ([], [home / "Documents/diary"])
        if any("Documents" in place for place in places)
        else readable == []
    )


# --- the running interpreter ------------------------------------------------------------------------------

ASK = """
import json, os, sys
from veln_hook.sandbox.hiding import secrets, toolchains
home = os.environ["HOME"]
print(json.dumps([toolchains(home, os.environ), secrets(home, os.environ), sys.path, sys.executable, sys.prefix]))
"""


def ask(python, home, cwd, *run):
    """Ask another interpreter what it would open and hide."""
    here = [str(paths.PACKAGE_DIR.parent), *(entry for entry in sys.path if "site-packages" in entry)]
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(here)}
    command = [str(python), *(run or ("-c", ASK))]
    told = subprocess.run(command, env=environ, cwd=cwd, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(told)


@pytest.fixture
def venv(home):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "env")], check=True)
    return home / "env"


def test_the_interpreter_can_be_started_and_imports(home, venv, tmp_path):
    conf = put(venv / "pip.conf", "[global]\nindex-url = https://me:hunter2@pypi.example/simple\n")
    diary = put(home / "diary")
    places, closed, path, executable, prefix = ask(venv / "bin/python", home, tmp_path)
    in_home = [entry for entry in (*path, executable, prefix) if covered(entry, [str(home)])]
    assert len(in_home) > 2
    assert all(covered(entry, places) for entry in in_home)
    assert not covered(diary, places)
    assert covered(conf, places)  # opened with the environment,
    assert conf in closed  # and hidden in it


def test_every_link_to_the_interpreter_is_opened_and_nothing_beside_it(home, venv, tmp_path):
    beside = put(home / "shortcuts/other")
    (home / "shortcuts/py").symlink_to(home / "env/bin/python")
    places, *_ = ask(home / "shortcuts/py", home, tmp_path)
    assert covered(home / "shortcuts/py", places)
    assert covered(home / "env/bin/python", places)
    assert not covered(beside, places)


def test_the_working_directory_is_not_opened_because_modules_are_run_there(home, venv):
    # `python -m pip` puts the working directory at the front of sys.path.
    work = home / "letters"
    put(work / "asking.py", ASK)
    places, _, path, *_ = ask(venv / "bin/python", home, work, "-m", "asking")
    assert path[0] == str(work)
    assert not covered(work / "asking.py", places)


def test_a_project_that_is_imported_from_keeps_its_env_file(home, tmp_path, monkeypatch):
    code, password = put(home / "project/m.py"), put(home / "project/.env.local", "A=b\n")
    monkeypatch.syspath_prepend(str(home / "project"))
    monkeypatch.chdir(tmp_path)
    assert covered(code, opened(home))
    assert password in hidden(home)


@pytest.mark.parametrize("name", [None, ""])
def test_an_interpreter_that_does_not_know_itself_opens_nothing_more(home, monkeypatch, tmp_path, name):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "executable", name)
    assert not covered(Path.cwd(), opened(home))
