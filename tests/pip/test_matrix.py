"""What every supported pip must do, on every pair: Must show 2 of the foundation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist, make_wheel
from support.held import OLD, YOUNG

if TYPE_CHECKING:
    from pathlib import Path

    from support.envs import Env
    from support.index_server import IndexServer


@pytest.fixture
def demo(index: IndexServer, tmp_path: Path) -> IndexServer:
    """An index with demo 1.0, old, and demo 2.0, twelve minutes old."""
    index.html_for_pip22 = True  # as the real index answers pip 22
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    return index


def test_a_young_release_is_held_and_the_one_before_is_used(
    shared: Env, demo: IndexServer, target: Path
) -> None:
    result = shared.run_pip("install", "--target", str(target), "demo", index=demo)
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0  uploaded 12 min ago, cooling until" in result.out, result
    assert "policy: 2 h)" in result.out
    assert "using demo 1.0 instead" in result.out
    assert 'veln-hook approve demo==2.0 --reason "..."' in result.out
    assert result.out.count("HOLD") == 1, result
    assert (target / "demo-1.0.dist-info").is_dir()
    assert demo.downloads["demo-2.0-py3-none-any.whl"] == 0


def test_a_pinned_young_release_fails_with_75_and_no_byte_of_it(
    shared: Env, demo: IndexServer, target: Path
) -> None:
    result = shared.run_pip("install", "--target", str(target), "demo==2.0", index=demo)
    assert result.returncode == 75, result
    assert "ERROR: HOLD  demo 2.0  uploaded 12 min ago" in result.out, result
    assert "Traceback" not in result.out
    assert "No matching distribution" not in result.out, result
    assert not target.exists()
    assert demo.bytes_sent["demo-2.0-py3-none-any.whl"] == 0


def test_nothing_is_held_once_it_has_cooled(shared: Env, demo: IndexServer, target: Path) -> None:
    result = shared.run_pip(
        "install",
        "--target",
        str(target),
        "demo==2.0",
        index=demo,
        env={"VELN_HOOK_COOLING_MIN_AGE": "10 min"},
    )
    assert result.returncode == 0, result
    assert "HOLD" not in result.out
    assert (target / "demo-2.0.dist-info").is_dir()


def test_an_approved_release_installs(shared: Env, demo: IndexServer, target: Path) -> None:
    approved = shared.run_script(
        "veln-hook", "approve", "demo==2.0", "--reason", "the fix we wait for", index=demo
    )
    assert approved.returncode == 0, approved
    result = shared.run_pip("install", "--target", str(target), "demo==2.0", index=demo)
    assert result.returncode == 0, result
    assert (target / "demo-2.0.dist-info").is_dir()


def test_an_archive_that_would_overwrite_us_is_blocked(env: Env, index: IndexServer, tmp_path: Path) -> None:
    index.html_for_pip22 = True
    index.add(
        make_wheel(
            tmp_path, "evil", "1.0", {"evil.py": "", "veln_hook/_startup.py": "def install(): pass\n"}
        ),
        upload_time=OLD,
    )
    index.add(make_wheel(tmp_path, "innocent", "1.0"), upload_time=OLD)
    before = env.files()
    result = env.run_pip("install", "innocent", "evil", index=index)
    assert result.returncode == 1, result
    assert "BLOCK evil 1.0" in result.out, result
    assert env.files() == before, "something was written although one archive of the run is blocked"


def test_a_locally_built_wheel_from_the_cache_is_held_with_its_sdist(
    shared: Env, index: IndexServer, tmp_path: Path, unconfined: dict[str, str]
) -> None:
    index.html_for_pip22 = True
    marker = tmp_path / "ran"
    sdist = make_sdist(tmp_path, "demo", "2.0", marker=marker)
    index.add(sdist, upload_time=YOUNG)
    built = shared.run_pip("install", "--target", str(tmp_path / "a"), "demo", index=index, protected=False)
    assert built.returncode == 0, built
    assert marker.exists()
    marker.unlink()
    downloads = index.downloads[sdist.name]
    held = shared.run_pip("install", "--target", str(tmp_path / "b"), "demo", index=index, env=unconfined)
    assert held.returncode == 75, held
    assert not marker.exists()
    assert index.downloads[sdist.name] == downloads
    assert not (tmp_path / "b").exists()
    cooled = shared.run_pip(
        "install",
        "--target",
        str(tmp_path / "c"),
        "demo",
        index=index,
        env={**unconfined, "VELN_HOOK_COOLING_MIN_AGE": "0"},
    )
    assert cooled.returncode == 0, cooled
    assert (tmp_path / "c" / "demo.py").exists()
    assert not marker.exists(), "the wheel was built again, so it did not come from pip's cache"


def test_a_held_sdist_never_runs(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path, unconfined: dict[str, str]
) -> None:
    index.html_for_pip22 = True
    marker = tmp_path / "ran"
    index.add(make_sdist(tmp_path, "demo", "2.0", marker=marker), upload_time=YOUNG)
    for arguments in (["demo"], ["demo==2.0"], ["--no-binary", ":all:", "demo"]):
        result = shared.run_pip("install", "--target", str(target), *arguments, index=index, env=unconfined)
        assert result.returncode == 75, result
        assert not marker.exists(), f"its build code ran: pip install {' '.join(arguments)}"
    assert index.downloads["demo-2.0.tar.gz"] == 0


def test_a_held_wheel_does_not_make_pip_build_the_sdist(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path, unconfined: dict[str, str]
) -> None:
    index.html_for_pip22 = True
    marker = tmp_path / "ran"
    index.add(make_sdist(tmp_path, "demo", "2.0", marker=marker), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    result = shared.run_pip("install", "--target", str(target), "demo", index=index, env=unconfined)
    assert result.returncode == 75, result
    assert not marker.exists()
    assert not index.downloads


def test_a_young_build_requirement_is_held(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path, unconfined: dict[str, str]
) -> None:
    index.html_for_pip22 = True
    marker = tmp_path / "ran"
    index.add(make_wheel(tmp_path, "helper", "3.0"), upload_time=YOUNG)
    index.add(make_sdist(tmp_path, "demo", "1.0", marker=marker, build_requires=["helper"]), upload_time=OLD)
    result = shared.run_pip("install", "--target", str(target), "demo", index=index, env=unconfined)
    assert result.returncode == 75, result
    assert "HOLD  helper 3.0" in result.out, result
    assert not marker.exists()
    assert index.downloads["helper-3.0-py3-none-any.whl"] == 0
    assert not target.exists()
    cooled = {**unconfined, "VELN_HOOK_COOLING_MIN_AGE": "0"}
    passed = shared.run_pip("install", "--target", str(target), "demo", index=index, env=cooled)
    assert passed.returncode == 0, passed
    assert marker.exists()


def test_refusing_instead_of_falling_back(shared: Env, demo: IndexServer, target: Path) -> None:
    result = shared.run_pip(
        "install", "--target", str(target), "demo", index=demo, policy='[cooling]\non_hold = "refuse"\n'
    )
    assert result.returncode == 75, result
    assert "HOLD  demo 2.0" in result.out
    assert not target.exists()


def test_the_legacy_resolver_is_covered(shared: Env, demo: IndexServer, target: Path) -> None:
    legacy = "--use-deprecated=legacy-resolver"
    pinned = shared.run_pip("install", "--target", str(target), legacy, "demo==2.0", index=demo)
    if "invalid choice: 'legacy-resolver'" in pinned.out:
        pytest.skip(f"pip {shared.pair.pip} has no legacy resolver any more")
    assert pinned.returncode == 75, pinned
    assert "HOLD  demo 2.0" in pinned.out
    free = shared.run_pip("install", "--target", str(target), legacy, "demo", index=demo)
    assert free.returncode == 0, free
    assert (target / "demo-1.0.dist-info").is_dir()
    assert demo.downloads["demo-2.0-py3-none-any.whl"] == 0


def test_listing_what_is_outdated_goes_on(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.html_for_pip22 = True
    names = ["demo", "other", "third"]
    for name in names:
        index.add(make_wheel(tmp_path, name, "1.0"), upload_time=OLD)
    shared.run_pip("install", "--target", str(target), *names, index=index, check=True)
    for name in names:
        index.add(make_wheel(tmp_path, name, "1.5"), upload_time=OLD)
        index.add(make_wheel(tmp_path, name, "2.0"), upload_time=YOUNG)
    for protected, latest in ((True, "1.5"), (False, "2.0")):
        result = shared.run_pip(
            "list", "--outdated", "--format=json", "--path", str(target), index=index, protected=protected
        )
        assert result.returncode == 0, result
        assert {line["name"]: line["latest_version"] for line in json.loads(result.stdout)} == dict.fromkeys(
            names, latest
        )
