"""Every way by which a file can come to pip: each is stopped (Must show 3 of the foundation).

Sources without an age (find-links directories, local trees, VCS) are stopped by
a BLOCK: their wheel would overwrite veln-hook.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from support import cache, envs
from support.builders import make_sdist, make_tree, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env
    from support.index_server import IndexServer

OLD = timedelta(days=30)
YOUNG = timedelta(minutes=12)
EVIL = {"evil.py": "", "veln_hook/_startup.py": "def install(): pass\n"}


@pytest.fixture
def env(shared_env: Env) -> Env:
    """The newest pip on the newest Python, shared: tests here install into directories of their own."""
    return shared_env


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def young(index: IndexServer, tmp_path: Path) -> IndexServer:
    """An index whose only release of demo is twelve minutes old."""
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    return index


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _assert_held(
    result: envs.Result, target: Path, *, status: int = 75, words: str = "HOLD  demo 2.0"
) -> None:
    assert result.returncode == status, result
    assert words in result.out, result
    assert "Traceback" not in result.out, result
    # pip makes the directory of 'download' and 'wheel' before it looks for anything.
    assert not target.is_file()
    assert not list(target.rglob("*"))


# Indexes


def test_html_index_with_json_beside_it(env: Env, young: IndexServer, target: Path) -> None:
    young.html_for_pip22 = True
    pair = next(p for p in envs.PAIRS if p.pip == "22.3.1" and envs.find_python(p.python))
    old_pip = envs.shared_env(pair, env.home)
    _assert_held(old_pip.run_pip("install", "-t", str(target), "demo", index=young), target)
    assert any("veln-hook" in request.user_agent for request in young.requests)


def test_html_only_index_is_cooled_from_first_sight(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index = make_index(json=False)
    index.add(make_wheel(tmp_path, "demo", "2.0"))
    result = env.run_pip("install", "-t", str(target), "demo", index=index)
    _assert_held(result, target)
    assert "no upload time, first seen here just now, cooling until" in result.out, result
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
    _assert_held(held, target, status=77)
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
    _assert_held(result, target)
    assert "lies in the future" in result.out


def test_an_index_with_credentials(
    env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index = make_index(auth=("user", "s3cret"))
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    result = env.run_pip("install", "-t", str(target), "demo", index=index.auth_url)
    _assert_held(result, target)
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
    _assert_held(env.run_pip("install", "-t", str(target), "demo", index=index), target)


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
    _assert_held(
        result, target, status=1, words="BLOCK demo 2.0  bytes changed under a known filename: sha256"
    )
    assert index.downloads["demo-2.0-py3-none-any.whl"] == 1


# Sources that are named directly


def test_direct_url_of_a_file_the_index_lists(env: Env, young: IndexServer, target: Path) -> None:
    url = young.file_url("demo-2.0-py3-none-any.whl")
    for requirement in (url, f"demo @ {url}"):
        result = env.run_pip("install", "-t", str(target), requirement, index=young)
        _assert_held(result, target)
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
    _assert_held(result, target)
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
    _assert_held(swapped, target)


def test_direct_url_whose_bytes_are_not_those_the_index_lists(
    env: Env, index: IndexServer, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=OLD)
    forged = tmp_path / "forged"
    forged.mkdir()
    other = make_index()
    other.add(make_wheel(forged, "demo", "2.0", {"x.py": "1"}), upload_time=OLD)
    result = env.run_pip(
        "install", "-t", str(target), other.file_url("demo-2.0-py3-none-any.whl"), index=index
    )
    _assert_held(result, target)
    assert "first seen here just now" in result.out, result


def test_url_constraint(env: Env, young: IndexServer, tmp_path: Path, target: Path) -> None:
    constraints = tmp_path / "c.txt"
    constraints.write_text(f"demo @ {young.file_url('demo-2.0-py3-none-any.whl')}\n")
    result = env.run_pip("install", "-t", str(target), "-c", str(constraints), "demo", index=young)
    _assert_held(result, target)


def test_requirements_with_hashes(env: Env, young: IndexServer, tmp_path: Path, target: Path) -> None:
    requirements = tmp_path / "r.txt"
    digest = _sha256(tmp_path / "demo-2.0-py3-none-any.whl")
    requirements.write_text(f"demo==2.0 --hash=sha256:{digest}\n")
    result = env.run_pip(
        "install", "-t", str(target), "--require-hashes", "-r", str(requirements), index=young
    )
    _assert_held(result, target)
    assert not young.downloads


def test_no_index_and_find_links_directory(env: Env, tmp_path: Path, target: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    make_wheel(links, "evil", "1.0", EVIL)
    make_wheel(links, "fine", "1.0")
    result = env.run_pip(
        "install", "-t", str(target), "--no-index", "--find-links", str(links), "fine", "evil"
    )
    _assert_held(result, target, status=1, words="BLOCK evil 1.0")
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
    _assert_held(result, target)


def test_local_wheel_file(env: Env, tmp_path: Path, target: Path) -> None:
    wheel = make_wheel(tmp_path, "evil", "1.0", EVIL)
    result = env.run_pip("install", "-t", str(target), str(wheel))
    _assert_held(result, target, status=1, words="BLOCK evil 1.0")


@pytest.mark.parametrize("form", ["directory", "vcs"])
def test_trees_are_stopped_by_what_they_build(env: Env, tmp_path: Path, target: Path, form: str) -> None:
    tree = make_tree(tmp_path / "tree", "evil", "1.0", files=EVIL)
    if form == "vcs":
        git = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", "x"], check=True)
        requirement = [f"git+file://{tree}"]
    else:
        requirement = ["-e", str(tree)] if form == "editable" else [str(tree)]
    if form == "editable":
        pytest.skip(
            "an editable wheel holds no files of the tree: covered by test_an_editable_wheel_is_judged"
        )
    result = env.run_pip("install", "-t", str(target), *requirement)
    _assert_held(result, target, status=1, words="BLOCK evil 1.0")


def test_an_editable_wheel_is_judged(newest_env: Env, tmp_path: Path) -> None:
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
    before = newest_env.files()
    result = newest_env.run_pip("install", "-e", str(tree))
    assert result.returncode == 1, result
    assert "BLOCK evil 1.0" in result.out, result
    assert newest_env.files() == before


# Commands and options


@pytest.mark.parametrize("command", ["download", "wheel", "lock"])
def test_other_commands(env: Env, young: IndexServer, tmp_path: Path, target: Path, command: str) -> None:
    where = {"download": ["-d", str(target)], "wheel": ["-w", str(target)], "lock": ["-o", str(target)]}
    _assert_held(env.run_pip(command, *where[command], "demo", index=young), target)
    assert not young.downloads


def test_prefix_and_user(env: Env, young: IndexServer, target: Path) -> None:
    _assert_held(env.run_pip("install", "--prefix", str(target), "demo", index=young), target)
    user = env.run_pip("install", "--user", "demo", index=young)
    assert user.returncode != 0
    assert not young.downloads


def test_isolated_interpreter(env: Env, young: IndexServer, target: Path) -> None:
    result = env.run("-I", "-m", "pip", "install", "-t", str(target), "demo", index=young)
    _assert_held(result, target)


def test_dry_run_says_that_contents_were_not_judged(
    env: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD, core_metadata=True)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG, core_metadata=True)
    report = tmp_path / "report.json"
    result = env.run_pip(
        "install", "-t", str(target), "--dry-run", "--report", str(report), "demo", index=index
    )
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0" in result.out
    assert "contents were not downloaded: demo 1.0" in result.out, result
    assert [i["metadata"]["version"] for i in json.loads(report.read_text())["install"]] == ["1.0"]
    assert [name for name in index.downloads if name.endswith(".whl")] == []


@pytest.mark.parametrize("feature", ["venv-isolation", "inprocess-build-deps"])
def test_build_isolation_features(
    env: Env, index: IndexServer, tmp_path: Path, target: Path, feature: str
) -> None:
    marker = tmp_path / "ran"
    index.add(make_wheel(tmp_path, "helper", "3.0"), upload_time=YOUNG)
    index.add(make_sdist(tmp_path, "demo", "2.0", marker=marker, build_requires=["helper"]), upload_time=OLD)
    result = env.run_pip("install", "-t", str(target), f"--use-feature={feature}", "demo", index=index)
    if "invalid choice" in result.out or "no such" in result.out:
        pytest.skip(f"this pip has no {feature}")
    _assert_held(result, target, words="HOLD  helper 3.0")
    assert not marker.exists()
    assert not index.downloads["helper-3.0-py3-none-any.whl"]
    passed = env.run_pip(
        "install",
        "-t",
        str(target),
        f"--use-feature={feature}",
        "demo",
        index=index,
        env={"VELN_HOOK_COOLING_MIN_AGE": "0"},
    )
    assert passed.returncode == 0, passed


def test_lock_files(env: Env, index: IndexServer, tmp_path: Path, target: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "2.0")
    index.add(wheel, upload_time=YOUNG)
    lock = tmp_path / "pylock.toml"
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "a test"\n[[packages]]\nname = "demo"\nversion = "2.0"\n'
        # A lock file comes with other people's code: what it says of the upload time is not believed.
        f'[[packages.wheels]]\nname = "{wheel.name}"\nurl = "{index.file_url(wheel.name)}"\n'
        f'upload-time = 2020-01-01T00:00:00Z\n[packages.wheels.hashes]\nsha256 = "{_sha256(wheel)}"\n'
    )
    result = env.run_pip("install", "-t", str(target), "-r", str(lock), index=index)
    _assert_held(result, target)
    assert "uploaded 12 min ago" in result.out, result
    assert not index.downloads


def test_another_interpreter(env: Env, bare_env: Env, young: IndexServer, target: Path) -> None:
    for arguments in (["-t", str(target)], ["--prefix", str(target)]):
        result = env.run(
            "-m", "pip", "--python", str(bare_env.python), "install", *arguments, "demo", index=young
        )
        _assert_held(result, target)
    assert not young.downloads
    control = env.run(
        "-m", "pip", "--python", str(bare_env.python), "install", "-t", str(target), "demo",
        index=young, env={"VELN_HOOK": "off"},
    )  # fmt: skip
    assert control.returncode == 0, control


@pytest.fixture
def able(home: envs.Home) -> Env:
    """The newest pip that still runs on the oldest Python, on the newest one."""
    usable = [
        p for p in envs.PAIRS if p.pip in {q.pip for q in envs.PAIRS if q.python == envs.PAIRS[0].python}
    ]
    return envs.shared_env(next(p for p in reversed(usable) if envs.find_python(p.python)), home)


@pytest.fixture
def oldest_python(env: Env, make_env: Callable[..., Env]) -> Env:
    """An environment without veln-hook on the oldest Python here."""
    oldest = next(p for p in envs.PAIRS if envs.find_python(p.python))
    if oldest.python == env.pair.python:
        pytest.skip("only one Python here")
    return make_env(oldest, hooked=False)


def test_an_older_interpreter_gets_dependencies_it_can_run(
    able: Env, oldest_python: Env, young: IndexServer, tmp_path: Path, target: Path
) -> None:
    for wheel in cache.dependency_wheels(oldest_python.pair.python):
        young.add(wheel, upload_time=OLD)
    for _ in range(2):
        result = able.run(
            "-m", "pip", "--python", str(oldest_python.python), "install", "-t", str(target), "demo", index=young
        )  # fmt: skip
        _assert_held(result, target)
    young.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    passed = able.run(
        "-m", "pip", "--python", str(oldest_python.python), "install", "-t", str(target), "demo", index=young
    )  # fmt: skip
    assert passed.returncode == 0, passed
    assert sorted(p.name for p in target.iterdir() if not p.name.startswith("__")) == [
        "demo-1.0.dist-info",
        "demo.py",
    ]


def test_an_older_interpreter_that_no_dependencies_fit_is_refused(
    able: Env, oldest_python: Env, young: IndexServer, target: Path
) -> None:
    result = able.run(
        "-m", "pip", "--python", str(oldest_python.python), "install", "-t", str(target), "demo", index=young
    )  # fmt: skip
    assert result.returncode == 78, result
    assert "can't be fetched" in result.out, result
    assert not target.exists()
    assert not young.downloads
    assert "Traceback" not in result.out, result


def test_pip_upgrades_itself(
    newest_env: Env, make_env: Callable[..., Env], index: IndexServer, tmp_path: Path
) -> None:
    del newest_env
    older = next(
        p for p in reversed(envs.PAIRS) if p.pip != envs.newest_pair().pip and envs.find_python(p.python)
    )
    env = make_env(older)
    newest = cache.pip_wheel(envs.newest_pair().pip)
    index.add(newest, upload_time=OLD)
    result = env.run_pip("install", "--upgrade", "pip", index=index)
    assert result.returncode == 0, result
    assert env.installed()["pip"] == envs.newest_pair().pip
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    held = env.run_pip("install", "demo", index=index)
    assert held.returncode == 75, held
    assert env.run("-c", "pass").out == ""
