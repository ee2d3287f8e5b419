"""What a step of uv's builds may write and read, on real directories in the shape of uv's cache."""

from __future__ import annotations

import os
import sys

import pytest

from veln_hook.adapters.building.places import PlaceError
from veln_hook.adapters.uv.build_places import bytecode, readable, tree_of, writable
from veln_hook.adapters.uv.build_step import Step

HOOK = "build_wheel"


@pytest.fixture
def cache(tmp_path):
    made = tmp_path / "cache"
    made.mkdir()
    return made


@pytest.fixture
def environ(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PATH": "/usr/bin:/bin"}


@pytest.fixture
def place(cache):
    """A build's temporary directory, which is its environment as well."""
    made = cache / "builds-v0/.tmpAbCdEf"
    (made / "bin").mkdir(parents=True)
    (made / "pyvenv.cfg").touch()
    return made


@pytest.fixture
def source(cache):
    made = cache / "sdists-v9/pypi/demo/1.0/AbCdEf/src"
    made.mkdir(parents=True)
    return made


def step(place, result="", hook=HOOK):
    return Step(hook, str(place / f"{hook}.txt"), str(result) if result else "")


def write(what, cwd, cache, environ):
    return writable(what, tree_of(str(cwd), str(cache)), str(cwd), str(cache), environ)


@pytest.mark.parametrize(
    "below, root, kind",
    [
        ("sdists-v9/pypi/demo/1.0/R/src", "sdists-v9/pypi/demo/1.0/R/src", "archive"),
        ("sdists-v11/pypi/demo/1.0/R/src/python/src", "sdists-v11/pypi/demo/1.0/R/src", "archive"),
        ("sdists-v9/pypi/src/1.0/R/src", "sdists-v9/pypi/src/1.0/R/src", "archive"),
        ("sdists-v9/index/H/demo/1.0/R/src", "sdists-v9/index/H/demo/1.0/R/src", "archive"),
        ("sdists-v9/url/H/R/src/sub", "sdists-v9/url/H/R/src", "archive"),
        ("sdists-v9/path/H/R/src", "sdists-v9/path/H/R/src", "made"),
        ("sdists-v9/.tmpX/demo-1.0", "sdists-v9/.tmpX/demo-1.0", "made"),
        ("git-v0/checkouts/H/abc123/sub/dir", "git-v0/checkouts/H/abc123", "git"),
    ],
)
def test_a_source_in_the_cache_is_known_by_its_place(cache, below, root, kind):
    (cache / below).mkdir(parents=True)
    tree = tree_of(str(cache / below), str(cache))
    assert (tree.root, tree.kind) == (str(cache / root), kind)


@pytest.mark.parametrize(
    "below",
    [
        "",
        "archive-v0/X",
        "builds-v0/.tmpX",
        "sdists-v9",
        "sdists-v9/pypi/demo/1.0/R",
        "wheels-v5/src",
        "x/sdists-v9/url/H/R/src",
    ],
)
def test_any_other_place_in_the_cache_is_not_built_in(cache, below):
    (cache / below).mkdir(parents=True, exist_ok=True)
    with pytest.raises(PlaceError, match="not where its sources are known to lie"):
        tree_of(str(cache / below), str(cache))


def test_a_link_in_a_source_does_not_make_it_another_one(cache, source):
    other = cache / "archive-v0/X"
    other.mkdir(parents=True)
    (source / "python").symlink_to(other)
    with pytest.raises(PlaceError):
        tree_of(str(source / "python"), str(cache))


def test_a_source_is_called_what_its_metadata_says(source, cache):
    (source / "PKG-INFO").write_text(
        "Metadata-Version: 2.1\r\nName: Demo\r\nVersion: 1.0\r\n\r\nName: other\r\n"
    )
    assert tree_of(str(source), str(cache)).name == "Demo 1.0"
    (source / "PKG-INFO").unlink()
    os.mkfifo(source / "PKG-INFO")  # nobody waits for what is written into it
    assert tree_of(str(source), str(cache)).name == "src"
    (source / "PKG-INFO").unlink()
    (source / "PKG-INFO").symlink_to("/etc/passwd")
    assert tree_of(str(source), str(cache)).name == "src"


def test_a_step_writes_its_source_and_its_outcome(cache, environ, place, source):
    written = write(step(place, hook="get_requires_for_build_wheel"), source, cache, environ)
    assert written == (str(source), str(place / "get_requires_for_build_wheel.txt"))
    assert (place / "get_requires_for_build_wheel.txt").read_text() == ""


def test_and_its_result(cache, environ, place, source):
    result = cache / "builds-v0/.tmpResult"
    result.mkdir()
    assert str(result) in write(step(place, result), source, cache, environ)
    metadata = place / "metadata_directory"
    metadata.mkdir()
    assert str(metadata) in write(step(place, metadata), source, cache, environ)


def test_a_link_where_the_outcome_should_be_is_not_followed(cache, environ, place, source, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (place / f"{HOOK}.txt").symlink_to(tmp_path / "mine")
    result = cache / "builds-v0/.tmpResult"
    result.mkdir()
    write(step(place, result), source, cache, environ)
    assert not (place / f"{HOOK}.txt").is_symlink()
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    "below", ["archive-v0/.tmpX", "builds-v0", "builds-v0/.tmpX/deeper", "builds-v0/named", "../home"]
)
def test_an_outcome_elsewhere_is_refused(cache, environ, source, below):
    (cache / below).mkdir(parents=True, exist_ok=True)
    with pytest.raises(PlaceError):
        write(step(cache / below, hook="get_requires_for_build_wheel"), source, cache, environ)


@pytest.mark.parametrize(
    "below",
    [
        "archive-v0/X",
        "builds-v0",
        "sdists-v9/pypi/demo/1.0/AbCdEf",
        "builds-v0/.tmpAbCdEf",
        "builds-v0/.tmpAbCdEf/bin",
        "wheels-v5",
        ".",
        "nowhere",
    ],
)
def test_a_result_elsewhere_in_the_cache_is_refused(cache, environ, place, source, below):
    if below != "nowhere":
        (cache / below).mkdir(parents=True, exist_ok=True)
    with pytest.raises(PlaceError):
        write(step(place, cache / below), source, cache, environ)


def test_what_uv_build_writes_to(cache, environ, place, tmp_path):
    tree, dist = tmp_path / "project", tmp_path / "project/dist"
    dist.mkdir(parents=True)
    written = write(step(place, dist), tree, cache, environ)
    assert written == (str(tree), str(place / f"{HOOK}.txt"), str(dist))
    elsewhere = tmp_path / "out"
    elsewhere.mkdir()
    assert str(elsewhere) in write(step(place, elsewhere), tree, cache, environ)


def test_it_is_no_link_of_the_tree_s_that_leads_out_no_home_and_no_environment(
    cache, environ, place, tmp_path
):
    tree, mine, venv = tmp_path / "project", tmp_path / "mine", tmp_path / "venv"
    for made in (tree, mine, venv):
        made.mkdir()
    (venv / "pyvenv.cfg").touch()
    (tree / "dist").symlink_to(mine)
    (tree / "within").symlink_to(tree)
    for result in (tree / "dist", environ["HOME"], tmp_path / "home/..", venv):
        with pytest.raises(PlaceError, match="would have to write"):
            write(step(place, result), tree, cache, environ)
    assert write(step(place, tree / "within"), tree, cache, environ)


def test_a_home_is_no_source(cache, environ, place):
    with pytest.raises(PlaceError, match="move the source into a directory of its own"):
        write(step(place, hook="get_requires_for_build_wheel"), environ["HOME"], cache, environ)


def read(place, tree, cache, environ, written):
    return readable(
        str(place / "bin/python"),
        base_prefix=sys.base_prefix,
        tree=tree_of(str(tree), str(cache)),
        environ=environ,
        write=written,
        secrets={environ["HOME"]: ()},
        cache=str(cache),
    )


def test_the_environment_is_read_and_not_the_rest_of_the_cache(cache, environ, place, source):
    (cache / "archive-v0").mkdir()
    (cache / "git-v0/db").mkdir(parents=True)
    found = read(place, source, cache, environ, (str(source),))
    assert str(place) in found
    assert str(cache / "archive-v0") in found
    assert str(cache) not in found
    assert str(cache / "git-v0/db") not in found
    assert str(cache / "builds-v0") not in found


def test_a_file_named_git_in_an_archive_opens_no_repository(cache, environ, place, source, tmp_path):
    private = tmp_path / "private/.git"
    (private / "objects").mkdir(parents=True)
    (private / "HEAD").touch()
    (source / ".git").write_text(f"gitdir: {private}\n")
    assert not [path for path in read(place, source, cache, environ, (str(source),)) if str(private) in path]


def test_what_is_not_to_be_written_in_an_own_tree_is_named(cache, environ, place, tmp_path):
    tree = tmp_path / "project"
    (tree / ".git").mkdir(parents=True)
    (tree / ".venv").mkdir()
    (tree / ".venv/pyvenv.cfg").touch()
    (tree / "env").mkdir()
    (tree / "env/conda-meta").mkdir()
    (tree / "docs").mkdir()
    found = read(place, tree, cache, environ, (str(tree),))
    assert {str(tree / name) for name in (".git", ".venv", "env")} <= set(found)
    assert str(tree / "docs") not in found


def test_the_repository_of_a_checkout_is_read_only(cache, environ, place):
    checkout = cache / "git-v0/checkouts/H/abc"
    (checkout / ".git").mkdir(parents=True)
    (cache / "git-v0/db").mkdir()
    found = read(place, checkout, cache, environ, (str(checkout),))
    assert str(checkout / ".git") in found
    assert str(cache / "git-v0/db") in found


def test_compiled_modules_are_kept_in_a_build_s_own_environment_only(cache, place, tmp_path):
    for environment in (place, tmp_path / "venv"):
        package = environment / "lib/python3.11/site-packages/demo"
        (package / "data").mkdir(parents=True)
        (package / "__init__.py").touch()
        (environment / "pyvenv.cfg").touch()
    found = bytecode(str(place / "bin/python"), str(cache))
    assert found == (str(place / "lib/python3.11/site-packages/demo/__pycache__"),)
    assert (place / "lib/python3.11/site-packages/demo/__pycache__").is_dir()
    assert bytecode(str(place / "bin/python"), str(cache)) == found, "the next step's are the same"
    assert bytecode(str(tmp_path / "venv/bin/python"), str(cache)) == ()
    assert not (tmp_path / "venv/lib/python3.11/site-packages/demo/__pycache__").exists()


def test_compiled_modules_that_a_wheel_brought_are_not_given_away(cache, place):
    """Where uv links files, they are the cache's."""
    kept = cache / "archive-v0/X/demo.pyc"
    kept.parent.mkdir(parents=True)
    kept.touch()
    site = place / "lib/python3.11/site-packages"
    for name in ("linked", "pointed", "elsewhere", "own"):
        (site / name).mkdir(parents=True)
        (site / name / "module.py").touch()
    (site / "elsewhere/__pycache__").symlink_to(kept.parent)
    for name in ("linked", "pointed", "own"):
        (site / name / "__pycache__").mkdir()
    os.link(kept, site / "linked/__pycache__/demo.pyc")
    (site / "pointed/__pycache__/demo.pyc").symlink_to(kept)
    (site / "own/__pycache__/demo.pyc").touch()
    assert bytecode(str(place / "bin/python"), str(cache)) == (str(site / "own/__pycache__"),)
