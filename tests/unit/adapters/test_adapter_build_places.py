"""What a build may write and read, on real directories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from veln_hook import paths
from veln_hook.adapters.pip.build_command import BuildCommand, Scheme
from veln_hook.adapters.pip.build_places import (
    PlaceError,
    SourceTree,
    hidden,
    readable,
    writable,
)
from veln_hook.sandbox.hiding import secrets_by_home
from veln_hook.sandbox.layout import is_within
from veln_hook.sandbox.surroundings import is_wide, repository

BUILD = "build_wheel"


@pytest.fixture
def home(tmp_path, monkeypatch):
    made = tmp_path / "home"
    made.mkdir()
    monkeypatch.setenv("HOME", str(made))
    return made


@pytest.fixture
def environ(home):
    return {"HOME": str(home), "PATH": "/usr/bin:/bin"}


@pytest.fixture
def tree(tmp_path):
    made = tmp_path / "src" / "demo"
    made.mkdir(parents=True)
    return made


def _command(cwd, *write, scheme=None):
    return BuildCommand((sys.executable, "x"), str(cwd), BUILD, tuple(map(str, write)), scheme=scheme)


def test_is_within_goes_by_whole_names():
    assert is_within("/a/b", "/a")
    assert is_within("/a", "/a")
    assert is_within("/a", "/")
    assert not is_within("/ab", "/a")
    assert not is_within("/a", "/a/b")


def test_the_users_own_directory_is_written_where_it_is_built_only(tree, tmp_path, environ):
    part = tree / "part"
    part.mkdir()
    control = tmp_path / "control"
    source = SourceTree(str(tree), "demo", own=True)
    assert set(writable(_command(part, control), source, environ)) == {str(part), str(control)}


def test_what_pip_unpacked_is_written_as_a_whole(tree, environ):
    part = tree / "part"
    part.mkdir()
    source = SourceTree(str(tree), "demo", own=False)
    assert writable(_command(part), source, environ) == (str(tree),)


def test_a_link_out_of_the_tree_is_no_place_to_build_in(tree, tmp_path, environ):
    mine = tmp_path / "mine"
    mine.mkdir()
    (tree / "part").symlink_to(mine)
    with pytest.raises(PlaceError, match="outside its source"):
        writable(_command(tree / "part"), SourceTree(str(tree), "demo", own=False), environ)


def test_a_link_to_the_tree_is_followed(tree, tmp_path, environ):
    link = tmp_path / "link"
    link.symlink_to(tree)
    assert writable(_command(link), SourceTree(str(tree), "demo", own=True), environ) == (str(tree),)


@pytest.mark.parametrize("place", ["home", "above", "/", "/usr", "/tmp"])
def test_a_tree_that_holds_everything_is_no_place_to_build_in(home, environ, place):
    root = {"home": str(home), "above": str(home.parent)}.get(place, place)
    with pytest.raises(PlaceError, match="a directory of its own"):
        writable(_command(root), SourceTree(root, "demo", own=True), environ)


def test_a_home_is_wide_by_whatever_path(home, tmp_path, environ):
    assert is_wide(str(home), environ)
    assert is_wide(str(tmp_path), environ)
    assert not is_wide(str(home / "demo"), environ)
    link = tmp_path / "link"
    link.symlink_to(home)
    assert is_wide(str(home), {"HOME": str(link)})


def test_a_root_or_a_home_scheme_is_written_as_a_whole(tree, tmp_path, environ):
    source = SourceTree(str(tree), "demo", own=False)
    for scheme in (Scheme(root=str(tmp_path / "image")), Scheme(home=str(tmp_path / "target"))):
        found = writable(_command(tree, scheme=scheme), source, environ)
        assert set(found) == {str(tree), scheme.root or scheme.home}
        assert os.path.isdir(found[-1])


def test_a_prefix_is_written_where_modules_and_scripts_go(tree, tmp_path, environ):
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    (prefix / "pyvenv.cfg").touch()
    scheme = Scheme(prefix=str(prefix))
    found = writable(_command(tree, scheme=scheme), SourceTree(str(tree), "demo", own=False), environ)
    assert str(prefix / "bin") in found
    assert [place for place in found if place.endswith("site-packages") and is_within(place, str(prefix))]
    assert str(prefix) not in found


def test_a_scheme_that_is_the_whole_machine_is_refused(tree, home, environ):
    source = SourceTree(str(tree), "demo", own=False)
    for scheme in (Scheme(root="/"), Scheme(home=str(home))):
        with pytest.raises(PlaceError, match="can't be confined"):
            writable(_command(tree, scheme=scheme), source, environ)


def _git(tree, *command):
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y.z", *command], cwd=tree, check=True)


def test_a_repository_is_found_above(tree, environ):
    _git(tree.parent, "init", "-q")
    assert repository(str(tree), environ) == [str(tree.parent), str(tree.parent / ".git")]
    assert repository(str(tree.parent), environ) == [str(tree.parent), str(tree.parent / ".git")]


def test_of_a_home_that_is_a_repository_only_gits_own_files_are_read(home, environ):
    _git(home, "init", "-q")
    project = home / "project"
    project.mkdir()
    assert repository(str(project), environ) == [str(home / ".git")]


def test_a_worktree_is_read_with_its_repository(tree, tmp_path, environ):
    _git(tree, "init", "-q")
    (tree / "x").touch()
    _git(tree, "add", ".")
    _git(tree, "commit", "-q", "-m", "x")
    _git(tree, "worktree", "add", "-q", str(tmp_path / "other"))
    found = {os.path.realpath(path) for path in repository(str(tmp_path / "other"), environ)}
    assert found >= {str(tmp_path / "other"), str(tree / ".git"), str(tree / ".git" / "worktrees" / "other")}


@pytest.mark.parametrize("text", ["gitdir: {home}", "gitdir: /", "gitdir: ../../..", "nothing", ""])
def test_a_forged_git_file_opens_nothing(tree, home, environ, text):
    (tree / ".git").write_text(text.format(home=home))
    assert repository(str(tree), environ) == [str(tree), str(tree / ".git")]


def test_nothing_above_is_read_without_a_repository(tmp_path, environ):
    if subprocess.run(["git", "rev-parse"], cwd=tmp_path, check=False, capture_output=True).returncode == 0:
        pytest.skip("the temporary directory lies in a repository")
    assert repository(str(tmp_path), environ) == []


def test_what_a_build_reads(tree, home, environ):
    source = SourceTree(str(tree), "demo", own=True)
    found = readable(_command(tree), source, environ, (str(tree),), secrets_by_home(environ))
    real = [os.path.realpath(path) for path in found]
    assert any(is_within(os.path.realpath(sys.prefix), path) for path in real)
    assert any(is_within(str(paths.PACKAGE_DIR), path) for path in real)
    assert not any(is_within(str(home), path) for path in real)


def test_a_build_environment_is_read_as_a_whole(tree, environ, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    build = tmp_path / "pip-build-env-ab12"
    for part in ("site", "overlay/bin", "normal/bin"):
        (build / part).mkdir(parents=True)
    other = tmp_path / "other" / "bin"
    other.mkdir(parents=True)
    inside = {
        **environ,
        "PATH": f"{build}/overlay/bin:{other}:/usr/bin",
        "PYTHONPATH": f"{build}/site",
        "PYTHONNOUSERSITE": "1",
    }
    found = readable(
        _command(tree),
        SourceTree(str(tree), "demo", own=False),
        inside,
        (str(tree),),
        secrets_by_home(inside),
    )
    assert str(build) in found
    assert str(tmp_path / "other") not in found


def test_an_environment_in_a_writable_tree_is_named_so_that_it_stays_as_it_is(tree, environ, monkeypatch):
    venv = tree / ".venv"
    (venv / "bin").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(venv))
    found = readable(
        _command(tree),
        SourceTree(str(tree), "demo", own=True),
        environ,
        (str(tree),),
        secrets_by_home(environ),
    )
    assert str(venv) in found


def test_an_environment_that_is_a_home_is_read_in_its_parts(tree, home, environ, monkeypatch):
    (home / "lib").mkdir()
    monkeypatch.setattr(sys, "prefix", str(home))
    found = readable(
        _command(tree),
        SourceTree(str(tree), "demo", own=True),
        environ,
        (str(tree),),
        secrets_by_home(environ),
    )
    assert str(home / "lib") in found
    assert str(home) not in found


def test_secrets_pips_configuration_and_our_store_are_hidden(home, environ):
    for name in (".netrc", ".pip/pip.conf", ".config/pip/pip.conf"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("machine example.org login x password y\n")
    configuration = home.parent / "other.conf"
    configuration.touch()
    environ = {**environ, "PIP_CONFIG_FILE": str(configuration)}
    found = hidden(environ, secrets_by_home(environ))
    for path in (home / ".netrc", home / ".pip" / "pip.conf", home / ".config/pip/pip.conf", configuration):
        assert any(is_within(str(path), place) for place in found), path


def test_a_configuration_that_is_switched_off_hides_no_device(environ):
    environ["PIP_CONFIG_FILE"] = os.devnull
    assert os.devnull not in hidden(environ, secrets_by_home(environ))


def test_the_store_is_hidden_where_there_is_one(home, environ, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    store = Path(paths.state_dir())
    store.mkdir(parents=True)
    assert str(store) in hidden(environ, secrets_by_home(environ))
