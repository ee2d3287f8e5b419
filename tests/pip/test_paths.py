"""Every way by which a file can come to pip: each is stopped (Must show 3 of the foundation).

Sources without an age (find-links directories, local trees, VCS) are stopped by
a BLOCK: their wheel would overwrite veln-hook.
"""

from __future__ import annotations

import hashlib
import subprocess
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from support import envs
from support.builders import make_tree, make_wheel
from support.held import EVIL, OLD, YOUNG, assert_held

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env
    from support.index_server import IndexServer


@pytest.fixture
def env(shared_env: Env) -> Env:
    """The newest pip on the newest Python, shared: tests here install into directories of their own."""
    return shared_env


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Indexes


def test_html_index_with_json_beside_it(env: Env, young: IndexServer, target: Path) -> None:
    young.html_for_pip22 = True
    pair = next(p for p in envs.PAIRS if p.pip == "22.3.1" and envs.find_python(p.python))
    old_pip = envs.shared_env(pair, env.home)
    assert_held(old_pip.run_pip("install", "-t", str(target), "demo", index=young), target)
    assert any("veln-hook" in request.user_agent for request in young.requests)


def test_html_only_index_is_cooled_from_first_sight(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index = make_index(json=False)
    index.add(make_wheel(tmp_path, "demo", "2.0"))
    result = env.run_pip("install", "-t", str(target), "demo", index=index)
    assert_held(result, target)
    assert "no upload time, first seen here just now, cooling until" in result.out, result
    time.sleep(1.1)
    short = env.run_pip(
        "install", "-t", str(target), "demo", index=index, env={"VELN_HOOK_COOLING_MIN_AGE": "1s"}
    )
    assert short.returncode == 0, short
    assert not index.downloads["demo-2.0-py3-none-any.whl"] > 1


def test_html_index_with_the_older_json_api(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index = make_index(json=False, project_api=True)
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    result = env.run_pip("install", "-t", str(target), "demo", index=index)
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0  uploaded 12 min ago" in result.out, result
    assert (target / "demo-1.0.dist-info").is_dir()


def test_an_index_that_tells_no_times_is_not_asked_for_ever(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index = make_index(json=False)
    names = [f"demo{number}" for number in range(6)]
    for name in names:
        index.add(make_wheel(tmp_path, name, "1.0"))
    result = env.run_pip(
        "install",
        "-t",
        str(target),
        *names,
        index=index,
        env={"VELN_HOOK_COOLING_MISSING_UPLOAD_TIME": "allow"},
    )
    assert result.returncode == 0, result
    asked = [request.path for request in index.requests if "veln-hook" in request.user_agent]
    assert len(asked) == 4, asked


def test_json_index_without_times_follows_the_policy(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index = make_index(times=False)
    index.add(make_wheel(tmp_path, "demo", "2.0"))
    held = env.run_pip(
        "install",
        "-t",
        str(target),
        "demo",
        index=index,
        env={"VELN_HOOK_COOLING_MISSING_UPLOAD_TIME": "hold"},
    )
    assert_held(held, target, status=77)
    assert "its age is unknown" in held.out
    allowed = env.run_pip(
        "install",
        "-t",
        str(target),
        "demo",
        index=index,
        env={"VELN_HOOK_COOLING_MISSING_UPLOAD_TIME": "allow"},
    )
    assert allowed.returncode == 0, allowed


def test_a_mirrors_times_are_looked_up_upstream(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    mirror, upstream = make_index(times=False), make_index()
    old, young = make_wheel(tmp_path, "demo", "1.0"), make_wheel(tmp_path, "demo", "2.0")
    for wheel, age in ((old, OLD), (young, YOUNG)):
        mirror.add(wheel)
        upstream.add(wheel, upload_time=age)
    policy = f'[[indexes]]\nurl = "{mirror.url}"\nupstream = "{upstream.url}"\n'
    result = env.run_pip("install", "-t", str(target), "demo", index=mirror, policy=policy)
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0  uploaded 12 min ago" in result.out, result
    assert (target / "demo-1.0.dist-info").is_dir()
    # Other bytes under a known name have the age of nobody.
    forged = tmp_path / "forged"
    forged.mkdir()
    mirror.replace("demo-1.0-py3-none-any.whl", make_wheel(forged, "demo", "1.0", {"x.py": "1"}).read_bytes())
    again = env.run_pip("install", "-t", str(tmp_path / "t2"), "demo", index=mirror)
    assert again.returncode != 0, again


def test_an_upload_time_in_the_future_is_held(
    env: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=timedelta(days=-3))
    result = env.run_pip("install", "-t", str(target), "demo", index=index)
    assert_held(result, target)
    assert "lies in the future" in result.out


def test_an_index_with_credentials(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index = make_index(auth=("user", "s3cret"))
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    result = env.run_pip("install", "-t", str(target), "demo", index=index.auth_url)
    assert_held(result, target)
    assert "s3cret" not in result.out
    store = b"".join(p.read_bytes() for p in env.home.state_dir.rglob("*") if p.is_file())
    assert b"s3cret" not in store


def test_pips_http_cache(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index = make_index(cache_control="max-age=600")
    wheel = make_wheel(tmp_path, "demo", "2.0")
    index.add(wheel, upload_time=YOUNG)
    filled = env.run_pip("install", "-t", str(tmp_path / "a"), "demo", index=index, protected=False)
    assert filled.returncode == 0, filled
    assert_held(env.run_pip("install", "-t", str(target), "demo", index=index), target)


def test_changed_bytes_under_a_known_name_are_blocked(
    env: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=OLD)
    first = env.run_pip("install", "-t", str(tmp_path / "a"), "demo", index=index)
    assert first.returncode == 0, first
    forged = tmp_path / "forged"
    forged.mkdir()
    index.replace("demo-2.0-py3-none-any.whl", make_wheel(forged, "demo", "2.0", {"x.py": "1"}).read_bytes())
    result = env.run_pip("install", "--no-cache-dir", "-t", str(target), "demo", index=index)
    assert_held(
        result, target, status=1, words="BLOCK demo 2.0  bytes changed under a known filename: sha256"
    )
    assert index.downloads["demo-2.0-py3-none-any.whl"] == 1


# Sources that are named directly


def test_direct_url_of_a_file_the_index_lists(env: Env, young: IndexServer, target: Path) -> None:
    url = young.file_url("demo-2.0-py3-none-any.whl")
    for requirement in (url, f"demo @ {url}"):
        result = env.run_pip("install", "-t", str(target), requirement, index=young)
        assert_held(result, target)
        assert "uploaded 12 min ago" in result.out
    assert not young.downloads


def test_direct_url_that_no_index_lists_is_cooled_by_its_bytes(
    env: Env, index: IndexServer, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    other = make_index()
    wheel = make_wheel(tmp_path, "demo", "2.0")
    other.add(wheel, upload_time=OLD)
    url = other.file_url(wheel.name)
    result = env.run_pip("install", "-t", str(target), url, index=index)
    assert_held(result, target)
    assert "first seen here just now" in result.out, result
    # The bytes at a URL can be swapped: what was seen first is not what comes then.
    forged = tmp_path / "forged"
    forged.mkdir()
    other.replace(wheel.name, make_wheel(forged, "demo", "2.0", {"x.py": "1"}).read_bytes())
    swapped = env.run_pip(
        "install",
        "--no-cache-dir",
        "-t",
        str(target),
        url,
        index=index,
        env={"VELN_HOOK_COOLING_MIN_AGE": "30s"},
    )
    assert_held(swapped, target)


def test_direct_url_whose_bytes_are_not_those_the_index_lists(
    env: Env, index: IndexServer, forged_url: str, target: Path
) -> None:
    result = env.run_pip("install", "-t", str(target), forged_url, index=index)
    assert_held(result, target)
    assert "first seen here just now" in result.out, result


def test_url_constraint(env: Env, young: IndexServer, tmp_path: Path, target: Path) -> None:
    constraints = tmp_path / "c.txt"
    constraints.write_text(f"demo @ {young.file_url('demo-2.0-py3-none-any.whl')}\n")
    result = env.run_pip("install", "-t", str(target), "-c", str(constraints), "demo", index=young)
    assert_held(result, target)


def test_constraint(env: Env, young: IndexServer, tmp_path: Path, target: Path) -> None:
    constraints = tmp_path / "c.txt"
    constraints.write_text("demo==2.0\n")
    young.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    result = env.run_pip("install", "-t", str(target), "-c", str(constraints), "demo", index=young)
    assert_held(result, target)
    assert not young.downloads


def test_requirements_with_hashes(env: Env, young: IndexServer, tmp_path: Path, target: Path) -> None:
    requirements = tmp_path / "r.txt"
    digest = _sha256(tmp_path / "demo-2.0-py3-none-any.whl")
    requirements.write_text(f"demo==2.0 --hash=sha256:{digest}\n")
    result = env.run_pip(
        "install", "-t", str(target), "--require-hashes", "-r", str(requirements), index=young
    )
    assert_held(result, target)
    assert not young.downloads


def test_no_index_and_find_links_directory(env: Env, tmp_path: Path, target: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    make_wheel(links, "evil", "1.0", EVIL)
    make_wheel(links, "fine", "1.0")
    result = env.run_pip(
        "install", "-t", str(target), "--no-index", "--find-links", str(links), "fine", "evil"
    )
    assert_held(result, target, status=1, words="BLOCK evil 1.0")
    fine = env.run_pip("install", "-t", str(target), "--no-index", "--find-links", str(links), "fine")
    assert fine.returncode == 0, fine


def test_find_links_page(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    page = make_index(json=False)
    page.add(make_wheel(tmp_path, "demo", "2.0"))
    result = env.run_pip(
        "install", "-t", str(target), "--no-index", "--find-links", f"{page.url}demo/", "demo"
    )
    assert_held(result, target)


def test_local_wheel_file(env: Env, tmp_path: Path, target: Path) -> None:
    wheel = make_wheel(tmp_path, "evil", "1.0", EVIL)
    result = env.run_pip("install", "-t", str(target), str(wheel))
    assert_held(result, target, status=1, words="BLOCK evil 1.0")


def _commit(tree: Path) -> str:
    """Make a git repository of a tree; return the requirement that names it."""
    git = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    return f"git+{tree.as_uri()}"


@pytest.mark.parametrize("form", ["directory", "vcs"])
def test_trees_are_stopped_by_what_they_build(env: Env, tmp_path: Path, target: Path, form: str) -> None:
    tree = make_tree(tmp_path / "tree", "evil", "1.0", files=EVIL)
    requirement = _commit(tree) if form == "vcs" else str(tree)
    result = env.run_pip("install", "-t", str(target), requirement)
    assert_held(result, target, status=1, words="BLOCK evil 1.0")


@pytest.mark.parametrize("form", ["directory", "vcs"])
def test_an_editable_wheel_is_judged(newest_env: Env, tmp_path: Path, form: str) -> None:
    backend = """
import os, zipfile
def _wheel(directory):
    name = "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as z:
        z.writestr("veln_hook/_startup.py", "def install(): pass")
        z.writestr("evil-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: evil\\nVersion: 1.0\\n")
        z.writestr("evil-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        z.writestr("evil-1.0.dist-info/RECORD", "")
    return name
def build_wheel(d, c=None, m=None): return _wheel(d)
def build_editable(d, c=None, m=None): return _wheel(d)
"""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "backend.py").write_text(backend)
    (tree / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "evil"\nversion = "1.0"\n'
    )
    requirement = f"{_commit(tree)}#egg=evil" if form == "vcs" else str(tree)
    before = newest_env.files()
    result = newest_env.run_pip("install", "-e", requirement, "--src", str(tmp_path / "src"))
    assert result.returncode == 1, result
    assert "BLOCK evil 1.0" in result.out, result
    assert newest_env.files() == before
