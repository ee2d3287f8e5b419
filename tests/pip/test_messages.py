"""What a held user reads and is told to type: it is true, complete, and works when it is typed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from support.builders import make_wheel
from support.held import EVIL, OLD, YOUNG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env, Result
    from support.index_server import IndexServer


@pytest.fixture
def env(shared_env: Env) -> Env:
    return shared_env


@pytest.fixture
def starving(index: IndexServer, tmp_path: Path) -> IndexServer:
    """An index on which app 2.0 needs just the release of demo that is too young, and app 1.0 needs none."""
    index.add(make_wheel(tmp_path, "app", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path, "app", "2.0", requires=["demo==2.0"]), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    return index


def _command(result: Result) -> list[str]:
    line = next(line for line in result.out.splitlines() if "approve  veln-hook" in line)
    words = shlex.split(line.partition("approve  veln-hook ")[2])
    return [word if word != "..." else "the fix we wait for" for word in words]


def test_a_hold_that_makes_pip_choose_another_project_is_told(
    shared: Env, starving: IndexServer, target: Path
) -> None:
    starving.html_for_pip22 = True
    result = shared.run_pip("install", "-t", str(target), "app", index=starving)
    assert result.returncode == 0, result
    assert (target / "app-1.0.dist-info").is_dir()
    assert result.out.count("HOLD") == 1, result
    assert "HOLD  demo 2.0  uploaded 12 min ago" in result.out
    assert "what needs it is used in another release, or not at all" in result.out
    assert "HOLD" in shared.run_script("veln-hook", "log", "demo", check=True).out


def test_every_held_pin_is_told_at_once(
    shared: Env, index: IndexServer, tmp_path: Path, target: Path
) -> None:
    index.html_for_pip22 = True
    for name in ("demo", "other", "third", "fine"):
        index.add(make_wheel(tmp_path, name, "1.0"), upload_time=OLD)
        index.add(make_wheel(tmp_path, name, "2.0"), upload_time=YOUNG)
    pins = ["demo==2.0", "third==2.0; python_version<'3'", "fine", "other==2.0", "third==2.0"]
    result = shared.run_pip("install", "-t", str(target), *pins, index=index)
    assert result.returncode == 75, result
    assert result.out.count("HOLD") == 3, result
    for name in ("demo", "other", "third"):
        assert f"HOLD  {name} 2.0  uploaded" in result.out, result
    assert not target.exists()
    assert not [name for name in index.downloads if name.endswith(".whl")]


def test_on_hold_refuse_forbids_that_too(env: Env, starving: IndexServer, target: Path) -> None:
    refuse = '[cooling]\non_hold = "refuse"\n'
    result = env.run_pip("install", "-t", str(target), "app", index=starving, policy=refuse)
    assert result.returncode == 75, result
    assert "HOLD  demo 2.0" in result.out
    assert not target.exists()


def test_a_constraint_on_a_held_release_is_told(
    env: Env, starving: IndexServer, tmp_path: Path, target: Path
) -> None:
    starving.add(make_wheel(tmp_path, "app", "3.0", requires=["demo"]), upload_time=OLD)
    (tmp_path / "c.txt").write_text("demo==2.0\n")
    result = env.run_pip("install", "-t", str(target), "-c", str(tmp_path / "c.txt"), "app", index=starving)
    assert result.returncode == 0, result
    assert "HOLD  demo 2.0" in result.out


def test_other_bytes_at_a_url_are_approved_as_what_they_are(
    env: Env, index: IndexServer, forged_url: str, target: Path
) -> None:
    checked = env.run_script("veln-hook", "check", forged_url, index=index)
    assert "WARN  demo 2.0  its bytes are known, and judged, only once they are downloaded" in checked.out
    held = env.run_pip("install", "-t", str(target), forged_url, index=index)
    assert held.returncode == 75, held
    assert "review" not in held.out, "that page would show the index's bytes"
    command = _command(held)
    assert command[-4::2] == ["--sha256", "--filename"], command
    approved = env.run_script("veln-hook", *command, index=index, check=True)
    assert "is not held now" not in approved.out
    passed = env.run_pip("install", "-t", str(target), forged_url, index=index)
    assert passed.returncode == 0, passed
    assert "demo 2.0 passes by approval 1: the fix we wait for" in passed.out
    assert "WARNING" not in passed.out, passed


def test_an_index_that_was_typed_is_in_the_approve_command(
    env: Env, young: IndexServer, make_index: Callable[..., IndexServer], target: Path
) -> None:
    configured = make_index()
    words = ["install", "-t", str(target), "-i", young.url, "demo"]
    held = env.run_pip(*words, index=configured)
    assert held.returncode == 75, held
    command = _command(held)
    assert command[-2:] == ["-i", young.url]
    env.run_script("veln-hook", *command, index=configured, check=True)
    assert env.run_pip(*words, index=configured).returncode == 0


def test_no_approval_is_offered_where_none_would_count(
    env: Env, young: IndexServer, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    held = env.run_pip(
        "install", "-t", str(target), "demo", index=young, policy='[approvals]\naccept = "none"\n'
    )
    assert held.returncode == 75, held
    assert "approve" not in held.out
    env.home.write_policy("")
    bare = make_index(json=False)
    bare.add(make_wheel(tmp_path, "other", "1.0"), sha256=False)
    unknown = env.run_pip("install", "-t", str(target), "other", index=bare)
    assert unknown.returncode == 75, unknown
    assert "approve" not in unknown.out, "by its name alone, nothing exact would be approved"


def test_the_reason_as_the_message_spells_it_is_none(env: Env, young: IndexServer) -> None:
    result = env.run_script("veln-hook", "approve", "demo==2.0", "--reason", "...", index=young)
    assert result.returncode == 2, result
    assert "no reason is given" in result.out


def test_check_judges_a_local_file_whole(env: Env, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "evil", "1.0", EVIL)
    result = env.run_script("veln-hook", "check", str(wheel))
    assert result.returncode == 1, result
    assert "BLOCK evil 1.0" in result.out


def test_status_sees_a_plugin_that_is_not_there(env: Env, young: IndexServer, target: Path) -> None:
    env.home.write_policy('[plugins]\nenable = ["nope"]\n')
    status = env.run_script("veln-hook", "status")
    assert status.returncode == 78, status
    assert "FAIL  policy" in status.out
    assert env.run_pip("install", "-t", str(target), "demo", index=young).returncode == 78


def test_the_hint_of_a_wrong_command_line_can_be_typed(env: Env) -> None:
    result = env.run_script("veln-hook", "approve", "--nonsense")
    assert result.returncode == 2, result
    hint = result.out.partition("(more: '")[2].partition("'")[0]
    assert hint == "veln-hook approve --help"
    assert env.run_script(*hint.split()).returncode == 0
