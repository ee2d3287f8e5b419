"""What a release's page alone tells, with a real pip and a real index: no byte of a held file is fetched."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from support.builders import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env, Home
    from support.index_server import IndexServer

HOURS = timedelta(hours=5)
DAYS = timedelta(days=1)


def add(
    index: IndexServer, tmp_path: Path, version: str, age: timedelta, *, name: str = "demo", **more: bool
) -> str:
    wheel = make_wheel(tmp_path, name, version)
    index.add(wheel, upload_time=age, **more)
    return wheel.name


def test_a_release_without_the_attestations_that_were_usual_is_told(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    for number, age in ((1, 200), (2, 100), (3, 50)):
        add(index, tmp_path, f"1.{number}", age * DAYS, provenance=True)
    add(index, tmp_path, "1.4", HOURS)
    result = shared.run_pip("install", "-t", target, "demo", index=index)
    assert result.returncode == 0, result
    assert "WARN  demo 1.4  it has no attestations (PEP 740)" in result.out, result
    # An old release is nobody's news, though it lacks what others have.
    add(index, tmp_path, "0.9", 500 * DAYS)
    result = shared.run_pip("install", "-t", target, "demo==0.9", index=index)
    assert result.returncode == 0, result
    assert "WARN  " not in result.out, result


def test_a_project_in_quarantine_is_held_however_old_its_files_are(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    names = [add(index, tmp_path, version, 300 * DAYS) for version in ("1.0", "2.0")]
    index.statuses["demo"] = ("quarantined", "reported as malware")
    result = shared.run_pip("install", "-t", target, "demo", index=index)
    assert result.returncode == 77, result
    assert "HOLD  demo 2.0  its index has put the project in quarantine" in result.out, result
    assert "reported as malware" in result.out, result
    assert not any(index.downloads[name] for name in names)


def test_an_archived_project_and_an_unknown_status_hinder_nobody(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    add(index, tmp_path, "1.0", 300 * DAYS)
    for status in ("archived", "deprecated", "frobnicated"):
        index.statuses["demo"] = (status, "")
        result = shared.run_pip("install", "--upgrade", "-t", target, "demo", index=index)
        assert result.returncode == 0, result
        assert "HOLD" not in result.out, result


def test_a_young_project_with_a_popular_ones_name_is_held(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    names = [
        add(index, tmp_path, "1.0", 3 * DAYS, name="reqeusts"),
        add(index, tmp_path, "1.1", 2 * DAYS, name="reqeusts"),
    ]
    result = shared.run_pip("install", "-t", target, "reqeusts", index=index)
    assert result.returncode == 77, result
    assert "HOLD  reqeusts 1.1  a young project with the name of a popular one, requests" in result.out, (
        result
    )
    assert not any(index.downloads[name] for name in names)
    # A project that has borne the name for long does no harm.
    add(index, tmp_path, "0.1", 300 * DAYS, name="reqeusts")
    result = shared.run_pip("install", "-t", target, "reqeusts", index=index)
    assert result.returncode == 0, result


def test_a_private_name_on_another_index_is_not_taken(
    shared: Env, index: IndexServer, make_index: Callable[..., IndexServer], home: Home, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    (tmp_path / "public").mkdir()
    public = make_index()
    forged = add(public, tmp_path / "public", "99.0", 200 * DAYS, name="acme-core")
    own = add(index, tmp_path, "1.0", 200 * DAYS, name="acme-core")
    home.write_policy(f'[[indexes]]\nurl = "{index.url}"\nprivate = ["acme-*"]\n')
    command = ["install", "-t", target, "--extra-index-url", public.url, "acme-core"]
    result = shared.run_pip(*command, index=index)
    assert result.returncode == 0, result
    assert "BLOCK acme-core 99.0  acme-core is private by the policy" in result.out, result
    assert "using acme-core 1.0 instead" in result.out, result
    assert (public.downloads[forged], index.downloads[own]) == (0, 1)
    # Where the own index has no such project, nothing is taken.
    index.remove(own)
    result = shared.run_pip("install", "-t", tmp_path / "other", *command[3:], index=index)
    assert result.returncode == 1, result
    assert public.downloads[forged] == 0


def test_a_yanked_release_is_told_where_it_is_used(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    add(index, tmp_path, "1.0", 300 * DAYS)
    add(index, tmp_path, "2.0", 200 * DAYS, yanked=True)
    result = shared.run_pip("install", "-t", target, "demo", index=index)
    assert result.returncode == 0, result
    assert "WARN  " not in result.out, result
    result = shared.run_pip("install", "--upgrade", "-t", target, "demo==2.0", index=index)
    assert result.returncode == 0, result
    assert "WARN  demo 2.0  it was yanked" in result.out, result
